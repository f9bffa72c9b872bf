# SPDX-License-Identifier: Apache-2.0
"""experiment: the data of its figures against the runs and columns that they are of."""
import os
import unittest

import harness
import studies
from columns import Columns, read_npy
from whole_study import WholeStudy


class Figures(WholeStudy):
    """Every kind of figure."""

    def check_point(self, series, i, values):
        """A point of several runs: their mean, and its interval."""
        found = [series[key][i] for key in ("y", "low", "high")]
        if not values:
            self.assertEqual(found, [None] * 3)
            return
        expected = (sum(values) / len(values), *studies.interval(values))
        for one, wanted in zip(found, expected):
            self.assertAlmostEqual(one, wanted, places=12)

    def test_choice_figures(self):
        """Validation metrics of the runs of each value, and of the baseline's final runs."""
        figure = self.figure("ssl.alpha-full")
        self.assertEqual((figure["kind"], figure["split"], figure["x"]["scale"]),
                         ("lines", "validation", "log"))
        self.assertEqual(figure["x"]["ticks"], [0.1, 3])
        for panel, key in zip(figure["panels"], ("all/recall@3", "tail/map@10")):
            line = panel["series"][0]
            self.assertEqual((line["name"], line["x"]), ("CFM", [0.1, 3]))
            for i, value in enumerate(("0.1", "3")):
                made = [one["validation"][key] for one in self.runs("full", "cfm", "choice")
                        if one["setting"] == {"ssl.alpha": value}]
                self.check_point(line, i, made)
            base = [one["validation"][key] for one in self.runs("full", "plain")]
            self.assertEqual(panel["reference"]["name"], "Plain")
            self.assertAlmostEqual(panel["reference"]["y"], sum(base) / 3, places=12)
        self.assertIn("Mean over 2 seeds of the choice", figure["note"])
        self.assertEqual(self.figure("ssl.dropout-half")["x"]["scale"], "linear")

    def test_curves(self):
        """What train wrote to metrics.jsonl for the first seed."""
        figure = self.figure("curves-full")
        for i, method in enumerate(("plain", "cfm")):
            one = self.runs("full", method)[0]
            model = self.retrained(self.data, one)
            lines = [harness.json.loads(line) for line in
                     harness.read_bytes(os.path.join(model, "metrics.jsonl")).splitlines()]
            epochs = [line for line in lines if "validation_recall@3" in line]
            self.assertEqual(figure["panels"][0]["series"][i]["x"], [e["epoch"] for e in epochs])
            self.assertEqual(figure["panels"][0]["series"][i]["y"],
                             [e["validation_recall@3"] for e in epochs])
            loss = figure["panels"][1]["series"][i]["y"]
            steps = [line for line in lines if "loss" in line and line["epoch"] == 0]
            self.assertAlmostEqual(loss[0], sum(s["loss"] for s in steps) / len(steps), places=9)

    def test_deciles(self):
        """Of the ranks in the run folders, in the order of query and item rows."""
        for condition, dataset in (("full", self.data), ("half", self.half)):
            columns = Columns(dataset)
            counts = columns.npy("item-count.npy")
            order = sorted((row for row, n in enumerate(counts) if n),
                           key=lambda row: (-counts[row], row))
            group = {row: 10 * place // len(order) for place, row in enumerate(order)}
            pairs = sorted(columns.pairs("test"))
            figure = self.figure("deciles-" + condition)
            for panel, k in zip(figure["panels"], (10, 3)):
                self.assertEqual(panel["label"], "Recall@%d of test pairs" % k)
                for series, method in zip(panel["series"], ("rfm", "plain", "cfm")):
                    total = [sum(group.get(item, 10) == g for _, item in pairs)
                             for g in range(11)]
                    self.assertEqual(series["pairs"], total)
                    recall = [[] for _ in total]
                    for one in self.runs(condition, method):
                        ranks = read_npy(os.path.join(self.report, "runs", one["key"],
                                                      "ranks-test.npy"))[1]
                        for g, n in enumerate(total):
                            hits = sum(group.get(item, 10) == g and 0 < rank <= k
                                       for (_, item), rank in zip(pairs, ranks))
                            recall[g] += [hits / n] if n else []
                    for g, values in enumerate(recall):
                        self.check_point(series, g, values)
            self.assertEqual(len(figure["x"]["ticks"]), 11)
            self.assertEqual(figure["note"], "Mean over 3 seeds, with its 95% interval by "
                                             "Student's t.")

    def test_popularity(self):
        """The curve of each dataset ends with all training pairs, and is theirs in between."""
        figure = self.figure("popularity")
        names = ["all pairs", "half of the pairs"]
        self.assertEqual([s["name"] for s in figure["panels"][0]["series"]], names)
        for series, dataset in zip(figure["panels"][0]["series"], (self.data, self.half)):
            counts = sorted(Columns(dataset).npy("item-count.npy"), reverse=True)
            self.assertAlmostEqual(series["y"][-1], 1, places=9)
            for x, y in zip(series["x"], series["y"]):
                most = round(x * len(counts))
                self.assertAlmostEqual(x, most / len(counts), places=6)
                self.assertAlmostEqual(y, sum(counts[:most]) / sum(counts), places=6)

    def test_information(self):
        """The matrix of the dataset; each mask splits the features."""
        figure = self.figure("information-full")
        flat = Columns(self.data).npy("mutual-information.npy")
        labels = list(harness.ITEM_FEATURES)
        self.assertEqual(figure["labels"], labels)
        for i, row in enumerate(figure["values"]):
            for j, value in enumerate(row):
                if i != j:
                    self.assertAlmostEqual(value, flat[i * len(labels) + j], places=9)
        self.assertEqual([m["seed"] for m in figure["masks"]], labels)
        for mask in figure["masks"]:
            self.assertIn(mask["seed"], mask["h"])
            self.assertEqual(sorted(mask["h"] + mask["g"]), sorted(labels))

    def test_map(self):
        """A point an item and panel; colours by the first categorical feature."""
        figure = self.figure("map-full")
        self.assertEqual(figure["category"], "brand")
        self.assertEqual([p["label"] for p in figure["panels"]], ["Plain", "CFM"])
        self.assertEqual(len(figure["titles"]), 40)
        names = [figure["categories"][i] for i in figure["category_of"]]
        rows = harness.item_rows()
        self.assertEqual(names, [row[3] for row in rows])
        for panel in figure["panels"]:
            self.assertEqual((len(panel["x"]), len(panel["y"])), (40, 40))
            self.assertGreater(len(set(zip(panel["x"], panel["y"]))), 30)


if __name__ == "__main__":
    unittest.main()
