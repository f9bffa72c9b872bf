#!/usr/bin/env python3
"""How fast `diptych prepare` is, and how much memory it takes, beside DuckDB, polars and pandas.

The tables come from `diptych generate`: items and users with features, and interactions of a user,
an item and a time. Diptych does the whole of prepare. The others do its least part, each in its own
idiom: read the three tables, give every user and item a number, put the numbers into the
interactions, drop repeated pairs, and write the pairs as a Parquet file. What they leave out
(vocabularies of the features, the split, counts, mutual information, checksums) they are spared.

Every program runs alone, once to warm the page cache and then --rounds times in turns; the median
counts. Needs the command (--diptych), and for the others a Python that imports them (--python).
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

DUCKDB = """
import duckdb, sys
folder, out, memory, threads = sys.argv[1:5]
db = duckdb.connect(out + ".duckdb")
db.execute(f"SET memory_limit='{memory}iB'; SET threads={threads}; SET temp_directory='{out}.tmp'")
db.execute("SET preserve_insertion_order=false")
read = "read_csv('%s/%s.tsv', delim='\\t', header=true, quote='', all_varchar=true)"
for name in ("items", "queries"):
    source = read % (folder, name)
    db.execute(f"CREATE TABLE {name} AS SELECT row_number() OVER () - 1 AS row, * FROM {source}")
pairs = read % (folder, "interactions")
db.execute(f\"\"\"COPY (SELECT DISTINCT q.row::INT AS query, i.row::INT AS item FROM {pairs} p
               JOIN queries q ON q.user_id = p.user_id JOIN items i ON i.item_id = p.item_id)
               TO '{out}.parquet' (FORMAT parquet)\"\"\")
"""

POLARS = """
import polars as pl, sys
folder, out = sys.argv[1:3]
def read(name, columns=None):
    return pl.scan_csv(f"{folder}/{name}.tsv", separator="\\t", quote_char=None, infer_schema=False)
items = read("items").collect().with_row_index("item")
queries = read("queries").collect().with_row_index("query")
pairs = read("interactions")
joined = (pairs.join(queries.lazy().select("user_id", "query"), on="user_id")
          .join(items.lazy().select("item_id", "item"), on="item_id")
          .select(pl.col("query").cast(pl.Int32), pl.col("item").cast(pl.Int32)).unique())
joined.collect(engine="streaming").write_parquet(out + ".parquet")
"""

PANDAS = """
import pandas as pd, sys
folder, out = sys.argv[1:3]
def read(name):
    return pd.read_csv(f"{folder}/{name}.tsv", sep="\\t", quoting=3, dtype=str, engine="c",
                       keep_default_na=False)
items, queries, pairs = read("items"), read("queries"), read("interactions")
items_row = pd.Series(range(len(items)), index=items["item_id"], dtype="int32")
queries_row = pd.Series(range(len(queries)), index=queries["user_id"], dtype="int32")
found = pd.DataFrame({"query": pairs["user_id"].map(queries_row),
                      "item": pairs["item_id"].map(items_row)}).drop_duplicates()
found.to_parquet(out + ".parquet")
"""

OTHERS = {"duckdb": DUCKDB, "polars": POLARS, "pandas": PANDAS}


def measure(arguments, env=None):
    """(seconds, CPU seconds, peak RSS in MB, exit code) of one run."""
    began = time.monotonic()
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env=env)
    _, status, usage = os.wait4(child.pid, 0)
    return (time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
            os.waitstatus_to_exitcode(status))


def clean(prefix):
    """Removes what a run wrote."""
    folder, stem = os.path.split(prefix)
    for name in os.listdir(folder):
        if name.startswith(stem):
            path = os.path.join(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def versions(python):
    """{name: version} of the others that the Python imports."""
    found = {}
    for name in OTHERS:
        script = f"import {name}; print({name}.__version__)"
        done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found[name] = done.stdout.strip()
    return found


def programs(args, out):
    """{name: arguments} of everything that is compared."""
    tables = os.path.join(args.folder, "tables")
    threads = str(args.threads)
    command = [args.diptych, "prepare", os.path.join(tables, "project.yaml"), "-o", out, "-q",
               "--threads", threads]
    runs = {"diptych, " + args.memory: command + ["--memory", args.memory]}
    for name in (n for n in versions(args.python) if n not in args.without):
        runs[name] = [args.python, "-c", OTHERS[name], tables, out, args.memory, threads]
    return runs


def report(rows, size, args):
    """The table as text."""
    lines = [f"{size / 1e6:,.0f} MB of text, {args.pairs:,} interactions of {args.queries:,} users "
             f"and {args.items:,} items, {args.threads} threads",
             f"{'':22}{'seconds':>9}{'CPU s':>9}{'MB/s':>8}{'MB/s a core':>13}{'peak RSS':>10}"]
    for row in rows:
        if row["code"] != 0:
            lines.append(f"{row['name']:22}failed with exit code {row['code']} after "
                         f"{row['seconds']:.0f} s, peak RSS {row['peak_rss_mb']:.0f} MB")
            continue
        lines.append(f"{row['name']:22}{row['seconds']:9.1f}{row['cpu_s']:9.1f}"
                     f"{row['mb_s']:8.0f}{row['mb_s_core']:13.0f}{row['peak_rss_mb']:7.0f} MB")
    return "\n".join(lines)


def run(args):
    """Rows of the result."""
    out = os.path.join(args.folder, "out")
    tables = os.path.join(args.folder, "tables")
    size = sum(os.path.getsize(os.path.join(tables, name)) for name in os.listdir(tables)
               if name.endswith(".tsv"))
    runs = programs(args, out)
    taken = {name: [] for name in runs}
    for round_number in range(args.rounds + 1):
        for name, arguments in runs.items():
            if taken[name] and taken[name][-1][3] != 0:
                continue
            result = measure(arguments)
            clean(out)
            if round_number > 0 or result[3] != 0:
                taken[name].append(result)
            print(f"  {name}: {result[0]:.1f} s", file=sys.stderr)
    rows = []
    for name, results in taken.items():
        seconds, cpu, rss = (statistics.median(r[k] for r in results) for k in range(3))
        rows.append({"name": name, "seconds": seconds, "cpu_s": cpu, "peak_rss_mb": rss,
                     "mb_s": size / 1e6 / seconds, "mb_s_core": size / 1e6 / cpu,
                     "code": results[-1][3], "bytes": size, "pairs": args.pairs,
                     "items": args.items, "queries": args.queries, "threads": args.threads})
    return rows, size


def main():
    """Makes the tables, runs everything, prints and keeps the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", help="where tables and outputs go")
    parser.add_argument("--diptych", required=True, help="the command")
    parser.add_argument("--python", default=sys.executable, help="imports duckdb, polars, pandas")
    parser.add_argument("--without", nargs="*", default=[], help="leave these programs out")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=20_000_000)
    parser.add_argument("--memory", default="2G")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", help="write the table to this file and .json beside it")
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    tables = os.path.join(args.folder, "tables")
    if not os.path.exists(tables):
        subprocess.run([args.diptych, "generate", "--items", str(args.items), "--queries",
                        str(args.queries), "--pairs", str(args.pairs), "--format", "tsv", "-o",
                        tables, "-q", "--judge", "1000"], check=True, stdout=subprocess.DEVNULL)
    rows, size = run(args)
    text = report(rows, size, args) + "\n" + ", ".join(
        [platform.processor() or platform.machine()] +
        [f"{name} {version}" for name, version in versions(args.python).items()])
    print(text)
    if args.keep:
        with open(args.keep, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        with open(os.path.splitext(args.keep)[0] + ".json", "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
