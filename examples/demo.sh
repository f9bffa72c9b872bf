#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The demo: does self-supervision pay on real pages that link to each other? Then a model of all their links, which
# recommends pages for one that it has never seen. The study of an interrupted demo goes on where it was, and that of
# another version gives way.
#
#   examples/demo.sh DIPTYCH PROJECT FOLDER [FLAG]...    flags are of diptych experiment
set -eu

diptych=$1 project=$2 folder=$3
shift 3
page="title=Draw a rounded rectangle with a gradient brush,section=gdiplus"

# Shows a command as one would type it, and runs it.
run() {
    printf '\n$'
    for word in "$@"; do
        case $word in *' '*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\n'
    "$@"
}

mkdir -p "$folder"
run "$diptych" prepare "$project" -o "$folder/pages.dip" --force
run "$diptych" experiment "$folder/pages.dip" --preset quick -o "$folder/report" --force "$@"
run "$diptych" train "$folder/pages.dip" -o "$folder/model" --force --preset best --model.hidden 256,64
run "$diptych" evaluate "$folder/model"
run "$diptych" recommend "$folder/model" -k 5 --features "$page"
printf '\nThe report, with figures, is one file for a browser: %s\n' "$folder/report/index.html"
