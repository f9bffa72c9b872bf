# SPDX-License-Identifier: Apache-2.0
"""Mistakes in the tables: the message names file, line, column and value; nothing is written."""
import os
import subprocess
import time
import unittest

import harness
from harness import FORMAT, IO, USAGE, run, table

COLUMNS = ["id", "title", "price"]
ROWS = [["a", "red chair", "1.5"], ["b", "blue table", "2"], ["c", "green, lamp", "3e1"],
        ["d", 'a "big" rug', ""]]
PAIRS = [["a", "b"], ["b", "c"], ["c", "d"], ["d", "a"], ["a", "c"], ["b", "d"]]


class Tables(harness.Case):
    """A project of three small files, one of which each test spoils."""

    def small(self, items=None, pairs=None, kind="tsv", extra=""):
        """Writes a project whose files are given as bytes, or good; returns its path."""
        items_name, pairs_name = "items." + kind, "pairs." + kind
        if items is None:
            items = table(COLUMNS, ROWS, items_name)
        if pairs is None:
            pairs = table(["q", "x"], PAIRS, pairs_name)
        self.items = self.write(items_name, items)
        self.pairs = self.write(pairs_name, pairs)
        return self.write("p.yaml", """
items:
  file: %s
  id: id
  features: {id: {type: id}, title: {type: text}, price: {type: numeric}}
interactions: {file: %s, query: q, item: x}
split: {test: 0, validation: 0}
%s
""" % (items_name, pairs_name, extra))

    def spoiled(self, code, *texts, options=(), **files):
        """The project with these files must be refused."""
        return self.not_prepared(code, self.small(**files), *texts, options=options)

    def lines(self, *lines):
        """Text lines as bytes."""
        return b"".join(line.encode() + b"\n" for line in lines)

    def test_good_ones(self):
        """What the other tests start from, in both formats."""
        for kind in ("tsv", "csv"):
            self.done(run("prepare", self.small(kind=kind), "-o", self.path(kind), "-q"))

    def test_missing_file(self):
        """The path and the system's words."""
        project = self.small()
        os.remove(self.items)
        self.not_prepared(IO, project, self.items, "No such file")
        project = self.small()
        os.remove(self.pairs)
        self.not_prepared(IO, project, self.pairs, "No such file")

    def test_file_is_a_folder(self):
        """A folder is not read."""
        project = self.small()
        os.remove(self.items)
        os.mkdir(self.items)
        self.not_prepared(IO, project, self.items, "folder")

    def test_unknown_ending(self):
        """Only .tsv and .csv, with .gz or .zst."""
        project = self.small()
        text = harness.read_bytes(project).replace(b"items.tsv", b"items.txt")
        self.not_prepared(USAGE, self.write("p.yaml", text), "items.txt", ".tsv or .csv")

    def test_missing_column(self):
        """File, the wanted name, the nearest name, and all names."""
        self.spoiled(FORMAT, "items.tsv:1:", '"price"', 'did you mean "prize"',
                     "id, title, prize", items=self.lines("id\ttitle\tprize", "a\tx\t1"))
        self.spoiled(FORMAT, "pairs.tsv:1:", '"q"', pairs=self.lines("query\tx", "a\tb"))

    def test_missing_split_and_time_columns(self):
        """The columns that split and time name."""
        project = self.small()
        text = harness.read_bytes(project).decode()
        split = text.replace("split: {test: 0, validation: 0}", "split: {by: column, column: prt}")
        self.write("pairs.tsv", self.lines("q\tx\tpart", "a\tb\ttrain"))
        self.not_prepared(FORMAT, self.write("p.yaml", split), "pairs.tsv:1:", '"prt"',
                          'did you mean "part"')
        self.not_prepared(FORMAT, self.write("p.yaml", text.replace("item: x", "item: x, time: t")),
                          "pairs.tsv:1:", '"t"')

    def test_column_named_twice(self):
        """Which of the two would be meant?"""
        self.spoiled(FORMAT, "items.tsv:1:", '"id"', "twice",
                     items=self.lines("id\ttitle\tprice\tid", "a\tx\t1\tb"))

    def test_ragged_row(self):
        """Line, both numbers of fields and the last field."""
        for row, count, last in [("b\ty", 2, "y"), ("b\ty\t2\tmore", 4, "more"), ("b", 1, "b")]:
            items = self.lines("id\ttitle\tprice", "a\tx\t1", row, "c\tz\t3")
            self.spoiled(FORMAT, "items.tsv:3:", "%d fields" % count, "header has 3",
                         '"%s"' % last, items=items)
        self.spoiled(FORMAT, "pairs.tsv:4:", "1 fields", "header has 2",
                     pairs=self.lines("q\tx", "a\tb", "", "b"))

    def test_duplicate_item_id(self):
        """Both lines, the column and the id."""
        items = self.lines("id\ttitle\tprice", "a\tx\t1", "b\ty\t2", "a\tz\t3")
        self.spoiled(FORMAT, "items.tsv:4:", "column 1 (id)", '"a"', "line 2", items=items)

    def test_empty_ids(self):
        """An empty id is refused, with its line and column."""
        items = self.lines("id\ttitle\tprice", "a\tx\t1", "\ty\t2")
        self.spoiled(FORMAT, "items.tsv:3:", "column 1 (id)", "empty", items=items)

    def test_unknown_ids_are_counted_and_named(self):
        """The count, and the first five with line, side and id."""
        wrong = [["no%d" % i, "a"] for i in range(4)] + [["a", "nix%d" % i] for i in range(4)]
        result = self.done(run("prepare", self.small(pairs=table(["q", "x"], PAIRS + wrong)), "-o",
                               self.path("out"), "--json"))
        self.assertEqual(result.json()["counts"]["unknown_ids"], 8)
        self.assertEqual(result.json()["counts"]["pairs"], 6)
        warning = [w for w in result.json()["warnings"] if "unknown id" in w]
        self.assertEqual(len(warning), 1)
        self.assertTrue(warning[0].startswith("8 interactions"), warning)
        for i in range(4):
            self.assertIn('pairs.tsv:%d: query "no%d"' % (8 + i, i), warning[0])
        self.assertIn('pairs.tsv:12: item "nix0"', warning[0])
        self.assertNotIn("nix1", warning[0])
        self.assertIn("warning: " + warning[0], result.err)

    def test_unknown_ids_can_stop(self):
        """prepare.unknown_ids: stop, from the file and from the command line."""
        pairs = table(["q", "x"], PAIRS + [["a", "nix"]])
        self.spoiled(FORMAT, "pairs.tsv:8:", "column 2 (x)", '"nix"', pairs=pairs,
                     extra="prepare: {unknown_ids: stop}")
        self.spoiled(FORMAT, "pairs.tsv:8:", "column 1 (q)", '"nix"',
                     pairs=table(["q", "x"], PAIRS + [["nix", "a"]]),
                     options=["--prepare.unknown_ids", "stop"])

    def test_no_known_id_at_all(self):
        """A file of which nothing is usable."""
        self.spoiled(FORMAT, "pairs.tsv", "3 with unknown ids",
                     pairs=self.lines("q\tx", "r\ts", "s\tt", "u\tv"))

    def test_invalid_utf8(self):
        """Line, column, byte and its value."""
        items = b"id\ttitle\tprice\na\tx\t1\nb\tgr\xfcn\t2\n"
        self.spoiled(FORMAT, "items.tsv:3:", "column 2 (title)", "byte 5", "0xFC", "UTF-8",
                     items=items)
        for bad in (b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82"):
            self.spoiled(FORMAT, "items.tsv:2:", "column 2 (title)", "UTF-8",
                         items=b"id\ttitle\tprice\na\t" + bad + b"\t1\n")
        self.spoiled(FORMAT, "items.tsv:1:", "UTF-8", items=b"id\ttitle\tpr\xffice\na\tx\t1\n")
        self.spoiled(FORMAT, "pairs.tsv:3:", "column 2 (x)", "0xFF", pairs=b"q\tx\na\tb\nb\t\xff\n")

    def test_invalid_utf8_behind_a_quoted_comma(self):
        """A comma inside quotes begins no column."""
        items = b'id,title,price\na,"x, y, z",1\n"b",",,\xfc",2\n'
        self.spoiled(FORMAT, "items.csv:3:", "column 2 (title)", "0xFC", items=items, kind="csv")

    def test_nul_byte(self):
        """Line and byte."""
        self.spoiled(FORMAT, "items.tsv:3:", "NUL", "byte 4",
                     items=b"id\ttitle\tprice\na\tx\t1\nb\ty\0\t2\n")
        self.spoiled(FORMAT, "pairs.tsv:2:", "NUL", pairs=b"q\tx\na\0\tb\n")

    def test_empty_file(self):
        """No byte, only a mark, only line ends."""
        for nothing in (b"", b"\xef\xbb\xbf", b"\n", b"\r\n\n"):
            self.spoiled(FORMAT, "items.tsv", "empty", items=nothing)
            self.spoiled(FORMAT, "pairs.tsv", "empty", pairs=nothing)

    def test_header_only(self):
        """A header without rows."""
        self.spoiled(FORMAT, "items.tsv", "no rows", items=self.lines("id\ttitle\tprice"))
        self.spoiled(FORMAT, "pairs.tsv", "no usable pair", pairs=self.lines("q\tx"))

    def test_quote_never_closed(self):
        """The line on which it was opened."""
        items = self.lines("id,title,price", "a,x,1", 'b,"y,2', "c,z,3")
        self.spoiled(FORMAT, "items.csv:3:", "quote", "never closed", items=items, kind="csv")
        items = self.lines("id,title,price", 'a,"x', 'y",1', 'b,"y,2', "c,z,3")
        self.spoiled(FORMAT, "items.csv:4:", "quote", "never closed", items=items, kind="csv")

    def test_stray_quote(self):
        """Line, column and the field."""
        items = self.lines("id,title,price", "a,x,1", 'b,15" screen and 17" too,2', "c,z,3")
        self.spoiled(FORMAT, "items.csv:3:", "column 2", "quote", '"15', items=items,
                     kind="csv")

    def test_text_behind_a_quoted_field(self):
        """The field is shown, and what is shown stands in the file."""
        items = self.lines("id,title,price", "a,x,1", 'b,"hello" world,2', "c,z,3")
        result = self.spoiled(FORMAT, "items.csv:3:", "column 2", "quote", "hello", items=items,
                              kind="csv")
        self.assertNotIn("helloo", result.err)

    def test_numbers_that_are_none(self):
        """Line, column and value."""
        for bad in ("abc", "1,5", "1.5.2", "0x10", "1e400", "--3", "nan", "NaN", "inf", "-Infinity",
                    "1 000", "٣", "1" * 70):
            items = self.lines("id\ttitle\tprice", "a\tx\t1", "b\ty\t" + bad)
            self.spoiled(FORMAT, "items.tsv:3:", "column 3 (price)", '"%s' % bad[:60],
                         "not a number", items=items)

    def test_bad_times(self):
        """A time must be a number and must be there."""
        for bad in ("noon", "nan", ""):
            pairs = self.lines("q\tx\tt", "a\tb\t5", "b\tc\t%s" % bad)
            project = self.small(pairs=pairs)
            text = harness.read_bytes(project).replace(b"item: x", b"item: x, time: t")
            self.not_prepared(FORMAT, self.write("p.yaml", text), "pairs.tsv:3:", "column 3 (t)",
                              '"%s"' % bad)

    def test_bad_split_names(self):
        """A split column says train, validation or test."""
        pairs = self.lines("q\tx\tpart", "a\tb\ttrain", "b\tc\ttset")
        project = self.small(pairs=pairs)
        text = harness.read_bytes(project).replace(b"{test: 0, validation: 0}",
                                                   b"{by: column, column: part}")
        self.not_prepared(FORMAT, self.write("p.yaml", text), "pairs.tsv:3:", "column 3 (part)",
                          '"tset"')

    def test_endless_line(self):
        """100 MB without a line end are refused quickly, in little memory."""
        line = b"x" * (1 << 20)
        for kind, start in (("tsv", b"b\t"), ("csv", b"b,"), ("csv", b'b,"')):
            project = self.small(items=b"", kind=kind)
            with open(self.items, "wb") as file:
                file.write(table(COLUMNS, ROWS[:1], self.items) + start)
                for _ in range(100):
                    file.write(line)
            self.refuse_endless_line(project)
            os.remove(self.items)

    def refuse_endless_line(self, project):
        """The refusal, and what it cost."""
        before = os.listdir(self.folder)
        begin = time.monotonic()
        child = harness.start("prepare", project, "-o", self.path("out"), "-q")
        err = child.stderr.read().decode()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stdout.close()
        child.stderr.close()
        self.assertEqual(child.returncode, FORMAT, err)
        self.assertIn("%s:3:" % self.items, err)
        self.assertIn("16 MiB", err)
        self.assertLess(time.monotonic() - begin, 10)
        self.assertLess(usage.ru_maxrss, (600 if harness.is_sanitized() else 120) << 10, "KiB")
        self.assertEqual(os.listdir(self.folder), before)

    def test_too_many_columns(self):
        """A header of 5000 columns."""
        names = ["id", "title", "price"] + ["c%d" % i for i in range(5000)]
        self.spoiled(FORMAT, "items.tsv:1:", "5003 columns", "4096",
                     items=table(names, [["a"] * len(names)]))

    def test_line_ends_and_mark(self):
        """CR LF, a byte order mark, no line end at the end: all read the same."""
        plain = table(COLUMNS, ROWS)
        for i, data in enumerate([plain, plain.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + plain,
                                  plain[:-1], plain.replace(b"\n", b"\n\n")]):
            self.done(run("prepare", self.small(items=data), "-o", self.path("o%d" % i), "-q"))
        self.assertEqual(len({frozenset(harness.snapshot(self.path("o%d" % i)).items())
                              for i in range(5)}), 1)

    def test_quoted_fields(self):
        """Line breaks, commas and doubled quotes inside quotes."""
        items = table(COLUMNS, [["a", 'two\nlines, "quoted"', "1"]] + ROWS[1:], "items.csv")
        self.done(run("prepare", self.small(items=items, kind="csv"), "-o", self.path("o"), "-q"))
        title = harness.read_bytes(self.path("o", "item-titles.bytes.npy"))
        self.assertIn(b'two\nlines, "quoted"blue table', title)

    def test_numbers_too_large_for_the_columns(self):
        """Finite in the file: prepare refuses them, or writes a dataset that opens."""
        for numbers in (["1e200", "2e200", "-1e200"], ["1e300", "1e308", "-1e308"], ["1e39"] * 3,
                        ["1e-320", "0", "3e-320"]):
            items = table(COLUMNS, [[i, "x", n] for i, n in zip("abc", numbers)])
            pairs = table(["q", "x"], [["a", "b"], ["b", "c"], ["c", "a"]])
            with self.subTest(numbers=numbers):
                self.refused_or_usable(self.small(items=items, pairs=pairs), "o" + numbers[0])

    def refused_or_usable(self, project, name):
        """prepare names the file, or train can use what it wrote."""
        out = self.path(name)
        result = run("prepare", project, "-o", out, "-q")
        if result.code == FORMAT:
            self.assertIn("items.tsv", result.err)
            return
        self.done(result)
        self.done(run("train", out, "-o", out + ".m", "-q", "--train.epochs", "1",
                      "--ssl.method", "none", "--model.hidden", "4"))

    def test_reads_a_pipe(self):
        """A file need not be seekable."""
        project = self.small()
        data = harness.read_bytes(self.items)
        os.remove(self.items)
        os.mkfifo(self.items)
        child = harness.start("prepare", project, "-o", self.path("out"), "-q")
        writer = subprocess.Popen(["sh", "-c", 'cat > "$0"', self.items], stdin=subprocess.PIPE)
        writer.communicate(data)
        out, err = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 0, err)
        self.assertIn(b"4 items", out)


if __name__ == "__main__":
    unittest.main()
