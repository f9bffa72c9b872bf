# SPDX-License-Identifier: Apache-2.0
"""What the crash tests share: a short training run, an unbroken one to compare with, and looks at
the folder of checkpoints. Each script works in an empty folder of its own and prints one line."""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["DIP_SOURCE_DIR"], "tests", "cli"))
import harness  # noqa: E402  pylint: disable=wrong-import-position

PROJECT = os.path.join(os.environ["DIP_SOURCE_DIR"], "data", "packages-small", "project.yaml")
SKIPPED = 77

# Three epochs of 26 steps in a fraction of a second, with a checkpoint of about 400 kB.
RUN = ["--model.dim", "8", "--model.hidden", "16", "--train.batch", "1024", "--train.epochs", "3",
       "--train.patience", "0", "--threads", "1", "-q"]


class World:
    """A dataset, an unbroken run, and the output "m" that is broken again and again."""

    def __init__(self, options=(), prepare=(), is_tiny=False):
        self.folder = tempfile.mkdtemp(prefix="crash-", dir=os.getcwd())
        self.options = [*RUN, *options]
        if is_tiny:
            maker = harness.Case()
            maker.folder = self.folder
            maker.dataset("d")
        else:
            self.done("prepare", PROJECT, "-o", self.path("d"), "-q", *prepare)
        start = time.monotonic()
        self.done("train", self.path("d"), "-o", self.path("straight"), *self.options)
        self.seconds = time.monotonic() - start
        self.entries = sorted(os.listdir(self.folder))

    def path(self, *parts):
        """A path in the folder."""
        return os.path.join(self.folder, *parts)

    def done(self, *arguments):
        """A command that must succeed; returns its standard output."""
        result = harness.run(*arguments)
        assert result.code == 0, (arguments, result.code, result.err)
        return result.out

    def command(self, *options):
        """The command that trains into "m", resuming."""
        return ["train", self.path("d"), "-o", self.path("m"), "--resume", *self.options, *options]

    def start(self, *options):
        """Starts it."""
        return harness.start(*self.command(*options))

    def finish(self, *options):
        """Resumes to the end; model and metrics must be those of the unbroken run, and nothing may
        be left beside them. Returns the report."""
        report = json.loads(self.done(*self.command("--json", *options)))
        for name in ("model.safetensors", "metrics.jsonl"):
            found = harness.read_bytes(self.path("m", name))
            assert found == harness.read_bytes(self.path("straight", name)), name + " differs"
        left = sorted(os.listdir(self.folder))
        assert left == sorted(self.entries + ["m"]), left
        assert "warnings" not in report, report["warnings"]
        shutil.rmtree(self.path("m"))
        return report

    def kept(self):
        """What is in the folder of checkpoints; a run that ends while one looks takes it away."""
        try:
            return sorted(os.listdir(self.path("m.checkpoints")))
        except FileNotFoundError:
            return []

    def steps(self):
        """Steps of the checkpoints that have their final name, oldest first."""
        return [int(name[5:]) for name in self.kept() if re.fullmatch(r"step-\d{12}", name)]

    def unfinished(self):
        """Temporary folders of checkpoints that were being written or taken away."""
        return [name for name in self.kept() if name.startswith(".")]

    def noted(self):
        """The last step that the metrics to watch tell of."""
        path = self.path("m.checkpoints", "metrics.jsonl")
        text = harness.read_bytes(path).decode() if os.path.exists(path) else ""
        return max([int(n) for n in re.findall(r'^{"step": (\d+),.*}$', text, re.M)] or [0])

    def is_finished(self):
        """Whether the model is there and says that its run is over."""
        path = self.path("m", "config.json")
        return os.path.exists(path) and b'"finished": true' in harness.read_bytes(path)

    def remove(self):
        """The folder goes when all went well; it stays for a look otherwise."""
        shutil.rmtree(self.folder, True)


def arguments(runs):
    """--runs and --seed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=runs)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    return chosen.runs, random.Random(chosen.seed)


def wait_for(child, condition):
    """Polls, without a pause, until a condition holds or the child has ended."""
    while child.poll() is None:
        if condition():
            return True
    return False


def end(child, seconds=60):
    """Waits; returns the exit code and standard error."""
    try:
        _, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        raise
    return child.returncode, err.decode()
