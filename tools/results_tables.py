#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the tables of a report as Markdown, for docs/results.md:

    python3 tools/results_tables.py [--costs] report/results.json

With --costs every row ends with what a final run of that method took, in seconds, and how many
times the baseline's that is.
A cell is the mean over the seeds, its standard deviation, and the change against the baseline. A
small s or q marks a difference from the baseline with an adjusted p below .05, by seed or by query;
bold is the best of a column, where both can tell.
"""
import argparse
import json

LEVEL = 0.05


def number(value):
    """.0537 as the paper prints it."""
    return "-" if value is None else ("%.4f" % value).replace("0.", ".", 1)


def marks(cell):
    """Which tests a difference passed."""
    found = ""
    for mark, key in (("s", "p_seed"), ("q", "p_query")):
        if cell.get(key) is not None and cell[key] < LEVEL:
            found += mark
    return "<sup>%s</sup>" % found if found else ""


def cell_text(cell):
    """One cell of a method."""
    text = number(cell["mean"])
    if cell["mean"] is None:
        return text
    if cell.get("is_best") and cell.get("is_significant"):
        text = "**%s**" % text
    text += marks(cell)
    if cell.get("sd") is not None:
        text += " ±" + number(cell["sd"])
    if cell.get("change") is not None:
        text += " (%+.0f%%)" % (100 * cell["change"])
    return text


def setting_text(row):
    """What was chosen, in short."""
    chosen = row.get("setting") or {}
    return ", ".join("%s %s" % (key.split(".", 1)[1], value) for key, value in chosen.items())


def column_text(column):
    """"tail Recall@10"; all pairs are not named."""
    return ("" if column["slice"] == "all" else column["slice"] + " ") + column["label"]


def costs_of(report, condition):
    """{method: "21.4 s (x2.13)"} of a condition."""
    found = {}
    for cost in report["costs"]:
        if cost["condition"] == condition and cost["seconds"] is not None:
            found[cost["method"]] = "%.1f s (x%.2f)" % (cost["seconds"], cost["times_baseline"])
    return found


def print_table(table, costs):
    """One table with its title; costs: of its methods, or None."""
    heads = list(map(column_text, table["columns"])) + ["chosen"]
    if costs is not None:
        heads.append("a run")
    print("\n%s\n" % table["title"])
    print("| | %s |" % " | ".join(heads))
    print("|---|%s" % ("---|" * len(heads)))
    for row in table["rows"]:
        cells = list(map(cell_text, row["cells"])) + [setting_text(row)]
        if costs is not None:
            cells.append(costs.get(row["method"], ""))
        print("| %s | %s |" % (row["label"], " | ".join(cells)))


def main():
    """All tables of the files given."""
    parser = argparse.ArgumentParser(description="Prints the tables of reports as Markdown.")
    parser.add_argument("files", nargs="+", help="results.json of a report")
    parser.add_argument("--costs", action="store_true", help="what a run of each method took")
    options = parser.parse_args()
    for path in options.files:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        pairs = report["dataset"]["pairs"]
        print("%s: %d items; %d training, %d validation, %d test pairs; %d seeds" % (
            report["title"], report["dataset"]["items"], pairs["train"], pairs["validation"],
            pairs["test"], len(report["study"]["seeds"])))
        for table in report["tables"]:
            print_table(table, costs_of(report, table["condition"]) if options.costs else None)


if __name__ == "__main__":
    main()
