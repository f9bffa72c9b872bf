# SPDX-License-Identifier: Apache-2.0
"""However the tables are written and spread over files, the dataset is the same."""
import gzip
import json
import unittest

import harness
from harness import FORMAT, IO, USAGE, run, table

PAIR_COLUMNS = ["q", "x", "t", "part"]


def joined(rows, delimiter):
    """Rows without a header line."""
    return "".join(delimiter.join(str(cell) for cell in row) + "\n" for row in rows)


def item_lines(rows):
    """Items as JSON lines: numbers as numbers, tags as a list, keys in another order."""
    lines = []
    for item, title, tags, brand, price, year in rows:
        record = {"title": title, "year": year, "tags": tags.split("|"), "id": item,
                  "price": float(price), "brand": brand, "more": {"not": ["used"]}}
        lines.append(json.dumps(record, ensure_ascii=len(lines) % 2 == 0) + "\n")
    return "".join(lines).encode()


def pair_lines(rows):
    """Pairs as JSON lines."""
    return "".join(json.dumps(dict(zip(PAIR_COLUMNS, row))) + "\n" for row in rows).encode()


class Input(harness.Case):
    """Each way against plain TSV in one file."""

    def setUp(self):
        super().setUp()
        self.plain = self.parts(self.dataset("plain.dip"))

    def parts(self, dataset):
        """The parts of a dataset, but for the manifest, which names the files."""
        found = harness.snapshot(dataset)
        found.pop("manifest.json")
        self.assertGreater(len(found), 15)
        return found

    def sources(self, items=None, pairs=None):
        """A project like that of the plain dataset with other settings beside "file"."""
        path = self.project()
        with open(path, encoding="utf-8") as file:
            project = json.load(file)
        project["items"].update(items or {})
        project["interactions"].update(pairs or {})
        return self.write("p.yaml", json.dumps(project, indent=1, ensure_ascii=False))

    def is_the_same(self, **sources):
        """Prepares; the dataset must be that of the plain files. Returns its manifest."""
        project = self.sources(**sources)
        self.done(run("prepare", project, "-o", self.path("d.dip"), "-q", "-f"))
        self.assertEqual(self.parts(self.path("d.dip")), self.plain)
        with open(self.path("d.dip", "manifest.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_list_of_files(self):
        """In the order given, each with its own header, columns in any order."""
        rows = harness.item_rows()
        turned = [row[::-1] for row in rows[25:]]
        self.write("1.csv.gz", table(harness.ITEM_COLUMNS, rows[:10], "1.csv.gz"))
        self.write("2.tsv", table(harness.ITEM_COLUMNS, rows[10:25]))
        self.write("3.tsv.zst", table(harness.ITEM_COLUMNS[::-1], turned, "3.tsv.zst"))
        names = ["1.csv.gz", "2.tsv", "3.tsv.zst"]
        manifest = self.is_the_same(items={"file": names})
        self.assertEqual(manifest["schema"]["items"]["file"], names)

    def test_patterns(self):
        """Sorted by bytes; the manifest keeps the pattern."""
        rows = harness.pair_rows()
        for i in range(0, 300, 30):
            self.write("part-%02d.tsv" % (i // 30), table(PAIR_COLUMNS, rows[i:i + 30]))
        items = harness.item_rows()
        self.write("items-a.tsv", table(harness.ITEM_COLUMNS, items[:20]))
        self.write("items-b.tsv", table(harness.ITEM_COLUMNS, items[20:]))
        manifest = self.is_the_same(items={"file": "items-[ab].tsv"},
                                    pairs={"file": "part-??.*"})
        self.assertEqual(manifest["schema"]["items"]["file"], "items-[ab].tsv")

    def test_json_lines(self):
        """Plain and compressed."""
        rows = item_lines(harness.item_rows())
        self.write("items.jsonl", rows)
        self.write("items.ndjson.gz", gzip.compress(rows))
        self.write("pairs.json.zst", harness.zstd(pair_lines(harness.pair_rows())))
        self.is_the_same(items={"file": "items.jsonl"},
                         pairs={"file": "pairs.json.zst", "format": "jsonl"})
        self.is_the_same(items={"file": "items.ndjson.gz"})

    def test_without_header_and_with_another_delimiter(self):
        """The layout of MovieLens."""
        self.write("items.dat", joined(harness.item_rows(), "::"))
        self.write("pairs.dat", joined(harness.pair_rows(), "::"))
        manifest = self.is_the_same(
            items={"file": "items.dat", "columns": harness.ITEM_COLUMNS, "delimiter": "::"},
            pairs={"file": "pairs.dat", "columns": PAIR_COLUMNS, "delimiter": "::"})
        stored = manifest["schema"]["items"]
        self.assertEqual(stored["columns"], harness.ITEM_COLUMNS)
        self.assertEqual(stored["delimiter"], "::")
        self.write("pairs.txt", table(PAIR_COLUMNS, harness.pair_rows()))
        self.is_the_same(pairs={"file": "pairs.txt", "format": "tsv"})

    def test_latin1(self):
        """Converted while it is read, and refused without saying so."""
        rows = [[str(cell).replace("椅子", "äöü") for cell in row] for row in harness.item_rows()]
        wanted = self.parts(self.dataset("u.dip", items=rows))
        data = table(harness.ITEM_COLUMNS, rows).decode().encode("latin-1")
        self.write("latin1.tsv", data)
        project = self.sources(items={"file": "latin1.tsv", "encoding": "latin1"})
        self.done(run("prepare", project, "-o", self.path("d.dip"), "-q"))
        self.assertEqual(self.parts(self.path("d.dip")), wanted)
        self.not_prepared(FORMAT, self.sources(items={"file": "latin1.tsv"}), "latin1.tsv:",
                          "column 2 (title)", "not valid UTF-8", "encoding: latin1")

    def test_atomic_files(self):
        """Columns are named as they stand in the header."""
        rows = harness.pair_rows()
        self.write("ml.inter", table(["q:token", "x:token", "t:float", "part"], rows))
        self.is_the_same(pairs={"file": "ml.inter", "query": "q:token", "item": "x:token"})

    def test_files_that_cannot_be_found(self):
        """Named at their place in the project file."""
        self.not_prepared(USAGE, self.sources(items={"file": "no-*.tsv"}), "p.yaml:",
                          'no file matches "no-*.tsv"')
        self.not_prepared(USAGE, self.sources(items={"file": ["items.tsv", "items.tsv"]}),
                          "p.yaml:", "items.tsv would be read twice")
        self.not_prepared(IO, self.sources(items={"file": ["items.tsv", "gone.tsv"]}), "gone.tsv")
        self.not_prepared(USAGE, self.sources(items={"file": "items.xml"}), "items.xml")

    def test_mistakes_name_the_file_among_many(self):
        """A bad record, an id that is in two files, a column that one of them lacks."""
        rows = harness.item_rows()
        self.write("1.tsv", table(harness.ITEM_COLUMNS, rows[:20]))
        self.write("2.tsv", table(harness.ITEM_COLUMNS, rows[20:] + [["i50", "short"]]))
        both = {"file": ["1.tsv", "2.tsv"]}
        self.not_prepared(FORMAT, self.sources(items=both), "2.tsv:22: 2 fields", "has 6")
        self.write("2.tsv", table(harness.ITEM_COLUMNS, rows[20:] + [rows[3]]))
        self.not_prepared(FORMAT, self.sources(items=both), "2.tsv:22: column 1 (id)", '"i3"')
        self.write("2.tsv", table(["id", "titles"], [["i99", "x"]]))
        self.not_prepared(FORMAT, self.sources(items=both), '2.tsv:1: there is no column "title"',
                          'did you mean "titles"?')

    def test_mistakes_in_json_lines(self):
        """With the line and the key."""
        lines = item_lines(harness.item_rows())
        for line, texts in [(b'{"id": "i77", "price": "dear"}\n', ["key \"price\"", "dear"]),
                            (b'{"id": "i77", "price": [1]}\n', ["key \"price\"", "list"]),
                            (b'{"id": "i77", "tags": ["a|b"]}\n', ["key \"tags\"", '"a|b"']),
                            (b'{"id": "i77", "title": {"de": "x"}}\n', ["key \"title\""]),
                            (b'{"title": "x"}\n', ["key \"id\"", "empty"]),
                            (b'{"id": "i77"\n', ["not valid JSON"])]:
            self.write("items.jsonl", lines + line)
            self.not_prepared(FORMAT, self.sources(items={"file": "items.jsonl"}),
                              "items.jsonl:41", *texts)


if __name__ == "__main__":
    unittest.main()
