# SPDX-License-Identifier: Apache-2.0
"""experiment: its numbers against train, evaluate and formulas of docs/evaluation.md in Python."""
import itertools
import math
import os
import shutil
import tempfile
import unittest

import harness
import studies
from columns import Columns, read_npy
from harness import run
from studies import T95, holm, paired_p

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


class Numbers(harness.Case):
    """One study that has everything, made once."""

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

    # ---- a run

    def retrained(self, dataset, one, *options):
        """The model that train makes of a run's options."""
        words = []
        for key, value in one["setting"].items():
            words += ["--" + key, value]
        method = "none" if one["method"] == "plain" else one["method"]
        return self.model(dataset, "--ssl.method", method, "--seed", str(one["seed"]), *words,
                          *options, name="m%d" % len(os.listdir(self.folder)))

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
        """The best stands out when both tests say so; the baseline, when all others differ."""
        for _, _, column, cells in self.cells():
            methods = [m for m in ("rfm", "plain", "cfm") if m in cells]
            if column["pairs"] == 0:
                self.assertFalse(any(cells[m]["is_best"] for m in methods))
                continue
            best = [m for m in methods if cells[m]["is_best"]]
            self.assertEqual(len(best), 1)
            self.assertEqual(cells[best[0]]["mean"], max(cells[m]["mean"] for m in methods))
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
            for key in ("mean", "sd", "low", "high", "change", "p_seed", "p_query"):
                self.same_number(row[key], cell.get(key))
        rows = studies.rows(self.report, "runs.csv")
        self.assertEqual([r["key"] for r in rows], [r["key"] for r in self.results["runs"]])
        for row, one in zip(rows, self.results["runs"]):
            for key in ("method", "condition", "stage"):
                self.assertEqual(row[key], one[key])
            self.assertEqual(row["setting"], " ".join("%s=%s" % i for i in one["setting"].items()))
            for key in ("epochs", "best_epoch", "best_validation", "seconds", "seed"):
                self.same_number(row[key], one[key])

    def same_number(self, text, number):
        """A number to six digits; nothing for null."""
        self.assertEqual(text, "" if number is None else "%.6g" % number)

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

    # ---- figures

    def test_choice_figures(self):
        """Validation metrics of the runs of each value, and of the baseline's final runs."""
        figure = self.figure("ssl.alpha-full")
        self.assertEqual((figure["kind"], figure["split"], figure["x"]["scale"]),
                         ("lines", "validation", "log"))
        self.assertEqual(figure["x"]["ticks"], [0.1, 3])
        for panel, key in zip(figure["panels"], ("all/recall@3", "tail/map@10")):
            line = panel["series"][0]
            self.assertEqual((line["name"], line["x"]), ("CFM", [0.1, 3]))
            for value, y in zip(("0.1", "3"), line["y"]):
                made = [one["validation"][key] for one in self.runs("full", "cfm", "choice")
                        if one["setting"] == {"ssl.alpha": value}]
                self.assertAlmostEqual(y, sum(made) / 2, places=12)
            base = [one["validation"][key] for one in self.runs("full", "plain")]
            self.assertEqual(panel["reference"]["name"], "Plain")
            self.assertAlmostEqual(panel["reference"]["y"], sum(base) / 3, places=12)
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
                    hits, total = [0] * 11, [0] * 11
                    for one in self.runs(condition, method):
                        ranks = read_npy(os.path.join(self.report, "runs", one["key"],
                                                      "ranks-test.npy"))[1]
                        for (_, item), rank in zip(pairs, ranks):
                            total[group.get(item, 10)] += 1
                            hits[group.get(item, 10)] += 0 < rank <= k
                    self.assertEqual(series["pairs"], [n // 3 for n in total])
                    for y, hit, n in zip(series["y"], hits, total):
                        self.assertEqual(y is None, n == 0)
                        if n:
                            self.assertAlmostEqual(y, hit / n, places=12)
            self.assertEqual(len(figure["x"]["ticks"]), 11)

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
                         ["data", "index.html", "lock", "results.json", "runs", "runs.csv",
                          "study.json", "tables.csv"])

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
