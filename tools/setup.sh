#!/usr/bin/env bash
# Installs the Debian packages that the build, the demo and the tests need, when one is missing. Says which
# ones, and uses sudo when it is not run as root. Further packages can be named as arguments.
set -euo pipefail

packages=(gcc g++ cmake ninja-build pkg-config python3 python3-venv binutils
    libdnnl-dev libyaml-dev libjansson-dev zlib1g-dev libzstd-dev libxxhash-dev libutf8proc-dev
    libcmocka-dev strace "$@")

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    if [ "$state" != "install ok installed" ]; then
        missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "These are missing and apt-get is not here to install them: ${missing[*]}" >&2
    exit 1
fi

root=()
rights="as root"
if [ "$(id -u)" -ne 0 ]; then
    root=(sudo)
    rights="with sudo"
fi
echo "Installing what is missing, $rights: ${missing[*]}"
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
