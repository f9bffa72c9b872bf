# SPDX-License-Identifier: Apache-2.0
"""Quality in bfloat16 against float: the same runs in both, over several seeds.

    python3 bench/precision.py --diptych build/default/diptych FOLDER [FOLDER ...] [--seeds 5]
                               [--set KEY=VALUE ...]

FOLDER holds a project.yaml. For each, a dataset is prepared, then trained and evaluated with
train.precision fp32 and bf16 for each seed. The table has means with 95% intervals over the seeds,
and the mean of the differences by seed, which the interval beside it should contain 0 for.
"""
import argparse
import json
import math
import os
import subprocess
import sys

METRICS = ["recall@10", "recall@50", "map@10", "map@50"]
# Student's t at 97.5%, by degrees of freedom.
STUDENT = [None, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26]


def interval(values):
    """Mean and half the width of its 95% interval."""
    n = len(values)
    mean = sum(values) / n
    if n < 2:
        return mean, float("nan")
    variance = sum((value - mean) ** 2 for value in values) / (n - 1)
    return mean, STUDENT[min(n - 1, len(STUDENT) - 1)] * math.sqrt(variance / n)


def run(command):
    """Runs a command that prints JSON."""
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit("failed: " + " ".join(command))
    return json.loads(done.stdout)


def measure(args, data, precision, seed):
    """The metrics of one run, and its speed."""
    model = os.path.join(args.out, "model")
    train = [args.diptych, "train", data, "-o", model, "-f", "-q", "--json", "--seed", str(seed),
             "--train.precision", precision]
    for setting in args.set:
        key, value = setting.split("=", 1)
        train += ["--" + key, value]
    speed = run(train)["examples_per_second"]
    report = run([args.diptych, "evaluate", model, "-q", "--json", "--evaluate.bootstrap", "0"])
    return [report["all"][metric] for metric in METRICS], speed


def compare(args, folder):
    """Prints the rows of one dataset."""
    data = os.path.join(args.out, "data.dip")
    subprocess.run([args.diptych, "prepare", os.path.join(folder, "project.yaml"), "-o", data,
                    "-f", "-q"], check=True, stdout=subprocess.DEVNULL)
    results = {"fp32": [], "bf16": []}
    speeds = {"fp32": [], "bf16": []}
    for seed in range(1, args.seeds + 1):
        for precision in results:
            metrics, speed = measure(args, data, precision, seed)
            results[precision].append(metrics)
            speeds[precision].append(speed)
    name = os.path.basename(os.path.normpath(folder))
    for precision, rows in results.items():
        cells = ["%.4f +-%.4f" % interval([row[m] for row in rows]) for m in range(len(METRICS))]
        print("%-16s %-10s %s  %8.0f examples/s"
              % (name, precision, "  ".join(cells), sorted(speeds[precision])[args.seeds // 2]))
    pairs = list(zip(results["fp32"], results["bf16"]))
    cells = ["%+.4f +-%.4f" % interval([b[m] - a[m] for a, b in pairs])
             for m in range(len(METRICS))]
    print("%-16s %-10s %s" % (name, "difference", " ".join(cells)), flush=True)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="+", help="a folder with a project.yaml")
    parser.add_argument("--diptych", default="build/default/diptych", help="the command")
    parser.add_argument("--out", default="build/bench/precision", help="where data and models go")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="an option of train, such as train.rate=0.02")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    print("%-16s %-10s %s" % ("data", "precision", "  ".join("%-15s" % m for m in METRICS)))
    for folder in args.folder:
        compare(args, folder)


if __name__ == "__main__":
    main()
