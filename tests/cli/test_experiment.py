# SPDX-License-Identifier: Apache-2.0
"""experiment: its numbers against train, evaluate and formulas of docs/evaluation.md in Python."""
import itertools
import math
import os
import unittest

import harness
import studies
from columns import Columns
from harness import run
from studies import T95, holm, paired_p
from whole_study import COLUMNS, WholeStudy


class Numbers(WholeStudy):
    """Tables, choices and runs."""

    # ---- a run

    def check_run(self, dataset, one, protocol, *options):
        """Every metric of a run is what evaluate says of the same model."""
        model = self.retrained(dataset, one, *options)
        for split in ("validation", "test"):
            if one[split] is None:
                continue
            said = self.done(run("evaluate", model, "--json", "-q", "--evaluate.split", split,
                                 "--evaluate.protocol", protocol)).json()
            for key, value in one[split].items():
                part, metric = key.split("/")
                if said[part]["pairs"] == 0:
                    self.assertIsNone(value, key)
                else:
                    self.assertAlmostEqual(value, said[part][metric], places=6, msg=key)
            self.assertEqual(len(one[split]), 4 * 5 * 2)
        return model

    def test_runs_are_those_of_train_and_evaluate(self):
        """A run of a choice, a final one, and one on half of the pairs, which prepare draws."""
        for one in (self.runs("full", "cfm", "choice", **{"ssl.dropout": "0.6"})[1],
                    self.runs("full", "rfm")[2]):
            self.check_run(self.data, one, "standard")
        self.check_run(self.half, self.runs("half", "cfm")[1], "standard", "--train.logq", "none")

    def test_paper_protocol(self):
        """Runs of both stages, ranked and scored by the other reading."""
        found = studies.experiment(self, self.data, studies.small(), "--evaluate.protocol", "paper")
        self.assertEqual(found["study"]["protocol"], "paper")
        chosen = [one for one in found["runs"] if one["method"] == "cfm"]
        self.assertEqual([one["stage"] for one in chosen], ["choice"] * 2 + ["final"] * 2)
        for one in chosen[1:3]:
            self.check_run(self.data, one, "paper")

    def test_references(self):
        """TopPopular and Random are those of evaluate."""
        model = self.model(self.data, "--train.epochs", "1")
        said = self.done(run("evaluate", model, "--json", "-q")).json()["baselines"]
        for number, condition, column, cells in self.cells():
            if condition == "full":
                part, metric = column["key"].split("/")
                for name in ("top_popular", "random"):
                    value = said[name][part][metric] if column["pairs"] else None
                    self.assertEqual(cells[name]["mean"] is None, value is None)
                    if value is not None:
                        self.assertAlmostEqual(cells[name]["mean"], value, places=6,
                                               msg="%d %s" % (number, column["key"]))

    # ---- tables

    def test_means_and_spreads(self):
        """Of the runs' own numbers: mean, deviation, interval, change against the baseline."""
        empty = 0
        for _, condition, column, cells in self.cells():
            base = None
            for method in ("plain", "cfm", "rfm"):
                if method not in cells:
                    continue
                cell = cells[method]
                values = [one["test"][column["key"]] for one in self.runs(condition, method)]
                if column["pairs"] == 0:
                    empty += 1
                    self.assertEqual(values, [None] * 3)
                    self.assertEqual([cell[k] for k in ("mean", "sd", "low", "high", "values")],
                                     [None] * 4 + [[]])
                    continue
                mean = sum(values) / 3
                base = mean if method == "plain" else base
                deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / 2)
                half = T95[3] * deviation / math.sqrt(3)
                self.assertEqual(len(cell["values"]), 3)
                for found, wanted in [*zip(cell["values"], values), (cell["mean"], mean),
                                      (cell["sd"], deviation), (cell["low"], mean - half),
                                      (cell["high"], mean + half)]:
                    self.assertAlmostEqual(found, wanted, places=9)
                if method == "plain" or base == 0:
                    self.assertIsNone(cell["change"])
                else:
                    self.assertAlmostEqual(cell["change"], mean / base - 1, places=9)
        self.assertEqual(empty, 7 * sum(c["pairs"] == 0 for n, _, c, _ in self.cells() if n == 2))

    def test_two_seeds(self):
        """The interval and the paired test with one degree of freedom."""
        found = studies.experiment(self, self.data, studies.small())
        for i, column in enumerate(found["tables"][0]["columns"]):
            plain, cfm = [row["cells"][i] for row in found["tables"][0]["rows"][:2]]
            mean = sum(cfm["values"]) / 2
            half = T95[2] * abs(cfm["values"][0] - cfm["values"][1]) / 2
            self.assertAlmostEqual(cfm["low"], mean - half, places=9, msg=column["key"])
            self.assertAlmostEqual(cfm["high"], mean + half, places=9)
            self.assertAlmostEqual(cfm["p_seed"], paired_p(cfm["values"], plain["values"]),
                                   places=9)

    def test_one_seed(self):
        """No spread and no test by seed; so nothing is significant."""
        found = studies.experiment(self, self.data, studies.small(), "--seeds", "1")
        self.assertEqual(found["study"]["seeds"], [1])
        cell = found["tables"][0]["rows"][1]["cells"][0]
        self.assertEqual([cell[k] for k in ("sd", "low", "high", "p_seed")], [None] * 4)
        self.assertFalse(cell["is_significant"])

    def test_p_by_seed(self):
        """Student's paired test of each method against the baseline, adjusted by Holm."""
        for number, _, column, cells in self.cells():
            if column["pairs"] == 0:
                continue
            others = [m for m in ("cfm", "rfm") if m in cells]
            wanted = holm([paired_p(cells[m]["values"], cells["plain"]["values"]) for m in others])
            for method, p in zip(others, wanted):
                self.assertAlmostEqual(cells[method]["p_seed"], p, places=9,
                                       msg="%d %s" % (number, column["key"]))
            self.assertIsNone(cells["plain"]["p_seed"])

    def test_p_by_query(self):
        """Tables of one comparison have the plain p; where there are two it is adjusted by Holm.
        The difference is that of the means, within its interval."""
        plain_p = {}
        for number, condition, column, cells in self.cells():
            if number != 2:
                method = "cfm" if number == 5 else "rfm"
                plain_p[condition, column["key"], method] = cells[method]["p_query"]
        for _, condition, column, cells in self.cells():
            for method in [m for m in ("cfm", "rfm") if m in cells]:
                if column["pairs"] == 0:
                    self.assertIsNone(cells[method]["p_query"])
                    self.assertIsNone(cells[method]["difference"])
                    continue
                gap = cells[method]["difference"]
                self.assertAlmostEqual(gap["mean"], cells[method]["mean"] - cells["plain"]["mean"],
                                       places=6)
                self.assertTrue(gap["low"] - 1e-9 <= gap["mean"] <= gap["high"] + 1e-9, gap)
            if "cfm" in cells and "rfm" in cells and column["pairs"]:
                wanted = holm([plain_p[condition, column["key"], m] for m in ("cfm", "rfm")])
                for method, p in zip(("cfm", "rfm"), wanted):
                    self.assertAlmostEqual(cells[method]["p_query"], p, places=9)
        self.assertTrue(any(p is not None and p < 0.5 for p in plain_p.values()))

    def test_bold(self):
        """The best of a column stands out when both tests say so; the baseline, when all differ."""
        for _, _, column, cells in self.cells():
            methods = [m for m in cells if m in ("rfm", "plain", "cfm")]
            if column["pairs"] == 0:
                self.assertFalse(any(cells[m]["is_best"] for m in methods))
                continue
            best = [max(methods, key=lambda m, cells=cells: cells[m]["mean"])]
            is_ahead = all(cells[best[0]]["mean"] >= cell["mean"] for cell in cells.values())
            self.assertEqual([m for m in methods if cells[m]["is_best"]], best * is_ahead)
            differs = {m: cells[m]["p_seed"] < 0.05 and cells[m]["p_query"] < 0.05
                       for m in methods if m != "plain"}
            differs["plain"] = best == ["plain"] and all(differs.values())
            for method in methods:
                self.assertEqual(cells[method]["is_significant"], differs[method], column["key"])

    def test_counts_of_columns(self):
        """Pairs and queries of each slice, of the dataset's own columns."""
        pairs = Columns(self.data).pairs("test")
        columns, _ = self.table(2, "full")
        self.assertEqual([c["key"] for c in columns],
                         [c if "/" in c else "all/" + c for c in COLUMNS])
        self.assertEqual((columns[0]["pairs"], columns[0]["queries"]),
                         (len(pairs), len({q for q, _ in pairs})))
        tail, head = columns[2]["pairs"], columns[3]["pairs"]
        self.assertEqual(tail + head, len(pairs))

    def test_csv(self):
        """tables.csv and runs.csv hold the same numbers."""
        rows = studies.rows(self.report, "tables.csv")
        self.assertEqual(len(rows), sum(len(t["rows"]) * len(COLUMNS)
                                        for t in self.results["tables"]))
        for row in rows:
            table = [t for t in self.results["tables"] if t["id"] == row["table"]][0]
            place = [c["key"] for c in table["columns"]].index(row["column"])
            cell = [r for r in table["rows"] if r["method"] == row["method"]][0]["cells"][place]
            for key in ("mean", "sd", "low", "high", "change", "p_seed", "p_query", "is_best",
                        "is_significant"):
                self.same_number(row[key], cell.get(key))
            difference = cell.get("difference") or {}
            for key, name in (("", "mean"), ("_low", "low"), ("_high", "high")):
                self.same_number(row["difference" + key], difference.get(name))
            for key in ("pairs", "queries"):
                self.same_number(row[key], table["columns"][place][key])
        rows = studies.rows(self.report, "runs.csv")
        self.assertEqual([r["key"] for r in rows], [r["key"] for r in self.results["runs"]])
        for row, one in zip(rows, self.results["runs"]):
            for key in ("method", "condition", "stage"):
                self.assertEqual(row[key], one[key])
            self.assertEqual(row["setting"], " ".join("%s=%s" % i for i in one["setting"].items()))
            for key in ("epochs", "best_epoch", "best_validation", "seconds", "seed"):
                self.same_number(row[key], one[key])
            for split, column in itertools.product(("validation", "test"), COLUMNS):
                key = column if "/" in column else "all/" + column
                self.same_number(row[split + "/" + key], (one[split] or {}).get(key))

    def same_number(self, text, number):
        """An integer, or a number to six digits; nothing for null."""
        form = "%d" if isinstance(number, int) else "%.6g"
        self.assertEqual(text, "" if number is None else form % number)

    def test_figures_csv(self):
        """figures.csv holds every point of every figure."""
        points = []
        for figure in self.results["figures"]:
            for panel in figure.get("panels", []):
                for series in panel.get("series", []):
                    ticks = [None] * 99 if "x" in series else figure["x"]["ticks"]
                    nothing = [None] * len(series["y"])
                    points += zip(itertools.repeat(figure["id"]), itertools.repeat(panel["label"]),
                                  itertools.repeat(series["name"]), ticks,
                                  series.get("x", nothing), series["y"],
                                  series["low"] or nothing, series["high"] or nothing)
                for i, title in enumerate(figure.get("titles", [])):
                    points.append((figure["id"], panel["label"],
                                   figure["categories"][figure["category_of"][i]], title,
                                   panel["x"][i], panel["y"][i], None, None))
            for row, values in zip(figure.get("labels", []), figure.get("values", [])):
                points += [(figure["id"], None, row, column, None, value, None, None)
                           for column, value in zip(figure["labels"], values)]
        rows = studies.rows(self.report, "figures.csv")
        self.assertEqual(len(rows), len(points))
        self.assertEqual({figure for figure, *_ in points},
                         {figure["id"] for figure in self.results["figures"]})
        for row, point in zip(rows, points):
            self.assertEqual(list(row)[:4], ["figure", "panel", "series", "label"])
            self.assertEqual(list(row.values())[:4], [text or "" for text in point[:4]])
            for text, number in zip(list(row.values())[4:], point[4:]):
                self.same_number(text, number)

    # ---- how values were chosen

    def test_choices(self):
        """The value with the best validation metric, mean over the seeds of the choice; the second
        option is tried with what the first one came to."""
        self.assertEqual([(c["condition"], c["method"], c["option"])
                          for c in self.results["choices"]],
                         [(c, "cfm", o) for c in ("full", "half")
                          for o in ("ssl.alpha", "ssl.dropout")])
        chosen = {}
        for choice in self.results["choices"]:
            before = chosen.setdefault(choice["condition"], {})
            scores = []
            for tried in choice["tried"]:
                setting = dict(before, **{choice["option"]: tried["value"]})
                made = [one for one in self.runs(choice["condition"], "cfm", "choice")
                        if one["setting"] == setting]
                self.assertEqual([one["seed"] for one in made], [1, 2])
                scores.append(sum(one["best_validation"] for one in made) / 2)
                self.assertAlmostEqual(tried["score"], scores[-1], places=12)
            picked = [tried["value"] for tried in choice["tried"] if tried["chosen"]]
            self.assertEqual(picked, [choice["tried"][scores.index(max(scores))]["value"]])
            before[choice["option"]] = picked[0]
        for condition, setting in chosen.items():
            for method in ("cfm", "rfm"):
                self.assertEqual([one["setting"] for one in self.runs(condition, method)],
                                 [setting] * 3)
                _, rows = self.table(2, condition)
                self.assertEqual(rows[method]["setting"], setting)
            self.assertEqual(rows["plain"]["setting"], {})

    def test_like_and_choose(self):
        """A method begins with what another one chose, and goes on choosing."""
        study = studies.small()
        study["methods"]["rfm"] = {"options": {"ssl.method": "rfm"}, "like": "cfm",
                                   "choose": {"ssl.dropout": [0.1, 0.6]}}
        found = studies.experiment(self, self.data, study)
        alpha, dropout = [[t["value"] for t in c["tried"] if t["chosen"]][0]
                          for c in found["choices"]]
        self.assertEqual([one["setting"] for one in found["runs"] if one["method"] == "rfm"],
                         [{"ssl.alpha": alpha, "ssl.dropout": d}
                          for d in ("0.1", "0.6", dropout, dropout)])

    def test_validation_metric(self):
        """What the choice goes by is the validation metric of the epoch that is kept."""
        self.assertEqual(self.results["study"]["selection"],
                         "recall@3 on the validation split, 2 seeds")
        for one in self.results["runs"]:
            self.assertAlmostEqual(one["best_validation"], one["validation"]["all/recall@3"],
                                   places=6)

    def test_the_test_split_is_touched_once(self):
        """Runs of a choice hold no test ranks; final ones do."""
        stages = {}
        for one in self.results["runs"]:
            held = set(os.listdir(os.path.join(self.report, "runs", one["key"])))
            is_final = one["stage"] == "final"
            self.assertEqual("ranks-test.npy" in held, is_final)
            self.assertEqual(one["test"] is not None, is_final)
            self.assertIn("ranks-validation.npy", held)
            maps = is_final and one["seed"] == 1 and one["method"] in ("plain", "cfm")
            self.assertEqual("vectors.npy" in held, maps)
            stages.setdefault(one["stage"], set()).add(one["key"])
        self.assertEqual(len(stages["choice"]), 16)
        self.assertEqual(len(stages["final"]), 18)
        self.assertEqual(set(os.listdir(os.path.join(self.report, "runs"))),
                         stages["choice"] | stages["final"])

    # ---- the report

    def test_shares_of_the_training_pairs(self):
        """A condition trains on the pairs that prepare would keep."""
        self.assertEqual([c["train_pairs"] for c in self.results["conditions"]],
                         [len(Columns(d).pairs("train")) for d in (self.data, self.half)])
        thinned = os.listdir(os.path.join(self.report, "data"))
        self.assertEqual(len(thinned), 1)
        kept = Columns(os.path.join(self.report, "data", thinned[0]))
        self.assertEqual(kept.all_pairs(), Columns(self.half).all_pairs())

    def test_json(self):
        """--json prints results.json, in the shape that the page reads."""
        self.assertEqual(self.made.json(), self.results)
        self.assertEqual(list(self.results), [
            "format", "version", "title", "created_by", "made", "command", "seconds", "dataset",
            "study", "conditions", "methods", "tables", "figures", "choices", "runs", "costs",
            "warnings"])
        self.assertEqual((self.results["format"], self.results["version"]), ("diptych-report", 1))
        columns = Columns(self.data)
        self.assertEqual(self.results["dataset"]["pairs"],
                         {part: len(p) for part, p in columns.all_pairs().items()})
        self.assertEqual(sorted(os.listdir(self.report)),
                         ["data", "figures.csv", "index.html", "lock", "results.json", "runs",
                          "runs.csv", "study.json", "tables.csv"])

    def test_empty_slice(self):
        """Named in a warning, once a condition that shows it."""
        cold = [c["pairs"] for n, _, c, _ in self.cells() if n == 2 and c["slice"] == "cold"]
        found = [w for w in self.results["warnings"] if "the slice" in w]
        self.assertEqual(len(found), cold.count(0))
        self.assertIn(0, cold)
        for warning in found:
            self.assertIn('the slice "cold" has no test pairs', warning)

    def test_text(self):
        """The tables of the terminal have the same means."""
        words = studies.command(self, self.data, studies.small())
        text = self.done(run(*words)).out
        found = studies.results(self.path("r"))
        for row in found["tables"][0]["rows"]:
            line = [line for line in text.splitlines() if line.startswith(row["label"])][0]
            for cell in row["cells"]:
                self.assertIn("%.4f" % cell["mean"], line)
        self.assertIn(self.path("r") + "/index.html", text)


if __name__ == "__main__":
    unittest.main()
