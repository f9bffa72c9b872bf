# SPDX-License-Identifier: Apache-2.0
"""Preparing again with more data: every row keeps its place, what is new is appended."""
import math
import unittest

import harness
from columns import Columns
from harness import item_rows, pair_rows, run

FEATURES = {"id": {"type": "id"}, "title": {"type": "text", "ngrams": [1, 2]},
            "tags": {"type": "bag"}, "brand": {"type": "categorical"},
            "price": {"type": "numeric"}, "year": {"type": "numeric", "buckets": 4},
            "code": {"type": "categorical", "column": "brand", "hash_buckets": 8}}
VOCABULARIES = ["vocab-00-id.tsv", "vocab-01-title.tsv", "vocab-02-tags.tsv", "vocab-03-brand.tsv"]


def changed(rows):
    """Every second row moves to the end; a brand and a tag come that were not there."""
    rows = [list(row) for row in rows]
    for i, row in enumerate(rows):
        if i % 7 == 0:
            row[2] += "|new%d" % (i % 2)
            row[3] = "aa brand"
    return rows[1::2] + rows[::2]


class Growth(harness.Case):
    """One dataset, then one grown from it."""

    def grow(self, old, name="new.dip", options=(), **project):
        """Prepares the grown dataset; returns its columns and manifest."""
        path = self.path(name)
        self.done(run("prepare", self.project(**project), "-o", path, "-q", "--grow", old,
                      *options))
        return Columns(path), self.done(run("inspect", path, "--json")).json()

    def check_values(self, columns, rows):
        """Each row's cells say what the raw file says, by the vocabularies of the dataset."""
        ids = columns.strings("item-ids")
        brands = [value for value, _ in columns.vocabulary("vocab-03-brand.tsv")]
        tags = [value for value, _ in columns.vocabulary("vocab-02-tags.tsv")]
        brand, bags = columns.npy("item-03-brand.npy"), columns.bag("item-02-tags")
        by_id = {row[0]: row for row in rows}
        for row, name in enumerate(ids):
            raw = by_id.get(name)
            if raw is None:
                self.assertEqual((brand[row], bags[row]), (-1, []))
                continue
            if brand[row] >= 0:
                self.assertEqual(brands[brand[row]], raw[3])
            known = {tag for tag in raw[2].split("|") if tag in tags}
            self.assertEqual({tags[code] for code in bags[row]}, known)

    def check_kept(self, old, new, manifests):
        """Ids, values, normalisers and edges of the old dataset stand where they stood."""
        ids = old.strings("item-ids")
        self.assertEqual(new.strings("item-ids")[:len(ids)], ids)
        for name in VOCABULARIES:
            before = [value for value, _ in old.vocabulary(name)]
            self.assertEqual([value for value, _ in new.vocabulary(name)][:len(before)], before)
        for before, now in zip(*(m["schema"]["items"]["features"] for m in manifests)):
            for key in ("mean", "deviation", "edges"):
                self.assertEqual(before[key], now[key])

    def test_rows_stay_and_new_ones_follow(self):
        """Rows in another order, new ones between them, some gone."""
        first = item_rows(30)
        old = Columns(self.dataset(items=first, pairs=pair_rows(200, 30, queries=30),
                                   features=FEATURES))
        before = self.done(run("inspect", old.folder, "--json")).json()
        rows = changed(item_rows(40))
        gone = [row for row in rows if row[0] in ("i3", "i8")]
        rows = [row for row in rows if row not in gone]
        pairs = [pair for pair in pair_rows(300) if not {pair[0], pair[1]} & {"i3", "i8"}]
        new, after = self.grow(old.folder, items=rows, pairs=pairs, features=FEATURES)
        self.check_kept(old, new, (before, after))
        self.check_values(new, rows)
        ids = new.strings("item-ids")
        order = [row[0] for row in rows]
        self.assertEqual(ids[30:], [name for name in order if int(name[1:]) >= 30])
        wanted = {(ids.index(q), ids.index(x)) for q, x, _, _ in pairs}
        self.assertEqual({p for part in new.all_pairs().values() for p in part}, wanted)
        self.assertEqual(after["counts"]["item_rows"], 40)
        self.assertIn("2 rows of the dataset that grew", " ".join(after["warnings"]))
        self.assertTrue(math.isnan(new.npy("item-04-price.npy")[ids.index("i3")]))
        self.assertEqual(after["lineage"], [{"checksum": before["checksum"],
                                             "created_by": before["created_by"],
                                             "counts": before["counts"]}])

    def test_new_values_rank_among_themselves(self):
        """Old values first, in their places, with counts of now; the new ones by count."""
        old = Columns(self.dataset(items=item_rows(30), pairs=pair_rows(200, 30, queries=30),
                                   features=FEATURES))
        new, _ = self.grow(old.folder, items=changed(item_rows()), pairs=pair_rows(),
                           features=FEATURES)
        trains, codes = new.npy("item-trains.npy"), new.npy("item-03-brand.npy")
        vocabulary = new.vocabulary("vocab-03-brand.tsv")
        n_old = len(old.vocabulary("vocab-03-brand.tsv"))
        for row, (_, count) in enumerate(vocabulary):
            self.assertEqual(count, sum(t for t, code in zip(trains, codes) if code == row))
        self.assertEqual([value for value, _ in vocabulary[n_old:]], ["aa brand"])

    def test_the_same_data_gives_the_same_rows(self):
        """Growing by nothing changes no column, in one step or in two."""
        old = Columns(self.dataset(features=FEATURES))
        once, _ = self.grow(old.folder, features=FEATURES)
        twice, manifest = self.grow(once.folder, "again.dip", features=FEATURES)
        self.assertEqual(len(manifest["lineage"]), 2)
        snapshots = [harness.snapshot(c.folder) for c in (old, once, twice)]
        for s in snapshots:
            del s["manifest.json"]
        self.assertEqual(snapshots[0], snapshots[1])
        self.assertEqual(snapshots[0], snapshots[2])

    def test_queries_without_a_file_stay(self):
        """Their ids come from the interactions; old ones stay although they have no pair now."""
        pairs = pair_rows(300, prefix="u")
        old = Columns(self.dataset(pairs=pairs[:100], queries="user"))
        new, manifest = self.grow(old.folder, pairs=pairs[150:], queries="user")
        ids = old.strings("query-ids")
        later = [name for name in dict.fromkeys(pair[0] for pair in pairs[150:])
                 if name not in ids]
        self.assertEqual(new.strings("query-ids"), ids + later)
        self.assertEqual(manifest["counts"]["query_rows"], len(ids) + len(later))

    def test_queries_with_a_file_stay(self):
        """Rows of both sides keep their places."""
        columns = ["user", "country"]
        users = [["u%d" % i, "land%d" % (i % 3)] for i in range(40)]
        features = {"user": {"type": "id"}, "country": {"type": "categorical"}}
        pairs = pair_rows(prefix="u")
        old = Columns(self.dataset(pairs=[p for p in pairs if int(p[0][1:]) < 20],
                                   queries=(columns, users[:20], features)))
        new, _ = self.grow(old.folder, pairs=pairs, queries=(columns, users[::-1], features))
        ids = [user[0] for user in users]
        self.assertEqual(new.strings("query-ids"), ids[:20] + ids[:19:-1])
        lands = [value for value, _ in new.vocabulary("vocab-05-query_country.tsv")]
        codes = new.npy("query-01-country.npy")
        for name, code in zip(new.strings("query-ids"), codes):
            self.assertEqual(lands[code], "land%d" % (int(name[1:]) % 3))

    def test_a_dataset_grows_in_place(self):
        """The output may be the dataset that grows."""
        old = self.dataset(items=item_rows(30), pairs=pair_rows(200, 30, queries=30))
        ids = Columns(old).strings("item-ids")
        new, _ = self.grow(old, "d.dip", options=["--force"])
        self.assertEqual(new.strings("item-ids")[:30], ids)
        self.assertEqual(len(new.strings("item-ids")), 40)

    def test_another_schema_is_refused(self):
        """The difference is named, and nothing is written."""
        old = self.dataset(features=FEATURES)
        for change, text in (({"tags": {"type": "bag", "min_count": 2}},
                              'min_count of feature tags is "1" there and "2"'),
                             ({"brand": {"type": "id"}},
                              'type of feature brand is "categorical" there and "id"'),
                             ({"extra": {"type": "categorical", "column": "brand"}},
                              'the number of features of the items is "7" there and "8"')):
            project = self.project(features=dict(FEATURES, **change))
            self.not_prepared(harness.FAILED, project, "d.dip cannot grow", text,
                              options=["--grow", old])
        renamed = {{"brand": "label"}.get(key, key): dict(value, column=value.get("column", key))
                   for key, value in FEATURES.items()}
        self.not_prepared(harness.FAILED, self.project(features=renamed),
                          'feature 4 of the items is "brand" there and "label"',
                          options=["--grow", old])
        self.not_prepared(harness.FAILED, self.project(features=FEATURES, queries="user",
                                                       pairs=pair_rows(prefix="u")),
                          'what a query is is "an item" there', options=["--grow", old])
        self.not_prepared(harness.IO, self.project(), "nowhere.dip",
                          options=["--grow", self.path("nowhere.dip")])

    def test_a_repeated_id_is_still_found(self):
        """Also when it is that of an old row."""
        old = self.dataset()
        rows = item_rows()
        rows.append(list(rows[4]))
        self.not_prepared(harness.FORMAT, self.project(items=rows), "items.tsv:42:",
                          'the id "i4" already stands on line 6', options=["--grow", old])


if __name__ == "__main__":
    unittest.main()
