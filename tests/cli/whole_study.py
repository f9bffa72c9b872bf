# SPDX-License-Identifier: Apache-2.0
"""The study that the tests of a report's numbers and of its figures share."""
import itertools
import os
import shutil
import tempfile

import harness
import studies
from harness import run

COLUMNS = ["map@10", "recall@3", "tail/recall@10", "head/ndcg@3", "cold/recall@10"]
FULL = {
    "seeds": 3, "choice_seeds": 2, "baseline": "plain",
    "conditions": {"full": {"label": "all pairs"},
                   "half": {"label": "half of the pairs",
                            "options": {"split.train_fraction": 0.5, "train": {"logq": "none"}}}},
    "methods": {
        "rfm": {"label": "RFM", "options": {"ssl.method": "rfm"}, "like": "cfm"},
        "plain": {"label": "Plain", "options": {"ssl": {"method": "none"}}},
        "cfm": {"label": "CFM", "options": {"ssl.method": "cfm"},
                "choose": {"ssl.alpha": [0.1, 3], "ssl.dropout": [0.1, 0.6]}}},
    "tables": [{"number": 2, "title": "All", "columns": COLUMNS},
               {"number": 5, "columns": COLUMNS, "methods": ["cfm", "plain"]},
               {"number": 6, "columns": COLUMNS, "methods": ["plain", "rfm"]}],
    "figures": [{"kind": "choice", "option": "ssl.alpha", "methods": ["cfm"],
                 "columns": ["recall@3", "tail/map@10"]},
                {"kind": "choice", "option": "ssl.dropout", "methods": ["cfm"],
                 "columns": ["recall@3"]},
                {"kind": "curves", "conditions": ["full"], "methods": ["plain", "cfm"]},
                {"kind": "deciles", "columns": ["recall@10", "recall@3"]},
                {"kind": "popularity"}, {"kind": "information", "conditions": ["full"]},
                {"kind": "map", "methods": ["plain", "cfm"], "conditions": ["full"]}]}


class WholeStudy(harness.Case):
    """One study that has everything, made once for the tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.base = tempfile.mkdtemp(prefix="shared-", dir=os.getcwd())
        cls.addClassCleanup(shutil.rmtree, cls.base, True)
        maker = harness.Case()
        maker.folder = cls.base
        cls.data = studies.prepare(maker)
        cls.half = studies.prepare(maker, "half.dip", settings={
            "split": {"test": 0.2, "validation": 0.2, "train_fraction": 0.5}})
        cls.made = maker.done(run(*studies.command(maker, cls.data, FULL, "--json")))
        cls.report = os.path.join(cls.base, "r")
        cls.results = studies.results(cls.report)

    def runs(self, condition, method, stage="final", **setting):
        """The runs of a cell, by falling seed."""
        return [one for one in self.results["runs"]
                if (one["condition"], one["method"], one["stage"]) == (condition, method, stage)
                and all(one["setting"].get(k) == v for k, v in setting.items())]

    def table(self, number, condition):
        """A table: (columns, {method: row})."""
        for one in self.results["tables"]:
            if one["number"] == number and one["condition"] == condition:
                return one["columns"], {row["method"]: row for row in one["rows"]}
        raise KeyError(number)

    def figure(self, name):
        """A figure by its id."""
        found = [one for one in self.results["figures"] if one["id"] == name]
        self.assertEqual(len(found), 1, name)
        return found[0]

    def cells(self):
        """(table number, condition, column, {method: cell}) of everything."""
        for number, condition in itertools.product((2, 5, 6), ("full", "half")):
            columns, rows = self.table(number, condition)
            for i, column in enumerate(columns):
                yield number, condition, column, {m: row["cells"][i] for m, row in rows.items()}

    def retrained(self, dataset, one, *options):
        """The model that train makes of a run's options."""
        words = []
        for key, value in one["setting"].items():
            words += ["--" + key, value]
        method = "none" if one["method"] == "plain" else one["method"]
        return self.model(dataset, "--ssl.method", method, "--seed", str(one["seed"]), *words,
                          *options, name="m%d" % len(os.listdir(self.folder)))
