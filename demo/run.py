#!/usr/bin/env python3
"""The demo: does self-supervision pay on real linked pages? Five methods, exactly measured.

Prepares data/docs-small with a tenth of the training links (the paper's low-supervision test) and
trains in two settings: all five methods at the default learning rate, then supervised only and CFM
at the rate that was best for supervised only on the validation split, so that no method is compared
with a baseline that was left untuned. Needs only the diptych command and Python's standard library.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import chart

# Early stopping and every number below were chosen on the validation split (README.md beside this
# file has the search); the test split chose nothing.
COMMON = {"train.epochs": 60, "train.patience": 8, "train.logq": "exact"}
SUPERVISED = ("supervised only", "none", {})
FEATURE_DROPOUT = ("feature dropout", "feature-dropout", {"ssl.dropout": 0.1})
SPREAD_OUT = ("spread-out", "spread-out", {"ssl.alpha": 0.3})
RFM = ("RFM + dropout", "rfm", {"ssl.alpha": 1})
CFM = ("CFM + dropout", "cfm", {"ssl.alpha": 1})
TUNED_CFM = ("CFM + dropout", "cfm", {"ssl.alpha": 0.3})
ALL = [SUPERVISED, FEATURE_DROPOUT, SPREAD_OUT, RFM, CFM]
# Title, options of train, methods of the short demo.
SETTINGS = [
    ("at the default learning rate, 0.05", {"train.rate": 0.05}, ALL),
    (
        "at a learning rate tuned for supervised only, 0.002",
        {"train.rate": 0.002},
        [SUPERVISED, TUNED_CFM],
    ),
]
COLUMNS = [
    ("MAP@10", "all", "map@10"),
    ("MAP@50", "all", "map@50"),
    ("R@10", "all", "recall@10"),
    ("R@50", "all", "recall@50"),
    ("head R@50", "head", "recall@50"),
    ("tail R@50", "tail", "recall@50"),
]
# Two-sided 95% quantile of Student's t by degrees of freedom.
STUDENT = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def run(command, quiet):
    """Runs diptych and returns what it printed; its progress goes to the terminal."""
    if not quiet:
        print("$ " + " ".join(command), flush=True)
    result = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if result.returncode != 0:
        sys.exit(
            f"demo: this command failed with exit code {result.returncode}: {' '.join(command)}"
        )
    return result.stdout.decode()


def flags(settings):
    """The options as command-line flags."""
    return [part for key, value in settings.items() for part in (f"--{key}", str(value))]


def measure(args, dataset, name, options):
    """Trains one model and evaluates it on the test split."""
    model = os.path.join(args.out, name)
    run([args.diptych, "train", dataset, "-o", model, "--force", "-q", *flags(options)], True)
    return json.loads(
        run(
            [args.diptych, "evaluate", model, "--json", "-q", "--evaluate.protocol", args.protocol],
            True,
        )
    )


def mean_and_interval(values):
    """Mean, and half the 95% interval of the mean over seeds."""
    if len(values) < 2:
        return values[0], None
    spread = statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values), STUDENT.get(len(values) - 1, 1.96) * spread


def summarise(reports):
    """One (mean, interval) for each column."""
    return [
        mean_and_interval([report[group][metric] for report in reports])
        for _, group, metric in COLUMNS
    ]


def cell(mean, interval):
    """ "0.1234 ±0.0012"."""
    return f"{mean:.4f}" + (f" ±{interval:.4f}" if interval is not None else "        ")


def print_table(title, rows, baselines):
    """The methods, then what needs no model."""
    print(f"\n{title}\n{'':17}" + "".join(f"{name:>16}" for name, _, _ in COLUMNS))
    for label, values in rows:
        print(f"{label:17}" + "".join(f"{cell(*value):>16}" for value in values))
    for label, key in (("TopPopular", "top_popular"), ("Random", "random")):
        values = [baselines[key][group][metric] for _, group, metric in COLUMNS]
        print(f"{label:17}" + "".join(f"{cell(value, None):>16}" for value in values))


def verdict(rows):
    """Whether CFM differs from supervised only beyond the intervals, in words."""
    base, best = rows[0][1], rows[-1][1]
    for i, (name, _, _) in enumerate(COLUMNS):
        (low, low_half), (high, high_half) = base[i], best[i]
        if low_half is None or low <= 0:
            continue
        apart = abs(high - low) > (low_half**2 + high_half**2) ** 0.5
        note = "beyond the intervals" if apart else "within the intervals: no claim"
        print(f"  CFM against supervised only, {name:9}: {100 * (high / low - 1):+6.1f}%  ({note})")


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--diptych", default="build/default/diptych", help="the command")
    parser.add_argument("--data", default="data/docs-small", help="folder with project.yaml")
    parser.add_argument("--out", default="build/demo", help="folder for datasets and models")
    parser.add_argument(
        "--title",
        default="Draw a rounded rectangle with a gradient brush",
        help="the title to recommend for at the end",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=5,
        help="seeds of the methods that a claim is made about (default 5)",
    )
    parser.add_argument(
        "--fraction",
        type=float,
        default=0.1,
        help="share of the training pairs to keep (default 0.1)",
    )
    parser.add_argument(
        "--protocol",
        default="standard",
        choices=["paper", "standard"],
        help="of the evaluation (default standard)",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="all five methods in both settings, all with --seeds seeds",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option for every run, such as train.epochs=8; may be repeated",
    )
    args = parser.parse_args()
    args.overrides, args.splits = {}, {}
    if args.seeds < 1 or not 0 < args.fraction <= 1:
        parser.error("--seeds is at least 1, --fraction is above 0 and at most 1")
    for assignment in args.set:
        key, equals, value = assignment.partition("=")
        if not equals:
            parser.error(f"--set takes KEY=VALUE, not {assignment}")
        (args.splits if key.startswith("split.") else args.overrides)[key] = value
    return args


def plan(args):
    """Every training run: (setting, label, model name, options)."""
    runs = []
    for number, (_, options, methods) in enumerate(SETTINGS):
        for label, method, own in ALL if args.all else methods:
            is_claimed = args.all or method in (SUPERVISED[1], CFM[1])
            for seed in range(1, (args.seeds if is_claimed else 1) + 1):
                chosen = {
                    "ssl.method": method,
                    "seed": seed,
                    **COMMON,
                    **options,
                    **own,
                    **args.overrides,
                }
                runs.append((number, label, f"{method}-{number + 1}-{seed}", chosen))
    return runs


def train_all(args, dataset):
    """Reports by setting and label, with a line of progress for each run."""
    reports = [{} for _ in SETTINGS]
    runs = plan(args)
    start = time.monotonic()
    for done, (number, label, name, options) in enumerate(runs, 1):
        report = measure(args, dataset, name, options)
        reports[number].setdefault(label, []).append(report)
        left = (time.monotonic() - start) / done * (len(runs) - done)
        print(
            f"[{done:2}/{len(runs)}] setting {number + 1}, {label}, seed {options['seed']}: "
            "recall@50 "
            f"{report['all']['recall@50']:.4f}; about {left:.0f} s left",
            flush=True,
        )
    return reports


def main():
    """Prepares, trains, compares, and shows one recommendation."""
    args = parse()
    os.makedirs(args.out, exist_ok=True)
    dataset = os.path.join(args.out, "dataset.dip")
    start = time.monotonic()
    print(
        run(
            [
                args.diptych,
                "prepare",
                os.path.join(args.data, "project.yaml"),
                "-o",
                dataset,
                "--force",
                "--split.train_fraction",
                str(args.fraction),
                *flags(args.splits),
            ],
            False,
        )
    )
    reports = train_all(args, dataset)
    size = reports[0][SUPERVISED[0]][0]["all"]
    print(
        f"\n{args.data}, {100 * args.fraction:g}% of the training pairs: {size['queries']:,} test "
        f"queries, {size['pairs']:,} pairs, ranked against the whole catalogue; ± is the 95% "
        "interval of the mean over seeds"
    )
    for number, (title, _, _) in enumerate(SETTINGS):
        rows = [(label, summarise(found)) for label, found in reports[number].items()]
        print_table(f"{number + 1}. {title}", rows, reports[number][SUPERVISED[0]][0]["baselines"])
        verdict(rows)
        chart.write(
            os.path.join(args.out, f"demo-{number + 1}.svg"), rows, [name for name, _, _ in COLUMNS]
        )
    print("\nSomething that the model has never seen, described by its title:")
    print(
        run(
            [
                args.diptych,
                "recommend",
                os.path.join(args.out, "cfm-2-1"),
                "--features",
                f"title={args.title}",
                "-k",
                "5",
                "-q",
            ],
            False,
        )
    )
    print(
        f"Pictures: {args.out}/demo-1.svg and demo-2.svg. Models: {args.out}. "
        f"{time.monotonic() - start:.0f} s."
    )


if __name__ == "__main__":
    main()
