#!/usr/bin/env python3
"""Measures Diptych's training step, the machine's limit and PyTorch beside it, in one run.

Prints tables and writes bench/results.json and bench/results.txt. bench/README.md says what each
number means. Needs the built programs; PyTorch is compared where a Python that imports it is found.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time

import report
import same_model
from programs import (
    QUIET_CORES,
    QUIET_LEAST,
    SPIN,
    USUAL_BEST,
    Others,
    Program,
    ProgramError,
    diptych_command,
    find_pytorch,
    once,
    pytorch_command,
    pytorch_ways,
    rate,
    ratio,
    take_turns,
)

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = {"10k": (10_000, 200_000), "1M": (1_000_000, 1_000_000), "500": (500, 5_000)}
PRECISIONS = ("bf16", "fp32")
METHODS = ("none", "cfm")
TABLE_DIM = 16
RANK_QUERIES = 16384
RANK_DIM = 128
TABLE_ROWS = [1_000_000, 10_000_000, 100_000_000]
TRIES = 3  # of a setting that is measured alone, while other programs disturb it


class Bench:
    """The state of a run."""

    def __init__(self, args):
        self.args = args
        self.begin = time.perf_counter()
        self.others = Others()
        self.python, self.torch = (None, "left out: --no-pytorch")
        if not args.no_pytorch:
            self.python, self.torch = find_pytorch(args.python)
        self.limits = {}  # (precision, threads): the entry of bench_limit with the highest rate
        self.onednn = ""
        self.rows = []  # of results.json
        self.tried = []  # (way, examples a second) of PyTorch
        self.best_way = USUAL_BEST
        self.rank = []
        self.notes = []
        self.precisions = PRECISIONS
        self.failures = []

    def say(self, text):
        """A line of progress."""
        print(f"[{time.perf_counter() - self.begin:4.0f} s] {text}", flush=True)

    def program(self, name):
        """The path of a built program."""
        return os.path.join(self.args.build, "bench", name)

    # ---- data ---------------------------------------------------------------------------------

    def dataset(self, name, *more):
        """The path of a prepared dataset, made when there is none by this script and command."""
        folder = os.path.join(self.args.data, name)
        command = os.path.join(self.args.build, "diptych")
        script = os.path.join(HERE, "make_data.py")
        stamp = os.path.join(folder, "stamp.json")
        with open(script, encoding="utf-8") as file:
            wanted = {"arguments": list(more), "script": file.read()}
        try:
            with open(stamp, encoding="utf-8") as file:
                if json.load(file) == wanted:
                    return os.path.join(folder, "data.dip")
        except (OSError, ValueError):
            pass
        self.say(f"making the data {name}")
        subprocess.run([sys.executable, script, folder, "--diptych", command, *more], check=True)
        with open(stamp, "w", encoding="utf-8") as file:
            json.dump(wanted, file)
        return os.path.join(folder, "data.dip")

    def catalogue(self, name):
        """One of DATA."""
        items, pairs = DATA[name]
        return self.dataset(name, "--items", str(items), "--pairs", str(pairs))

    def setting(self, items, ssl, batch, dim, threads, precision):
        """A training setting."""
        name = f"{ssl}-b{batch}-d{dim}-{items}-{precision}-t{threads}"
        return {
            "name": name, "dataset": self.catalogue(items), "ssl": ssl, "batch": batch,
            "dim": dim, "threads": threads, "precision": precision,
        }  # fmt: skip

    # ---- limit --------------------------------------------------------------------------------

    def measure_limit(self, *flags):
        """Keeps the highest rate that any part of the run sees."""
        threads = max(self.args.threads)
        found = once([self.program("bench_limit"), "--threads", str(threads), *flags])
        self.onednn = found["onednn"]
        for entry in found["limits"]:
            key = entry["precision"], entry["threads"]
            if key not in self.limits or entry["gflops"] > self.limits[key]["gflops"]:
                self.limits[key] = entry
            self.say(
                f"limit {entry['precision']} {entry['threads']} threads: "
                f"{entry['gflops']:,.0f} GFLOP/s ({entry['by']})"
            )

    def limit(self, precision, threads):
        """GFLOP/s; the fp32 limit where the machine has no bf16 products, or slower ones."""
        kinds = ("bf16", "fp32") if precision == "bf16" else ("fp32",)
        known = [self.limits[kind, threads] for kind in kinds if (kind, threads) in self.limits]
        return max(entry["gflops"] for entry in known) if known else float("nan")

    # ---- training -----------------------------------------------------------------------------

    def keep(self, setting, result, **more):
        """A row of results.json; what depends on the limit is filled in at the end."""
        row = {key: setting[key] for key in ("name", "ssl", "batch", "dim", "threads", "precision")}
        row.update({key: value for key, value in result.items() if key not in row})
        row.update(
            {key: None for key in ("limit_fraction", "ratio_to_pytorch", "ratio_to_pytorch_default",
                                   "pytorch_rss_mb", "pytorch_rss_above_import_mb")}
        )  # fmt: skip
        row.update(more)
        row.setdefault("others_cores", 0.0)
        self.rows.append(row)
        return row

    def alone(self, setting, check=10):
        """Diptych at one setting."""
        windows = ("--windows", str(self.args.windows))
        command = diptych_command(self.args.build, setting, check, self.args.seconds, *windows)
        found = []
        for _ in range(1 if self.args.smoke else TRIES):
            others = Others()
            result = once(command)
            found.append((others.cores(), result))
            if found[-1][0] < QUIET_CORES:
                break
        cores, result = min(found, key=lambda entry: entry[0])
        row = self.keep(
            setting, result, others_cores=cores, disturbed=cores >= QUIET_CORES
        )
        self.say(f"{row['name']}: {row['examples_per_s']:,.0f} examples/s")
        return row

    def start(self, command, env, key):
        """A program in lockstep, ready."""
        return Program([*command, "--lockstep"], env, key).wait_ready()

    def search_pytorch(self):
        """Which way is the fastest here, on the main setting with self-supervision."""
        setting = self.setting("10k", "cfm", 1024, 64, max(self.args.threads), "bf16")
        programs = []
        for way in pytorch_ways():
            name, ways, env = way
            command = pytorch_command(self.python, setting, ways, 10, 0.6)
            try:
                programs.append(self.start(command, env, way))
            except ProgramError as error:
                self.say(f"PyTorch, {name}: does not run here ({error})")
        quiet = take_turns(programs, 3)
        for program in programs:
            program.finish()
            self.tried.append((program.key[0], rate(program, quiet)))
        if len(quiet) < QUIET_LEAST:
            self.notes.append("PyTorch's best way was searched while other programs were at work")
        self.tried.sort(key=lambda entry: -entry[1])
        ways = {way[0]: way for way in pytorch_ways()}
        self.best_way = ways[self.tried[0][0]]
        self.say(f"PyTorch's best way here: {self.best_way[0]}")

    def side_by_side(self, items, batch, dim, check=10):
        """Diptych with and without self-supervision and PyTorch likewise, taking turns."""
        threads = max(self.args.threads)
        programs = {}
        try:
            for ssl in METHODS:
                for precision in self.precisions:
                    setting = self.setting(items, ssl, batch, dim, threads, precision)
                    command = diptych_command(self.args.build, setting, check, self.args.seconds)
                    key = "diptych", ssl, precision
                    programs[key] = self.start(command, SPIN, setting)
                for mode in ("best", "default") if self.python else ():
                    _, ways, env = self.best_way if mode == "best" else ("", "", {})
                    command = pytorch_command(self.python, setting, ways, check, 1.0)
                    programs["pytorch", ssl, mode] = self.start(command, env, mode)
            watch = Others(list(programs.values()))
            quiet = take_turns(list(programs.values()), self.args.rounds)
            cores = watch.cores()
            results = {key: program.finish() for key, program in programs.items()}
        finally:
            for program in programs.values():
                program.kill()
        for key, program in programs.items():
            if key[0] == "diptych":
                self.keep_beside(key, programs, results, (quiet, cores))
        return results

    def keep_beside(self, key, programs, results, machine):
        """The row of one Diptych program of side_by_side."""
        _, ssl, precision = key
        quiet, cores = machine
        mine = programs[key]
        more = {
            "examples_per_s": rate(mine, quiet), "quiet_rounds": len(quiet),
            "others_cores": cores, "disturbed": len(quiet) < QUIET_LEAST,
        }  # fmt: skip
        result = results[key]
        more["plain_gflops"] = (
            1e-9 * more["examples_per_s"] * result["plain_operations_per_example"]
        )
        if ssl == "cfm":
            more["step_cost_of_ssl"] = ratio(programs["diptych", "none", precision], mine, quiet)
        if self.python:
            best, default = results["pytorch", ssl, "best"], results["pytorch", ssl, "default"]
            fast, plain = programs["pytorch", ssl, "best"], programs["pytorch", ssl, "default"]
            more |= {
                "ratio_to_pytorch": ratio(mine, fast, quiet),
                "ratio_to_pytorch_default": ratio(mine, plain, quiet),
                "pytorch_examples_per_s": rate(fast, quiet),
                "pytorch_default_examples_per_s": rate(plain, quiet),
                "pytorch_rss_mb": best["peak_rss_mb"],
                "pytorch_rss_above_import_mb": best["peak_rss_mb"] - best["import_rss_mb"],
                "pytorch_default_rss_mb": default["peak_rss_mb"],
                "pytorch_check_loss": best["check_loss"],
                "pytorch_default_check_loss": default["check_loss"],
            }
        row = self.keep(mine.key, result, **more)
        times = row["ratio_to_pytorch"]
        beside = f", {times:.2f}x PyTorch's best" if times else ""
        self.say(f"{row['name']}: {row['examples_per_s']:,.0f} examples/s{beside}")

    def drop_idle_bf16(self, results):
        """Rows that ask for bf16 and get fp32 would deceive: equal bits tell."""
        if "bf16" not in self.precisions:
            return
        same = all(
            results["diptych", ssl, "bf16"]["check_loss"]
            == results["diptych", ssl, "fp32"]["check_loss"]
            for ssl in METHODS
        )
        if same:
            self.notes.append(
                "train.precision = bf16 gives the bits of fp32 here (no bf16 in this build or on "
                "this processor), so only fp32 is reported"
            )
            self.say(self.notes[-1])
            self.precisions = ("fp32",)
            self.rows = [row for row in self.rows if row["precision"] != "bf16"]

    def other_settings(self, batches, dims, catalogues):
        """Those that were not measured beside PyTorch."""
        done = {row["name"] for row in self.rows}
        space = itertools.product(
            catalogues, METHODS, batches, dims, self.args.threads, self.precisions
        )
        for values in space:
            setting = self.setting(*values)
            if setting["name"] not in done:
                self.alone(setting, check=10 if setting["batch"] < 4096 else 5)

    # ---- tables and ranking -------------------------------------------------------------------

    def table_sizes(self, catalogue, sizes):
        """The same step with an id table of more and more rows, looked up all over, in turns."""
        self.catalogue(catalogue)
        sizes = self.that_fit(sizes)
        programs = {}
        try:
            for size in sizes:
                dataset = self.dataset(
                    f"hash-{size}", "--raw", os.path.join(self.args.data, catalogue),
                    "--hash-buckets", str(size),
                )  # fmt: skip
                setting = {
                    "name": f"table-{size}-rows", "dataset": dataset, "ssl": "cfm",
                    "batch": 1024, "dim": TABLE_DIM, "threads": max(self.args.threads),
                    "precision": self.precisions[0],
                }  # fmt: skip
                command = diptych_command(self.args.build, setting, 50, self.args.seconds)
                programs[size] = self.start(command, SPIN, setting)
            watch = Others(list(programs.values()))
            quiet = take_turns(list(programs.values()), 2 * self.args.rounds)
            cores = watch.cores()
            results = {size: program.finish() for size, program in programs.items()}
        finally:
            for program in programs.values():
                program.kill()
        for size, program in programs.items():
            self.keep(
                program.key, results[size], table_rows=size, examples_per_s=rate(program, quiet),
                step_to_first=ratio(programs[sizes[0]], program, quiet),
                quiet_rounds=len(quiet), others_cores=cores, disturbed=len(quiet) < QUIET_LEAST,
            )  # fmt: skip
            self.say(f"table of {size:,} rows: {rate(program, quiet):,.0f} examples/s")

    def that_fit(self, sizes):
        """Those of the tables that this machine's memory holds together, from the smallest on."""
        left = 0.8 * report.memory_available_mb()
        fitting = []
        for size in sizes:
            need = size * TABLE_DIM * 4 * 2 / 1e6
            if need > left:
                self.notes.append(
                    f"a table of {size:,} rows needs {need:,.0f} MB: left out, too little memory"
                )
                self.say(self.notes[-1])
                break
            left -= need
            fitting.append(size)
        return fitting

    def measure_rank(self, queries, dims=(RANK_DIM,), rounds=1):
        """Exact top-50 over a million vectors: the median of some rounds."""
        for dim, threads in itertools.product(dims, self.args.threads):
            flags = ["--queries", str(queries), "--threads", str(threads), "--dim", str(dim)]
            runs = [once([self.program("bench_rank"), *flags]) for _ in range(rounds)]
            found = sorted(runs, key=lambda run: run["seconds"])[rounds // 2]
            self.rank.append(found)
            self.say(
                f"ranking, d = {dim}, {threads} threads: {found['gflops']:,.0f} GFLOP/s, 1M x 1M "
                f"in {found['minutes_for_1m_x_1m']:.1f} minutes"
            )

    # ---- the whole ----------------------------------------------------------------------------

    def fill_limits(self):
        """Fractions, once the limits are final."""
        for row in self.rows:
            row["limit_gflops"] = self.limit("bf16", row["threads"])
            row["limit_fraction"] = row["plain_gflops"] / row["limit_gflops"]
            own = self.limit(row["precision"], row["threads"])
            row["limit_fraction_own_precision"] = row["plain_gflops"] / own
        for found in self.rank:
            for precision in PRECISIONS:
                limit = self.limit(precision, found["threads"])
                found[f"fraction_of_{precision}"] = found["gflops"] / limit

    def note_others(self):
        """Says when the machine was not ours alone: then rates are too low, and ratios noisy."""
        others = self.others.cores()
        words = f"other programs kept {others:.2f} of {os.cpu_count()} cores busy during this run"
        self.notes.append(words + (": NOT an idle machine" if others > QUIET_CORES else ""))
        lost = [row["name"] for row in self.rows if row["disturbed"]]
        if lost:
            self.notes.append(
                f"* {len(lost)} rows were disturbed by other programs: their rates are too low, "
                f"and ratios need {QUIET_LEAST} quiet rounds: {', '.join(lost)}"
            )

    def smoke(self):
        """A few seconds, for the test: one setting, one limit, two tables."""
        self.measure_limit("--best", "--seconds", "0.01")
        for ssl in METHODS:
            setting = self.setting("500", ssl, 64, 8, max(self.args.threads), "fp32")
            self.alone({**setting, "hidden": "32,16"}, check=20)
        self.table_sizes("500", [100, 1000])

    def run(self):
        """Everything that was asked for."""
        quick = self.args.quick
        if self.args.tables:
            self.measure_limit("--best")
            self.table_sizes("1M", TABLE_ROWS)
            return
        if self.args.search:
            self.measure_limit()
            self.measure_rank(RANK_QUERIES, (64, RANK_DIM, 256), rounds=5)
            self.measure_limit("--best")
            return
        self.say(f"PyTorch {self.torch}" if self.python else f"no PyTorch: {self.torch}")
        self.measure_limit(*(["--best"] if quick else []))
        if self.python and not quick:
            self.search_pytorch()
        steps = 150 if quick else 300
        results = self.side_by_side("10k", 1024, 64, steps)
        self.drop_idle_bf16(results)
        if self.python:
            same_model.replay(self)
            same_model.compare(self, results, steps, seeds=2 if quick else 3)
        if not quick:
            self.side_by_side("10k", 4096, 64, 5)
            self.side_by_side("10k", 1024, 128)
            self.side_by_side("1M", 1024, 64)
        self.other_settings([1024], [64, 128], ["10k"]) if quick else self.other_settings(
            [1024, 4096], [64, 128], ["10k", "1M"]
        )
        if not quick:
            self.table_sizes("1M", TABLE_ROWS)
        self.measure_rank(512 if quick else RANK_QUERIES)
        self.measure_limit("--best")


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build/default", help="where the programs are")
    parser.add_argument("--data", default="build/bench", help="where the data are made")
    parser.add_argument("--out", default=HERE, help="where the results go")
    parser.add_argument("--python", help="a Python that imports torch (default: the one on PATH)")
    parser.add_argument("--no-pytorch", action="store_true", help="leave PyTorch out")
    parser.add_argument("--quick", action="store_true", help="the main settings: under 4 minutes")
    parser.add_argument(
        "--tables", action="store_true", help="only tables of more and more rows: two minutes"
    )
    parser.add_argument("--search", action="store_true", help="only exact ranking: a minute")
    parser.add_argument("--smoke", action="store_true", help="a few seconds, for the test suite")
    parser.add_argument("--rounds", type=int, help="windows of each program that takes turns")
    parser.add_argument("--windows", type=int, help="windows of a program that runs alone")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a window of Diptych")
    parser.add_argument("--threads", type=int, nargs="*", help="default: 1 and 2")
    args = parser.parse_args()
    args.threads = args.threads or [1, min(2, os.cpu_count() or 1)]
    args.threads = sorted(set(args.threads))
    args.rounds = args.rounds or (4 if args.quick else 5)
    args.windows = args.windows or 3
    args.stem = "tables" if args.tables else "search" if args.search else "results"
    args.no_pytorch = args.no_pytorch or args.tables or args.search
    if args.smoke:
        args.no_pytorch, args.windows, args.seconds = True, 1, 0.05
    return args


def main():
    """Runs, prints, writes."""
    args = parse()
    bench = Bench(args)
    try:
        bench.smoke() if args.smoke else bench.run()
    except (ProgramError, subprocess.CalledProcessError) as error:
        sys.exit(f"bench: {error}")
    bench.fill_limits()
    bench.note_others()
    report.write(bench)
    if bench.failures:
        sys.exit("bench: FAILED: " + "; ".join(bench.failures))


if __name__ == "__main__":
    main()
