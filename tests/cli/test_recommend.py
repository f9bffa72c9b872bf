# SPDX-License-Identifier: Apache-2.0
"""recommend: mistakes, lists, and features that give the very vector of the item they describe."""
import math
import os
import unittest

import harness
from columns import Columns
from harness import OK, USAGE, run


class Mistakes(harness.Shared):
    """Bad requests stop with exit code 2 and say what would be good."""

    def bad(self, texts, *options):
        """A request that must be refused."""
        self.refused(USAGE, ["recommend", self.shared_model, "-q", *options], *texts)

    def test_unknown_id(self):
        """Up to five ids near in spelling are named, the nearest first."""
        self.bad(['no query "i111"', 'nearest in spelling: "i11"'], "--query", "i111")
        self.bad(['no query "I7"', '"i7"'], "--query", "I7")
        self.bad(['no query "zebra crossing"'], "--query", "zebra crossing")
        self.bad(['no query ""'], "--query", "")
        self.bad(['no query "xxxxx'], "--query", "x" * 5000)

    def test_list_length(self):
        """-k must be a whole number from 1 on."""
        for k in ("0", "-1", "abc", "1.5", "", "100001", "99999999999999999999999"):
            self.bad(["-k", "whole number from 1 to 100000"], "--query", "i1", "-k", k)

    def test_both_or_neither(self):
        """Exactly one of --query and --features."""
        self.bad(["either --query ID or --features"])
        self.bad(["either --query ID or --features"], "--query", "i1", "--features", "tags=red")

    def test_unknown_feature(self):
        """The nearest name is told."""
        self.bad(['unknown feature "tag"', 'did you mean "tags"'], "--features", "tag=red")
        self.bad(['unknown feature "zzzzzzzz"'], "--features", "zzzzzzzz=1")

    def test_features_without_equals(self):
        """NAME=VALUE,... is told."""
        for text in ("tags", "", ",", ",tags=red"):
            self.bad(["--features", "NAME=VALUE"], "--features", text)

    def test_bad_number(self):
        """Feature and value."""
        for value in ("cheap", "nan", "inf", "1e999"):
            self.bad(['"price"', '"%s"' % value, "not a number"], "--features", "price=" + value)

    def test_invalid_utf8(self):
        """Not text."""
        self.bad(['"title"', "UTF-8"], "--features", b"title=gr\xfcn")

    def test_side(self):
        """query or item."""
        self.bad(['"both"', "item", "query"], "--features", "tags=red", "--side", "both")

    def test_too_many_features(self):
        """More than there can be."""
        self.bad([], "--features", ",".join("f%d=1" % i for i in range(100)))


class Lists(harness.Shared):
    """Lists for known queries."""

    def items(self, *options):
        """(id, score) of a list."""
        found = self.done(run("recommend", self.shared_model, "--json", *options)).json()
        return [(item["id"], item["score"]) for item in found["items"]]

    def test_order_and_length(self):
        """Best first, never the query itself, at most the catalogue without it."""
        for k in (1, 10, 39, 40, 1000):
            found = self.items("--query", "i7", "-k", str(k))
            self.assertEqual(len(found), min(k, 39))
            self.assertEqual(len({name for name, _ in found}), len(found))
            self.assertNotIn("i7", {name for name, _ in found})
            scores = [score for _, score in found]
            self.assertEqual(scores, sorted(scores, reverse=True))
            self.assertTrue(all(math.isfinite(s) and abs(s) < 1.00001 for s in scores))

    def test_default_length(self):
        """Ten."""
        self.assertEqual(len(self.items("--query", "i7")), 10)
        self.assertEqual(self.items("--query", "i7"), self.items("--query", "i7", "-k10"))

    def test_longer_lists_begin_the_same(self):
        """The first of 39 are those of 5."""
        self.assertEqual(self.items("--query", "i3", "-k", "39")[:5],
                         self.items("--query", "i3", "-k", "5"))

    def test_text_and_json_agree(self):
        """The text shows rank, score, id and title of the same list."""
        found = self.items("--query", "i7", "-k", "4")
        lines = run("recommend", self.shared_model, "--query", "i7", "-k", "4").out.splitlines()
        titles = {row[0]: row[1] for row in harness.item_rows()}
        for rank, (line, (name, score)) in enumerate(zip(lines, found), 1):
            self.assertEqual(line, "%3d  %.4f  %s  %s" % (rank, score, name, titles[name]))

    def test_json_query(self):
        """The answer repeats the question."""
        found = run("recommend", self.shared_model, "--query", "i7", "--json").json()
        self.assertEqual(found["query"], "i7")
        found = run("recommend", self.shared_model, "--features", "tags=red", "--json").json()
        self.assertIsNone(found["query"])

    def test_threads_do_not_change_a_bit(self):
        """Models trained with two threads and one are asked with two and one."""
        self.model(self.shared_dataset, "--threads", "2", name="m2")
        lists = [run("recommend", model, "--query", "i9", "--json", "-k", "39").out
                 for model in (self.path("m2"), self.shared_model)]
        self.assertEqual(lists[0], lists[1])


def raw_cells(row):
    """Feature flags from the raw cells of an item."""
    flags = []
    for name, cell in zip(harness.ITEM_COLUMNS, row):
        if name in harness.ITEM_FEATURES:
            flags += ["--features", "%s=%s" % (name, cell)]
    return flags


class Features(harness.Shared):
    """Features of something never seen."""

    def answer(self, model, *options):
        """{id: score} over the whole catalogue."""
        found = self.done(run("recommend", model, "--json", "-k", "1000", *options)).json()
        return {item["id"]: item["score"] for item in found["items"]}

    def test_raw_cells_give_the_items_own_vector(self):
        """The same scores as --query to the bit, for every item whose values are all known."""
        trained = Columns(self.shared_dataset).npy("item-trains.npy")
        model = self.model(self.shared_dataset, "--model.dim", "16", "--model.hidden", "32,16")
        different = []
        for row, is_trained in zip(harness.item_rows(), trained):
            by_query = self.answer(model, "--query", row[0])
            by_cells = self.answer(model, *raw_cells(row))
            by_cells.pop(row[0])
            if is_trained and by_cells != by_query:
                different.append(row)
        self.assertGreater(sum(trained), 30)
        self.assertEqual(different, [])

    def test_all_kinds_of_features(self):
        """The same with hashes, buckets, shared tables, sums, and cells with commas and quotes."""
        rows = [[i, t + ', "new", no ' + i, tags, b, p, y]
                for i, t, tags, b, p, y in harness.item_rows()]
        features = {"id": {"type": "id"},
                    "words": {"type": "text", "column": "title", "table": "w"},
                    "title": {"type": "text", "ngrams": [1, 2, 3], "hash_buckets": 50},
                    "tags": {"type": "bag", "pool": "sum", "hash_buckets": 3},
                    "brand": {"type": "categorical", "table": "w"},
                    "price": {"type": "numeric", "buckets": 4}, "year": {"type": "numeric"}}
        dataset = self.dataset(items=rows, features=features)
        model = self.model(dataset)
        for row in rows[:6]:
            flags = []
            for name, value in features.items():
                cell = row[harness.ITEM_COLUMNS.index(value.get("column", name))]
                flags += ["--features", "%s=%s" % (name, cell)]
            by_cells = self.answer(model, *flags)
            by_cells.pop(row[0])
            self.assertEqual(by_cells, self.answer(model, "--query", row[0]), row)

    def test_users(self):
        """A user's cells, with the query tower."""
        users = [["u%d" % i, "land%d" % (i % 5), 20 + i] for i in range(40)]
        dataset = self.dataset(pairs=harness.pair_rows(prefix="u"), queries=(
            ["user", "country", "age"], users,
            {"user": {"type": "id"}, "country": {"type": "categorical"},
             "age": {"type": "numeric", "buckets": 5}}))
        model = self.model(dataset)
        for user in users[:6]:
            by_query = self.answer(model, "--query", user[0])
            cells = "user=%s,country=%s,age=%s" % tuple(user)
            self.assertEqual(self.answer(model, "--features", cells), by_query)
            self.assertEqual(len(by_query), 40)

    def test_order_and_repetition_of_flags(self):
        """Features in any order, in one flag or in several."""
        one = self.answer(self.shared_model, "--features", "brand=brand1,tags=red|green,price=3.5")
        many = self.answer(self.shared_model, "--features", "price=3.5", "--features",
                           "tags= green |red", "--features", "brand= brand1 ")
        self.assertEqual(one, many)

    def test_commas_in_values(self):
        """A part without '=' continues the value before it."""
        one = self.answer(self.shared_model, "--features", "title=chair, table, lamp,tags=red")
        two = self.answer(self.shared_model, "--features", "tags=red", "--features",
                          "title=chair, table, lamp")
        self.assertEqual(one, two)

    def test_unknown_values_are_missing_values(self):
        """What training never saw takes the default embedding, as an empty cell does."""
        empty = self.answer(self.shared_model, "--features", "tags=red")
        for more in ("brand=never seen", "id=i4711", "brand=", "price=", "title=...", "title="):
            found = self.answer(self.shared_model, "--features", "tags=red," + more)
            self.assertEqual(found, empty)

    def test_item_side(self):
        """--side item asks the other tower; with shared towers both are one."""
        asked = ["--features", "tags=red,brand=brand2"]
        query = self.answer(self.shared_model, *asked)
        self.assertEqual(self.answer(self.shared_model, "--side", "query", *asked), query)
        self.assertNotEqual(self.answer(self.shared_model, "--side", "item", *asked), query)
        model = self.model(self.shared_dataset, "--model.share", "all")
        self.assertEqual(self.answer(model, "--side", "item", *asked), self.answer(model, *asked))

    def test_an_item_is_nearest_to_itself(self):
        """On the item side the item that was described scores 1."""
        row = harness.item_rows()[3]
        found = self.answer(self.shared_model, "--side", "item", *raw_cells(row))
        self.assertAlmostEqual(found[row[0]], 1, places=5)

    def test_many_flags(self):
        """Every feature in a flag of its own, though there are more than flags elsewhere."""
        features = {"f%02d" % i: {"type": "categorical", "column": "brand"} for i in range(30)}
        model = self.model(self.dataset(features=features))
        flags = []
        for name in features:
            flags += ["--features", name + "=brand1"]
        self.assertEqual(run("recommend", model, *flags).code, OK)

    def test_works_from_anywhere(self):
        """A relative --data and a model found by a relative path."""
        result = run("recommend", os.path.basename(self.shared_model), "--query", "i1", "-d",
                     os.path.basename(self.shared_dataset), cwd=self.base)
        self.done(result)


if __name__ == "__main__":
    unittest.main()
