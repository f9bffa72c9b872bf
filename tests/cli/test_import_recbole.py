# SPDX-License-Identifier: Apache-2.0
"""diptych import recbole: the project file, its names and types, and headers that are refused."""
import gzip
import os
import unittest

import harness
from harness import FORMAT, IO, USAGE, run

INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
ITEM = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\tprice:float\n"
USER = "user_id:token\tage:float\tgender:token\tembedding:float_seq\n"

EXPECTED = '''# RecBole's atomic files, read where they are.
items:
  file: "ml.item"
  id: "item_id:token"
  features:
    "item_id": {type: id, column: "item_id:token"}
    "movie_title": {type: text, ngrams: [1, 2], column: "movie_title:token_seq"}
    "release_year": {type: categorical, column: "release_year:token"}
    "class": {type: bag, separator: " ", column: "class:token_seq"}
    "price": {type: numeric, column: "price:float"}
queries:
  file: "ml.user"
  id: "user_id:token"
  features:
    "user_id": {type: id, column: "user_id:token"}
    "age": {type: numeric, column: "age:float"}
    "gender": {type: categorical, column: "gender:token"}
interactions:
  file: "ml.inter"
  query: "user_id:token"
  item: "item_id:token"
  time: "timestamp:float"
split: {by: time, test: 0.1, validation: 0.05}
'''


def pair_lines():
    """Rows of interactions."""
    return "".join("u%s\t%s\t4\t%d\n" % (q, x, time) for q, x, time, _ in harness.pair_rows())


class Recbole(harness.Case):
    """Headers and what becomes of them."""

    def files(self, inter=INTER, item=ITEM, user=USER, name="ml"):
        """Writes the atomic files that are not None."""
        for ending, text in ((".inter", inter), (".item", item), (".user", user)):
            if text is not None:
                self.write(name + ending, text)

    def imported(self, *options, source=None, out="project.yaml"):
        """Imports; returns (report, text of the project file)."""
        result = self.done(run("import", "recbole", source or self.folder, "-o", self.path(out),
                               "--json", *options))
        return result.json(), harness.read_bytes(self.path(out)).decode()

    def features(self, side="items", out="project.yaml"):
        """Names and types as inspect reads them."""
        return self.done(run("inspect", self.path(out), "--json")).json()[side]["features"]

    def refuse(self, code, *texts, options=()):
        """An import that must fail and leave nothing."""
        self.refused(code, ["import", "recbole", self.folder, "-o", self.path("p.yaml"), "-q",
                            *options], *texts)

    def test_all_types(self):
        """The whole text of a project file."""
        self.files()
        report, text = self.imported()
        self.assertEqual(text, EXPECTED)
        self.assertEqual(len(report["warnings"]), 1)
        self.assertIn("embedding:float_seq", report["warnings"][0])
        self.assertEqual(self.features("queries"),
                         {"user_id": "id", "age": "numeric", "gender": "categorical"})

    def test_prefix_and_name(self):
        """A folder, a path without ending, a path with one: the same."""
        self.files()
        self.files(name="other")
        for source in ("ml", "ml.inter"):
            _, text = self.imported("--force", source=self.path(source))
            self.assertEqual(text, EXPECTED)
        self.refuse(USAGE, "several: ", "ml.inter", "other.inter")

    def test_compressed_files(self):
        """Endings are found."""
        for name, text in (("a.inter.gz", INTER), ("a.item.zst", ITEM)):
            data = text.encode()
            self.write(name, gzip.compress(data) if name.endswith("gz") else harness.zstd(data))
        _, text = self.imported()
        self.assertIn('file: "a.item.zst"', text)
        self.assertIn('file: "a.inter.gz"', text)
        self.assertIn('queries:\n  id: "user_id:token"\n', text)

    def test_paths_outside_are_absolute(self):
        """Of files that are not under the project file's folder."""
        os.mkdir(self.path("there"))
        os.mkdir(self.path("here"))
        self.files(name="there/ml")
        _, text = self.imported(source=self.path("there"), out="here/p.yaml")
        self.assertIn('file: "%s"' % os.path.realpath(self.path("there", "ml.inter")), text)
        _, text = self.imported(source=self.path("there"), out="p.yaml")
        self.assertIn('file: "there/ml.inter"', text)

    def test_text_columns(self):
        """Named ones, instead of those that sound like text."""
        item = "item_id:token\tTitle:token\tlong_name:token_seq\tnames:token_seq\tbrand:token\n"
        self.files(item=item)
        self.imported()
        self.assertEqual(self.features(), {"item_id": "id", "Title": "text", "long_name": "text",
                                           "names": "bag", "brand": "categorical"})
        self.imported("--force", "--text", "brand,names")
        self.assertEqual(self.features(), {"item_id": "id", "Title": "categorical",
                                           "long_name": "bag", "names": "text", "brand": "text"})

    def test_names_of_every_kind(self):
        """Quotes, backslashes, YAML's own characters, any UTF-8: inspect reads them back."""
        names = ['say "x"', "back\\slash", "a: b", "#no comment", "- dash", "[1 2]", "{x}", "'",
                 "Größe", "日本", "😀", "next\u0085line", "line\u2028end", "mark\ufeff", "nb\u00a0sp",
                 "ctrl\x01", "del\x7f", "true", "null", "*", "&a", "%", "@", "a:b:c", " blank "]
        self.files(item="item_id:token\t" + "\t".join(n + ":float" for n in names) + "\n")
        self.imported()
        found = self.features()
        self.assertEqual(list(found), ["item_id"] + names)
        self.assertEqual(set(found.values()), {"id", "numeric"})

    def test_names_that_features_cannot_have(self):
        """They become others, all different; the columns stay."""
        self.files(item="item_id:token\ta/b:float\ta,b:float\ta=b:token\ta_b:float\ta_b:token\n")
        _, text = self.imported()
        self.assertEqual(list(self.features()),
                         ["item_id", "a_b", "a_b_3", "a_b_4", "a_b_5", "a_b_6"])
        self.assertIn('column: "a,b:float"', text)

    def test_items_from_interactions(self):
        """Each id once, as it comes."""
        rows = pair_lines()
        self.files(inter=INTER + rows, item=None, user=None)
        report, text = self.imported()
        ids = list(dict.fromkeys(line.split("\t")[1] for line in rows.splitlines()))
        self.assertEqual(harness.read_bytes(self.path("items.tsv")).decode(),
                         "item_id:token\n" + "".join(i + "\n" for i in ids))
        self.assertEqual(report["items_found"], len(ids))
        self.assertIn('file: "items.tsv"', text)
        self.refuse(USAGE, "items.tsv exists")
        os.remove(self.path("project.yaml"))
        self.imported("--force")

    def test_rows_without_an_item(self):
        """Named with file, line and column; nothing is left."""
        self.files(inter=INTER + "u1\ti1\t1\t1\nu2\n", item=None, user=None)
        self.refuse(FORMAT, "ml.inter:3: column item_id:token: there is no item")

    def test_roles(self):
        """Other names than usual, and columns named by hand."""
        inter = "session:token\tsong:token\tshop:token\twhen:float\n"
        self.files(inter=inter, item=None, user=None)
        report, text = self.imported()
        self.assertEqual((report["user"], report["item"], report["time"]),
                         ("session:token", "song:token", None))
        self.assertIn("split: {by: pair", text)
        self.assertIn("--time", "".join(report["warnings"]))
        report, text = self.imported("--force", "--user", "shop", "--item", "session", "--time",
                                     "when")
        self.assertEqual((report["user"], report["item"], report["time"]),
                         ("shop:token", "session:token", "when:float"))
        self.assertIn("split: {by: time", text)
        self.refuse(USAGE, "has no column nothing:TYPE", options=["--user", "nothing", "-f"])

    def test_untyped_headers(self):
        """Columns without a type, or with another one."""
        for cell in ("item_id", "item_id:", ":token", "item_id:int", "item_id:Token", ""):
            self.files(inter="user_id:token\t%s\n" % cell)
            self.refuse(FORMAT, self.path("ml.inter") + ":1: column 2: \"%s\"" % cell,
                        "is not NAME:TYPE")

    def test_other_headers_that_are_refused(self):
        """No second token, no id in the other file, no text at all."""
        self.files(inter="user_id:token\tx:float\n")
        self.refuse(FORMAT, "two columns NAME:token are expected")
        self.files(item="id:token\n")
        self.refuse(FORMAT, "ml.item:1: there is no column item_id:token")
        self.files(inter="")
        self.refuse(FORMAT, "ml.inter is empty")
        self.write("ml.inter", b"user_id:token\t\xff:token\n")
        self.refuse(FORMAT, "the header is not UTF-8")
        self.files(inter="user_id:token\t%s:token\n" % ("x" * 300))
        self.refuse(FORMAT, "is too long")

    def test_missing_files(self):
        """No .inter."""
        self.refuse(USAGE, "has no file NAME.inter")
        self.refused(IO, ["import", "recbole", self.path("x"), "-o", self.path("p.yaml")],
                     "there is no file %s.inter" % self.path("x"))
        self.refused(USAGE, ["import", "recbole", self.path("x")], "-o FILE is missing")
        self.refused(USAGE, ["import", "recbole"], "an argument is missing")

    def test_outputs(self):
        """An existing file stays without --force; a folder always."""
        self.files()
        self.write("p.yaml", "mine")
        self.refuse(USAGE, "p.yaml exists", "--force")
        os.remove(self.path("p.yaml"))
        os.mkdir(self.path("p.yaml"))
        self.refuse(USAGE, "p.yaml is a folder", options=["-f"])

    def test_text_for_people(self):
        """What is used, and what comes next."""
        self.files()
        result = self.done(run("import", "recbole", self.folder, "-o", self.path("p.yaml")))
        self.assertIn("query user_id:token, item item_id:token, time timestamp:float", result.out)
        self.assertIn("diptych prepare", result.out)
        self.assertIn("warning: ", result.err)


if __name__ == "__main__":
    unittest.main()
