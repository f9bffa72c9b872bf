#!/usr/bin/env bash
# Installs Debian's chromium, in which the tests open reports, unless there is one. Where it cannot be installed
# those tests say that they are skipped.
set -uo pipefail

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done
if ! "$(dirname "$0")/setup.sh" chromium; then
    echo "A browser is not to be had here: the tests of the report in a browser will be skipped"
fi
