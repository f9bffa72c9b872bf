# SPDX-License-Identifier: Apache-2.0
"""Parquet and Arrow files give the dataset that the same rows as TSV give; damaged ones give an
error. Skipped where the build has no Arrow, or this Python no pyarrow."""
import datetime
import glob
import os
import random
import sys
import unittest

import harness
from harness import FORMAT, OK, USAGE, run, table

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:
    print("skipped: this Python has no pyarrow (tools/arrow.sh fetches it)")
    sys.exit(77)
if not glob.glob(os.path.join(os.environ["DIP_BINARY_DIR"], "libdiptych_arrow.*")):
    print("skipped: the build has no module for Arrow (tools/arrow.sh, then configure again)")
    sys.exit(77)

NUMERIC = {"type": "numeric"}
CATEGORICAL = {"type": "categorical"}


def items_table():
    """The catalogue with a type of its own for every column, and some gaps."""
    rows = harness.item_rows()
    cells = list(zip(*rows))
    return pa.table({
        "year": pa.array([int(year) for year in cells[5]], pa.int16()),
        "id": pa.array(cells[0]),
        "title": pa.array(cells[1], pa.large_string()),
        "tags": pa.array([cell.split("|") for cell in cells[2]], pa.list_(pa.string())),
        "brand": pa.array(cells[3]).dictionary_encode(),
        "price": pa.array([float(cell) for cell in cells[4]]),
        "not used": pa.array([{"a": i} for i in range(len(rows))]),
    })


def pairs_table(rows=None):
    """The interactions."""
    cells = list(zip(*(rows or harness.pair_rows())))
    return pa.table({"part": cells[3], "t": pa.array(cells[2], pa.int64()), "x": cells[1],
                     "q": pa.array(cells[0]).dictionary_encode()})


def write_ipc(path, data, **settings):
    """An Arrow IPC file."""
    options = pa.ipc.IpcWriteOptions(compression=settings.get("compression"))
    with pa.ipc.new_file(path, data.schema, options=options) as file:
        file.write_table(data, settings.get("rows", 1000))


class Arrow(harness.Case):
    """Against plain TSV."""

    def parts(self, dataset):
        """Its parts, but for the manifest, which names the files."""
        found = harness.snapshot(dataset)
        found.pop("manifest.json")
        return found

    def prepared(self, items, pair_file="pairs.tsv", **settings):
        """The dataset's parts."""
        path = self.named(items, pair_file, **settings)
        self.done(run("prepare", path, "-o", self.path("d.dip"), "-q", "-f"))
        return self.parts(self.path("d.dip"))

    def named(self, items, pair_file="pairs.tsv", **settings):
        """A project that names these files, with the tables of the plain one beside them."""
        text = harness.read_bytes(self.project(**settings)).decode()
        for old, new in [("items.tsv", items), ("pairs.tsv", pair_file)]:
            text = text.replace('"%s"' % old, '"%s"' % new)
        return self.write("p.yaml", text)

    def test_parquet_of_every_kind(self):
        """Row groups, versions, compressions, dictionaries, checksums."""
        wanted = self.prepared("items.tsv")
        pq.write_table(pairs_table(), self.path("pairs.parquet"), row_group_size=70)
        for settings in [{}, {"row_group_size": 7}, {"compression": "zstd"},
                         {"compression": "none", "use_dictionary": False},
                         {"compression": "gzip", "version": "1.0"}, {"compression": "brotli"},
                         {"compression": "lz4", "data_page_version": "2.0"},
                         {"data_page_size": 64, "write_page_checksum": True},
                         {"store_schema": False}]:
            with self.subTest(**settings):
                pq.write_table(items_table(), self.path("items.parquet"), **settings)
                self.assertEqual(self.prepared("items.parquet", "pairs.parquet"), wanted)

    def test_arrow_of_every_kind(self):
        """Batches and compressions."""
        wanted = self.prepared("items.tsv")
        for settings in [{}, {"rows": 9}, {"compression": "lz4"}, {"compression": "zstd"}]:
            with self.subTest(**settings):
                write_ipc(self.path("items.arrow"), items_table(), **settings)
                write_ipc(self.path("pairs.feather"), pairs_table(), **settings)
                self.assertEqual(self.prepared("items.arrow", "pairs.feather"), wanted)

    def test_many_files(self):
        """A pattern of Parquet files; columns may stand in another order in each."""
        wanted = self.prepared("items.tsv")
        rows = harness.pair_rows()
        for i in range(0, 300, 100):
            data = pairs_table(rows[i:i + 100])
            pq.write_table(data if i else data.select(["q", "t", "x", "part"]),
                           self.path("part-%d.parquet" % i))
        self.assertEqual(self.prepared("items.tsv", "part-*.parquet"), wanted)

    def typed(self, column, texts, feature):
        """Items with one more column, as Parquet, Arrow and TSV."""
        base = items_table().slice(0, len(texts))
        rows = [row + [text] for row, text in zip(harness.item_rows(), texts)]
        pairs = [row for row in harness.pair_rows() if int(row[0][1:]) < len(texts) >
                 int(row[1][1:])]
        settings = {"pairs": pairs, "features": dict(harness.ITEM_FEATURES, extra=feature)}
        data = base.append_column("extra", column)
        found = []
        for name in ["x.parquet", "x.arrow"]:
            if name == "x.parquet":
                pq.write_table(data, self.path(name))
            else:
                write_ipc(self.path(name), data, rows=3)
            path = self.named(name, **settings)
            self.done(run("prepare", path, "-o", self.path("d.dip"), "-q", "-f"))
            found.append(self.parts(self.path("d.dip")))
        self.write("x.tsv", table(harness.ITEM_COLUMNS + ["extra"], rows))
        path = self.named("x.tsv", **settings)
        self.done(run("prepare", path, "-o", self.path("d.dip"), "-q", "-f"))
        wanted = self.parts(self.path("d.dip"))
        self.assertEqual(found[0], wanted)
        self.assertEqual(found[1], wanted)

    def test_types(self):
        """Each as the text that a TSV would hold."""
        day = datetime.date(1969, 12, 30)
        plain = range(-3, 17)
        for kind in [pa.int8(), pa.int16(), pa.int32(), pa.int64()]:
            self.typed(pa.array(plain, kind), list(map(str, plain)), CATEGORICAL)
        big = [2 ** 64 - 1 - i for i in range(20)]
        self.typed(pa.array(big, pa.uint64()), list(map(str, big)), CATEGORICAL)
        for kind in [pa.uint8(), pa.uint16(), pa.uint32()]:
            self.typed(pa.array(range(20), kind), list(map(str, range(20))), CATEGORICAL)
        halves = [i / 4 for i in plain]
        self.typed(pa.array(halves, pa.float32()), ["%g" % x for x in halves], CATEGORICAL)
        self.typed(pa.array([0.1] * 20, pa.float32()), ["0.1"] * 20, CATEGORICAL)
        self.typed(pa.array(halves), ["%g" % x for x in halves], NUMERIC)
        gaps = [None if i % 3 == 0 else i / 8 for i in plain]
        self.typed(pa.array(gaps), ["" if x is None else "%g" % x for x in gaps], NUMERIC)
        nan = [float("nan") if x is None else x for x in gaps]
        self.typed(pa.array(nan), ["" if x is None else "%g" % x for x in gaps], NUMERIC)
        truths = [None if i % 5 == 0 else i % 2 == 0 for i in range(20)]
        self.typed(pa.array(truths), ["" if x is None else str(x).lower() for x in truths],
                   CATEGORICAL)
        for unit, size in [("s", 1), ("ms", 1000), ("us", 10 ** 6), ("ns", 10 ** 9)]:
            times = [i * size * 100 + (size > 1) * 7 for i in plain]
            self.typed(pa.array(times, pa.timestamp(unit, "UTC")),
                       [str(t // size) for t in times], CATEGORICAL)
        days = [day + datetime.timedelta(i) for i in range(20)]
        texts = [str((i - 2) * 86400) for i in range(20)]
        self.typed(pa.array(days, pa.date32()), texts, CATEGORICAL)
        self.typed(pa.array(days, pa.date64()), texts, CATEGORICAL)
        words = ["word %d" % (i % 4) if i % 6 else None for i in range(20)]
        texts = [word or "" for word in words]
        for kind in [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()]:
            self.typed(pa.array(words).cast(kind), texts, CATEGORICAL)
        self.typed(pa.array(words).dictionary_encode(), texts, CATEGORICAL)
        self.typed(pa.array([2, None] * 10).dictionary_encode(), ["2", ""] * 10, CATEGORICAL)
        self.typed(pa.nulls(20), [""] * 20, CATEGORICAL)

    def test_text_views(self):
        """As some tools write them into Arrow files; short ones stand in the view itself."""
        words = ["short", "a text of more than twelve bytes", None, ""] * 5
        data = items_table().slice(0, 20).append_column(
            "extra", pa.array(words, pa.string_view()))
        write_ipc(self.path("v.arrow"), data)
        write_ipc(self.path("w.arrow"), data.set_column(
            7, "extra", pa.array(words, pa.string())))
        pairs = [row for row in harness.pair_rows() if int(row[0][1:]) < 20 > int(row[1][1:])]
        settings = {"pairs": pairs, "features": {"extra": CATEGORICAL}}
        self.assertEqual(self.prepared("v.arrow", **settings),
                         self.prepared("w.arrow", **settings))

    def test_lists(self):
        """Of texts and numbers, long and fixed ones, with gaps outside and inside."""
        lists = [None if i % 4 == 0 else [i, None, 7][:i % 4] for i in range(20)]
        texts = ["|".join(str(x) for x in part or [] if x is not None) for part in lists]
        bag = {"type": "bag"}
        self.typed(pa.array(lists, pa.list_(pa.int32())), texts, bag)
        self.typed(pa.array(lists, pa.large_list(pa.int64())), texts, bag)
        named = [part and [x and "tag %d" % x for x in part] for part in lists]
        texts = ["|".join(x for x in part or [] if x is not None) for part in named]
        self.typed(pa.array(named), texts, bag)
        pairs = [[i, i + 1] for i in range(20)]
        self.typed(pa.array(pairs, pa.list_(pa.int8(), 2)), ["%d|%d" % tuple(p) for p in pairs],
                   bag)

    def refused_column(self, column, feature, *texts):
        """Items with this column are refused."""
        data = items_table().slice(0, len(column)).append_column("extra", column)
        write = {"x.parquet": pq.write_table, "x.arrow": lambda d, path: write_ipc(path, d)}
        for name, how in write.items():
            how(data, self.path(name))
            path = self.named(name, features={"extra": feature})
            self.not_prepared(FORMAT, path, name, "column 8 (extra)", *texts)

    def test_what_is_not_read(self):
        """Types without a text, lists of lists, lists where one value is wanted."""
        self.refused_column(pa.array([{"a": 1}] * 3), CATEGORICAL, "a type that is not read",
                            "a struct")
        self.refused_column(pa.array([[[1]]] * 3), {"type": "bag"}, "not read", "a list of lists")
        self.refused_column(pa.array([datetime.time(1)] * 3), CATEGORICAL, "a time of day")
        self.refused_column(pa.array([[1], [2]]), CATEGORICAL, "row 1", "a list is only read")
        self.refused_column(pa.array([["a"], ["a|b"]]), {"type": "bag"}, "row 2", '"a|b"',
                            "separator")
        self.refused_column(pa.array(["a", "b", "c\0d"]), CATEGORICAL, "row 3", "NUL")
        self.refused_column(pa.array([b"a", b"b\xff"]), CATEGORICAL, "row 2",
                            "byte 2, 0xFF, is not valid UTF-8")
        self.refused_column(pa.array(["1", "dear"]), NUMERIC, "row 2", '"dear" is not a number')

    def test_what_does_not_go_together(self):
        """Settings of text files, a second compression, wrong content and missing columns."""
        pq.write_table(items_table(), self.path("items.parquet"))
        self.write("items.parquet.gz", b"x")
        self.not_prepared(USAGE, self.named("items.parquet.gz"), "not read through .gz")
        path = self.named("items.parquet")
        text = harness.read_bytes(path).decode().replace(
            '"items.parquet"', '"items.parquet", "delimiter": "::"')
        self.not_prepared(USAGE, self.write("p.yaml", text), '"delimiter"', "do not go with")
        self.write("items.arrow", harness.read_bytes(self.path("items.parquet")))
        self.not_prepared(FORMAT, self.named("items.arrow"), "items.arrow: no Arrow file")
        self.write("other.parquet", table(["id"], [["i1"]]))
        self.not_prepared(FORMAT, self.named("other.parquet"), "other.parquet: no Parquet file")
        self.write("empty.parquet", b"")
        self.not_prepared(FORMAT, self.named("empty.parquet"), "empty.parquet: no Parquet file")
        pq.write_table(items_table().rename_columns(
            ["year", "id", "titel", "tags", "brand", "price", "x"]), self.path("t.parquet"))
        self.not_prepared(FORMAT, self.named("t.parquet"), 't.parquet:1: there is no column '
                          '"title"; did you mean "titel"?')

    def damaged(self, name, data, may_differ):
        """Prepares from damaged items: an error about the file, or the same dataset."""
        self.write(name, data)
        result = run("prepare", self.named(name), "-o", self.path("out.dip"), "-q", "-f")
        if result.code == OK:
            if not may_differ:
                self.assertEqual(self.parts(self.path("out.dip")), self.wanted)
            return 0
        self.assertEqual(result.code, FORMAT, result.err)
        return 1

    def test_damage(self):
        """Cut short anywhere: always an error. Bits turned over: an error or, where no checksum
        stands guard, other values; never a crash."""
        self.wanted = self.prepared("items.tsv")
        draw = random.Random(5)
        pq.write_table(items_table(), self.path("items.parquet"), row_group_size=15,
                       write_page_checksum=True)
        write_ipc(self.path("items.arrow"), items_table(), rows=15)
        for name in ["items.parquet", "items.arrow"]:
            whole = harness.read_bytes(self.path(name))
            refused = sum(self.damaged(name, whole[:draw.randrange(len(whole))], False)
                          for _ in range(25))
            self.assertEqual(refused, 25)
            for i in range(80):
                spoiled = bytearray(whole)
                tail = 0 if i % 2 else max(0, len(whole) - 1200)
                spoiled[draw.randrange(tail, len(whole))] ^= 1 << draw.randrange(8)
                refused += self.damaged(name, bytes(spoiled), True)
            self.assertGreater(refused, 50)


if __name__ == "__main__":
    unittest.main()
