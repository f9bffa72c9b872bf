# SPDX-License-Identifier: Apache-2.0
"""experiment with bad input: what is said, with which exit code, and that nothing changes."""
import json
import os
import shutil
import time
import unittest

import harness
import studies
from harness import FAILED, FORMAT, IO, USAGE, run, snapshot

HEAD = """seeds: 1
conditions:
  full: {label: all}
methods:
  plain: {options: {ssl.method: none}}
  cfm:
    options: {ssl.method: cfm}
    choose: {ssl.alpha: [0.1, 1]}
"""

# A study with a mistake where the mark is, and what is said of it.
MISTAKES = [
    (HEAD + "^tabels: []\n", ['unknown key "tabels"', "tables"]),
    (HEAD + "^seeds: 2\n", ['"seeds" is given twice']),
    (HEAD.replace("  cfm:", "  ^plain:"), ['"plain" is given twice']),
    (HEAD.replace("seeds: 1", "seeds: ^0"), ["a number from 1 to 1000"]),
    (HEAD.replace("seeds: 1", "choice_seeds: ^many"), ["a number from 1 to 1000"]),
    (HEAD + "baseline: ^rfm\n", ['"rfm" is no method of this study']),
    (HEAD + "baseline: ^[plain]\n", ["is no method of this study"]),
    (HEAD + "  rfm: {like: ^plain}\n", ['like: "plain" is no method of this study']),
    (HEAD + "  rfm: {like: ^nobody}\n", ['like: "nobody" is no method of this study']),
    (HEAD.replace("  plain", "  ^plain").replace("    options", "    like: rfm\n    options")
     + "  rfm: {like: cfm, choose: {ssl.alpha: [1]}}\n", ["like each other in a circle", '"cfm"']),
    (HEAD + "  rfm: {like: ^[cfm]}\n", ["the name of a method is wanted"]),
    (HEAD + "  ^a/b: {}\n", ["letters, digits"]),
    (HEAD + "  rfm: ^cfm\n", ["a mapping is wanted here"]),
    (HEAD + "  rfm: {^option: {}}\n", ['unknown key "option"', "label, options, choose"]),
    (HEAD + "  rfm: {choose: {ssl.alpha: ^[]}}\n", ["a list of 1 to 16 values"]),
    (HEAD + "  rfm: {choose: {ssl.alpha: ^0.1}}\n", ["a list of 1 to 16 values"]),
    (HEAD + "  rfm: {choose: {ssl.alpha: [0.1, ^-1]}}\n", ["ssl.alpha", "-1"]),
    (HEAD + "  rfm: {choose: {ssl.alfa: [^0.1]}}\n", ["ssl.alfa", "ssl.alpha"]),
    (HEAD + "  rfm: {choose: {^seed: [1]}}\n", ["seed cannot be set here"]),
    (HEAD + "  rfm: {choose: {^train.metric_k: [1]}}\n", ["train.metric_k cannot be set"]),
    (HEAD + "  rfm: {options: {^ssl.alpha: x}}\n", ["ssl.alpha", "x"]),
    (HEAD + "  rfm: {options: {ssl: {^alpha: -1}}}\n", ["ssl.alpha", "-1"]),
    (HEAD + "  rfm: {options: {ssl: {^a: {b: 1}}}}\n", ['"ssl.a" is no option']),
    (HEAD + "  rfm: {options: {^evaluate.k: 3}}\n", ["evaluate.k cannot be set here"]),
    (HEAD + "  rfm: {options: {^split.train_fraction: 0.5}}\n",
     ["split.train_fraction cannot be set here"]),
    (HEAD.replace("label: all", "^labels: all"), ['unknown key "labels"']),
    (HEAD.replace("label: all", "options: {^split.by: time}"), ["split.by cannot be set"]),
    (HEAD.replace("label: all", "options: {^evaluate.protocol: paper}"),
     ["evaluate.protocol cannot be set here"]),
    (HEAD + "options: {^evaluate.split: validation}\n", ["evaluate.split cannot be set"]),
    (HEAD + "options: {^seed: 3}\n", ["seed cannot be set here"]),
    (HEAD + "options: {preset: ^nothing}\n", ["nothing"]),
    (HEAD + "options: {train: {rate: 1, ^rte: 2}}\n", ["train.rte", "train.rate"]),
    (HEAD + "tables:\n  - {columns: [^recal@10]}\n", ['"recal@10"', "recall"]),
    (HEAD + "tables:\n  - {columns: [recall@3, ^body/recall@3]}\n",
     ['"body/recall@3"', "head, tail"]),
    (HEAD + "tables:\n  - {columns: [^recall@0]}\n", ['"recall@0"']),
    (HEAD + "tables:\n  - {columns: ^[]}\n", ["a list of columns"]),
    (HEAD + "tables:\n  - ^{title: x}\n", ["the table has no columns"]),
    (HEAD + "tables:\n  - {^column: [recall@3]}\n", ['unknown key "column"']),
    (HEAD + "tables:\n  - {columns: [map@3]}\n  - ^{number: 1, columns: [map@3]}\n",
     ["two tables of number 1"]),
    (HEAD + "tables:\n  - {columns: [map@3], methods: [^rfm]}\n",
     ['"rfm" is no method of this study']),
    (HEAD + "tables:\n  - {columns: [map@3], conditions: [^half]}\n",
     ['"half" is no condition of this study']),
    (HEAD + "tables:\n  - {columns: [map@3], methods: ^[]}\n", ["a list of 1 to 2 methods"]),
    (HEAD + "tables: ^{}\n", ["a list of at most 32"]),
    (HEAD + "figures:\n  - {kind: ^pie}\n", ['"pie" is no kind of figure']),
    (HEAD + "figures:\n  - ^{title: x}\n", ["the figure has no kind"]),
    (HEAD + "figures:\n  - ^{kind: deciles}\n", ["the figure needs columns"]),
    (HEAD + "figures:\n  - ^{kind: deciles, columns: [map@3]}\n", ["of recall@K alone"]),
    (HEAD + "figures:\n  - ^{kind: choice, option: ssl.dropout, methods: [cfm], columns: [map@3]}",
     ['the method "cfm" does not choose "ssl.dropout"']),
    (HEAD + "figures:\n  - ^{kind: choice, option: ssl.alpha, columns: [map@3]}\n",
     ['the method "plain" does not choose "ssl.alpha"']),
    ("conditions: {full: {}}\nmethods: {plain: {}, ^random: {}}\n",
     ['"random" is a row that every table has']),
    ("conditions: {full: {}}\nmethods: {^top_popular: {}}\n", ['"top_popular" is a row']),
    ("conditions: {full: {}}\nmethods: {cfm: {choose: {ssl.alpha: [0.1, 1, ^0.1]}}}\n",
     ["ssl.alpha has the value 0.1 twice"]),
    ("^conditions: {full: {}}\n", ["a study needs methods and conditions"]),
    ("^methods: {plain: {}}\n", ["a study needs methods and conditions"]),
    ("conditions: ^[full]\nmethods: {plain: {}}\n", ["a mapping is wanted here"]),
]


class Input(harness.Case):
    """What experiment refuses."""

    def setUp(self):
        super().setUp()
        self.data = studies.prepare(self)
        studies.plotly(self)

    def bad(self, code, study, texts, *options, data=None):
        """A command that must be refused and change nothing."""
        words = studies.command(self, data or self.data, study, *options)
        return self.refused(code, words, *texts)

    # ---- arguments

    def test_arguments(self):
        """No output, no dataset, too many; unknown presets, flags, options and values."""
        out = self.path("r")
        for words, texts in (
                ([self.data], ["-o DIR is missing"]), (["-o", out], ["name one dataset"]),
                ([self.data, self.data, "-o", out], ["one argument too many"]),
                ([self.data, "-o", out, "--preset", "papr"], ['no study "papr"', "paper"]),
                ([self.data, "-o", out, "--study"], ["a value must follow --study"]),
                ([self.data, "-o", out, "--colour", "x"], ["unknown flag --colour"]),
                ([self.data, "-o", out, "--train.rat", "1"], ["train.rat", "train.rate"]),
                ([self.data, "-o", out, "--train.rate", "x"], ["train.rate", "x"]),
                ([self.data, "-o", out, "--split.by", "time"], ["does not use the option"]),
                ([self.data, "-o", out, "--seed", "3"], ["seed cannot be set here"]),
                ([self.data, "-o", out, "--evaluate.split", "test"], ["evaluate.split cannot"]),
                ([self.data, "-o", out, "--seeds", "1001"], ["seeds", "1001"]),
                ([self.data, "-o", out, "--jobs", "x"], ["jobs", "x"]),
                ([self.data, "-o", out, "--map-items", "3"], ["map_items", "3"])):
            with self.subTest(words=words[1:]):
                self.refused(USAGE, ["experiment", *words], *texts)
        self.bad(USAGE, studies.small(), ["preset: quick and study: ", "are two studies"],
                 "--preset", "quick")
        self.bad(USAGE, studies.small(), ['"cfn" is no method of the study; the first is "plain"'],
                 "--methods", "plain,cfn")
        self.bad(USAGE, studies.small(), ['compared with "plain"; name it as well'], "--methods",
                 "cfm")
        study = studies.small()
        study["methods"]["rfm"] = {"options": {"ssl.method": "rfm"}, "like": "cfm"}
        self.bad(USAGE, study, ['"rfm" begins with what "cfm" chose'], "--methods", "plain,rfm")
        self.refused(USAGE, ["experiment", "--print-study", "all"], 'no study "all"', "sparsity")
        self.refused(IO, ["experiment", self.path("none"), "-o", out], self.path("none"))
        self.bad(IO, self.path("none.yaml"), [self.path("none.yaml")])
        self.bad(IO, studies.small(), [self.path("no.js"), "tools/plotly.sh"], "--plotly",
                 self.path("no.js"))
        self.bad(FORMAT, studies.small(), [self.path("wrong.js"), "tools/plotly.sh"], "--plotly",
                 self.write("wrong.js", "alert(1);"))

    def test_presets_are_printed(self):
        """Every preset is printed, and its first line says what it is for."""
        for name in ("quick", "paper", "ablation", "sparsity", "sweep"):
            text = self.done(run("experiment", "--print-study", name)).out
            self.assertTrue(text.startswith("# "), name)
            self.assertIn("\nmethods:\n", text)

    # ---- study files

    def test_mistakes_in_study_files(self):
        """File, line and column, and what would be right."""
        for i, (marked, texts) in enumerate(MISTAKES):
            before = marked[:marked.index("^")].split("\n")
            path = self.write("s%d.yaml" % i, marked.replace("^", ""))
            with self.subTest(study=marked[-60:]):
                self.bad(USAGE, path, ["%s:%d:%d: " % (path, len(before), len(before[-1]) + 1),
                                       *texts])

    def test_files_that_are_no_studies(self):
        """Empty, not YAML, a list, bytes."""
        for name, data, texts in (("a.yaml", "", ["a.yaml"]), ("b.yaml", "- 1\n", ["mapping"]),
                                  ("c.yaml", "a: [1\n", ["c.yaml:2", "not valid YAML"]),
                                  ("d.yaml", b"\xff\xfe\x00", ["d.yaml"])):
            self.bad(FORMAT, self.write(name, data), texts)

    def test_too_many(self):
        """33 methods, 9 choices, 33 options."""
        many = {"m%d" % i: {} for i in range(33)}
        self.bad(USAGE, {"conditions": {"c": {}}, "methods": many}, ["more than 32 methods"])
        self.bad(USAGE, {"conditions": many, "methods": {"m": {}}}, ["more than 32 conditions"])
        keys = [key for key in harness.run("train", "--help").out.split()
                if key.startswith(("train.", "ssl.", "model."))]
        choose = {key: [1] for key in ("train.rate", "train.batch", "ssl.alpha", "ssl.dropout",
                                       "ssl.temperature", "train.temperature", "train.epochs",
                                       "model.dim", "train.decay")}
        choose["train.batch"] = [2]
        choose["ssl.dropout"] = [0.5]
        self.bad(USAGE, {"conditions": {"c": {}}, "methods": {"m": {"choose": choose}}},
                 ["more than 8 options to choose"])
        self.assertGreater(len(set(keys)), 32)

    def test_lists_that_are_not_evaluated(self):
        """A column's list length that evaluate.k does not name."""
        study = studies.small()
        study["tables"][0]["columns"] = ["tail/recall@5"]
        self.bad(USAGE, study, ["tail/recall@5", "evaluate.k does not name 5"])
        study = studies.small()
        study["figures"][0]["columns"] = ["mrr@4"]
        self.bad(USAGE, study, ["all/mrr@4", "evaluate.k does not name 4"])

    # ---- datasets

    def test_category(self):
        """A feature that there is not, and one without values to colour by."""
        self.bad(USAGE, studies.small(), ['no feature "colour"', "title, tags, brand"],
                 "--category", "colour")
        for name in ("price", "id"):
            self.bad(USAGE, studies.small(), ['"%s" has no values' % name, "brand"], "--category",
                     name)
        self.done(run(*studies.command(self, self.data, studies.small(), "--category", "tags")))

    def test_category_that_is_empty(self):
        """A column in which no item has a value."""
        rows = [row[:3] + [""] + row[4:] for row in harness.item_rows()]
        data = studies.prepare(self, "e.dip", items=rows)
        self.bad(USAGE, studies.small(), ['"brand" has no values', "title, tags"], "--category",
                 "brand", data=data)
        study = studies.small()
        study["figures"] = [{"kind": "map"}]
        found = studies.experiment(self, data, study)
        self.assertEqual(found["figures"][0]["category"], "tags")

    def test_masking_needs_two_features(self):
        """It says so, of which method, and offers dropout, which runs."""
        data = studies.prepare(self, "one.dip", features={"tags": {"type": "bag"}})
        self.bad(USAGE, studies.small(), ['the method "cfm"', "masking needs at least two",
                                          "dropout"], data=data)
        study = studies.small()
        study["methods"]["rfm"] = {"options": {"ssl.method": "rfm"}}
        study["methods"]["drop"] = {"options": {"ssl.method": "dropout"}}
        study["methods"]["like"] = {"options": {"ssl.method": "dropout"}, "like": "cfm"}
        self.bad(USAGE, study, ['the method "cfm"', "; --methods plain,drop compares the others"],
                 data=data)
        study["figures"] = []
        found = studies.experiment(self, data, study, "--methods", "plain,drop")
        self.assertEqual([m["name"] for m in found["methods"]], ["plain", "drop"])
        shutil.rmtree(self.path("r"))
        study = studies.small()
        study["methods"]["cfm"]["options"]["ssl.method"] = "dropout"
        study["figures"].append({"kind": "information"})
        found = studies.experiment(self, data, study)
        self.assertEqual(len(found["runs"]), 6)
        study["methods"]["cfm"]["choose"] = {"ssl.method": ["dropout", "rfm"]}
        study["figures"] = []
        self.bad(USAGE, study, ['the method "cfm"', "masking needs at least two"], data=data)

    def test_options_that_contradict_each_other(self):
        """Views as negatives of a method without views, nothing to train alone first, a correction
        that needs another option."""
        for words, texts in ((["--train.extra_negatives", "views"], ["extra_negatives: views"]),
                             (["--ssl.pretrain", "1"], ["ssl.pretrain", "no second loss"]),
                             (["--train.logq", "refined", "--train.mask_hits", "no"],
                              ["train.logq: refined", "train.mask_hits"])):
            self.bad(USAGE, studies.small(), ['the method "plain"', *texts], *words)
        study = studies.small()
        study["methods"]["cfm"]["choose"] = {"ssl.pretrain": [1, 2]}
        study["figures"] = []
        self.bad(USAGE, study, ['the method "cfm"', "ssl.pretrain: 2 epochs leave none"])

    def test_no_held_out_pairs(self):
        """Nothing to choose on, or nothing to be judged on."""
        for part, texts in (("validation", ["chooses on", "split.validation"]),
                            ("test", ["judged on", "split.test"])):
            split = dict(studies.SETTINGS["split"], **{part: 0})
            data = studies.prepare(self, part + ".dip", settings={"split": split})
            self.bad(FAILED, studies.small(), ["the %s split has no pairs" % part, *texts],
                     data=data)

    def test_shares(self):
        """More than the dataset has; so few that nothing is left."""
        split = dict(studies.SETTINGS["split"], train_fraction=0.5)
        data = studies.prepare(self, "half.dip", settings={"split": split})
        study = dict(studies.small(), conditions={"all": {"options":
                                                          {"split.train_fraction": 1}}})
        self.bad(USAGE, study, ['the condition "all" asks for 1', "prepared with 0.5"], data=data)
        study = dict(studies.small(), conditions={"few": {"options":
                                                          {"split.train_fraction": 0.0001}}})
        result = run(*studies.command(self, self.data, study))
        self.says(result, FAILED, "0.0001")
        self.assertFalse(os.path.exists(self.path("r", "results.json")))

    # ---- folders

    def test_outputs_that_are_no_reports(self):
        """A file, a folder with something else in it, a dataset, a model: not even with --force."""
        self.write("file", "x")
        os.mkdir(self.path("folder"))
        self.write("folder/notes.txt", "x")
        for name, text in (("file", "is not a folder"), ("folder", "is in use"),
                           ("d.dip", "is in use")):
            for options in ([], ["--force"]):
                words = studies.command(self, self.data, studies.small(), *options, out=name)
                self.refused(USAGE, words, self.path(name), text)
        os.mkdir(self.path("empty"))
        studies.experiment(self, self.data, studies.small(), out="empty")

    def test_a_parent_that_is_not_there(self):
        """The folder of the folder."""
        words = studies.command(self, self.data, studies.small(), out="no/r")
        self.refused(IO, words, self.path("no/r"), "No such file or directory")

    def test_reports_of_something_else(self):
        """Dataset, study, contents, options: what differs is named; --force replaces, runs stay."""
        study = studies.small()
        studies.experiment(self, self.data, study)
        other = studies.prepare(self, "other.dip", pairs=harness.pair_rows(200))
        self.write("study.yaml", json.dumps(study))
        shutil.copy(self.path("study.yaml"), self.path("mine.yaml"))
        more = dict(study, tables=[{"columns": ["map@3"]}])
        for words, texts in (
                (studies.command(self, other, study), ["another dataset"]),
                (studies.command(self, self.data, self.path("mine.yaml")),
                 ["another study (study.yaml there, mine.yaml now)"]),
                (studies.command(self, self.data, study, "--train.epochs", "1"),
                 ["another train.epochs (2 there, 1 now)"]),
                (studies.command(self, self.data, study, "--seeds", "3"),
                 ['"study.yaml" with other contents or another number of seeds'])):
            self.refused(USAGE, words, self.path("r"), "--force", *texts, but=["r/lock"])
        words = studies.command(self, self.data, more)
        self.refused(USAGE, words, "with other contents", but=["r/lock"])
        before = studies.finished(self.path("r"))
        self.done(run(*words, "--force"))
        self.assertEqual(studies.finished(self.path("r")), before)
        self.assertEqual(studies.results(self.path("r"))["tables"][0]["columns"][0]["key"],
                         "all/map@3")
        os.rename(self.path("mine.yaml"), self.path("study.yaml"))
        self.refused(USAGE, studies.command(self, self.data, study), "with other contents",
                     but=["r/lock"])

    def test_damaged_study_file(self):
        """Of a report: named, and not replaced."""
        studies.experiment(self, self.data, studies.small())
        self.write("r/study.json", '{"format": ')
        words = studies.command(self, self.data, studies.small())
        self.refused(FORMAT, words, self.path("r/study.json"), but=["r/lock"])
        self.write("r/study.json", "{}")
        self.refused(USAGE, words, "another format (none there", but=["r/lock"])
        self.done(run(*words, "--force"))

    def test_folder_in_use(self):
        """By a living process, whose number is told."""
        study = studies.small()
        study["options"] = {"train": {"epochs": 100000, "patience": 0}}
        words = studies.command(self, self.data, study)
        child = harness.start(*words)
        self.addCleanup(child.kill)
        end = time.monotonic() + 60
        while not os.path.exists(self.path("r", "runs")) and time.monotonic() < end:
            time.sleep(0.01)
        result = run(*words)
        self.says(result, FAILED, "another process (%d) runs a study in" % child.pid)
        self.says(run(*words, "--force"), FAILED, "another process (%d)" % child.pid)
        self.assertIsNone(child.poll())
        child.kill()
        child.communicate()

    def test_folder_that_was_claimed_only(self):
        """A process that ended between making the folder and naming the study."""
        os.mkdir(self.path("r"))
        self.write("r/lock", "1               \n")
        self.write("r/.study.json.partial", "{")
        found = studies.experiment(self, self.data, studies.small())
        self.assertEqual(len(found["runs"]), 6)
        self.assertNotIn(".study.json.partial", snapshot(self.path("r")))

    def test_plotly_that_is_not(self):
        """Another file under its name; nothing of the older report changes."""
        studies.experiment(self, self.data, studies.small())
        self.write("not.js", "alert(1)")
        self.refused(FORMAT, studies.command(self, self.data, studies.small(), "--plotly",
                                             self.path("not.js")), self.path("not.js"), "plotly",
                     but=["r/lock"])


if __name__ == "__main__":
    unittest.main()
