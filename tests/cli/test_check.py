# SPDX-License-Identifier: Apache-2.0
"""diptych check: every number against one computed here from the .npy files, in another way."""
import collections
import json
import math
import os
import pty
import statistics
import subprocess
import time
import unittest

import columns
import forge
import harness
from harness import FAILED, OK, USAGE, run

USERS = (["user", "country", "age"],
         [["u%d" % i, ["de", "fr", "fr", ""][i % 4], ["31", "45", ""][i % 3]] for i in range(40)],
         {"user": {"type": "id"}, "country": {"type": "categorical"}, "age": {"type": "numeric"}})


def check(dataset, *options):
    """The report as JSON, without the measurement."""
    result = run("check", dataset, "--json", "-q", "--no-measure", *options)
    if result.code != OK:
        raise AssertionError(result.err)
    return result.json()


def findings(report, level=None):
    """(level, about) of the findings, or the abouts of one level."""
    if level is None:
        return [(f["level"], f["about"]) for f in report["findings"]]
    return [f["about"] for f in report["findings"] if f["level"] == level]


class Numbers(harness.Case):
    """Everything that is counted."""

    def close(self, actual, expected):
        """Sums in another order."""
        self.assertTrue(math.isclose(actual, expected, rel_tol=1e-12, abs_tol=1e-12),
                        (actual, expected))

    def check_rows(self, report, data, n_items, n_queries):
        """rows."""
        pairs = data.all_pairs()
        same = n_queries is None
        asks = {q for q, _ in pairs["train"]}
        given = {x for _, x in pairs["train"]}
        self.assertEqual(report["rows"], {
            "items": n_items, "queries": n_items if same else n_queries, "queries_are_items": same,
            "training_items": len(given | asks if same else given), "training_queries": len(asks),
            "test_queries": len({q for q, _ in pairs["test"]}),
            "validation_queries": len({q for q, _ in pairs["validation"]}),
            "pairs": {part: len(pairs[part]) for part in ("train", "validation", "test")}})

    def check_popularity(self, report, data, n_items):
        """popularity, by ranking the items."""
        pairs = data.all_pairs()
        count = collections.Counter(x for _, x in pairs["train"])
        ranked = sorted(range(n_items), key=lambda x: (-count[x], x))
        head = set(ranked[:(len(count) + 9) // 10])
        found = report["popularity"]
        train, test = pairs["train"], pairs["test"]
        self.assertEqual(found["head_items"], len(head))
        self.assertEqual(found["tail_items"], n_items - len(head))
        self.close(found["tail_item_share"], 1 - len(head) / n_items)
        self.close(found["tail_pair_share"], sum(x not in head for _, x in train) / len(train))
        self.close(found["tail_test_pair_share"],
                   sum(x not in head for _, x in test) / max(1, len(test)))
        self.assertEqual(found["cold_items"], n_items - len(count))
        self.close(found["cold_item_share"], 1 - len(count) / n_items)
        self.assertEqual(found["most_pairs"], max(count.values()))
        # Gini as half the mean difference of two items, divided by the mean.
        values = [count[x] for x in range(n_items)]
        difference = sum(abs(a - b) for a in values for b in values)
        self.close(found["gini"], difference / (2 * n_items * sum(values)))
        for share, pair_share in found["curve"]:
            most = ranked[:int(n_items * share + 1e-9)]
            self.close(pair_share, sum(count[x] for x in most) / len(train))
        self.assertEqual([found["curve"][0], found["curve"][-1]], [[0, 0], [1, 1]])

    def check_splits(self, report, data, same):
        """splits, with sets."""
        pairs = data.all_pairs()
        train = set(pairs["train"])
        asks = {q for q, _ in train}
        given = {x for _, x in train}
        for part in ("validation", "test"):
            held = pairs[part]
            expected = {
                "pairs": len(held), "repeated_pairs": len(held) - len(set(held)),
                "pairs_that_train": len(set(held) & train),
                "queries_without_training": len({q for q, _ in held} - asks),
                "pairs_of_queries_without_training": sum(q not in asks for q, _ in held),
                "pairs_with_cold_items": sum(x not in given for _, x in held),
                "self_pairs": sum(same and q == x for q, x in held)}
            if same:
                expected["reversed_pairs_that_train"] = sum((x, q) in train for q, x in set(held))
            if part == "test":
                expected["pairs_that_validate"] = len(set(held) & set(pairs["validation"]))
            self.assertEqual(report["splits"][part], expected)

    def check_lengths(self, found, lengths, trains):
        """Coverage and values a row."""
        self.close(found["coverage"], sum(n > 0 for n in lengths) / len(lengths))
        for key, wanted in (("coverage_training", True), ("coverage_new", False)):
            some = [n for n, t in zip(lengths, trains) if t == wanted]
            self.close(found[key], sum(n > 0 for n in some) / max(1, len(some)))
        self.close(found["values_mean"], sum(lengths) / len(lengths))
        self.close(found["values_median"], statistics.median(lengths))
        self.assertEqual(found["values_most"], max(lengths))

    def check_values(self, found, rows, vocabulary):
        """What the values are: rows is a list of lists of codes."""
        weight = collections.Counter()
        for codes in rows:
            for code in codes or [-1]:
                weight[code] += 1 / max(1, len(codes))
        self.close(found["entropy"], -sum(w / len(rows) * math.log(w / len(rows))
                                          for w in weight.values()))
        del weight[-1]
        self.assertEqual(found["distinct"], len(weight))
        top = max(weight.values())
        self.close(found["top_share"], top / len(rows))
        names = [vocabulary[code][0] for code, w in weight.items() if math.isclose(w, top)]
        self.assertIn(found["top_value"], names)

    def check_features(self, report, data, side, features, trains, tables):
        """Every feature of one side."""
        found = [f for f in report["features"] if f["side"] == side]
        self.assertEqual([f["name"] for f in found], list(features))
        for f, (name, settings) in zip(found, features.items()):
            index = list(features).index(name)
            stem = "%s-%02d-%s" % (side, index, name)
            self.assertEqual(f["type"], settings["type"])
            if settings["type"] in ("bag", "text"):
                rows = data.bag(stem)
            else:
                rows = [[] if x != x or x == -1 else [x] for x in data.npy(stem + ".npy")]
            self.check_lengths(f, [len(codes) for codes in rows], trains)
            if settings["type"] == "numeric":
                self.assertIsNone(f["table"])
                continue
            vocabulary = data.vocabulary(tables[f["table"]])
            self.assertEqual(f["rows"], len(vocabulary))
            self.check_values(f, rows, vocabulary)

    def check_all(self, dataset, queries):
        """One dataset."""
        report = check(dataset)
        data = columns.Columns(dataset)
        n = len(data.strings("item-ids"))
        tables = {name.split("-", 2)[2][:-4].replace("query_", "query."): name
                  for name in os.listdir(dataset) if name.startswith("vocab-")}
        self.check_rows(report, data, n, len(data.strings("query-ids")) if queries else None)
        self.check_popularity(report, data, n)
        self.check_splits(report, data, not queries)
        train = data.pairs("train")
        asks, given = {q for q, _ in train}, {x for _, x in train}
        item_trains = [x in given or (not queries and x in asks) for x in range(n)]
        self.check_features(report, data, "item", harness.ITEM_FEATURES, item_trains, tables)
        if queries:
            trains = [q in asks for q in range(report["rows"]["queries"])]
            self.check_features(report, data, "query", queries[2], trains, tables)
        return report

    def test_items_only(self):
        """Queries are items; half of the items lack a brand, and many never train."""
        items = harness.item_rows(90)
        for row in items[::2]:
            row[3] = ""
        for row in items[::5]:
            row[2] = ""
            row[4] = ""
        report = self.check_all(self.dataset(items=items), None)
        new = [f["coverage_new"] for f in report["features"] if f["name"] == "id"]
        self.assertLess(new[0], 0.5)
        prices = [float(row[4]) for row in items if row[4]]
        found = [f for f in report["features"] if f["name"] == "price"][0]
        self.assertTrue(math.isclose(found["least"], min(prices), rel_tol=1e-5))
        self.assertTrue(math.isclose(found["largest"], max(prices), rel_tol=1e-5))

    def test_queries_of_their_own(self):
        """Users with features."""
        self.check_all(self.dataset(queries=USERS, pairs=harness.pair_rows(prefix="u")), USERS)

    def test_matrix_and_masks(self):
        """The stored matrix; a seed takes the floor(k/2) features that share most with it."""
        dataset = self.dataset()
        found = check(dataset)["information"]
        names = list(harness.ITEM_FEATURES)
        flat = columns.Columns(dataset).npy("mutual-information.npy")
        k = len(names)
        self.assertEqual(found["features"], names)
        self.assertEqual(found["matrix"], [flat[i * k:i * k + k] for i in range(k)])
        for seed, entry in enumerate(found["seeds"]):
            others = sorted((i for i in range(k) if i != seed),
                            key=lambda i: (-flat[seed * k + i], i))
            masked = {seed, *others[:k // 2]}
            self.assertEqual(entry["seed"], names[seed])
            self.assertEqual(entry["h_masks"], [n for i, n in enumerate(names) if i in masked])
            self.assertEqual(entry["g_masks"], [n for i, n in enumerate(names) if i not in masked])

    def test_left_out(self):
        """What prepare counted: repeated pairs, self pairs, unknown ids."""
        pairs = harness.pair_rows()
        pairs += pairs[:7] + [["i3", "i3", 1, "train"]] * 2 + [["i1", "nobody", 1, "train"]] * 3
        report = check(self.dataset(pairs=pairs))
        self.assertEqual(report["splits"]["left_out"],
                         {"duplicates": 7, "self_pairs": 2, "unknown_ids": 3, "unused": 0})
        self.assertIn(("warning", "interactions"), findings(report))


class Leaks(harness.Case):
    """Datasets that leak."""

    def test_reversed_pairs(self):
        """A pair in the test whose reverse trains, as prepare itself lets happen."""
        report = check(self.dataset())
        data = columns.Columns(self.path("d.dip"))
        train = set(data.pairs("train"))
        count = sum((x, q) in train for q, x in data.pairs("test"))
        self.assertGreater(count, 0)
        self.assertEqual(report["splits"]["test"]["reversed_pairs_that_train"], count)
        self.assertIn("test split", findings(report, "problem"))
        whole = check(self.dataset(name="e.dip", settings={"split": {"by": "unordered_pair"}}))
        self.assertEqual(whole["splits"]["test"]["reversed_pairs_that_train"], 0)
        self.assertEqual(findings(whole, "problem"), [])

    def test_pairs_that_train_too(self):
        """Written by another program: the manifest is not asked."""
        dataset = self.dataset()
        data = columns.Columns(dataset)
        train, test = data.pairs("train"), data.pairs("test")
        forge.replace_part(dataset, "pairs-test.npy", forge.npy(test + train[3:8] + [(2, 2)]))
        report = check(dataset)
        self.assertEqual(report["splits"]["test"]["pairs_that_train"], 5)
        self.assertEqual(report["splits"]["test"]["self_pairs"], 1)
        self.assertIn("test split", findings(report, "problem"))

    def test_strict(self):
        """The exit code says whether there is a problem, when asked to."""
        dataset = self.dataset()
        self.assertEqual(run("check", dataset, "-q", "--no-measure").code, OK)
        strict = run("check", dataset, "-q", "--no-measure", "--strict")
        self.assertEqual(strict.code, FAILED)
        self.assertIn("problem", strict.out)
        whole = self.dataset(name="e.dip", settings={"split": {"by": "unordered_pair"}})
        self.assertEqual(run("check", whole, "-q", "--no-measure", "--strict").code, OK)

    def test_only_ids(self):
        """Queries that are nothing but an unseen id cannot be answered."""
        pairs = [["u%d" % i, "i%d" % (i % 40), 1, "test" if i > 30 else "train"]
                 for i in range(40)]
        report = check(self.dataset(pairs=pairs, queries="user",
                                    settings={"split": {"by": "column", "column": "part"}}))
        self.assertEqual(report["splits"]["test"]["queries_without_training"], 9)
        self.assertIn("test split", findings(report, "warning"))


class Features(harness.Case):
    """Features that are of no use."""

    def features(self, fill, features):
        """The report on items whose brand, tags and title are filled by a function of the row."""
        items = harness.item_rows()
        for i, row in enumerate(items):
            row[1], row[2], row[3] = fill(i)
        return check(self.dataset(items=items, features=features))

    def test_constant_and_dead(self):
        """One value everywhere, none anywhere, each once."""
        report = self.features(lambda i: ("words %d" % i, "", "acme"), {
            "id": {"type": "id"}, "tags": {"type": "bag"}, "brand": {"type": "categorical"},
            "title": {"type": "categorical"}})
        warned = findings(report, "warning")
        for name in ("tags", "brand", "title"):
            self.assertIn("item feature " + name, warned)
        self.assertNotIn("item feature id", warned)
        texts = {f["about"]: f["text"] for f in report["findings"]}
        self.assertIn("dead", texts["item feature tags"])
        self.assertIn("same value", texts["item feature brand"])
        self.assertIn("one row only", texts["item feature title"])

    def test_near_duplicates(self):
        """A feature twice, under two names."""
        report = self.features(lambda i: ("t", "x%d" % (i % 6), "b%d" % (i % 6)), {
            "id": {"type": "id"}, "tags": {"type": "categorical"},
            "brand": {"type": "categorical"}})
        self.assertEqual([(d["a"], d["b"]) for d in report["information"]["near_duplicates"]],
                         [("tags", "brand")])
        self.assertIn("item features tags, brand", findings(report, "warning"))

    def test_masks_that_mask_nothing(self):
        """Where the rest is dead, a view is as good as not masked, and the other empty."""
        report = self.features(lambda i: ("t", "", ""), {
            "id": {"type": "id"}, "tags": {"type": "bag"}, "brand": {"type": "categorical"}})
        self.assertIn("masks", findings(report, "warning"))

    def test_one_feature(self):
        """Masking is impossible, and training would be refused."""
        dataset = self.dataset(features={"id": {"type": "id"}})
        report = check(dataset)
        self.assertIn("masks", findings(report, "problem"))
        self.assertIn("at least two", report["forecast"]["refused"])
        self.assertEqual(report["information"]["seeds"], [])
        report = check(dataset, "--ssl.method", "none")
        self.assertNotIn("masks", findings(report, "problem"))
        self.assertNotIn("refused", report["forecast"])


def peak_bytes(arguments):
    """Peak memory of a run of diptych that succeeds, as the kernel counts it until the end."""
    peak = 0
    process = subprocess.Popen(harness.words(arguments), env=harness.environment())
    while process.poll() is None:
        with open("/proc/%d/status" % process.pid, encoding="ascii") as file:
            found = [line for line in file if line.startswith("VmHWM:")]
        peak = int(found[0].split()[1]) * 1024 if found else peak
        time.sleep(0.0005)
    assert process.returncode == OK
    return peak


class Forecast(harness.Case):
    """What training will cost."""

    SIZES = {"small": (40, 300, {}),
             "large": (30000, 40000, {"model": {"dim": 32, "hidden": [128, 32]},
                                      "train": {"batch": 512, "epochs": 1}})}
    TOLERANCE = 0.2

    def make(self, name):
        """A dataset of one of the sizes."""
        n_items, n_pairs, settings = self.SIZES[name]
        pairs = harness.pair_rows() if n_pairs == 300 else [
            ["i%d" % (i * 7919 % n_items), "i%d" % (i * i * 31 % (n_items - 1)), 1, "train"]
            for i in range(n_pairs)]
        return self.dataset(name=name + ".dip", items=harness.item_rows(n_items), pairs=pairs,
                            settings=settings)

    def test_memory(self):
        """Within a fifth of the peak of a real training, small and large, and other options."""
        if harness.is_sanitized():
            self.skipTest("a sanitizer takes memory of its own")
        totals = []
        for name in self.SIZES:
            dataset = self.make(name)
            for options in ([], ["--train.optimizer", "adam", "--train.batch", "2048",
                                 "--train.precision", "fp32", "--train.average", "3"]):
                forecast = check(dataset, *options)["forecast"]["memory"]
                peak = peak_bytes(["train", dataset, "-o", self.path("m"), "-q", "--force",
                                   *options])
                parts = sum(forecast[key] for key in (
                    "tables", "optimizer", "layers", "buffers", "sparse", "validation", "dataset",
                    "program"))
                self.assertTrue(math.isclose(forecast["total"], parts, rel_tol=1e-9))
                print("%s %s: forecast %.1f MB, peak %.1f MB" %
                      (name, options, forecast["total"] / 1e6, peak / 1e6))
                self.assertLess(abs(forecast["total"] / peak - 1), self.TOLERANCE, (name, options))
                totals.append(peak)
        self.assertGreater(totals[2], 1.5 * totals[0], "the sizes should differ")

    def test_marks_of_rare_ids(self):
        """One byte an id; codes are not looked up in the tables of one row that buffers are
        measured with."""
        dataset = self.dataset()
        plain = check(dataset)["forecast"]["memory"]["buffers"]
        marked = check(dataset, "--train.id_min_pairs", "3")["forecast"]["memory"]["buffers"]
        self.assertEqual(marked - plain, len(harness.item_rows()))
        users = self.dataset(name="u.dip", pairs=harness.pair_rows(prefix="u"), queries="user")
        plain = check(users)["forecast"]["memory"]["buffers"]
        marked = check(users, "--train.query_min_pairs", "3")["forecast"]["memory"]["buffers"]
        self.assertEqual(marked - plain, len({row[0] for row in harness.pair_rows(prefix="u")}))
        check(dataset, "--preset", "best", "--model.hidden", "8,4")

    def test_parameters_and_files(self):
        """Parameters are those of the model; files are as large as was said."""
        dataset = self.dataset()
        options = ["--train.checkpoint_every", "5"]
        forecast = check(dataset, *options)["forecast"]
        model = self.model(dataset)
        head = harness.read_bytes(os.path.join(model, "model.safetensors"))
        size = int.from_bytes(head[:8], "little")
        shapes = [v["shape"] for k, v in json.loads(head[8:8 + size]).items()
                  if k != "__metadata__"]
        total = sum(math.prod(shape) for shape in shapes)
        self.assertEqual(forecast["parameters"]["total"], total)
        words = sum(os.path.getsize(os.path.join(dataset, name)) for name in os.listdir(dataset)
                    if name.startswith("vocab-"))
        self.assertEqual(forecast["disk"]["model"], 4 * total + words)
        self.assertEqual(forecast["disk"]["checkpoint"], 8 * total)  # Adagrad: one state
        self.assertEqual(forecast["disk"]["checkpoints_at_most"], 4)
        averaged = check(dataset, *options, "--train.average", "3")["forecast"]["disk"]
        self.assertEqual(averaged["checkpoint"], 12 * total)
        tables = {t["name"]: t["rows"] * t["width"] for t in forecast["parameters"]["tables"]}
        self.assertEqual(sum(tables.values()) + forecast["parameters"]["layers"], total)

    def test_time(self):
        """Measured by steps; an epoch and the run follow from them."""
        dataset = self.dataset()
        result = run("check", dataset, "--json", "-q")
        spent = result.json()["forecast"]["time"]
        pairs = len(columns.Columns(dataset).pairs("train"))
        steps = -(-pairs // 32)
        self.assertEqual((spent["steps_per_epoch"], spent["steps"]), (steps, 2 * steps))
        self.assertEqual((spent["threads"], spent["measured_steps"]), (1, 60))
        a_step = spent["measured_seconds"] / 60
        self.assertTrue(math.isclose(spent["seconds_a_step"], a_step, rel_tol=1e-9))
        epoch = steps * a_step + spent["epoch_validation_seconds"]
        self.assertTrue(math.isclose(spent["epoch_seconds"], epoch, rel_tol=1e-9))
        self.assertTrue(math.isclose(spent["total_seconds"], 2 * epoch, rel_tol=1e-9))
        rate = pairs / steps / a_step
        self.assertTrue(math.isclose(spent["examples_per_second"], rate, rel_tol=0.02))
        self.assertGreater(spent["epoch_validation_seconds"], 0)
        quick = check(dataset)["forecast"]["time"]
        self.assertEqual(list(quick), ["not_measured"])


class Screen(harness.Case):
    """What people see."""

    def draw(self, arguments, **variables):
        """The output on a terminal of its own."""
        ours, theirs = pty.openpty()
        environment = dict(harness.environment(), TERM="xterm-256color", NO_COLOR="")
        environment.update(variables)
        process = subprocess.Popen(harness.words(arguments), stdout=theirs,
                                   stderr=subprocess.DEVNULL, env=environment)
        os.close(theirs)
        data = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            data += piece
        os.close(ours)
        self.assertEqual(process.wait(), OK)
        return data.decode()

    def test_fits_eighty_columns(self):
        """Each line, piped; and long names do no harm."""
        features = dict(harness.ITEM_FEATURES)
        features["a_feature_with_a_very_long_name"] = {"type": "categorical", "column": "brand"}
        for name, dataset in (("d", self.dataset(features=features)),
                              ("e", self.dataset(name="e.dip", queries=USERS,
                                                 pairs=harness.pair_rows(prefix="u")))):
            for options in (["--no-measure"], []):
                lines = run("check", dataset, "-q", *options).out.splitlines()
                for line in lines[1:]:
                    self.assertLessEqual(len(line), 80, (name, line))
                self.assertLess(len(lines), 110)
                self.assertEqual([line for line in lines if line != line.rstrip()], [])

    def test_plain_when_piped(self):
        """No colours and no shades."""
        out = run("check", self.dataset(), "-q", "--no-measure").out
        self.assertNotIn("\033", out)
        self.assertNotIn("\u2588", out)
        self.assertIn("#####", out)

    def test_terminal(self):
        """Colours and shades; without UTF-8 no shades; NO_COLOR is heard."""
        words = ["check", self.dataset(), "-q", "--no-measure"]
        bright = self.draw(words)
        self.assertIn("\033[48;5;255", bright)
        self.assertIn("\u2588", bright)
        ascii_only = self.draw(words, LC_ALL="C")
        self.assertNotIn("\u2588", ascii_only)
        self.assertIn("\033[", ascii_only)
        self.assertNotIn("\033[", self.draw(words, NO_COLOR="1"))

    def test_many_features(self):
        """More than fit as numbers are drawn as shades only."""
        features = {"f%02d" % i: {"type": "categorical", "column": "brand"} for i in range(30)}
        lines = run("check", self.dataset(features=features), "-q", "--no-measure").out.splitlines()
        shades = [line for line in lines if line.startswith("  12 f11")]
        self.assertEqual(len(shades), 1)
        self.assertEqual(shades[0].split()[-1], "@" * 30)

    def test_usage(self):
        """Unknown options and missing datasets."""
        self.refused(USAGE, ["check"], "argument is missing")
        dataset = self.dataset()
        self.refused(USAGE, ["check", dataset, "--train.rat", "1"], "train.rate")
        self.refused(harness.IO, ["check", self.path("none.dip")], "none.dip")


if __name__ == "__main__":
    unittest.main()
