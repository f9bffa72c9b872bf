#!/usr/bin/env bash
# Puts the pyarrow wheel, which holds Arrow C++ with its headers, into build/arrow, where CMake finds it, unless
# it is there already. What cannot be fetched is left out: Parquet and Arrow files are then not read, and their
# tests say that they are skipped.
set -uo pipefail

folder=$(cd "$(dirname "$0")/.." && pwd)/build/arrow
if "$folder/bin/python3" -c 'import pyarrow' 2>/dev/null; then
    exit 0
fi
echo "Fetching Arrow (the pyarrow wheel, about 50 MB) into build/arrow"
if ! python3 -m venv "$folder" >/dev/null 2>&1 ||
    ! "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        --timeout 20 --retries 1 'pyarrow>=15' 2>/dev/null; then
    echo "Arrow is not to be had here: Parquet and Arrow files will not be read"
    rm -rf "$folder"
fi
