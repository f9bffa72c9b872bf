# SPDX-License-Identifier: Apache-2.0
"""experiment made again: the same results for any number of jobs and threads, after a signal, a
kill or a damaged run; finished runs are not made twice; full disks and diverging methods."""
import glob
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import harness
import studies
from harness import IO, run
from studies import finished, lasting

RUNS = 6  # of the small study


class Again(harness.Case):
    """One dataset, one small study."""

    def setUp(self):
        super().setUp()
        self.data = studies.prepare(self)

    def made(self, *options, out="r", study=None):
        """Results of the small study."""
        return studies.experiment(self, self.data, study or studies.small(), *options, out=out)

    # ---- the same numbers

    def test_jobs_and_threads(self):
        """One run at a time or two, on one thread or two."""
        wanted = lasting(self.made("--jobs", "1"))
        for i, options in enumerate((["--jobs", "2", "--threads", "2"], ["--threads", "2"],
                                     ["--jobs", "3"])):
            self.assertEqual(lasting(self.made(*options, out="r%d" % i)), wanted)

    def test_a_finished_study_is_not_made_again(self):
        """Only the report is; a new title, and more seeds with --force, keep the runs."""
        wanted = self.made()
        before = finished(self.path("r"))
        self.assertEqual(len(before), RUNS)
        self.assertEqual(lasting(self.made()), lasting(wanted))
        self.assertEqual(self.made("--title", "Another <title>")["title"], "Another <title>")
        self.assertEqual(finished(self.path("r")), before)
        found = self.made("--seeds", "3", "--force")
        self.assertEqual(found["study"]["seeds"], [1, 2, 3])
        after = finished(self.path("r"))
        self.assertEqual({key: after[key] for key in before}, before)
        self.assertEqual(len(after), RUNS + 2)

    def test_command(self):
        """What the report says makes the same report, whatever is in the names."""
        os.rename(self.data, self.path("d 'x'.dip"))
        self.data = self.path("d 'x'.dip")
        found = self.made("--train.epochs", "1", "--seeds", "1")
        command = found["command"].replace("-o DIR", "-o again -q --plotly plotly.min.js")
        self.assertTrue(command.startswith("diptych experiment "), command)
        shutil.copy(harness.COMMAND, self.path("diptych"))
        done = subprocess.run(command.replace("diptych", harness.COMMAND, 1), shell=True,
                              cwd=self.folder, env=harness.environment(), check=False,
                              capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(lasting(studies.results(self.path("again"))), lasting(found))

    def test_presets_and_their_files(self):
        """--print-study prints what --study reads back to the same results."""
        flags = ["--train.epochs", "1", "--model.hidden", "4", "--train.batch", "8", "--seeds", "1",
                 "--evaluate.k", "10,50"]
        text = self.done(run("experiment", "--print-study", "quick")).out
        base = ["experiment", self.data, "-o", self.path("r"), "-q", "--plotly",
                studies.plotly(self), *flags]
        self.done(run(*base))
        wanted = lasting(studies.results(self.path("r")))
        before = finished(self.path("r"))
        found = lasting(self.made(*flags, "--force", study=self.write("mine.yaml", text)))
        self.assertEqual((wanted["study"].pop("preset"), found["study"].pop("preset")),
                         ("quick", "mine.yaml"))
        self.assertEqual(found, wanted)
        self.assertEqual(finished(self.path("r")), before)

    # ---- interrupted

    def started(self, out):
        """The study, one run after the other, and the words that start it."""
        words = studies.command(self, self.data, self.longer(), "--jobs", "1", out=out)
        child = harness.start(*words)
        self.addCleanup(child.kill)
        return child, words

    @staticmethod
    def longer():
        """The small study with runs that last a while."""
        return dict(studies.small(), options={"train": {"epochs": 30, "patience": 0}})

    def wait_for(self, out, count, child):
        """Waits until some runs are finished; False when the command ended before."""
        end = time.monotonic() + 60
        while len(finished(self.path(out))) < count:
            self.assertLess(time.monotonic(), end)
            if child.poll() is not None:
                return False
            time.sleep(0.002)
        return True

    def stop_again_and_again(self, out, stop):
        """Starts the study until it ends by itself, and stops it when one more run is finished."""
        stops, before = 0, {}
        for count in range(1, RUNS + 1):
            child, words = self.started(out)
            if self.wait_for(out, count, child):
                time.sleep(0.02 * (count % 3))
                stops += stop(child)
            child.communicate(timeout=60)
            now = finished(self.path(out))
            self.assertEqual({key: now[key] for key in before}, before, "made twice")
            before = now
        self.done(run(*words))
        now = finished(self.path(out))
        self.assertEqual({key: now[key] for key in before}, before, "made twice")
        self.assertGreater(stops, 1)
        runs = self.path(out, "runs")
        self.assertEqual(len(os.listdir(runs)), RUNS, os.listdir(runs))

    def interrupt(self, child):
        """Ctrl-C; whether it came in time."""
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
        if child.returncode in (0, -signal.SIGINT):
            return False  # it had ended, or not yet begun to listen
        self.assertEqual(child.returncode, 130, err)
        self.assertIn(b"interrupted", err)
        self.assertIn(b"the same command goes on", err)
        return True

    def test_interrupted(self):
        """SIGINT: exit code 130, and the same command goes on to the same results."""
        wanted = lasting(self.made(study=self.longer()))
        self.stop_again_and_again("again", self.interrupt)
        self.assertEqual(lasting(studies.results(self.path("again"))), wanted)

    def test_killed(self):
        """kill -9."""
        def kill(child):
            child.kill()
            child.communicate()
            return child.returncode == -signal.SIGKILL
        wanted = lasting(self.made(study=self.longer()))
        self.stop_again_and_again("again", kill)
        self.assertEqual(lasting(studies.results(self.path("again"))), wanted)
        self.assertFalse([n for n in os.listdir(self.path("again")) if n.startswith(".")])

    # ---- damaged

    def test_damaged_runs_are_made_again(self):
        """A byte that flipped, a part or a manifest that is gone: that run, and no other."""
        wanted = lasting(self.made())
        finals = [one["key"] for one in wanted["runs"] if one["stage"] == "final"]
        choice = [one["key"] for one in wanted["runs"] if one["stage"] == "choice"][0]

        def flip(path):
            data = bytearray(harness.read_bytes(path))
            data[len(data) // 2] ^= 1
            harness.write_bytes(path, bytes(data))
        for key, name, damage in ((finals[0], "ranks-test.npy", flip),
                                  (finals[1], "ranks-validation.npy", os.remove),
                                  (finals[2], "manifest.json", flip),
                                  (choice, "manifest.json", os.remove)):
            before = finished(self.path("r"))
            damage(self.path("r", "runs", key, name))
            self.assertEqual(lasting(self.made()), wanted)
            after = finished(self.path("r"))
            self.assertEqual({k for k in after if after[k] != before.get(k)}, {key})

    def test_damaged_share_is_drawn_again(self):
        """The dataset with a share of the training pairs."""
        study = dict(studies.small(), conditions={"half": {"options":
                                                           {"split.train_fraction": 0.5}}})
        wanted = lasting(self.made(study=study))
        part = glob.glob(self.path("r", "data", "*", "pairs-train.npy"))[0]
        harness.write_bytes(part, harness.read_bytes(part)[:-4])
        self.assertEqual(lasting(self.made(study=study)), wanted)

    # ---- a part of a study

    def test_a_part_of_a_study(self):
        """Some methods, and other seeds for the choices: runs that both have are not made again."""
        study = studies.small()
        study["methods"]["rfm"] = {"label": "RFM", "options": {"ssl.method": "rfm"}, "like": "cfm"}
        whole = self.made(study=study)
        before = finished(self.path("r"))
        part = self.made("--methods", "plain,rfm,cfm", "--choice-seeds", "2", "--force",
                         study=study)
        after = finished(self.path("r"))
        self.assertEqual({key: after[key] for key in before}, before)
        self.assertEqual(len(after), len(before) + 2)  # the second seed of two values
        self.assertIn("2 seeds", part["study"]["selection"])
        found = self.made("--methods", "cfm,plain", "--force", study=study)
        self.assertEqual([m["name"] for m in found["methods"]], ["plain", "cfm"])
        self.assertEqual(finished(self.path("r")), after)
        rows = {row["method"]: row["cells"] for row in whole["tables"][0]["rows"]}
        for row in found["tables"][0]["rows"]:
            for cell, other in zip(row["cells"], rows[row["method"]]):
                self.assertEqual(cell.get("values"), other.get("values"))

    # ---- what a reader should know first

    def test_warnings(self):
        """No method above TopPopular; the baseline below it; views that are all alike."""
        study = studies.small()
        study["methods"]["drop"] = {"label": "Drop", "options": {"ssl.method": "dropout",
                                                                 "ssl.dropout": 0}}
        study["tables"][0]["columns"] = ["recall@3", "map@3", "ndcg@3", "recall@10", "map@10"]
        found = self.made("--train.rate", "1e-9", study=study)
        popular = [w for w in found["warnings"] if "and no method more than" in w]
        columns, rows = (found["tables"][0][key] for key in ("columns", "rows"))
        behind = [c["label"] for i, c in enumerate(columns)
                  if not any(row["cells"][i].get("is_best") for row in rows)]
        alike = [w for w in found["warnings"] if "two views that are alike" in w]
        self.assertTrue(0 < len(popular) < len(columns), found["warnings"])
        self.assertEqual([w.split(" of 0.")[0] for w in popular],
                         ["all pairs: TopPopular, which needs no model, has a " + label
                          for label in behind])
        self.assertEqual(len(alike), 1)
        self.assertIn('the method "Drop": ssl.method: dropout', alike[0])
        self.assertIn("ssl.dropout is 0", alike[0])
        study["methods"] = {"plain": study["methods"]["plain"]}
        study["figures"] = []
        learns = ["--train.epochs", "30", "--train.logq", "exact"]
        found = self.made(*learns, study=study, out="q")
        self.assertEqual([w for w in found["warnings"] if "TopPopular" in w], [])
        study["methods"]["idle"] = {"label": "Idle", "options": {"train.rate": 1e-9}}
        study["baseline"] = "idle"
        study["tables"][0]["columns"] = ["recall@3", "map@3", "map@10", "tail/recall@3"]
        found = self.made(*learns, study=study, out="i")
        cells = {row["method"]: row["cells"] for row in found["tables"][0]["rows"]}
        pairs = [(popular["mean"], idle["mean"])
                 for popular, idle in zip(cells["top_popular"], cells["idle"])]
        expected = ["all pairs: TopPopular, which needs no model, has a %s of %.4f, more than the "
                    "%.4f of \"Idle\", with which the other methods are compared"
                    % (column["label"], *pair)
                    for column, pair in zip(found["tables"][0]["columns"], pairs)
                    if column["slice"] == "all" and pair[0] > pair[1]]
        self.assertTrue(expected)
        self.assertEqual([w for w in found["warnings"] if "TopPopular" in w], expected)

    def test_choices_at_an_end(self):
        """The least or the largest of three numbers is named, with the conditions that took it."""
        study = studies.small()
        study["conditions"]["none"] = {"label": "no correction", "options": {"train.logq": "none"}}
        study["methods"]["cfm"]["choose"] = {"ssl.alpha": [0.3, 0.1, 3], "ssl.dropout": [0.1, 0.2]}
        found = self.made(study=study)
        taken = {}
        for choice in found["choices"]:
            value, = (t["value"] for t in choice["tried"] if t["chosen"])
            if choice["option"] == "ssl.alpha" and value != "0.3":
                label, = (c["label"] for c in found["conditions"]
                          if c["name"] == choice["condition"])
                taken.setdefault(value, []).append(label)
        self.assertTrue(taken)
        self.assertEqual(
            [w for w in found["warnings"] if "value of" in w],
            ["the method \"CFM\" took the %s value of ssl.alpha that was tried, %s, under: %s; a "
             "better one may lie beyond it" % (name, value, "; ".join(taken[value]))
             for name, value in (("lowest", "0.1"), ("highest", "3")) if value in taken])

    def test_an_end_that_says_nothing(self):
        """No value did better than another, as where all diverged or the option does nothing."""
        study = studies.small()
        study["methods"]["plain"]["choose"] = {"ssl.dropout": [0.1, 0.2, 0.3]}
        study["methods"]["cfm"]["choose"] = {"train.rate": ["1e20", "1e25", "1e30"]}
        study["figures"] = [{"kind": "curves"}]
        found = self.made(study=study)
        self.assertIn("diverged and are left out", " ".join(found["warnings"]))
        self.assertEqual([w for w in found["warnings"] if "may lie beyond" in w], [])

    def test_long_labels(self):
        """Warnings have them whole, whatever their letters."""
        study = studies.small()
        study["conditions"] = {"full": {"label": "\u00e9" * 290 + "x"}}
        study["methods"]["plain"]["label"] = "\u00fc" * 297
        study["methods"]["cfm"]["options"]["train.rate"] = "1e30"
        study["methods"]["plain"]["options"]["train.rate"] = "1e30"
        found = self.made(study=study)
        self.assertIn("%s: 2 of 2 runs of \"%s\" diverged and are left out" % (
            "\u00e9" * 290 + "x", "\u00fc" * 297), found["warnings"])
        self.assertEqual(found["tables"][0]["title"],
                         "Table 2: All (%s)" % ("\u00e9" * 290 + "x"))

    def test_costs(self):
        """Epochs and seconds of final runs, by hand from the list of runs."""
        found = self.made()
        costs = {(c["condition"], c["method"]): c for c in found["costs"]}
        names = [(c["name"], m["name"]) for c in found["conditions"]
                 for m in found["methods"]]
        self.assertEqual(sorted(costs), sorted(names))
        baseline = found["study"]["baseline"]
        for (condition, method), cost in costs.items():
            finals = [[r for r in found["runs"] if r["stage"] == "final"
                       and r["condition"] == condition and r["method"] == name]
                      for name in (method, baseline)]
            mean = lambda runs, key: sum(r[key] for r in runs) / len(runs)
            self.assertEqual(cost["runs"], len(finals[0]))
            self.assertAlmostEqual(cost["epochs"], mean(finals[0], "epochs"))
            self.assertAlmostEqual(cost["seconds"], mean(finals[0], "seconds"))
            self.assertAlmostEqual(cost["times_baseline"], mean(finals[0], "seconds")
                                   / mean(finals[1], "seconds"))

    # ---- diverging

    def test_a_method_that_diverges(self):
        """It is reported, with a choice or without; the rest goes on."""
        study = studies.small()
        wild = {"ssl.method": "none", "train.rate": "1e30", "train.nonfinite_limit": 1}
        study["methods"]["wild"] = {"label": "Wild", "options": wild}
        study["methods"]["wilder"] = {"label": "Wilder", "options": wild,
                                      "choose": {"train.decay": [0, 0.5]}}
        found = self.made(study=study)
        rows = {row["method"]: row for row in found["tables"][0]["rows"]}
        for name, label in (("wild", "Wild"), ("wilder", "Wilder")):
            self.assertEqual(rows[name]["seeds"], 0)
            for cell in rows[name]["cells"]:
                self.assertEqual((cell["mean"], cell["values"], cell["p_seed"], cell["difference"],
                                  cell["is_best"]), (None, [], None, None, False))
            self.assertIn('all pairs: 2 of 2 runs of "%s" diverged and are left out' % label,
                          found["warnings"])
            cost = [c for c in found["costs"] if c["method"] == name][0]
            self.assertEqual((cost["runs"], cost["epochs"], cost["seconds"],
                              cost["times_baseline"]), (0, None, None, None))
        failed = [one for one in found["runs"] if one["failed"] is not None]
        self.assertEqual({one["method"] for one in failed}, {"wild", "wilder"})
        self.assertEqual([t["score"] for t in found["choices"][1]["tried"]], [None, None])
        curves = [f for f in found["figures"] if f["id"] == "curves-full"][0]
        self.assertEqual([s["name"] for s in curves["panels"][0]["series"]], ["Plain", "CFM"])
        self.assertEqual(rows["cfm"]["seeds"], 2)
        lines = harness.read_bytes(self.path("r", "runs.csv")).decode().splitlines()
        self.assertTrue([line for line in lines if ",wild," in line][0].split('"')[2]
                        .startswith(",,,,"), lines)
        self.assertEqual(lasting(self.made(study=study)), lasting(found))

    # ---- full disks

    def disk(self, size):
        """A small file system; skips where that is not allowed."""
        if os.geteuid() != 0:
            self.skipTest("mounting a small file system needs root")
        place = self.path("disk")
        os.mkdir(place)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk" % size, "none", place],
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            self.skipTest("cannot mount here: " + done.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", place], check=True)
        return place

    def fill(self, place, leave):
        """Leaves so many KiB."""
        disk = os.statvfs(place)
        size = disk.f_bavail * disk.f_bsize - (leave << 10)
        harness.write_bytes(os.path.join(place, "ballast"), b"x" * size)

    def test_full_disk_keeps_the_report(self):
        """Until the whole new report fits, the older one stays, all files of it."""
        place = self.disk(4096)
        first = self.made(out="disk/r")
        report = os.path.join(place, "r")
        names = ("results.json", "tables.csv", "runs.csv", "figures.csv", "index.html")
        before = {name: harness.read_bytes(os.path.join(report, name)) for name in names}
        words = studies.command(self, self.data, studies.small(), "--title", "New", out="disk/r")
        for leave in (0, 4, 12, 40, 80):
            self.fill(place, leave)
            self.says(run(*words), IO, report, "No space left on device")
            after = {name: harness.read_bytes(os.path.join(report, name)) for name in names}
            self.assertEqual(after, before)
            self.assertFalse([n for n in os.listdir(report) if n.startswith(".")])
            os.remove(os.path.join(place, "ballast"))
        self.done(run(*words))
        found = studies.results(report)
        self.assertEqual(found.pop("title"), "New")
        self.assertEqual(lasting(found), {k: v for k, v in lasting(first).items() if k != "title"})

    def test_space_freed(self):
        """A study that found no room, at any point, goes on when there is some."""
        place = self.disk(4096)
        words = studies.command(self, self.data, studies.small(), out="disk/r")
        for leave in (0, 4, 8, 16, 64, 128):
            self.fill(place, leave)
            self.says(run(*words), IO, place, "No space left on device")
            os.remove(os.path.join(place, "ballast"))
        self.done(run(*words))
        self.assertEqual(lasting(studies.results(os.path.join(place, "r"))),
                         lasting(self.made()))


if __name__ == "__main__":
    unittest.main()
