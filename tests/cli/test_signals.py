# SPDX-License-Identifier: Apache-2.0
"""SIGINT and SIGTERM: exit code 130 or 143, outputs whole or absent, nothing temporary left."""
import os
import random
import shutil
import signal
import time
import unittest

import harness
from harness import run, snapshot, table

ENDLESS = ["--train.epochs", "100000", "--train.patience", "0", "--threads", "1"]
SLOW = ["--train.batch", "2", "--model.hidden", "4096,4096", *ENDLESS]
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def wait_until(condition, seconds=60):
    """Polls until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.005)


def catches(child, number):
    """Whether a process has a handler for a signal, as the kernel tells."""
    with open("/proc/%d/status" % child.pid, encoding="ascii") as file:
        for line in file:
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


class Signals(harness.Shared):
    """Signals sent when the handlers stand."""

    def start(self, *command):
        """Starts a command and waits for its handlers."""
        child = harness.start(*command)
        self.addCleanup(child.kill)
        wait_until(lambda: catches(child, signal.SIGTERM) or child.poll() is not None)
        self.assertIsNone(child.poll(), "it ended before a signal could be sent")
        return child

    def end(self, child, seconds=20):
        """Waits for the end; returns exit code and standard error."""
        out, err = child.communicate(timeout=seconds)
        self.assertEqual(out, b"")
        return child.returncode, err.decode()

    def train(self, out, *options):
        """A training run that does not end by itself."""
        return self.start("train", self.shared_dataset, "-o", out, "-q", *options)

    def test_the_process_has_the_name_of_the_command(self):
        """Tools that list and signal processes find it."""
        child = self.train(self.path("m"), *SLOW)
        with open("/proc/%d/comm" % child.pid, encoding="ascii") as file:
            self.assertEqual(file.read(), "diptych\n")
        child.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(child)[0], 143)

    def test_before_the_first_epoch(self):
        """Nothing is left but, when a step was made, a checkpoint."""
        for number, code in CODES.items():
            child = self.train(self.path("m"), *SLOW)
            child.send_signal(number)
            found, err = self.end(child)
            self.assertEqual(found, code, err)
            self.assertTrue(err.startswith("diptych: "), err)
            left = os.listdir(self.folder)
            self.assertEqual(left, ["m.checkpoints"] if "checkpoint of step" in err else [])
            shutil.rmtree(self.path("m.checkpoints"), True)

    def test_after_some_epochs(self):
        """The best model so far is there, whole, and the message says so."""
        for number, code in CODES.items():
            out = self.path("m%d" % number)
            child = self.train(out, *ENDLESS)
            wait_until(lambda path=out: os.path.exists(path))
            child.send_signal(number)
            found, err = self.end(child)
            self.assertEqual(found, code, err)
            self.assertIn("last good model", err)
            self.done(run("evaluate", out, "-q"))
        self.assertFalse([n for n in os.listdir(self.folder) if n.startswith(".")])

    def test_at_any_time(self):
        """Signals at random moments of runs that write a model an epoch."""
        draw = random.Random(3)
        dataset = self.dataset(settings={"split": {"test": 0.1, "validation": 0}})
        for _ in range(12):
            child = self.start("train", dataset, "-o", self.path("m"), "-q", "-f", *ENDLESS)
            time.sleep(draw.random() * 0.06)
            child.send_signal(signal.SIGINT)
            found, err = self.end(child)
            self.assertEqual(found, 130, err)
            self.assertFalse([n for n in os.listdir(self.folder) if n.startswith(".")])
            if os.path.exists(self.path("m")):
                self.done(run("recommend", self.path("m"), "--query", "i1", "-q"))

    def test_killed_at_any_time(self):
        """kill -9: the output is whole or absent; the next run removes what was half written."""
        draw = random.Random(4)
        dataset = self.dataset(settings={"split": {"test": 0.1, "validation": 0}})
        for _ in range(12):
            child = self.start("train", dataset, "-o", self.path("m"), "-q", "-f", *ENDLESS)
            time.sleep(draw.random() * 0.06)
            child.kill()
            child.communicate()
            if os.path.exists(self.path("m")):
                self.done(run("recommend", self.path("m"), "--query", "i1", "-q"))
        self.done(run("train", dataset, "-o", self.path("m"), "-q", "-f"))
        self.assertFalse([n for n in os.listdir(self.folder) if n.startswith(".")])

    def test_old_output_is_kept(self):
        """--force and a signal before the first epoch."""
        self.copies()
        before = snapshot(self.folder)
        child = self.train(self.path("m"), "--force", *SLOW)
        child.send_signal(signal.SIGINT)
        self.assertEqual(self.end(child)[0], 130)
        shutil.rmtree(self.path("m.checkpoints"), True)
        self.assertEqual(snapshot(self.folder), before)

    def piped_project(self):
        """A project whose interactions come from a pipe that the test fills."""
        project = self.project()
        os.remove(self.path("pairs.tsv"))
        os.mkfifo(self.path("pairs.tsv"))
        return project

    def test_prepare(self):
        """A signal while the interactions are being read."""
        child = harness.start("prepare", self.piped_project(), "-o", self.path("d"), "-q")
        self.addCleanup(child.kill)
        rows = table(["q", "x", "t", "part"], harness.pair_rows())
        with open(self.path("pairs.tsv"), "wb") as pipe:
            pipe.write(rows)
            wait_until(lambda: catches(child, signal.SIGINT))
            child.send_signal(signal.SIGINT)
            body = rows[rows.index(b"\n") + 1:]
            try:
                pipe.write(body * 40)
            except BrokenPipeError:
                pass
        found, err = self.end(child)
        self.assertEqual(found, 130, err)
        self.assertEqual(sorted(os.listdir(self.folder)), ["items.tsv", "p.yaml", "pairs.tsv"])

    def test_second_signal_ends_at_once(self):
        """Even when the work does not look at the first one; the next run sweeps up."""
        project = self.piped_project()
        child = harness.start("prepare", project, "-o", self.path("d"), "-q")
        self.addCleanup(child.kill)
        with open(self.path("pairs.tsv"), "wb") as pipe:
            wait_until(lambda: catches(child, signal.SIGTERM))
            child.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            child.send_signal(signal.SIGTERM)
            self.assertEqual(self.end(child, 5)[0], 143)
            pipe.flush()
        self.assertFalse(os.path.exists(self.path("d")))
        os.remove(self.path("pairs.tsv"))
        self.dataset("d")
        self.assertFalse([n for n in os.listdir(self.folder) if n.startswith(".")])

    def test_bootstrap_can_be_stopped(self):
        """evaluate looks for the signal in its longest part too."""
        pairs = harness.pair_rows(n=6000, items=1500, queries=1500)
        dataset = self.dataset(items=harness.item_rows(1500), pairs=pairs,
                               settings={"split": {"test": 0.4, "validation": 0}})
        model = self.model(dataset, "--train.epochs", "1")
        child = self.start("evaluate", model, "-q", "--evaluate.bootstrap", "100000")
        time.sleep(1)
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
            self.assertEqual(self.end(child, 4)[0], 130)

    def test_the_machine_default_stays_before_the_work(self):
        """While arguments are read no handler stands: a signal ends the process as usual."""
        child = harness.start("inspect", self.shared_model)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)
        self.assertIn(child.returncode, (0, -signal.SIGTERM))


if __name__ == "__main__":
    unittest.main()
