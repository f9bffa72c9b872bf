# SPDX-License-Identifier: Apache-2.0
"""Every kind of project goes through all commands, and the columns are right."""
import math
import statistics
import unittest

import harness
from columns import Columns
from harness import run

USERS = [["u%d" % i, "land%d" % (i % 5), 20 + i, "red|blue" if i % 2 else "green"]
         for i in range(40)]
USER_COLUMNS = ["user", "country", "age", "likes"]
USER_FEATURES = {"user": {"type": "id"}, "country": {"type": "categorical"},
                 "age": {"type": "numeric", "buckets": 4}, "likes": {"type": "bag"}}


class Kinds(harness.Case):
    """Each kind of project through prepare, train, evaluate, recommend and inspect."""

    def all_commands(self, query, **project):
        """Runs every command; returns the dataset's columns and manifest."""
        dataset = self.dataset(**project)
        model = self.model(dataset)
        report = self.done(run("evaluate", model, "--json", "-q")).json()
        self.assertGreater(report["all"]["pairs"], 0)
        found = self.done(run("recommend", model, "--query", query, "--json")).json()
        self.assertEqual(len(found["items"]), 10)
        manifest = self.done(run("inspect", dataset, "--json")).json()
        self.done(run("inspect", model))
        return Columns(dataset), manifest

    def test_item_to_item(self):
        """Queries are items."""
        columns, manifest = self.all_commands("i5")
        self.assertNotIn("query_rows", manifest["counts"])
        ids = [row[0] for row in harness.item_rows()]
        self.assertEqual(columns.strings("item-ids"), ids)
        self.assertEqual(columns.strings("item-titles"), [r[1] for r in harness.item_rows()])
        wanted = {(ids.index(q), ids.index(x)) for q, x, _, _ in harness.pair_rows()}
        parts = columns.all_pairs()
        self.assertEqual({p for part in parts.values() for p in part}, wanted)
        self.assertEqual(sum(map(len, parts.values())), len(wanted))

    def test_users_with_a_file(self):
        """Queries with features of their own."""
        columns, manifest = self.all_commands("u5", pairs=harness.pair_rows(prefix="u"), queries=(
            USER_COLUMNS, USERS, USER_FEATURES))
        self.assertEqual(manifest["counts"]["query_rows"], 40)
        self.assertEqual(columns.strings("query-ids"), [user[0] for user in USERS])
        countries = columns.vocabulary([n for n in manifest["parts"]
                                        if n.endswith("query_country.tsv")][0])
        codes = columns.npy("query-01-country.npy")
        for user, code in zip(USERS, codes):
            self.assertEqual(countries[code][0], user[1])

    def test_queries_without_a_file(self):
        """The id is the only feature, in the order of first sight."""
        columns, manifest = self.all_commands("u5", pairs=harness.pair_rows(prefix="u"),
                                              queries="user")
        order = list(dict.fromkeys(row[0] for row in harness.pair_rows(prefix="u")))
        self.assertEqual(columns.strings("query-ids"), order)
        self.assertEqual(manifest["counts"]["query_rows"], len(order))

    def test_numbers_plain_and_bucketed(self):
        """Normalised by training rows; quantile buckets of about equal size; gaps stay gaps."""
        rows = harness.item_rows()
        rows[3][4] = ""
        features = {"id": {"type": "id"}, "price": {"type": "numeric"},
                    "cheap": {"type": "numeric", "column": "price", "buckets": 4},
                    "year": {"type": "numeric", "buckets": 1000}}
        columns, _ = self.all_commands("i5", items=rows, features=features)
        trains = columns.npy("item-trains.npy")
        known = [float(row[4]) for row, t in zip(rows, trains) if t and row[4]]
        mean, deviation = statistics.fmean(known), statistics.pstdev(known)
        buckets = columns.npy("item-02-cheap.npy")
        for row, number, bucket in zip(rows, columns.npy("item-01-price.npy"), buckets):
            if row[4] == "":
                self.assertTrue(math.isnan(number))
                self.assertEqual(bucket, -1)
            else:
                self.assertAlmostEqual(number, (float(row[4]) - mean) / deviation, places=5)
        counts = [buckets.count(b) for b in range(4)]
        self.assertEqual(sum(counts), 39)
        self.assertLessEqual(max(counts) - min(counts), 4)
        for a, b in zip(rows, buckets):
            for c, d in zip(rows, buckets):
                if a[4] and c[4] and float(a[4]) <= float(c[4]):
                    self.assertLessEqual(b, d)

    def test_hash_buckets(self):
        """Codes below the number of buckets, equal for equal values, no vocabulary."""
        features = {"title": {"type": "text", "hash_buckets": 7},
                    "tags": {"type": "bag", "hash_buckets": 1000},
                    "brand": {"type": "categorical", "hash_buckets": 5}}
        columns, manifest = self.all_commands("i5", features=features)
        self.assertFalse([n for n in manifest["parts"] if n.startswith("vocab")])
        for codes in columns.bag("item-00-title"):
            self.assertEqual(codes, sorted(set(codes)))
            self.assertTrue(set(codes) <= set(range(7)))
        by_brand = {}
        for row, code in zip(harness.item_rows(), columns.npy("item-02-brand.npy")):
            self.assertEqual(by_brand.setdefault(row[3], code), code)
            self.assertIn(code, range(5))

    def test_shared_table_by_name(self):
        """A user's likes and an item's tags look up the same rows."""
        features = dict(harness.ITEM_FEATURES, tags={"type": "bag", "table": "tag"})
        users = dict(USER_FEATURES, likes={"type": "bag", "table": "tag"})
        columns, manifest = self.all_commands("u5", pairs=harness.pair_rows(prefix="u"),
                                              features=features,
                                              queries=(USER_COLUMNS, USERS, users))
        names = [table["name"] for table in manifest["schema"]["tables"]]
        self.assertEqual(names.count("tag"), 1)
        values = [v for v, _ in columns.vocabulary("vocab-%02d-tag.tsv" % names.index("tag"))]
        for stem, rows, cell in [("item-02-tags", harness.item_rows(), 2),
                                 ("query-03-likes", USERS, 3)]:
            for row, codes in zip(rows, columns.bag(stem)):
                found = {values[code] for code in codes}
                self.assertTrue(found <= set(row[cell].split("|")), row)
        self.assertGreater(len(values), 3)

    def test_vocabulary_settings(self):
        """min_count and max_vocab, counted on training rows, most frequent first."""
        features = {"id": {"type": "id"}, "tags": {"type": "bag", "min_count": 3, "max_vocab": 4}}
        columns, _ = self.all_commands("i5", features=features)
        trains = columns.npy("item-trains.npy")
        counts = {}
        for row, t in zip(harness.item_rows(), trains):
            for tag in row[2].split("|"):
                counts[tag] = counts.get(tag, 0) + t
        wanted = sorted((-n, tag) for tag, n in counts.items() if n >= 3)[:4]
        self.assertEqual(columns.vocabulary("vocab-01-tags.tsv"), [(t, -n) for n, t in wanted])

    def test_titles_and_columns(self):
        """A title column of its own choice; features that read another column; quoted blanks."""
        columns, manifest = self.all_commands(
            "i5", features={"maker": {"type": "categorical", "column": "brand"},
                            "t": {"type": "text", "column": "title"}})
        self.assertEqual(manifest["schema"]["items"]["title"], "title")
        self.assertEqual(columns.strings("item-titles")[0], harness.item_rows()[0][1])

    def test_without_titles(self):
        """No text feature, no title: lists show ids alone."""
        columns, _ = self.all_commands("i5", features={"brand": {"type": "categorical"},
                                                       "tags": {"type": "bag"}})
        self.assertEqual(set(columns.strings("item-titles")), {""})


class Splits(harness.Case):
    """Every way of splitting."""

    def parts(self, split, **project):
        """The pairs of each part, and the report."""
        path = self.project(settings={"split": split}, **project)
        report = self.done(run("prepare", path, "-o", self.path("d"), "--json", "-f")).json()
        return Columns(self.path("d")).all_pairs(), report

    def check_shares(self, parts, test, validation, slack=0.06):
        """The parts are disjoint and of about the wanted size."""
        total = sum(map(len, parts.values()))
        self.assertEqual(len(set().union(*parts.values())), total)
        self.assertAlmostEqual(len(parts["test"]) / total, test, delta=slack)
        self.assertAlmostEqual(len(parts["validation"]) / total, validation, delta=slack)

    def test_by_pair(self):
        """Shares, and another seed gives another split."""
        split = {"by": "pair", "test": 0.3, "validation": 0.2}
        parts, report = self.parts(split)
        self.check_shares(parts, 0.3, 0.2)
        self.assertTrue(any("not by time: training may know" in w for w in report["warnings"]))
        self.assertEqual(self.parts(split)[0], parts)
        self.assertNotEqual(self.parts(dict(split, seed=2))[0], parts)

    def test_by_unordered_pair(self):
        """A pair and its reverse are in one part; by pair they are not, and that is said."""
        pairs = harness.pair_rows()
        both = {(q, x): [q, x, t, p] for q, x, t, p in pairs}
        both.update({(x, q): [x, q, t, p] for q, x, t, p in pairs})
        split = {"by": "unordered_pair", "test": 0.3, "validation": 0.2}
        parts, report = self.parts(split, pairs=list(both.values()))
        self.check_shares(parts, 0.3, 0.2)
        for part in parts.values():
            self.assertEqual({(x, q) for q, x in part}, set(part))
        self.assertEqual(report["counts"]["reversed_test_pairs"], 0)
        _, report = self.parts(dict(split, by="pair"), pairs=list(both.values()))
        self.assertGreater(report["counts"]["reversed_test_pairs"], 0)
        self.assertTrue(any("the split leaks" in w for w in report["warnings"]))

    def test_by_query(self):
        """All pairs of a query are in one part."""
        parts, report = self.parts({"by": "query", "test": 0.3, "validation": 0.2})
        self.check_shares(parts, 0.3, 0.2, slack=0.2)
        queries = [{q for q, _ in part} for part in parts.values()]
        self.assertFalse(queries[0] & queries[1] or queries[0] & queries[2])
        self.assertFalse(queries[1] & queries[2])
        self.assertEqual(report["counts"]["test_pairs_of_trained_queries"], 0)

    def test_by_time(self):
        """Two cuts in time: train before validation before test; no warning."""
        rows = harness.pair_rows()
        parts, report = self.parts({"by": "time", "test": 0.3, "validation": 0.2}, time="t")
        self.check_shares(parts, 0.3, 0.2, slack=0.01)
        times = {(int(q[1:]), int(x[1:])): t for q, x, t, _ in rows}
        ranges = {name: sorted(times[p] for p in part) for name, part in parts.items()}
        self.assertLess(ranges["train"][-1], ranges["validation"][0])
        self.assertLess(ranges["validation"][-1], ranges["test"][0])
        self.assertFalse([w for w in report["warnings"] if "not by time" in w])

    def test_by_column(self):
        """What the column says, exactly."""
        parts, _ = self.parts({"by": "column", "column": "part"})
        wanted = {"train": set(), "valid": set(), "test": set()}
        for q, x, _, part in harness.pair_rows():
            wanted[part].add((int(q[1:]), int(x[1:])))
        self.assertEqual([set(parts[p]) for p in ("train", "validation", "test")],
                         [wanted[p] for p in ("train", "valid", "test")])

    def test_without_test_or_validation(self):
        """Shares of nought."""
        parts, _ = self.parts({"test": 0, "validation": 0})
        self.assertEqual([len(p) for p in parts.values()], [300, 0, 0])


class Report(harness.Case):
    """What prepare says about the data."""

    def test_counts(self):
        """The documented counts, and that they add up."""
        rows = harness.pair_rows()
        rows += rows[:7] + [["i1", "i1", 5, "train"], ["i2", "nope", 5, "train"]]
        report = self.done(run("prepare", self.project(pairs=rows), "-o", self.path("d"),
                               "--json")).json()
        counts = report["counts"]
        self.assertEqual((counts["pairs"], counts["duplicates"], counts["self_pairs"],
                          counts["unknown_ids"]), (300, 7, 1, 1))
        self.assertEqual(counts["train"] + counts["validation"] + counts["test"]
                         + counts["unused"], 300)
        columns = Columns(self.path("d"))
        popular = [0] * 40
        for _, item in columns.pairs("train"):
            popular[item] += 1
        self.assertEqual(columns.npy("item-count.npy"), popular)
        cold = sum(popular[item] == 0 for _, item in columns.pairs("test"))
        self.assertEqual(counts["cold_test_pairs"], cold)

    def test_mutual_information(self):
        """Symmetric, and as its definition says for two categorical features."""
        features = {"brand": {"type": "categorical"}, "year": {"type": "categorical"},
                    "tags": {"type": "bag"}}
        columns = Columns(self.dataset(features=features))
        found = columns.npy("mutual-information.npy")
        trains = columns.npy("item-trains.npy")
        rows = [(r[3], r[5]) for r, t in zip(harness.item_rows(), trains) if t]
        n = len(rows)
        wanted = 0
        for a in {a for a, _ in rows}:
            for b in {b for _, b in rows}:
                both = rows.count((a, b)) / n
                alone = sum(r[0] == a for r in rows) / n * sum(r[1] == b for r in rows) / n
                wanted += both * math.log(both / alone) if both else 0
        self.assertAlmostEqual(found[1], wanted, places=9)
        for i in range(3):
            for j in range(3):
                self.assertAlmostEqual(found[3 * i + j], found[3 * j + i], places=12)

    def test_features_that_say_nothing(self):
        """One value everywhere is worth a warning that names the table."""
        rows = [[*row[:3], "same", *row[4:]] for row in harness.item_rows()]
        result = self.done(run("prepare", self.project(items=rows), "-o", self.path("d")))
        self.assertIn('table "brand" has 1 value', result.err)

    def test_text_and_quiet(self):
        """The text summary names items, parts and tables; --quiet hides the warnings."""
        project = self.project()
        result = self.done(run("prepare", project, "-o", self.path("d")))
        self.assertIn("40 items; pairs: ", result.out)
        self.assertIn("title", result.out)
        self.assertIn("warning: ", result.err)
        quiet = self.done(run("prepare", project, "-o", self.path("d"), "-f", "-q"))
        self.assertEqual(quiet.err, "")


if __name__ == "__main__":
    unittest.main()
