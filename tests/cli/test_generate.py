# SPDX-License-Identifier: Apache-2.0
"""diptych generate: what it promises is computed again here, from the law as docs/generate.md has
it."""
import json
import math
import os
import unittest

import harness
from columns import Columns
from harness import OK, USAGE, run

WORLD = ["--items", 600, "--pairs", 9000, "--clusters", 24, "--groups", 6]
USERS = WORLD + ["--queries", 900]
PARTS = ("train", "validation", "test")


def rows(path):
    """A table as (header, rows)."""
    lines = harness.read_bytes(path).decode().splitlines()
    return lines[0].split("\t"), [line.split("\t") for line in lines[1:]]


class World:
    """The law of links, from the settings and the truth tables alone."""

    def __init__(self, folder, dataset):
        with open(os.path.join(folder, "truth.json"), encoding="utf-8") as file:
            self.truth = json.load(file)
        recipe = self.truth["recipe"]
        self.s = float(recipe["zipf"])
        self.within = float(recipe["within_cluster"]), float(recipe["within_group"])
        _, items = rows(os.path.join(folder, "truth-items.tsv"))
        self.place, self.cluster, self.group = ([int(row[i]) for row in items] for i in (1, 2, 3))
        self.columns = Columns(dataset)
        self.same_side = recipe["queries"] == "0"
        self.query_cluster = self.cluster
        if not self.same_side:
            _, queries = rows(os.path.join(folder, "truth-queries.tsv"))
            self.query_cluster = [int(row[1]) for row in queries]
        group_of = dict(zip(self.cluster, self.group))
        self.query_group = [group_of[c] for c in self.query_cluster]
        self.law = {}

    def zipf(self, members):
        """{item: probability}, by the order of popularity among the members."""
        order = sorted(members, key=lambda item: self.place[item])
        weight = [(rank + 1) ** -self.s for rank in range(len(order))]
        mass = math.fsum(weight)
        return {item: w / mass for item, w in zip(order, weight)}

    def probabilities(self, query):
        """P(item | query) of all items."""
        cluster = self.query_cluster[query]
        if cluster not in self.law:
            everyone = range(len(self.place))
            p = [0.0] * len(self.place)
            for weight, members in (
                    (1 - sum(self.within), everyone),
                    (self.within[1], [i for i in everyone
                                      if self.group[i] == self.query_group[query]]),
                    (self.within[0], [i for i in everyone if self.cluster[i] == cluster])):
                for item, share in self.zipf(members).items():
                    p[item] += weight * share
            self.law[cluster] = p
        return self.law[cluster]

    def links(self, part):
        """{query: items} of a part."""
        found = {}
        for query, item in self.columns.pairs(part):
            found.setdefault(query, []).append(item)
        return found

    def head(self):
        """The tenth of the items with training pairs that has most of them."""
        count = self.columns.npy("item-count.npy")
        seen = [i for i, n in enumerate(count) if n > 0]
        return set(sorted(seen, key=lambda i: (-count[i], i))[:(len(seen) + 9) // 10])

    def best(self, protocol, tail):
        """{metric: value} of the ranking by the law, by sorting all items for every query."""
        train, head = self.links("train"), self.head()
        sums, n = {}, 0
        for query, right in self.links("test").items():
            right = {i for i in right if not (tail and i in head)}
            skip = set(train.get(query, ())) if protocol == "standard" else set()
            skip |= {query} if self.same_side else set()
            p = self.probabilities(query)
            ranking = sorted((i for i in range(len(p)) if i not in skip),
                             key=lambda i: (-p[i], self.place[i]))[:50]
            asked = [right] if protocol == "standard" else [{i} for i in right]
            for wanted in filter(None, asked):
                n += 1
                for k in (10, 50):
                    hits = [place for place, item in enumerate(ranking[:k], 1) if item in wanted]
                    precision = sum((i + 1) / place for i, place in enumerate(hits))
                    for name, value in (("recall", len(hits) / len(wanted)),
                                        ("map", precision / min(k, len(wanted))),
                                        ("mrr", 1 / hits[0] if hits else 0)):
                        key = "%s@%d" % (name, k)
                        sums[key] = sums.get(key, 0) + value
        return {key: value / n for key, value in sums.items()}


class Generate(harness.Case):
    """The command."""

    def generate(self, name, *options):
        """Generates and returns the report."""
        return self.done(run("generate", *options, "-o", self.path(name), "-q", "--json")).json()

    def tables(self, name, *options):
        """Generates tables, prepares them; returns the paths of both."""
        self.generate(name, "--truth", *options)
        self.done(run("prepare", self.path(name, "project.yaml"), "-o", self.path(name + ".dip"),
                      "-q"))
        return self.path(name), self.path(name + ".dip")

    def test_the_best_is_what_sorting_by_the_law_gives(self):
        """Both protocols, all items and the tail, items or users as queries."""
        for name, options in (("items", WORLD), ("users", USERS)):
            world = World(*self.tables(name, *options))
            for protocol in ("standard", "paper"):
                for part in ("all", "tail"):
                    found = world.truth["best"][protocol][part]
                    wanted = world.best(protocol, part == "tail")
                    self.assertGreater(wanted["recall@50"], 0.2)
                    for key, value in wanted.items():
                        self.assertAlmostEqual(found[key], value, 12, (name, protocol, part, key))
                        self.assertEqual(found[key + "_error"], 0)

    def test_a_sample_of_the_queries_is_near(self):
        """--judge: within four of the standard errors that it states."""
        options = ["--items", 3000, "--pairs", 40000]
        whole = self.generate("a", *options)["best"]
        some = self.generate("b", *options, "--judge", 1000)["best"]
        self.assertEqual((whole["judged_queries"], some["judged_queries"]), (3000, 1000))
        for protocol in ("standard", "paper"):
            for key in ("recall@10", "recall@50", "map@10", "mrr@10"):
                error = some[protocol]["all"][key + "_error"]
                self.assertTrue(0 < error < 0.03, error)
                off = abs(some[protocol]["all"][key] - whole[protocol]["all"][key])
                self.assertLess(off, 4 * error)

    def test_a_dataset_is_what_prepare_makes_of_the_tables(self):
        """Every part has the same bytes; numbers in the manifest that are sums agree closely."""
        for name, options in (("items", WORLD), ("users", USERS)):
            _, prepared = self.tables(name, *options)
            direct = self.path(name + "-direct.dip")
            self.generate(name + "-direct.dip", "--format", "dataset", *options)
            left = json.loads(harness.read_bytes(os.path.join(prepared, "manifest.json")))
            right = json.loads(harness.read_bytes(os.path.join(direct, "manifest.json")))
            self.assertEqual(set(right["parts"]) - set(left["parts"]),
                             {"project.yaml", "truth.json"})
            self.same_parts(left, right, prepared, direct)
            for key in right["counts"]:
                self.assertEqual(left["counts"][key], right["counts"][key], key)
            self.same_schema(left["schema"], right["schema"])
            self.assertEqual({k: v for k, v in left["config"].items() if k != "threads"},
                             {k: v for k, v in right["config"].items() if k != "threads"})

    def same_parts(self, left, right, prepared, direct):
        """Integers and texts to the byte, floating numbers to the last digits."""
        for name in left["parts"]:
            if name == "item-06-price.npy" or name == "mutual-information.npy":
                pairs = zip(Columns(prepared).npy(name), Columns(direct).npy(name))
                for a, b in pairs:
                    self.assertAlmostEqual(a, b, delta=1e-6)
            else:
                self.assertEqual(left["parts"][name], right["parts"][name], name)

    def same_schema(self, left, right):
        """All but the last digits of the price's normaliser."""
        for side in ("items", "queries"):
            for a, b in zip(left.get(side, {}).get("features", ()),
                            right.get(side, {}).get("features", ())):
                self.assertAlmostEqual(a.pop("mean"), b.pop("mean"), 9)
                self.assertAlmostEqual(a.pop("deviation"), b.pop("deviation"), 9)
        self.assertEqual(left, right)

    def test_the_bytes_do_not_depend_on_threads(self):
        """Both formats, and another seed gives others."""
        for style in ("tsv", "dataset"):
            options = ["--format", style, "--truth", *USERS]
            for threads in (1, 2, 5):
                self.generate("%s%d" % (style, threads), *options, "--threads", threads)
            wanted = harness.snapshot(self.path(style + "1"))
            self.assertEqual(harness.snapshot(self.path(style + "2")), wanted)
            self.assertEqual(harness.snapshot(self.path(style + "5")), wanted)
            self.generate(style + "seed", *options, "--seed", 2)
            other = harness.snapshot(self.path(style + "seed"))
            changed = {name for name in wanted if wanted[name] != other[name]}
            self.assertIn("truth-items.tsv", changed)
            self.assertGreater(len(changed), 5)

    def test_pairs_are_distinct_and_as_many_as_asked_for(self):
        """None of an item with itself; times of one year."""
        for name, options in (("items", WORLD), ("users", USERS)):
            self.generate(name, *options)
            header, pairs = rows(self.path(name, "interactions.tsv"))
            self.assertEqual(header[2], "timestamp")
            self.assertEqual(len(pairs), 9000)
            self.assertEqual(len({(q, x) for q, x, _ in pairs}), 9000)
            self.assertFalse([q for q, x, _ in pairs if q == x])
            times = [int(t) for _, _, t in pairs]
            self.assertTrue(min(times) >= 1704067200 and max(times) < 1704067200 + 31536000)

    def test_features_share_the_information_that_was_planted(self):
        """The matrix that prepare measures, less the bias of counting, is the planted one. The bias
        is known to the first order; where most cells are rare it is up to 2.3 times that."""
        folder, dataset = self.tables("t", "--items", 40000, "--pairs", 400000, "--clusters", 4,
                                      "--groups", 2, "--noise", 0.2)
        with open(os.path.join(folder, "truth.json"), encoding="utf-8") as file:
            planted = json.load(file)["mutual_information"]
        columns = Columns(dataset)
        measured = columns.npy("mutual-information.npy")
        names, k = planted["features"], len(planted["features"])
        trains = columns.npy("item-trains.npy")
        values = [self.values(columns, f, name, trains) for f, name in enumerate(names)]
        shared = 0
        for f in range(1, k):
            for g in range(1, f):
                first = bias(values[f], values[g])
                off = measured[f * k + g] - first - planted["planted"][f][g]
                shared += planted["planted"][f][g] > 10 * first
                self.assertTrue(-0.01 < off < 0.01 + 1.3 * first, (names[f], names[g], off, first))
            self.assertAlmostEqual(measured[f * k + f], planted["planted"][f][f], delta=0.02)
            self.assertAlmostEqual(measured[f], planted["planted"][0][f], delta=0.02)
        self.assertAlmostEqual(measured[0], planted["planted"][0][0], 9)
        self.assertGreater(shared, 5)

    def values(self, columns, f, name, trains):
        """The values of a feature's training rows; of the price, its bins."""
        stem = "item-%02d-%s" % (f, name)
        if name in ("tags", "title"):
            found = columns.bag(stem)
        elif name == "price":
            found = [[sum(x >= -2 + 0.2 * b for b in range(1, 20))]
                     for x in columns.npy(stem + ".npy")]
        else:
            found = [[x] for x in columns.npy(stem + ".npy")]
        return [v for v, t in zip(found, trains) if t]

    def test_a_trained_model_comes_near_the_best(self):
        """Nine tenths of the best possible recall@50, and well above popularity."""
        best = self.generate("d", "--items", 1000, "--pairs", 30000, "--format", "dataset")["best"]
        self.done(run("train", self.path("d"), "-o", self.path("m"), "-q", "--train.batch", 256,
                      "--train.epochs", 8, "--ssl.method", "cfm"))
        report = self.done(run("evaluate", self.path("m"), "--json", "-q")).json()
        recall = report["all"]["recall@50"]
        popular = report["baselines"]["top_popular"]["all"]["recall@50"]
        self.assertGreater(recall, 0.9 * best["standard"]["all"]["recall@50"])
        self.assertLess(recall, 1.01 * best["standard"]["all"]["recall@50"])
        self.assertGreater(recall, 1.5 * popular)

    def test_outputs_are_replaced_only_when_asked(self):
        """And the old one stays when the new one cannot be made."""
        self.generate("t", *WORLD)
        self.refused(USAGE, ["generate", *WORLD, "-o", self.path("t"), "-q"], "t")
        self.refused(USAGE, ["generate", "--items", 600, "--pairs", 10 ** 9, "-o", self.path("t"),
                             "-q", "--replace"], "pairs are too many")
        before = harness.snapshot(self.path("t"))
        self.generate("t", *WORLD, "--seed", 3, "--replace")
        self.assertNotEqual(harness.snapshot(self.path("t")), before)
        self.assertEqual(self.done(run("inspect", self.path("t"), "--json")).json()["kind"],
                         "tables")

    def test_mistakes_are_named(self):
        """Flags, ranges and settings that do not go together."""
        for options, text in ((["--items", "many"], '"many"'), (["--items", 31], "32 to"),
                              (["--format", "csv"], "tsv"), (["--noise", 2], "0 to 1"),
                              (["--zipf", 1.6], "zipf"), (["--clusters", 10, "--groups", 3],
                                                          "multiple of groups"),
                              (["--within-cluster", 0.99], "within_cluster"),
                              (["--pairs", 10 ** 7], "10000000 pairs are too many"),
                              (["--pairs", 1, "--test", 0.45, "--validation", 0.45, "--seed", 1],
                               "for training")):
            code = harness.FAILED if "--pairs" in options and 1 in options else USAGE
            self.refused(code, ["generate", *options, "-o", self.path("x"), "-q"], text)
        self.refused(USAGE, ["generate", *WORLD], "-o DIR is missing")

    def test_the_text_says_what_was_made(self):
        """Without --json."""
        result = self.done(run("generate", *WORLD, "-o", self.path("t"), "-q"))
        self.assertEqual(result.code, OK)
        self.assertIn("pairs train", result.out)
        self.assertRegex(result.out, r"best possible, standard protocol, tail: +recall@10 0\.\d+")


def bias(left, right):
    """What counting adds to the mutual information of two features, to the first order: a cell that
    n rows share out over, each with weight w, has variance p w / n."""
    n = len(left)
    cells = [set(), set(), set()]
    for a, b in zip(left, right):
        cells[0].update(a)
        cells[1].update(b)
        cells[2].update((x, y) for x in a for y in b)
    wide = [len(left[0]), len(right[0])]
    wide.append(wide[0] * wide[1])
    sign = (-1, -1, 1)
    return sum(s * len(c) / (2 * n * w) for s, c, w in zip(sign, cells, wide)) + 1 / (2 * n)


if __name__ == "__main__":
    unittest.main()
