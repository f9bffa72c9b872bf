# SPDX-License-Identifier: Apache-2.0
"""train --resume and --checkpoint-every: what is printed, exit codes, full disks, two writers."""
import json
import os
import resource
import signal
import time
import unittest

import harness
from harness import FAILED, FORMAT, IO, USAGE, read_bytes, run

MANY = ["--train.epochs", "100000", "--train.patience", "0", "--threads", "1"]


class Resume(harness.Shared):
    """The command, stopped and started again."""

    def stop(self, *options, name="m"):
        """A long run that is stopped after its first checkpoint; returns standard error."""
        out = self.path(name)
        child = harness.start("train", self.shared_dataset, "-o", out, "-q", *MANY, *options)
        self.addCleanup(child.kill)
        end = time.monotonic() + 30
        while not self.checkpoints(name) and time.monotonic() < end:
            time.sleep(0.002)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 143, err)
        return err.decode()

    def checkpoints(self, name="m"):
        """Names of its checkpoints."""
        kept = self.path(name + ".checkpoints")
        names = os.listdir(kept) if os.path.isdir(kept) else []
        return sorted(n for n in names if n.startswith("step-"))

    def command(self, *options):
        """The command that goes on."""
        return ["train", self.shared_dataset, "-o", self.path("m"), "--resume", *MANY, *options]

    def resume(self, *options, **settings):
        """Runs it to its end."""
        return run(*self.command(*options), **settings)

    def test_what_is_said(self):
        """The signal's message, the refusal without --resume, and another option."""
        err = self.stop("--checkpoint-every", "2")
        self.assertRegex(err, r"checkpoint of step \d+ is in .*m\.checkpoints, --resume goes on")
        self.assertLessEqual(len(self.checkpoints()), 3)
        command = ["train", self.shared_dataset, "-o", self.path("m"), "-q", *MANY]
        self.refused(USAGE, command, "--resume goes on with it, --force begins anew")
        self.says(self.resume("-q", "--train.rate", "0.1"), USAGE,
                  'train.rate was "0.05" then, and is "0.1" now')

    def test_finished(self):
        """It says so, changes nothing and exits with 0; other options are refused."""
        self.model(self.shared_dataset, "--resume", "--checkpoint-every", "1")
        self.assertEqual(os.listdir(self.folder), ["m"])
        before = harness.snapshot(self.folder)
        command = ["train", self.shared_dataset, "-o", self.path("m"), "--resume"]
        self.assertIn("m is finished already; ", self.done(run(*command)).out)
        self.assertIs(self.done(run(*command, "--json")).json()["was_finished"], True)
        self.refused(USAGE, [*command, "-q", "--seed", "4"], "seed")
        self.assertEqual(harness.snapshot(self.folder), before)

    def test_the_files_of_a_model_do_not_depend_on_stops(self):
        """But for the options, which are stored."""
        short = ["--train.epochs", "40", "--train.batch", "8", "--train.patience", "0"]
        self.model(self.shared_dataset, *short, name="straight")
        command = ["train", self.shared_dataset, "-o", self.path("m"), "--resume", "--json", *short]
        child = harness.start(*command)
        time.sleep(0.15)
        child.send_signal(signal.SIGINT)
        child.communicate()
        self.done(run(*command))
        self.assertEqual(harness.snapshot(self.path("m")), harness.snapshot(self.path("straight")))

    def test_damaged(self):
        """A warning that names it, unless --quiet; the report has it in any case."""
        self.stop("--checkpoint-every", "2")
        newest = self.path("m.checkpoints", self.checkpoints()[-1], "checkpoint.safetensors")
        data = bytearray(read_bytes(newest))
        data[-1] ^= 1
        harness.write_bytes(newest, bytes(data))
        child = harness.start(*self.command())
        time.sleep(0.5)
        child.send_signal(signal.SIGTERM)
        err = child.communicate(timeout=20)[1].decode()
        self.assertIn("warning: checkpoint passed over: %s is damaged" % newest, err)

    def test_all_damaged(self):
        """Refused: it does not start over by itself."""
        self.stop("--checkpoint-every", "2", "--train.checkpoint_keep", "1")
        for name in self.checkpoints():
            os.remove(self.path("m.checkpoints", name, "manifest.json"))
        self.says(self.resume("-q"), FORMAT, "checkpoints in", "has no manifest.json")

    def test_full_disk(self):
        """Exit code 3 with path, reason and room; the checkpoint before stays and goes on."""
        self.stop("--checkpoint-every", "2")
        before = self.checkpoints()

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        result = self.resume("-q", "--checkpoint-every", "2", preexec_fn=limit)
        self.says(result, IO, "File too large", "bytes needed", "last whole checkpoint is of step")
        self.assertEqual(self.checkpoints(), before)
        self.assertFalse([n for n in os.listdir(self.path("m.checkpoints")) if n[0] == "."])
        child = harness.start(*self.command("-q"))
        time.sleep(0.5)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)
        self.assertEqual(child.returncode, 143)
        self.assertGreater(self.checkpoints()[-1], before[-1])

    def test_two_writers(self):
        """The second is refused with the number of the first."""
        command = ["train", self.shared_dataset, "-o", self.path("m"), "-q", "--checkpoint-every",
                   "1", *MANY]
        child = harness.start(*command)
        self.addCleanup(child.kill)
        while not self.checkpoints():
            time.sleep(0.002)
        result = self.resume("-q")
        self.says(result, FAILED, "another process (%d)" % child.pid, self.path("m"))
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=20)

    def test_inspect(self):
        """A checkpoint can be looked at."""
        self.stop("--checkpoint-every", "2")
        path = self.path("m.checkpoints", self.checkpoints()[-1])
        found = self.done(run("inspect", path, "--json")).json()
        self.assertEqual(found["kind"], "checkpoint")
        self.assertIn("optimizer_step", found)
        tensors = self.done(run("inspect", os.path.join(path, "checkpoint.safetensors"), "--json"))
        self.assertTrue([n for n in json.loads(tensors.out)["tensors"] if n.startswith("first/")])


if __name__ == "__main__":
    unittest.main()
