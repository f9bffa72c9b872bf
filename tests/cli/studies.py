# SPDX-License-Identifier: Apache-2.0
"""What the tests of experiment and tune share: a small dataset, studies, their results."""
import copy
import csv
import io
import json
import math
import os
import statistics

import harness
from harness import run

# Two held-out parts, lists shorter than the catalogue, so that scores differ.
SETTINGS = {"split": {"test": 0.2, "validation": 0.2},
            "train": {"batch": 32, "epochs": 2, "rate": 0.3, "metric_k": 3},
            "evaluate": {"k": [3, 10], "bootstrap": 200}}

# Half the width of a 95% interval in standard errors, by seeds (Student's t, tabulated).
T95 = {2: 12.706204736174698, 3: 4.302652729749464}

# What every report says of the moment and the place it was made in.
PASSING = ("made", "seconds", "command")


def interval(values):
    """The 95% interval of a mean, from its ends, by Student's t."""
    half = T95[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values) - half, statistics.fmean(values) + half


def prepare(case, name="d.dip", **project):
    """A dataset for studies; returns its path."""
    settings = dict(SETTINGS, **project.pop("settings", {}))
    return case.dataset(name, settings=settings, **project)


def plotly(case):
    """A file that passes for the library of the figures."""
    return case.write("plotly.min.js", "/* plotly.js v0 */\n")


def small():
    """Two methods, one choice, two seeds: six runs."""
    return copy.deepcopy({
        "seeds": 2, "baseline": "plain",
        "conditions": {"full": {"label": "all pairs"}},
        "methods": {"plain": {"label": "Plain", "options": {"ssl.method": "none"}},
                    "cfm": {"label": "CFM", "options": {"ssl.method": "cfm"},
                            "choose": {"ssl.alpha": [0.1, 3]}}},
        "tables": [{"number": 2, "title": "All", "columns": ["map@10", "tail/recall@3"]}],
        "figures": [{"kind": "choice", "option": "ssl.alpha", "methods": ["cfm"],
                     "columns": ["recall@10"]}, {"kind": "curves"}]})


def command(case, dataset, study, *options, out="r"):
    """The words of an experiment. study: a path, or what a file is to hold."""
    if isinstance(study, dict):
        study = case.write("study.yaml", json.dumps(study))
    return ["experiment", dataset, "-o", case.path(out), "--study", study, "--plotly",
            plotly(case), "-q", *options]


def experiment(case, dataset, study, *options, out="r"):
    """Runs a study that must succeed; its results."""
    case.done(run(*command(case, dataset, study, *options, out=out)))
    return results(case.path(out))


def results(folder, name="results.json"):
    """A report as JSON."""
    return json.loads(harness.read_bytes(os.path.join(folder, name)).decode())


def rows(folder, name):
    """A table of a report as dictionaries."""
    text = harness.read_bytes(os.path.join(folder, name)).decode()
    return list(csv.DictReader(io.StringIO(text)))


def lasting(report):
    """A report without what differs from run to run."""
    kept = {key: value for key, value in report.items() if key not in PASSING}
    for part, passing in [("runs", ["seconds"]),
                          ("costs", ["seconds", "seconds_sd", "times_baseline"])]:
        kept[part] = [{key: value for key, value in one.items() if key not in passing}
                      for one in report.get(part, [])]
    return kept


def finished(folder):
    """{key: time of making} of the runs in a folder."""
    runs = os.path.join(folder, "runs")
    found = {}
    for name in os.listdir(runs) if os.path.isdir(runs) else []:
        manifest = os.path.join(runs, name, "manifest.json")
        if len(name) == 16 and os.path.exists(manifest):
            found[name] = os.stat(manifest).st_mtime_ns
    return found


def paired_p(a, b):
    """Two-sided p of Student's paired t-test of two or three pairs, in closed form."""
    gaps = [x - y for x, y in zip(a, b)]
    n, mean = len(gaps), sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((g - mean) ** 2 for g in gaps) / (n - 1))
    if deviation < 1e-15:
        return 1.0 if abs(mean) < 1e-15 else 0.0
    t = abs(mean) * math.sqrt(n) / deviation
    return 1 - 2 / math.pi * math.atan(t) if n == 2 else 1 - t / math.sqrt(2 + t * t)


def holm(values):
    """Adjusted p-values, by Holm's step-down procedure."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    adjusted, largest = [0.0] * len(values), 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1, (len(values) - place) * values[i]))
        adjusted[i] = largest
    return adjusted
