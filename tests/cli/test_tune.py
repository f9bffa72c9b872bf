# SPDX-License-Identifier: Apache-2.0
"""tune: its rungs and finalists against runs that train makes; what it and --options refuse."""
import glob
import json
import os
import signal
import time
import unittest

import harness
import studies
from harness import FAILED, FORMAT, IO, NONFINITE, USAGE, run
from studies import T95, holm, paired_p

SPACE = {"train.rate": [0.03, 0.1, 0.5], "ssl.method": ["none", "cfm", "spread-out"],
         "ssl.alpha": [0.1, 1], "ssl.dropout": [0.2, 0.6]}

# A space with a mistake where the mark is, and what is said of it.
MISTAKES = [
    ("train.rate: ^[]\n", ["a list of 1 to 16 values"]),
    ("train.rate: ^0.1\n", ["a list of 1 to 16 values"]),
    ("train.rate: [0.1, ^-1]\n", ["train.rate", "-1"]),
    ("ssl.method: [none, ^cmf]\n", ["ssl.method", "cmf"]),
    ("train.rate: [1]\ntrain.rat: [^1]\n", ["train.rat", "train.rate"]),
    ("train.rate: [1]\n^train.rate: [2]\n", ["given twice"]),
    ("^train.epochs: [1, 2]\n", ["train.epochs is what the rungs differ in"]),
    ("^seed: [1, 2]\n", ["seed cannot be set here"]),
    ("^evaluate.k: ['3']\n", ["evaluate.k cannot be set here"]),
    ("^train.metric: [map]\n", ["train.metric cannot be set here"]),
    ("^split.train_fraction: [0.1]\n", ["split.train_fraction cannot be set here"])]

# The same for --options.
WRONG_OPTIONS = [
    ("train: {rate: 0.1, ^rat: 2}\n", ["train.rat", "train.rate"]),
    ("^train.rate: x\n", ["train.rate", "x"]),
    ("train:\n  ^rate: -1\n", ["train.rate", "-1"]),
    ("^trian: {rate: 1}\n", ["trian", "train"]),
    ("^train: 1\n", ["a mapping of options"]),
    ("train.rate: 1\n^train.rate: 2\n", ["given twice"]),
    ("preset: ^papre\n", ["papre", "paper"])]


class Tune(harness.Case):
    """One dataset, searches of a few settings."""

    def setUp(self):
        super().setUp()
        self.data = studies.prepare(self)

    def words(self, *options, space=None, out="t"):
        """The words of a search."""
        self.write("space.yaml", json.dumps(space or SPACE))
        return ["tune", self.data, "-o", self.path(out), "--space", self.path("space.yaml"), "-q",
                "--rival", "none", *options]

    def tuned(self, *options, space=None, out="t"):
        """A search that must succeed; its report."""
        self.done(run(*self.words(*options, space=space, out=out)))
        return studies.results(self.path(out), "tune.json")

    def runs(self, out="t"):
        """The manifests of all runs."""
        return [json.loads(harness.read_bytes(path).decode())
                for path in glob.glob(self.path(out, "runs", "*", "manifest.json"))]

    # ---- what is searched, and how

    def test_rungs(self):
        """9 settings for an epoch, the best 3 for three, the best for nine; every score is that of
        a run, and those that go on are the best ones."""
        report = self.tuned("--trials", "9", "--finalists", "1", "--seeds", "2", "--train.epochs",
                            "9", "--train.patience", "0")
        self.assertEqual((report["metric"], report["split"]), ("recall@3", "validation"))
        self.assertEqual(report["rungs"], [1, 3, 9])
        listed = [s["options"] for s in report["settings"]]
        self.assertEqual(len({json.dumps(o, sort_keys=True) for o in listed}), 9)
        self.assertEqual(listed[0], {})
        made = [(int(r["options"]["train.epochs"]), int(r["options"]["seed"]))
                for r in self.runs()]
        self.assertEqual((made.count((1, 1)), made.count((3, 1))), (9, 3))
        self.assertEqual(made.count((9, 1)), len(report["finalists"]))
        defaults = {"ssl.method": "cfm", "ssl.alpha": "0.3", "ssl.dropout": "0.3",
                    "train.rate": "0.3"}
        scores = {1: {}, 3: {}}
        for one in self.runs():
            epochs = int(one["options"]["train.epochs"])
            if epochs < 9:
                values = tuple(one["options"][key] for key in sorted(defaults))
                scores[epochs][values] = one["best_validation"]
        left = list(range(9))
        for epochs, keep in ((1, 3), (3, 1)):
            value = {i: scores[epochs][tuple({**defaults, **listed[i]}[key]
                                             for key in sorted(defaults))] for i in left}
            ranked = sorted(left, key=lambda i, v=value: -v[i])
            for i in ranked[keep:]:
                if i != 0:
                    self.assertEqual(report["settings"][i]["score"], value[i])
                    self.assertEqual(report["settings"][i]["rung"], (1, 3).index(epochs))
            left = sorted(ranked[:keep], key=ranked.index)
        self.assertEqual({f["setting"] for f in report["finalists"]}, {0, *left})

    def test_equal_settings_are_one(self):
        """What comes to the runs of the base, or of another setting, is not tried again: a value
        that the base has, or options that do nothing."""
        report = self.tuned("--trials", "9", "--finalists", "1", "--seeds", "1", "--train.rate",
                            "0.07", "--ssl.method", "none",
                            space={"train.batch": [32, 16], "ssl.noise": [0.1, 0.2]})
        tried = [s["options"].get("train.batch") for s in report["settings"]]
        self.assertEqual(sorted(tried, key=str), ["16", None])
        keys = [json.dumps(r["options"], sort_keys=True) for r in self.runs()]
        self.assertEqual(len(keys), len(set(keys)))

    def test_settings_come_from_the_space(self):
        """Values of the axes, without those that would do nothing."""
        report = self.tuned("--trials", "20", "--finalists", "1", "--seeds", "1", "--train.epochs",
                            "1")
        used = set()
        for one in report["settings"][1:]:
            for key, value in one["options"].items():
                self.assertIn(value, [str(v) for v in SPACE[key]])
            used.add(one["options"]["ssl.method"])
            wanted = {"none": set(), "spread-out": {"ssl.alpha"},
                      "cfm": {"ssl.alpha", "ssl.dropout"}}[one["options"]["ssl.method"]]
            self.assertEqual(set(one["options"]), {"train.rate", "ssl.method"} | wanted)
        self.assertEqual(used, set(SPACE["ssl.method"]))

    def test_a_temperature_is_drawn_where_the_second_loss_has_one(self):
        """Noisy views have one as well; dropped features have none."""
        for method, used in (("noise", True), ("cfm", True), ("spread-out", True),
                             ("feature-dropout", False), ("none", False)):
            report = self.tuned("--trials", "2", "--finalists", "1", "--seeds", "1",
                                "--train.epochs", "1", "--ssl.method", method, out="t-" + method,
                                space={"train.rate": ["0.03"], "ssl.temperature": ["0.3"]})
            self.assertEqual("ssl.temperature" in report["settings"][1]["options"], used, method)

    def test_given_options_are_not_varied(self):
        """And they stand in best.yaml; a small space is not searched twice."""
        report = self.tuned("--trials", "50", "--ssl.method", "none", "--train.epochs", "1",
                            "--seeds", "1")
        self.assertEqual([s["options"] for s in report["settings"]][0], {})
        self.assertEqual(sorted(s["options"]["train.rate"] for s in report["settings"][1:]),
                         ["0.03", "0.1", "0.5"])
        text = harness.read_bytes(self.path("t", "best.yaml")).decode()
        self.assertIn("ssl.method: 'none'\n", text)

    def test_another_seed_draws_other_settings(self):
        """Options of the draws."""
        one, two = [self.tuned("--trials", "5", "--seeds", "1", "--train.epochs", "1", "--seed",
                               str(seed), out="t%d" % seed)["settings"] for seed in (1, 2)]
        self.assertNotEqual([s["options"] for s in one], [s["options"] for s in two])

    def test_the_test_split_is_not_looked_at(self):
        """No run ranks it, and a dataset without one can be tuned."""
        split = dict(studies.SETTINGS["split"], test=0)
        self.data = studies.prepare(self, "v.dip", settings={"split": split})
        self.tuned("--trials", "3", "--seeds", "1")
        for one in self.runs():
            self.assertNotIn("test", one)
        self.assertEqual(glob.glob(self.path("t", "runs", "*", "ranks-test.npy")), [])

    # ---- finalists

    def test_finalists(self):
        """Their values are those that train gives with best.yaml and each seed; order, spread,
        tests, and the base among them."""
        report = self.tuned("--trials", "6", "--finalists", "2", "--seeds", "3")
        finals = report["finalists"]
        self.assertIn(0, [f["setting"] for f in finals])
        self.assertEqual(report["best"], finals[0]["options"])
        means = [f["mean"] for f in finals]
        self.assertEqual(means, sorted(means, reverse=True))
        for seed, value in enumerate(finals[0]["values"], 1):
            said = self.done(run("train", self.data, "-o", self.path("m%d" % seed), "-q", "--json",
                                 "--options", self.path("t", "best.yaml"), "--seed", seed)).json()
            self.assertAlmostEqual(said["best_validation"], value, places=9)
        for i, final in enumerate(finals):
            self.assertEqual(final["options"], report["settings"][final["setting"]]["options"])
            mean = sum(final["values"]) / 3
            self.assertAlmostEqual(final["mean"], mean, places=9)
            self.assertAlmostEqual(final["sd"] ** 2 * 2, sum((v - mean) ** 2
                                                             for v in final["values"]), places=9)
            if i == 0:
                self.assertEqual([final[k] for k in ("behind", "p_seed", "p_query")], [None] * 3)
                continue
            self.assertAlmostEqual(final["behind"], means[0] - mean, places=6)
            self.assertTrue(final["behind_low"] <= final["behind"] <= final["behind_high"])
            self.assertTrue(0 < final["p_query"] <= 1)
        raw = [paired_p(finals[0]["values"], final["values"]) for final in finals[1:]]
        for found, wanted in zip(finals[1:], holm(raw)):
            self.assertAlmostEqual(found["p_seed"], wanted, places=9)
        self.assertEqual(len(T95), 2)

    def test_the_base_wins(self):
        """best.yaml without an option is one that train reads."""
        train = dict(studies.SETTINGS["train"], nonfinite_limit=1)
        self.data = studies.prepare(self, "n.dip", settings={"train": train})
        report = self.tuned("--trials", "2", "--finalists", "2", "--seeds", "2",
                            space={"train.rate": ["1e30"]})
        self.assertEqual((report["settings"][1]["score"], report["best"]), (None, {}))
        self.assertEqual([f["setting"] for f in report["finalists"]], [0, 1])
        wild = report["finalists"][1]
        self.assertEqual([wild[k] for k in ("mean", "sd", "values", "p_seed", "behind")],
                         [None, None, [None, None], None, None])
        self.model(self.data, "--options", self.path("t", "best.yaml"))
        self.tuned("--trials", "2", "--finalists", "2", "--seeds", "2", "--threads", "1",
                   space={"train.rate": ["1e30"]})
        best = harness.read_bytes(self.path("t", "best.yaml")).decode()
        self.assertEqual(best.split("\n")[1:], ["{}", ""])
        text = self.done(run(*self.words("--trials", "2", "--finalists", "2", "--seeds", "2",
                                         space={"train.rate": ["1e30"]}))).out
        self.assertIn("diverged with some seed", text)
        self.assertNotIn("-1.0000", text)

    def test_everything_diverges(self):
        """Exit code 6, what may help, and no best.yaml."""
        self.says(run(*self.words("--trials", "2", "--train.rate", "1e30",
                                  "--train.nonfinite_limit", "1")), NONFINITE, "train.rate")
        self.assertFalse(os.path.exists(self.path("t", "best.yaml")))

    def test_text(self):
        """What it prints: settings, finalists, how to go on."""
        words = self.words("--trials", "4", "--seeds", "2")
        text = self.done(run(*words)).out
        report = studies.results(self.path("t"), "tune.json")
        for one in report["settings"]:
            self.assertIn("  %3d  rung %d  %.4f  " % (one["setting"], one["rung"], one["score"]),
                          text)
        best = report["finalists"][0]
        self.assertIn("%.4f +- %.4f" % (best["mean"], best["sd"]), text)
        self.assertIn("--options %s/best.yaml" % self.path("t"), text)
        self.assertEqual(self.done(run(*words, "--json")).json(), report)

    # ---- the rival

    def test_a_rival(self):
        """The preset best, with what is given: tried, always a finalist, with the values that train
        gives for it; best.yaml names the preset when it wins."""
        train = dict(studies.SETTINGS["train"], rate=1e-9)
        self.data = studies.prepare(self, "r.dip", settings={"train": train})
        given = ["--train.epochs", "9", "--train.patience", "0"]
        words = ["--trials", "3", "--finalists", "1", "--seeds", "2", *given]
        report = self.tuned(*words, "--rival", "best", space={"train.temperature": ["9", "8"]})
        rival = {"preset": "best", **{o[2:]: v for o, v in zip(given[::2], given[1::2])}}
        self.assertEqual([s["options"] for s in report["settings"][:2]], [{}, rival])
        self.assertEqual(len(report["settings"]), 3)
        final = {f["setting"]: f for f in report["finalists"]}
        self.assertTrue({0, 1} <= set(final))
        for seed, value in enumerate(final[1]["values"], 1):
            said = self.done(run("train", self.data, "-o", self.path("r%d" % seed), "-q", "--json",
                                 "--preset", "best", *given, "--seed", seed)).json()
            self.assertAlmostEqual(said["best_validation"], value, places=9)
        self.assertEqual(report["best"], rival)
        lines = harness.read_bytes(self.path("t", "best.yaml")).decode().split("\n")
        self.assertEqual(lines[1:-1], ["%s: '%s'" % item for item in rival.items()])
        said = self.done(run("train", self.data, "-o", self.path("b"), "-q", "--json", "--options",
                             self.path("t", "best.yaml"), "--seed", "1")).json()
        self.assertAlmostEqual(said["best_validation"], final[1]["values"][0], places=9)
        text = self.done(run(*self.words(*words, "--rival", "best",
                                         space={"train.temperature": ["9", "8"]}))).out
        self.assertIn("preset best, train.epochs 9, train.patience 0\n", text)

    def test_a_rival_is_judged_like_the_others(self):
        """The preset paper has another protocol, which is not that of the search."""
        report = self.tuned("--trials", "3", "--finalists", "2", "--seeds", "2", "--rival", "paper")
        self.assertEqual({r["options"]["evaluate.protocol"] for r in self.runs()}, {"standard"})
        finals = report["finalists"]
        self.assertIn("paper", [f["options"].get("preset") for f in finals])
        for one in finals[1:]:
            self.assertAlmostEqual(one["behind"], finals[0]["mean"] - one["mean"], places=6)

    def test_no_rival(self):
        """Beside a preset to begin with; one that the dataset cannot be trained with; an unknown
        one is refused."""
        few = ["--trials", "3", "--seeds", "1", "--train.epochs", "1"]
        report = self.tuned(*few, "--rival", "best", "--preset", "best")
        self.assertNotIn("preset", report["settings"][1]["options"])
        self.refused(USAGE, self.words(*few, "--rival", "bset", out="u"), "bset", "best")
        report = self.tuned(*few, "--rival", "best", "--near", "1", "--ssl.method",
                            "feature-dropout", out="v")
        self.assertEqual([s["options"].get("preset") for s in report["settings"]], [None] * 3)
        self.assertEqual(report["rival"], "best")
        self.assertIn("train.id_dropout and ssl.method: feature-dropout", report["rival_left_out"])
        text = self.done(run(*self.words(*few, "--rival", "best", "--near", "1", "--ssl.method",
                                         "feature-dropout", out="v"))).out
        self.assertIn("the preset best was left out: train.id_dropout", text)

    # ---- settings near a good one

    def near(self, share, *options):
        """Options of the settings drawn, of which `share` are to be near the known one; the rival's
        are taken from those that begin with it."""
        space = {"train.temperature": [9, 8], "train.rate": [0.03, 0.1], "train.batch": [8, 16],
                 "model.dim": [3, 5], "train.logq": ["none", "exact"], "ssl.noise": [0.3]}
        report = self.tuned("--trials", "12", "--finalists", "1", "--seeds", "1", "--near", share,
                            "--train.epochs", "1", *options, space=space,
                            out="t" + "".join((share, *options)))
        given = 2 if report["settings"][1]["options"] == {"preset": "best",
                                                          "train.epochs": "1"} else 1
        drawn = [s["options"] for s in report["settings"][given:]]
        self.assertEqual(given + len(drawn), 12)
        self.assertEqual(len({json.dumps(o, sort_keys=True) for o in drawn}), len(drawn))
        keys = {*space, "preset", "train.epochs", "train.rate_width"}
        for one in drawn:
            self.assertLessEqual(set(one), keys)
            for key in set(one) & set(space):
                self.assertIn(one[key], [str(v) for v in space[key]])
        return drawn, len(space)

    def test_near_the_rival(self):
        """All, half or none are the preset with some options drawn anew; the others have all
        options of the space. A rate that is drawn is not one that goes with the width."""
        for share, wanted in (("1", 10), ("0.5", 5), ("0", 0)):
            drawn, most = self.near(share, "--rival", "best")
            near = [one for one in drawn if "preset" in one]
            self.assertLessEqual(abs(len(near) - wanted), 2 if share == "0.5" else 0)
            for one in near:
                self.assertEqual((one.pop("preset"), one.pop("train.epochs")), ("best", "1"))
                self.assertEqual(one.pop("train.rate_width", None),
                                 "0" if "train.rate" in one else None)
                self.assertTrue(one)
            if near:
                self.assertLess(sum(len(one) for one in near), 0.75 * most * len(near))
            self.assertEqual({len(one) for one in drawn if one not in near},
                             {most} if share != "1" else set())

    def test_near_what_does_not_go_together(self):
        """Dropped ids and feature dropout: the preset's rate gives way. A width for the rate that
        the space has is drawn like the rest."""
        report = self.tuned("--trials", "8", "--finalists", "1", "--seeds", "1", "--near", "1",
                            "--rival", "best", "--train.epochs", "1",
                            space={"ssl.method": ["feature-dropout"], "train.batch": [8, 16, 32],
                                   "train.temperature": [8, 9]})
        dropped = [s["options"] for s in report["settings"]
                   if s["options"].get("ssl.method") == "feature-dropout"]
        self.assertEqual({one["train.id_dropout"] for one in dropped}, {"0"})
        report = self.tuned("--trials", "12", "--finalists", "1", "--seeds", "1", "--rival", "best",
                            "--train.epochs", "1", out="w",
                            space={"train.rate": [0.01, 0.02, 0.03], "train.batch": [8, 16],
                                   "train.rate_width": [64, 128]})
        self.assertEqual({s["options"]["train.rate_width"] for s in report["settings"][2:]
                          if "preset" not in s["options"]}, {"64", "128"})

    def test_near_a_preset_to_begin_with(self):
        """It is the base, beside which few options are named; without a preset and a rival all are
        drawn from the whole space."""
        drawn, most = self.near("1", "--preset", "best")
        self.assertLess(sum(len(one) for one in drawn), 0.75 * most * len(drawn))
        self.assertNotIn("train.rate_width", {key for one in drawn for key in one})
        drawn, most = self.near("1")
        self.assertEqual({len(one) for one in drawn}, {most})

    # ---- again

    def test_same_bytes(self):
        """tune.json and best.yaml for any number of jobs and threads, made once or twice."""
        options = ["--trials", "5", "--seeds", "2", "--rival", "best", "--train.epochs", "2"]
        for i, more in enumerate((["--jobs", "1"], ["--jobs", "2", "--threads", "2"],
                                  ["--threads", "2"])):
            self.tuned(*options, *more, out="t%d" % i)
            made = harness.read_bytes(self.path("t%d" % i, "tune.json"))
            self.assertEqual(made, harness.read_bytes(self.path("t0", "tune.json")))
        before = studies.finished(self.path("t0"))
        self.tuned(*options, out="t0")
        self.assertEqual(studies.finished(self.path("t0")), before)

    def test_interrupted(self):
        """SIGINT after some runs: exit code 130; the same command goes on to the same bytes."""
        options = ["--trials", "6", "--seeds", "2", "--train.epochs", "9", "--train.patience", "0",
                   "--jobs", "1", "--rival", "best"]
        self.tuned(*options)
        child = harness.start(*self.words(*options, out="again"))
        self.addCleanup(child.kill)
        end = time.monotonic() + 60
        while len(studies.finished(self.path("again"))) < 2 and time.monotonic() < end:
            time.sleep(0.002)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130, err)
        self.assertIn(b"the same command goes on", err)
        before = studies.finished(self.path("again"))
        self.tuned(*options, out="again")
        after = studies.finished(self.path("again"))
        self.assertEqual({key: after[key] for key in before}, before)
        for name in ("tune.json", "best.yaml"):
            self.assertEqual(harness.read_bytes(self.path("again", name)),
                             harness.read_bytes(self.path("t", name)))

    # ---- bad input

    def marked(self, name, text):
        """Writes a file without its mark; (path, "path:line:column: ")."""
        before = text[:text.index("^")].split("\n")
        path = self.write(name, text.replace("^", ""))
        return path, "%s:%d:%d: " % (path, len(before), len(before[-1]) + 1)

    def test_mistakes_in_spaces(self):
        """File, line and column."""
        for i, (text, texts) in enumerate(MISTAKES):
            with self.subTest(space=text):
                path, place = self.marked("s%d.yaml" % i, text)
                self.refused(USAGE, ["tune", self.data, "-o", self.path("t"), "--space", path],
                             place, *texts)
        empty = self.write("empty.yaml", "{}\n")
        self.refused(USAGE, ["tune", self.data, "-o", self.path("t"), "--space", empty], empty,
                     "names no option to vary")

    def test_mistakes_in_options(self):
        """Of train --options."""
        for i, (text, texts) in enumerate(WRONG_OPTIONS):
            with self.subTest(options=text):
                path, place = self.marked("o%d.yaml" % i, text)
                self.refused(USAGE, ["train", self.data, "-o", self.path("m"), "-q", "--options",
                                     path], place, *texts)
        words = ["train", self.data, "-o", self.path("m"), "-q", "--options"]
        self.refused(IO, [*words, self.path("none.yaml")], self.path("none.yaml"))
        self.refused(FORMAT, [*words, self.write("bad.yaml", "a: [\n")], "bad.yaml:2")

    def test_order_of_options(self):
        """Flags come last, then the file, then --preset."""
        path = self.write("o.yaml", "train: {rate: 0.25, epochs: 1}\nmodel.dim: 3\n")
        model = self.model(self.data, "--preset", "paper", "--options", path, "--train.rate", "0.5",
                           "--model.hidden", "4", "--train.batch", "8")
        config = json.loads(harness.read_bytes(os.path.join(model, "config.json")))["config"]
        self.assertEqual([config[k] for k in ("train.rate", "train.epochs", "model.dim")],
                         ["0.5", "1", "3"])

    def test_arguments(self):
        """No output, no dataset, unknown and bad settings, nothing to vary."""
        out = self.path("t")
        for words, texts in (([self.data], ["-o DIR is missing"]), (["-o", out], ["missing"]),
                             ([self.data, "-o", out, "--trials", "1"], ["trials", "1"]),
                             ([self.data, "-o", out, "--eta", "x"], ["eta", "x"]),
                             ([self.data, "-o", out, "--study", "x"], ["unknown flag --study"]),
                             ([self.data, "-o", out, "--preset", "x"], ["x", "paper"]),
                             ([self.data, "-o", out, "--train.rat", "1"], ["train.rate"])):
            with self.subTest(words=words[1:]):
                self.refused(USAGE, ["tune", *words], *texts)
        words = self.words("--train.rate", "1", space={"train.rate": [1, 2]})
        self.refused(USAGE, words, "nothing to vary")

    def test_datasets(self):
        """No validation pairs; one feature and a base that masks."""
        words = self.words()
        split = dict(studies.SETTINGS["split"], validation=0)
        words[1] = studies.prepare(self, "v.dip", settings={"split": split})
        self.refused(FAILED, words, "the validation split has no pairs", "split.validation")
        words[1] = studies.prepare(self, "one.dip", features={"tags": {"type": "bag"}})
        self.refused(USAGE, words, "masking needs at least two", "dropout")
        self.done(run(*words, "--ssl.method", "dropout", "--trials", "3", "--seeds", "1"))

    def test_folders(self):
        """Of another search: --force takes them over, runs stay. A comparison never does."""
        self.tuned("--trials", "3", "--seeds", "1")
        before = studies.finished(self.path("t"))
        for words, texts in ((self.words("--trials", "4", "--seeds", "1"), ["other contents"]),
                             (self.words("--train.epochs", "1"), ["train.epochs (2 there, 1"])):
            self.refused(USAGE, words, "--force", *texts, but=["t/lock"])
        for flags in ([], ["--force"]):
            words = studies.command(self, self.data, studies.small(), *flags, out="t")
            self.refused(USAGE, words, "t holds a search for options (tune); give another folder",
                         but=["t/lock"])
        self.tuned("--trials", "4", "--seeds", "1", "--force")
        after = studies.finished(self.path("t"))
        self.assertEqual({key: after[key] for key in before}, before)
        studies.experiment(self, self.data, studies.small())
        words = self.words("--force")
        words[words.index(self.path("t"))] = self.path("r")
        self.refused(USAGE, words, "r holds a comparison (experiment)", but=["r/lock"])


if __name__ == "__main__":
    unittest.main()
