# SPDX-License-Identifier: Apache-2.0
"""Flags, options and help: mistakes on the command line stop with exit code 2."""
import unittest

import harness
from harness import OK, USAGE, run
from library import Library

COMMANDS = ["prepare", "train", "evaluate", "recommend", "inspect", "generate"]
SECTIONS = {"prepare": ["split.", "prepare."], "train": ["", "model.", "train.", "ssl."],
            "evaluate": ["", "evaluate."], "recommend": [], "inspect": [], "generate": []}
FLAGS = {"prepare": ["-o, --output", "-f, --force"],
         "train": ["-o, --output", "-f, --force", "--preset"],
         "evaluate": ["-d, --data"],
         "recommend": ["--query", "--features", "--side", "-k, --k", "-d, --data"],
         "inspect": [],
         "generate": ["-o, --output", "-f, --force", "--items", "--pairs", "--queries", "--truth"]}
COMMON = ["--json", "-s, --set", "-q, --quiet", "-h, --help"]


class Help(unittest.TestCase):
    """The help names every flag and every option of a command's sections."""

    def test_overview_lists_commands_and_exit_codes(self):
        """diptych --help, -h and help are the same text."""
        texts = {run(word).out for word in ("--help", "-h", "help")}
        self.assertEqual(len(texts), 1)
        text = texts.pop()
        for name in COMMANDS:
            self.assertIn("\n  %s " % name, text)
        self.assertIn("0 done, 1 failed, 2 usage, 3 input/output, 4 memory, 5 bad file", text)

    def test_version(self):
        """diptych --version says what the header says."""
        self.assertRegex(run("--version").out, r"^diptych \d+\.\d+\.\d+\n$")

    def test_every_flag_is_listed(self):
        """The flags of each command, and those that all have."""
        for name in COMMANDS:
            result = run(name, "--help")
            self.assertEqual(result.code, OK)
            self.assertEqual(result.err, "")
            self.assertTrue(result.out.startswith("usage: diptych " + name))
            for flag in FLAGS[name] + COMMON:
                self.assertIn("\n  " + flag, result.out, name)

    def test_every_option_is_listed(self):
        """The options of a command's sections: key, default and range."""
        options = Library().options()
        self.assertGreater(len(options), 30)
        for name in COMMANDS:
            text = " ".join(run(name, "--help").out.split())
            for key, kind, default, allowed in options:
                section = key[:key.find(".") + 1]
                if section not in SECTIONS[name]:
                    continue
                self.assertIn(" %s " % key, text, name)
                end = "(%s%s%s; default %s)" % (kind, ": " if allowed else "", allowed,
                                                default or "none")
                self.assertIn(end, text)

    def test_every_option_is_listed_somewhere(self):
        """No option of the library is missing from all helps."""
        text = "".join(run(name, "--help").out for name in COMMANDS)
        for option in Library().options():
            self.assertIn("  %s " % option[0], text)

    def test_help_wins_over_missing_arguments(self):
        """--help works wherever it stands."""
        self.assertEqual(run("train", "-o", "x", "--help").code, OK)

    def test_lines_are_narrow(self):
        """No line of any help is wider than 100 columns or ends in blanks."""
        for name in COMMANDS:
            for line in run(name, "--help").out.split("\n"):
                self.assertLessEqual(len(line), 100, line)
                self.assertEqual(line, line.rstrip(), name)


class Words(harness.Case):
    """Unknown commands, flags and arguments."""

    def test_no_command(self):
        """diptych alone shows the overview and fails."""
        result = run()
        self.assertEqual((result.code, result.out), (USAGE, ""))
        self.assertIn("usage: diptych COMMAND", result.err)

    def test_unknown_command(self):
        """The unknown word is named."""
        self.refused(USAGE, ["trian"], 'unknown command "trian"')

    def test_unknown_flag(self):
        """The flag and the way to the help are named."""
        self.refused(USAGE, ["train", "x", "--frobnicate"], "--frobnicate", "diptych train --help")
        self.refused(USAGE, ["train", "x", "-z"], "-z", "diptych train --help")

    def test_missing_output(self):
        """prepare and train need -o."""
        self.refused(USAGE, ["prepare", self.project()], "-o")
        self.refused(USAGE, ["train", self.path("d.dip")], "-o")

    def test_missing_positional(self):
        """Every command needs its first argument, but generate, which takes none."""
        for name in COMMANDS[:-1]:
            self.refused(USAGE, [name], "an argument is missing")

    def test_one_argument_too_many(self):
        """The surplus argument is named."""
        self.refused(USAGE, ["inspect", "a", "surplus"], "surplus")

    def test_value_missing_behind_flag(self):
        """A flag that takes a value cannot stand last."""
        self.refused(USAGE, ["train", "x", "-o"], "-o")
        self.refused(USAGE, ["train", "x", "--train.rate"], "train.rate")

    def test_switch_takes_no_value(self):
        """--json=1 is refused."""
        self.refused(USAGE, ["inspect", "x", "--json=1"], "--json")

    def test_set_needs_an_equals_sign(self):
        """--set train.rate is refused."""
        self.refused(USAGE, ["train", "x", "--set", "train.rate"], "KEY=VALUE")

    def test_two_dashes_end_the_flags(self):
        """What follows -- is an argument, even when it begins with a dash."""
        self.refused(harness.IO, ["inspect", "--", "-q.npy"], "-q.npy")


class Options(harness.Shared):
    """Options through --KEY VALUE, --KEY=VALUE and --set."""

    def train(self, code, texts, *options):
        """A training run that must be refused."""
        self.refused(code, ["train", self.shared_dataset, "-o", self.path("m"), "-q", *options],
                     *texts)

    def test_unknown_key_names_the_nearest(self):
        """In all three spellings, for each command that has options."""
        for options in (["--set", "train.rat=1"], ["--train.rat", "1"], ["--train.rat=1"]):
            self.train(USAGE, ['"train.rat"', 'did you mean "train.rate"'], *options)
        project = self.project()
        self.not_prepared(USAGE, project, '"split.tset"', 'did you mean "split.test"',
                          options=["--split.tset", "0.1"])
        self.refused(USAGE, ["evaluate", self.shared_model, "--evaluate.protocoll", "paper"],
                     '"evaluate.protocoll"', 'did you mean "evaluate.protocol"')

    def test_unknown_key_without_a_neighbour(self):
        """Nothing is suggested when nothing is near."""
        self.train(USAGE, ['unknown option "zzzzzz.qqq"'], "--set", "zzzzzz.qqq=1")

    def test_options_that_a_command_does_not_use(self):
        """Known or not, an option that would do nothing is refused by every command."""
        model = self.shared_model
        for command, key in [(["evaluate", model], "train.rate"), (["inspect", model], "seed"),
                             (["recommend", model, "--query", "i1"], "evaluate.k"),
                             (["recommend", model, "--query", "i1"], "foo.bar"),
                             (["inspect", model], "foo.bar")]:
            for options in (["--" + key, "1"], ["--set", key + "=1"]):
                with self.subTest(command=command[0], key=key):
                    self.refused(USAGE, [*command, *options], key)

    def test_out_of_range(self):
        """Key, value and range are named."""
        for key, value, text in [("train.batch", "1", "2 to 65536"),
                                 ("train.epochs", "0", "1 to 100000"),
                                 ("train.temperature", "0", "0.001 to 100"),
                                 ("train.temperature", "-1", "0.001 to 100"),
                                 ("train.rate", "1e39", "0 to 1e+38"),
                                 ("ssl.dropout", "1", "0 to 0.99"),
                                 ("model.hidden", "8,0", "1 to 65536"),
                                 ("model.dim", "99999999999999999999", "1 to 4096"),
                                 ("ssl.method", "cmf", "cfm"),
                                 ("seed", "-1", "0 to")]:
            self.train(USAGE, [key, '"%s"' % value, text], "--" + key, value)

    def test_wrong_type(self):
        """Key, value and type are named."""
        for kind, key, values in [("integer", "train.batch", ["many", "2.5", ""]),
                                  ("number", "train.rate", ["fast", "nan", "inf", "0x1"]),
                                  ("switch", "train.mask_hits", ["2"]),
                                  ("integers", "model.hidden", ["8;4", "", "1,2,3,4,5,6,7,8,9"])]:
            for value in values:
                self.train(USAGE, [key, '"%s"' % value, kind], "--set", "%s=%s" % (key, value))

    def test_unknown_preset(self):
        """The preset is named."""
        self.train(USAGE, ['"papre"', '"paper"'], "--preset", "papre")

    def test_evaluate_options(self):
        """evaluate.k and evaluate.protocol are checked too."""
        for key, value in [("evaluate.k", "0"), ("evaluate.k", "1001"), ("evaluate.protocol", "x"),
                           ("evaluate.bootstrap", "-1")]:
            self.refused(USAGE, ["evaluate", self.shared_model, "--" + key, value], key, value)

    def test_the_last_of_two_values_counts(self):
        """Later settings override earlier ones and the project file."""
        self.done(run("train", self.shared_dataset, "-o", self.path("m"), "-q", "--train.epochs",
                      "9", "--set", "train.epochs=1"))
        config = run("inspect", self.path("m"), "--json").json()["config"]
        self.assertEqual(config["train.epochs"], "1")
        self.assertEqual(config["train.batch"], "32")

    def test_settings_are_judged_together(self):
        """Two settings that are good together are taken, in either order."""
        project = self.project(settings={"split": {"test": 0.1, "validation": 0.5}})
        for i, options in enumerate([["--split.validation", "0.1", "--split.test", "0.6"],
                                     ["--split.test", "0.6", "--split.validation", "0.1"]]):
            self.done(run("prepare", project, "-o", self.path("o%d" % i), "-q", *options))

    def test_too_many_settings(self):
        """The fixed limit is refused with words."""
        options = ["--seed", "1"] * 200
        self.train(USAGE, ["too many"], *options)


if __name__ == "__main__":
    unittest.main()
