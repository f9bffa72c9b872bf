# SPDX-License-Identifier: Apache-2.0
"""Mistakes in a project file: each names file, line, column and key; nothing is written."""
import unittest

import harness
from harness import FORMAT, IO, USAGE

GOOD = """\
items:
  file: items.tsv
  id: id
  features:
    id:    {type: id}
    title: {type: text, ngrams: [1, 2]}
    price: {type: numeric}
interactions:
  file: pairs.tsv
  query: q
  item: x
split: {test: 0.1, validation: 0.05}
train:
  batch: 32
  rate: 0.05
seed: 3
"""


class Yaml(harness.Case):
    """Each test changes one line of a project file that is good."""

    def setUp(self):
        super().setUp()
        self.project()

    def change(self, old, new):
        """Writes the good project with one piece replaced; returns path and the piece's line."""
        self.assertEqual(GOOD.count(old), 1, old)
        line = GOOD[:GOOD.index(old)].count("\n") + 1
        return self.write("p.yaml", GOOD.replace(old, new)), line

    def bad(self, old, new, *texts, code=USAGE, column=None, at=None):
        """The changed project must be refused at the changed line, or at line `at`."""
        path, line = self.change(old, new)
        place = "%s:%d:" % (path, at or line)
        self.not_prepared(code, path, place + ("%d:" % column if column else ""), *texts)

    def test_the_good_one_is_good(self):
        """What the other tests start from."""
        path = self.write("p.yaml", GOOD)
        self.done(harness.run("prepare", path, "-o", self.path("out.dip"), "-q"))

    def test_unknown_section(self):
        """The nearest section is named."""
        self.bad("interactions:", "interaction:", 'unknown section "interaction"',
                 'did you mean "interactions"', column=1)
        self.bad("train:", "trian:", '"trian"', 'did you mean "train"', column=1)

    def test_unknown_option_at_the_top(self):
        """seed, threads and preset stand at the top too, and are suggested."""
        self.bad("seed: 3", "sede: 3", '"sede"', 'did you mean "seed"', column=1)
        self.bad("seed: 3", "thread: 3", '"thread"', 'did you mean "threads"', column=1)
        self.bad("seed: 3", "prset: paper", '"prset"', 'did you mean "preset"', column=1)

    def test_unknown_option_in_a_section(self):
        """The nearest option is named."""
        self.bad("rate: 0.05", "rat: 0.05", '"train.rat"', 'did you mean "train.rate"', column=3)

    def test_unknown_entity_setting(self):
        """The settings of items and interactions."""
        self.bad("  id: id\n", "  ids: id\n", '"ids"', 'did you mean "id"', column=3)
        self.bad("query: q", "qurey: q", '"qurey"', 'did you mean "query"', column=3)

    def test_unknown_feature_setting(self):
        """The settings of a feature."""
        self.bad("ngrams: [1, 2]", "ngram: [1, 2]", '"ngram"', 'did you mean "ngrams"', column=25)

    def test_missing_sections_and_settings(self):
        """What must be there is named."""
        for text, missing in [(GOOD.replace("interactions:", "x:", 1), "x"),
                              ("items: {file: items.tsv, id: id, features: {id: {type: id}}}\n",
                               "interactions"),
                              ("interactions: {file: pairs.tsv, query: q, item: x}\n", "items"),
                              (GOOD.replace("  id: id\n", ""), "id"),
                              (GOOD.replace("  file: items.tsv\n", ""), "file"),
                              (GOOD.replace("  item: x\n", ""), "item"),
                              (GOOD.replace("  file: pairs.tsv\n", ""), "file")]:
            path = self.write("p.yaml", text)
            self.not_prepared(USAGE, path, path + ":", '"%s"' % missing)

    def test_queries_with_features_need_a_file(self):
        """Without a file the id is the only feature."""
        self.bad("seed: 3", "queries: {id: u, features: {u: {type: id}}}", '"file"')

    def test_duplicate_key(self):
        """At the top, in a section and in a feature."""
        self.bad("seed: 3", "seed: 3\nseed: 4", '"seed"', "twice", at=17, column=1)
        self.bad("  rate: 0.05", "  rate: 0.05\n  rate: 0.06", '"rate"', "twice", at=16, column=3)
        self.bad("{type: numeric}", "{type: numeric, type: id}", '"type"', "twice", column=28)
        self.bad("    price:", "    title:", '"title"', "twice", column=5)

    def test_syntax_errors(self):
        """Line and column of the parser."""
        self.bad("{type: numeric}", "{type: numeric", "not valid YAML", code=FORMAT, at=8)
        self.bad("  batch: 32", "\tbatch: 32", "not valid YAML", code=FORMAT)
        self.bad("query: q", "query: [q", "not valid YAML", code=FORMAT, at=11)
        self.bad("seed: 3", "seed: *nobody", "not valid YAML", code=FORMAT)

    def test_invalid_utf8(self):
        """Not YAML either, and the line is told."""
        path = self.write("p.yaml", GOOD.encode().replace(b"seed: 3", b"seed: \xff"))
        self.not_prepared(FORMAT, path, path + ":16:", "not valid YAML")

    def test_out_of_range(self):
        """Key, value and range."""
        self.bad("batch: 32", "batch: 1", "train.batch", '"1"', "2 to 65536", column=3)
        self.bad("test: 0.1", "test: 0.95", "split.test", '"0.95"', "0 to 0.9", column=9)
        self.bad("[1, 2]", "[0]", "ngrams", '"0"', "1 to 5", column=25)
        self.bad("seed: 3", "seed: -3", "seed", '"-3"', column=1)
        self.bad("{type: numeric}", "{type: numeric, buckets: 1}", "buckets", "at least 2")

    def test_wrong_type(self):
        """Key, value and type."""
        self.bad("batch: 32", "batch: many", "train.batch", '"many"', "integer", column=3)
        self.bad("batch: 32", "batch: {a: 1}", "plain value")
        self.bad("batch: 32", "batch: [1, 2]", "train.batch", '"1,2"', "integer")
        self.bad("type: numeric", "type: nummeric", "type", '"nummeric"', "numeric")
        self.bad("{type: numeric}", "numeric", '"price"', "{type: ...}")
        self.bad("rate: 0.05", "rate: .nan", "train.rate", '".nan"', "number")
        self.bad("rate: 0.05", "rate: .inf", "train.rate", '".inf"', "number")

    def test_section_that_is_no_mapping(self):
        """The section is named, and what is expected of it."""
        path, line = self.change("split: {test: 0.1, validation: 0.05}", "split: 0.1")
        result = self.not_prepared(USAGE, path, "%s:%d:" % (path, line), "split")
        self.assertNotIn('did you mean "split"', result.err)
        path = self.write("p.yaml", "items: 3\n" + GOOD[GOOD.index("interactions"):])
        self.not_prepared(USAGE, path, path + ":1:", "items")
        path = self.write("p.yaml", GOOD[:GOOD.index("interactions")] + "interactions: []\n")
        self.not_prepared(USAGE, path, path + ":8:", "interactions")

    def test_file_that_is_no_mapping(self):
        """A list, a text, nothing."""
        for text in ("[1, 2]\n", "hello\n", "", "# only a comment\n"):
            path = self.write("p.yaml", text)
            self.not_prepared(FORMAT, path, path, "mapping")

    def test_second_document(self):
        """What stands behind --- would be ignored silently, so it is refused."""
        path = self.write("p.yaml", GOOD + "---\nseed: 4\n")
        result = self.not_prepared(FORMAT, path, path + ":1")
        self.assertRegex(result.err, r"p\.yaml:1[78]:")

    def test_settings_that_contradict(self):
        """What no single setting can say."""
        path, _ = self.change("validation: 0.05", "validation: 0.9")
        self.not_prepared(USAGE, path, path, "split.test + split.validation", "nothing is left")
        path, _ = self.change("test: 0.1", "by: time, test: 0.1")
        self.not_prepared(USAGE, path, path, "time")
        self.bad("{type: numeric}", "{type: numeric, hash_buckets: 5}", "hash_buckets", "buckets")
        self.bad("{type: id}", "{type: id, buckets: 5}", "hash_buckets")
        self.bad("{type: id}", "{type: bag, separator: ''}", "separator")

    def test_shared_table_of_other_size(self):
        """Features of one table must agree on hash_buckets."""
        path, _ = self.change("{type: id}", "{type: id, table: t, hash_buckets: 5}")
        text = harness.read_bytes(path).decode().replace("{type: text,", "{type: text, table: t,")
        self.not_prepared(USAGE, self.write("p.yaml", text), '"title"', '"t"', "hash_buckets")

    def test_feature_names(self):
        """A name must be usable with --features NAME=VALUE,..."""
        self.bad("    price:", '    "a,b":', "name")
        self.bad("    price:", '    "a=b":', "name")
        self.bad("    price:", '    "":', "name")
        self.bad("    price:", "    %s:" % ("x" * 300), "name")

    def test_too_many_features(self):
        """64 are the most."""
        many = "".join("    f%d: {type: id, column: id}\n" % i for i in range(70))
        path, line = self.change("    price: {type: numeric}\n", many)
        self.not_prepared(USAGE, path, "%s:5:" % path, "72 features", "64")
        self.assertEqual(line, 7)

    def test_missing_folder_and_odd_files(self):
        """What the system says about the project file, with its path."""
        self.not_prepared(IO, self.path("nope.yaml"), self.path("nope.yaml"), "No such file")
        self.not_prepared(IO, self.folder, self.folder, "directory")

    def test_huge_project_file(self):
        """Project files have a limit; reading one cannot eat the memory."""
        path = self.write("p.yaml", GOOD + "#" * (5 << 20) + "\n")
        self.not_prepared(FORMAT, path, path, "larger than")

    def test_deep_nesting(self):
        """A parser must not fall into its own depth."""
        for text in ("[" * 10000, "a: " + "{a: " * 10000, "- " * 50000):
            path = self.write("p.yaml", text)
            self.not_prepared(FORMAT, path, path)

    def test_hostile_files_are_refused_quickly(self):
        """The parser's work grows with the square of the depth, ours with that of the keys: either
        there is a limit, or a file within the limit of 4 MiB costs hours."""
        keys = "train:\n" + "".join("  k%d: 1\n" % i for i in range(200000))
        for text in ("[" * (1 << 20), keys):
            path = self.write("p.yaml", text)
            with self.subTest(text=text[:20]):
                result = harness.run("prepare", path, "-o", self.path("o"), timeout=5)
                self.assertIn(result.code, (USAGE, FORMAT), result.err)

    def test_aliases_that_refer_to_themselves(self):
        """Cycles end in an error, not in a loop."""
        for text in ("a: &a [*a]\n", "train: &t {batch: *t}\n", "split: &s\n  test: *s\n"):
            path = self.write("p.yaml", text)
            result = harness.run("prepare", path, "-o", self.path("o"), timeout=20)
            self.assertIn(result.code, (USAGE, FORMAT), result.err)


if __name__ == "__main__":
    unittest.main()
