# SPDX-License-Identifier: Apache-2.0
"""Fuzzes the parsers: runs targets for a number of executions each and prints a line a target.

    cmake --preset fuzz && cmake --build --preset fuzz --target fuzz_targets
    python3 tests/fuzz/run.py                     all targets, 10 million executions each
    python3 tests/fuzz/run.py --runs 100000 npy   one target, shortly
    python3 tests/fuzz/run.py --keep              also renews the corpus and results.txt of the tree
    python3 tests/fuzz/run.py --keep --add model  adds to what earlier runs have done

Ctrl-C stops early, and what was executed counts. Inputs that a run finds stay in BUILD/corpus and
are where the next run begins. An input that breaks a promise goes to BUILD/findings;
BUILD/tests/fuzz/fuzz_TARGET FILE runs it again.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(HERE, "results.txt")
COLUMNS = ("target", "executions", "seconds", "edges", "features", "files", "bytes", "findings")
HEAD = """Executions under libFuzzer with the address and undefined-behaviour sanitizers, by
tests/fuzz/run.py --keep. Edges and features are libFuzzer's counters of what was reached; files
and bytes are the corpus of the tree.

"""
INTERRUPTED = 72  # libFuzzer's exit code after SIGINT; its statistics are printed all the same
STOPPED = threading.Event()
LONGEST = 1024  # of inputs, unless a target is listed here
LENGTHS = {"checkpoint": 256, "csv": 512, "dataset": 256, "json": 512, "jsonl": 512, "lines": 256,
           "model": 256, "number": 128, "options": 600, "project": 2048, "schema": 4096,
           "study": 2048, "text": 256, "training": 256, "tsv": 512, "values": 512, "vocab": 512}


def targets(build):
    """The names of the targets that were built."""
    folder = os.path.join(build, "tests", "fuzz")
    names = [name[len("fuzz_"):] for name in os.listdir(folder)
             if name.startswith("fuzz_") and os.access(os.path.join(folder, name), os.X_OK)
             and not os.path.isdir(os.path.join(folder, name))]
    return sorted(names)


def command(build, target, flags, folders):
    """The command line of a target."""
    line = [os.path.join(build, "tests", "fuzz", "fuzz_" + target),
            "-max_len=%d" % LENGTHS.get(target, LONGEST), "-timeout=20", "-rss_limit_mb=4096",
            "-print_final_stats=1"]
    dictionary = os.path.join(HERE, "dictionaries", target + ".dict")
    if os.path.exists(dictionary):
        line.append("-dict=" + dictionary)
    return line + flags + folders


def last_number(pattern, text):
    """The last number that a pattern finds, or 0."""
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def fuzz(build, target, runs):
    """Runs one target; its row of the table without the corpus."""
    work = os.path.join(build, "corpus", target)
    findings = os.path.join(build, "findings")
    os.makedirs(work, exist_ok=True)
    os.makedirs(findings, exist_ok=True)
    known = os.path.join(HERE, "corpus", target)
    flags = ["-runs=%d" % runs, "-artifact_prefix=%s" % os.path.join(findings, target + "-")]
    # One thread: a parallel region of so little work would cost more than what it does.
    begin = time.monotonic()
    done = subprocess.run(command(build, target, flags,
                                  [work] + ([known] if os.path.isdir(known) else [])),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env=dict(os.environ, OMP_THREAD_LIMIT="1"))
    seconds = time.monotonic() - begin
    if done.returncode == INTERRUPTED:
        STOPPED.set()
    text = done.stdout.decode("utf-8", "replace")
    with open(os.path.join(build, "findings", target + ".log"), "w", encoding="utf-8") as log:
        log.write(text)
    return {"target": target, "seconds": "%.0f" % seconds,
            "executions": last_number(r"number_of_executed_units: (\d+)", text),
            "edges": last_number(r"\bcov: (\d+)", text),
            "features": last_number(r"\bft: (\d+)", text),
            "findings": int(done.returncode not in (0, INTERRUPTED))}


def minimise(build, target):
    """The smallest inputs that reach every edge become the corpus of the tree. Those that a person
    named, which once broke a promise, stay."""
    kept = os.path.join(HERE, "corpus", target)
    work = os.path.join(build, "corpus", target)
    fresh = os.path.join(build, "corpus", target + ".fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    os.makedirs(fresh)
    os.makedirs(kept, exist_ok=True)
    subprocess.run(command(build, target, ["-merge=1", "-use_counters=0"], [fresh, kept, work]),
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    for name in os.listdir(kept):
        if not re.fullmatch("[0-9a-f]{40}", name):
            shutil.copy(os.path.join(kept, name), os.path.join(fresh, name))
    shutil.rmtree(kept)
    shutil.move(fresh, kept)


def measure(target):
    """Files and bytes of the corpus of the tree."""
    folder = os.path.join(HERE, "corpus", target)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return {"files": len(names),
            "bytes": sum(os.path.getsize(os.path.join(folder, name)) for name in names)}


def show(row):
    """A row as a line."""
    widths = (14, 12, 8, 7, 9, 6, 8, 9)
    texts = ["%-*s" % (w, row[c]) if c == "target" else "%*s" % (w, row[c])
             for w, c in zip(widths, COLUMNS)]
    return " ".join(texts)


def read_results():
    """Rows of results.txt by target."""
    rows = {}
    if os.path.exists(RESULTS):
        with open(RESULTS, encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if len(words) == len(COLUMNS) and words[1].isdigit():
                    rows[words[0]] = dict(zip(COLUMNS, words))
    return rows


def write_results(row):
    """Puts one row into results.txt."""
    rows = read_results()
    rows[row["target"]] = row
    with open(RESULTS, "w", encoding="utf-8") as file:
        file.write(HEAD + show(dict(zip(COLUMNS, COLUMNS))) + "\n")
        file.writelines(show(rows[name]) + "\n" for name in sorted(rows))


def work_on(arguments, target):
    """One target from begin to end; None when an earlier one was interrupted."""
    if STOPPED.is_set():
        return None
    row = fuzz(arguments.build, target, arguments.runs)
    if arguments.keep and not row["findings"]:
        minimise(arguments.build, target)
    row.update(measure(target))
    if arguments.add:
        before = read_results().get(target)
        for column in ("executions", "seconds") if before else ():
            row[column] = str(int(row[column]) + int(before[column]))
    if arguments.keep and not row["findings"]:
        write_results(row)
    print(show(row), flush=True)
    return row


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("target", nargs="*", help="targets to run; all when none is given")
    parser.add_argument("--runs", type=int, default=10_000_000, help="executions of each target")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--keep", action="store_true",
                        help="renew the corpus of the tree and results.txt")
    parser.add_argument("--add", action="store_true",
                        help="count the executions of earlier runs, which results.txt has, too")
    parser.add_argument("--build", default=os.path.join(HERE, "..", "..", "build", "fuzz"),
                        help="where the targets were built")
    arguments = parser.parse_args()
    arguments.build = os.path.abspath(arguments.build)
    built = targets(arguments.build)
    unknown = sorted(set(arguments.target) - set(built))
    if unknown:
        parser.error("no target %s; there are %s" % (", ".join(unknown), ", ".join(built)))
    print(show(dict(zip(COLUMNS, COLUMNS))), flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the targets have handlers of their own
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        rows = list(pool.map(lambda name: work_on(arguments, name), arguments.target or built))
    if any(row is not None and row["findings"] for row in rows):
        return 1
    return 128 + signal.SIGINT if STOPPED.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
