# SPDX-License-Identifier: Apache-2.0
"""evaluate against an independent evaluation: the columns from the .npy files, the vectors through
the public API, ranking and metrics in plain Python after docs/evaluation.md."""
import math
import unittest

import harness
from columns import Columns
from harness import run
from library import Opened

METRICS = ["recall", "map", "ndcg", "mrr", "hit_rate"]
SLICES = ["all", "head", "tail", "cold"]


def metrics(hits, right, k):
    """The five metrics of one list: hits are 0 and 1 by place, right the number of right items."""
    hits = hits[:k]
    most = min(k, right)
    found, precision, gain, first = 0, 0.0, 0.0, 0.0
    for place, hit in enumerate(hits, 1):
        if hit:
            found += 1
            precision += found / place
            gain += 1 / math.log2(place + 1)
            first = first or 1 / place
    ideal = sum(1 / math.log2(place + 1) for place in range(1, most + 1))
    return [found / right, precision / most, gain / ideal, first, float(found > 0)]


class World:
    """A dataset, a model and every score, in Python lists."""

    def __init__(self, model, dataset, split="test"):
        columns = Columns(dataset)
        opened = Opened(model, dataset)
        self.train, self.test = columns.pairs("train"), columns.pairs(split)
        self.n, n_queries = opened.n_items, opened.n_queries
        vectors = opened.vectors("queries", range(n_queries))
        self.items = opened.vectors("items", range(self.n))
        self.dim = opened.dim
        self.queries = vectors
        self.order, self.scores = opened.search(vectors, n_queries, self.n)
        self.are_items = "query-ids.bytes.npy" not in harness.snapshot(dataset)
        opened.close()

    def popularity(self):
        """Training pairs of each item."""
        counts = [0] * self.n
        for _, item in self.train:
            counts[item] += 1
        return counts

    def slices(self):
        """The items of each slice."""
        counts = self.popularity()
        seen = sorted((-count, row) for row, count in enumerate(counts) if count)
        head = {row for _, row in seen[:(len(seen) + 9) // 10]}
        everything = set(range(self.n))
        return {"all": everything, "head": head, "tail": everything - head,
                "cold": {row for row in everything if counts[row] == 0}}

    def excluded(self, query, protocol):
        """What is taken out of a ranking."""
        out = {query} if self.are_items else set()
        if protocol == "standard":
            out |= {item for q, item in self.train if q == query}
        return out

    def evaluate(self, protocol, lengths, order_of):
        """{slice: {metric@k: mean}} of rankings."""
        found = {name: [] for name in SLICES}
        for query in sorted({q for q, _ in self.test}):
            out = self.excluded(query, protocol)
            ranked = [item for item in order_of(query) if item not in out]
            mine = [item for q, item in self.test if q == query]
            for name, members in self.slices().items():
                right = [item for item in mine if item in members]
                groups = [right] if protocol == "standard" else [[item] for item in right]
                for group in groups:
                    if group:
                        hits = [item in group for item in ranked]
                        found[name].append([metrics(hits, len(group), k) for k in lengths])
        return {name: self.means(rows, lengths) for name, rows in found.items()}

    @staticmethod
    def means(rows, lengths):
        """Means over examples; zeros without any."""
        means = {}
        for i, k in enumerate(lengths):
            for m, metric in enumerate(METRICS):
                values = [row[i][m] for row in rows]
                means["%s@%d" % (metric, k)] = sum(values) / len(values) if values else 0
        return means


class Evaluate(harness.Case):
    """Numbers."""

    def compare(self, found, wanted):
        """Every metric of every slice to a millionth."""
        for name in SLICES:
            for key, value in wanted[name].items():
                self.assertAlmostEqual(found[name][key], value, places=6, msg=name + " " + key)

    def check(self, model, dataset, protocol, split="test", lengths=(1, 5, 10, 50)):
        """Model and TopPopular of one protocol."""
        world = World(model, dataset, split)
        report = self.done(run("evaluate", model, "--json", "-q", "--evaluate.protocol", protocol,
                               "--evaluate.k", ",".join(map(str, lengths)), "--evaluate.split",
                               split)).json()
        self.assertEqual((report["protocol"], report["split"], report["k"]),
                         (protocol, split, list(lengths)))
        self.compare(report, world.evaluate(protocol, lengths, lambda q: world.order[q]))
        counts = world.popularity()
        popular = sorted(range(world.n), key=lambda row: (-counts[row], row))
        self.compare(report["baselines"]["top_popular"],
                     world.evaluate(protocol, lengths, lambda q: popular))
        self.check_counts(report, world)

    def check_counts(self, report, world):
        """Pairs and queries of each slice, for the model and the baselines."""
        for one in (report, report["baselines"]["top_popular"], report["baselines"]["random"]):
            for name, members in world.slices().items():
                pairs = [(q, x) for q, x in world.test if x in members]
                self.assertEqual(one[name]["pairs"], len(pairs))
                self.assertEqual(one[name]["queries"], len({q for q, _ in pairs}))

    def test_item_to_item(self):
        """Both protocols, both held-out parts."""
        split = {"test": 0.2, "validation": 0.2}
        dataset = self.dataset(settings={"split": split})
        model = self.model(dataset)
        for protocol in ("standard", "paper"):
            for part in ("test", "validation"):
                self.check(model, dataset, protocol, part)

    def test_users(self):
        """Queries that are not items: none of the catalogue is the query itself."""
        pairs = harness.pair_rows(n=200, prefix="u", items=60, queries=30)
        dataset = self.dataset(items=harness.item_rows(60), pairs=pairs, queries="user",
                               settings={"split": {"test": 0.3, "validation": 0}})
        model = self.model(dataset)
        for protocol in ("standard", "paper"):
            self.check(model, dataset, protocol)

    def test_cold_items(self):
        """A split by column that leaves items without training pairs."""
        rows = [[q, x, t, "test" if int(x[1:]) % 7 == 0 or i % 9 == 0 else "train"]
                for i, (q, x, t, _) in enumerate(harness.pair_rows())]
        dataset = self.dataset(pairs=rows, settings={"split": {"by": "column", "column": "part"}})
        model = self.model(dataset)
        for protocol in ("standard", "paper"):
            self.check(model, dataset, protocol)

    def test_scores_are_cosines(self):
        """The search's scores are the products of unit vectors, in falling order, ties by row."""
        dataset = self.dataset()
        world = World(self.model(dataset), dataset)
        d = world.dim
        for query, (order, scores) in enumerate(zip(world.order, world.scores)):
            self.assertEqual(sorted(order), list(range(world.n)))
            u = world.queries[query * d:query * d + d]
            self.assertAlmostEqual(math.fsum(x * x for x in u), 1, places=5)
            for place, (item, score) in enumerate(zip(order, scores)):
                v = world.items[item * d:item * d + d]
                self.assertAlmostEqual(score, math.fsum(x * y for x, y in zip(u, v)), places=5)
                if place:
                    before = (-scores[place - 1], order[place - 1])
                    self.assertLess(before, (-score, item))

    def test_the_query_may_be_ranked(self):
        """evaluate.exclude_query: no."""
        dataset = self.dataset()
        model = self.model(dataset)
        world = World(model, dataset)
        world.are_items = False
        report = run("evaluate", model, "--json", "-q", "--evaluate.exclude_query", "no").json()
        self.compare(report, world.evaluate("standard", [10, 50], lambda q: world.order[q]))


class Report(harness.Shared):
    """The shape of the report."""

    def report(self, *options):
        """The JSON object."""
        return self.done(run("evaluate", self.shared_model, "--json", "-q", *options)).json()

    def test_documented_keys(self):
        """docs/evaluation.md, the JSON object."""
        report = self.report("--evaluate.bootstrap", "100")
        self.assertEqual(set(report), {"protocol", "split", "k", "all", "head", "tail", "cold",
                                       "distinct_items", "mean_cosine", "baselines", "warnings",
                                       "seconds"})
        self.assertEqual(set(report["baselines"]), {"top_popular", "random"})
        keys = {"%s@%d" % (m, k) for m in METRICS for k in (10, 50)}
        for name in SLICES:
            found = report[name]
            self.assertEqual(set(found), keys | {k + "_interval" for k in keys}
                             | {"pairs", "queries"})
            for key in keys:
                low, high = found[key + "_interval"]
                self.assertTrue(0 <= low <= high <= 1, key)
                self.assertTrue(low <= found[key] + 1e-9 and found[key] <= high + 1e-9, key)
            for baseline in report["baselines"].values():
                self.assertEqual(set(baseline[name]), keys | {"pairs", "queries"})
        self.assertEqual(report["k"], [10, 50])
        self.assertEqual(report["all"]["pairs"], report["head"]["pairs"] + report["tail"]["pairs"])

    def test_intervals_repeat(self):
        """The same bits twice, and with more threads."""
        one = self.report("--evaluate.bootstrap", "200")
        two = self.report("--evaluate.bootstrap", "200", "--threads", "2")
        for report in (one, two):
            report.pop("seconds")
        self.assertEqual(one, two)

    def test_without_intervals(self):
        """evaluate.bootstrap: 0."""
        self.assertNotIn("recall@10_interval", self.report("--evaluate.bootstrap", "0")["all"])

    def test_other_lengths(self):
        """evaluate.k: any lengths in any order, in the report's order."""
        report = self.report("--evaluate.k", "3,1,1000")
        self.assertEqual(report["k"], [3, 1, 1000])
        self.assertAlmostEqual(report["all"]["recall@1000"], 1)
        self.assertLessEqual(report["all"]["recall@1"], report["all"]["recall@3"])

    def test_text(self):
        """The table shows the same numbers."""
        report = self.report()
        text = self.done(run("evaluate", self.shared_model, "-q")).out
        row = [line for line in text.splitlines() if line.startswith("model")][0].split()
        self.assertEqual(row[1], str(report["all"]["pairs"]))
        self.assertEqual(row[2:], ["%.4f" % report["all"]["%s@10" % m] for m in METRICS])
        for label in ("head", "tail", "cold", "TopPopular", "Random"):
            self.assertIn(label, text)

    def test_protocols_agree_for_single_items(self):
        """With one held-out item a query and no training item left in, both readings are close:
        recall of the paper's protocol is the share of pairs that are hit."""
        paper = self.report("--evaluate.protocol", "paper")["all"]
        self.assertAlmostEqual(paper["recall@10"], paper["hit_rate@10"])
        self.assertAlmostEqual(paper["map@10"], paper["mrr@10"])


if __name__ == "__main__":
    unittest.main()
