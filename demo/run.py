#!/usr/bin/env python3
"""The demo: five methods on real linked pages, side by side.

Prepares data/docs-small with a tenth of the training links (the paper's low-supervision test), trains every
method with several seeds, evaluates each model exactly on the held-out links, and prints one table. Needs
only the diptych command and Python's standard library.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import chart

# Settings chosen on the validation split (demo/README.md has the search); the test split chose nothing.
TRAIN = {
    "train.epochs": 40, "train.patience": 8, "train.batch": 1024, "train.rate": 0.05,
}
METHODS = [
    ("supervised only", "none", {}),
    ("feature dropout", "feature-dropout", {"ssl.dropout": 0.3}),
    ("spread-out", "spread-out", {"ssl.alpha": 0.1}),
    ("RFM + dropout", "rfm", {"ssl.alpha": 1, "ssl.dropout": 0.3}),
    ("CFM + dropout", "cfm", {"ssl.alpha": 1, "ssl.dropout": 0.3}),
]
COLUMNS = [("MAP@10", "all", "map@10"), ("MAP@50", "all", "map@50"),
           ("R@10", "all", "recall@10"), ("R@50", "all", "recall@50"),
           ("head R@50", "head", "recall@50"), ("tail R@50", "tail", "recall@50")]
# Two-sided 95% quantile of Student's t by degrees of freedom.
STUDENT = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def run(command, quiet):
    """Runs diptych and returns what it printed; its progress goes to the terminal."""
    if not quiet:
        print("$ " + " ".join(command), flush=True)
    result = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if result.returncode != 0:
        sys.exit(f"demo: this command failed with exit code {result.returncode}: {' '.join(command)}")
    return result.stdout.decode()


def flags(settings):
    """The options as command-line flags."""
    return [part for key, value in settings.items() for part in (f"--{key}", str(value))]


def measure(args, dataset, method, settings, seed):
    """Trains one model and evaluates it on the test split."""
    model = os.path.join(args.out, f"{method}-{seed}")
    options = flags({"ssl.method": method, "seed": seed, **TRAIN, **settings, **args.overrides})
    run([args.diptych, "train", dataset, "-o", model, "--force", "-q", *options], True)
    report = json.loads(run([args.diptych, "evaluate", model, "--json", "-q"], True))
    return report


def mean_and_interval(values):
    """Mean, and half the 95% interval of the mean over seeds."""
    if len(values) < 2:
        return values[0], None
    spread = statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values), STUDENT.get(len(values) - 1, 1.96) * spread


def summarise(reports):
    """One (mean, interval) for each column."""
    return [mean_and_interval([report[group][metric] for report in reports])
            for _, group, metric in COLUMNS]


def cell(mean, interval):
    """"0.1234 ±0.0012"."""
    return f"{mean:.4f}" + (f" ±{interval:.4f}" if interval is not None else "        ")


def print_table(rows, baselines):
    """The methods, then what needs no model."""
    print(f"\n{'':17}" + "".join(f"{name:>16}" for name, _, _ in COLUMNS))
    for label, values in rows:
        print(f"{label:17}" + "".join(f"{cell(*value):>16}" for value in values))
    for label, key in (("TopPopular", "top_popular"), ("Random", "random")):
        values = [baselines[key][group][metric] for _, group, metric in COLUMNS]
        print(f"{label:17}" + "".join(f"{cell(value, None):>16}" for value in values))


def verdict(rows):
    """Whether CFM beats supervised only beyond the interval, in words."""
    base, best = rows[0][1], rows[-1][1]
    print()
    for i, (name, _, _) in enumerate(COLUMNS):
        (low, low_half), (high, high_half) = base[i], best[i]
        gain = 100 * (high / low - 1) if low > 0 else float("nan")
        apart = low_half is not None and abs(high - low) > (low_half ** 2 + high_half ** 2) ** 0.5
        note = "beyond the interval" if apart else "within the interval: no claim"
        print(f"CFM + dropout against supervised only, {name:9}: {gain:+6.1f}%  ({note})")


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--diptych", default="build/default/diptych", help="the command")
    parser.add_argument("--data", default="data/docs-small", help="folder with project.yaml")
    parser.add_argument("--out", default="build/demo", help="folder for datasets and models")
    parser.add_argument("--title", default="Draw a rounded rectangle with a gradient brush",
                        help="the title to recommend for at the end")
    parser.add_argument("--seeds", type=int, default=3, help="seeds per method (default 3)")
    parser.add_argument("--fraction", type=float, default=0.1,
                        help="share of the training pairs to keep (default 0.1)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="an option for every run, such as train.epochs=8; may be repeated")
    args = parser.parse_args()
    args.overrides = {}
    if args.seeds < 1 or not 0 < args.fraction <= 1:
        parser.error("--seeds is at least 1, --fraction is above 0 and at most 1")
    for assignment in args.set:
        key, equals, value = assignment.partition("=")
        if not equals:
            parser.error(f"--set takes KEY=VALUE, not {assignment}")
        args.overrides[key] = value
    return args


def train_all(args, dataset):
    """Every method with every seed, with a line of progress for each run."""
    rows, baselines, done = [], None, 0
    start = time.monotonic()
    total = args.seeds * len(METHODS)
    for label, method, settings in METHODS:
        reports = []
        for seed in range(1, args.seeds + 1):
            reports.append(measure(args, dataset, method, settings, seed))
            done += 1
            spent = time.monotonic() - start
            print(f"[{done}/{total}] {label}, seed {seed}: recall@50 "
                  f"{reports[-1]['all']['recall@50']:.4f}, about "
                  f"{spent / done * (total - done):.0f} s left", flush=True)
        rows.append((label, summarise(reports)))
        baselines = reports[-1]["baselines"]
    return rows, baselines, reports[-1]


def main():
    """Prepares, trains, compares, and shows one recommendation."""
    args = parse()
    os.makedirs(args.out, exist_ok=True)
    dataset = os.path.join(args.out, "dataset.dip")
    start = time.monotonic()
    print(run([args.diptych, "prepare", os.path.join(args.data, "project.yaml"), "-o", dataset,
               "--force", "--split.train_fraction", str(args.fraction)], False))
    rows, baselines, report = train_all(args, dataset)
    print(f"\n{args.data}, {100 * args.fraction:g}% of the training pairs, {args.seeds} seeds: "
          f"{report['all']['queries']:,} test queries and {report['all']['pairs']:,} pairs ranked "
          "against the whole catalogue")
    print_table(rows, baselines)
    if args.seeds > 1:
        verdict(rows)
    picture = os.path.join(args.out, "demo.svg")
    chart.write(picture, rows, [name for name, _, _ in COLUMNS])
    print("\nSomething that the model has never seen, described by its title:")
    print(run([args.diptych, "recommend", os.path.join(args.out, "cfm-1"), "--features",
               f"title={args.title}", "-k", "5", "-q"], False))
    print(f"Picture: {picture}. Models: {args.out}. {time.monotonic() - start:.0f} s.")


if __name__ == "__main__":
    main()
