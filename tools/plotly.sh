#!/usr/bin/env bash
# Puts plotly.min.js, which draws the figures of reports, with its licence into build/plotly, where CMake finds it,
# unless it is there already. It comes with the Python package plotly. When it cannot be fetched, reports show
# tables in the place of figures, and the tests of the figures say that they are skipped.
set -uo pipefail

folder=$(cd "$(dirname "$0")/.." && pwd)/build/plotly
if [ -s "$folder/plotly.min.js" ] && [ -s "$folder/LICENSE.txt" ]; then
    exit 0
fi
echo "Fetching plotly.min.js (of the plotly wheel, about 10 MB) into build/plotly"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if python3 -m venv "$work/pip" >/dev/null 2>&1 &&
    "$work/pip/bin/python3" -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: --timeout 20 --retries 1 --dest "$work" 'plotly>=6,<7' 2>/dev/null &&
    python3 -m zipfile -e "$work"/plotly-*.whl "$work/wheel" &&
    mkdir -p "$folder" &&
    cp "$work"/wheel/plotly-*.dist-info/licenses/LICENSE.txt "$folder/LICENSE.txt" &&
    cp "$work/wheel/plotly/package_data/plotly.min.js" "$folder/plotly.min.js.new" &&
    mv "$folder/plotly.min.js.new" "$folder/plotly.min.js"; then
    exit 0
fi
echo "plotly.min.js is not to be had here: reports will show tables in the place of figures"
rm -rf "$folder"
