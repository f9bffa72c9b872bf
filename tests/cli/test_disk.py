# SPDX-License-Identifier: Apache-2.0
"""Full disks, limits and read-only folders: exit code 3 with path and reason, old output kept."""
import os
import resource
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import IO, run, snapshot

NOBODY = 65534


def is_root():
    """Whether the test may mount and change owners."""
    return os.geteuid() == 0


class Disk(harness.Shared):
    """prepare and train where they cannot write."""

    def commands(self, out, *options):
        """The two commands that write folders."""
        return [["prepare", os.path.join(self.base, "p.yaml"), "-o", out, "-q", *options],
                ["train", self.shared_dataset, "-o", out, "-q", *options]]

    def small_disk(self, size):
        """Mounts a file system of so many KiB, and unmounts it after the test."""
        if not is_root():
            self.skipTest("mounting a small file system needs root")
        place = self.path("disk%d" % size)
        os.mkdir(place)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk" % size, "none", place],
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            self.skipTest("cannot mount here: " + done.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", place], check=True)
        return place

    def test_full_disk(self):
        """At any size that is too small: the reason, no output, no temporary folder."""
        for size in (4, 8, 16):
            place = self.small_disk(size)
            for command in self.commands(os.path.join(place, "out")):
                result = run(*command)
                self.says(result, IO, place, "No space left on device")
                self.assertEqual(os.listdir(place), [])

    def test_full_disk_keeps_the_old_output(self):
        """--force on a disk with room for one output only."""
        for command, source in zip((0, 1), (self.shared_dataset, self.shared_model)):
            size = sum(4 * ((os.path.getsize(os.path.join(source, f)) + 4095) // 4096)
                       for f in os.listdir(source))
            place = self.small_disk(size + 16)
            shutil.copytree(source, os.path.join(place, "out"))
            before = snapshot(place)
            result = run(*self.commands(os.path.join(place, "out"), "--force")[command])
            self.says(result, IO, place, "No space left on device")
            self.assertEqual(snapshot(place), before)

    def test_full_disk_for_temporary_data(self):
        """The pairs do not fit beside the output: the folder is named, and its space comes back."""
        project = harness.Case.project(self, items=harness.item_rows(300),
                                       pairs=harness.pair_rows(30000, items=300, queries=300))
        for size in (32, 150, 300):
            place = self.small_disk(size)
            result = run("prepare", project, "-o", os.path.join(place, "out"), "-q", "--memory",
                         "64M")
            self.says(result, IO, "temporary data in " + place, "No space left on device")
            self.assertEqual(os.listdir(place), [])
            disk = os.statvfs(place)
            self.assertLessEqual(disk.f_blocks - disk.f_bfree, 1)

    def test_space_freed(self):
        """After room was made the same command succeeds."""
        place = self.small_disk(200)
        out = os.path.join(place, "out")
        harness.write_bytes(os.path.join(place, "ballast"), b"x" * (180 << 10))
        self.says(run(*self.commands(out)[0]), IO, "No space left on device")
        os.remove(os.path.join(place, "ballast"))
        self.done(run(*self.commands(out)[0]))

    def test_file_size_limit(self):
        """prlimit --fsize: a refused write, not a death by signal that leaves parts behind."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))
        for command in self.commands(self.path("out")):
            with self.subTest(command=command[0]):
                self.refused(IO, command, "File too large", preexec_fn=limit)

    def test_too_many_open_files(self):
        """A limit on descriptors is an error with a path."""
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))
        for name, number in (("o", 0), ("p", 1)):
            result = run(*self.commands(self.path(name))[number], preexec_fn=limit)
            self.assertIn(result.code, (0, IO), result.err)
            self.assertIn(os.listdir(self.folder), ([], [name]) if number == 0 else
                          ([], ["o"], ["p"], ["o", "p"], ["p", "o"]))

    def test_read_only_folder(self):
        """A folder that cannot be written, by its flags."""
        place = self.path("ro")
        os.mkdir(place)
        if is_root():
            done = subprocess.run(["chattr", "+i", place], stderr=subprocess.PIPE, check=False)
            if done.returncode != 0:
                self.skipTest("chattr +i: " + done.stderr.decode().strip())
            self.addCleanup(subprocess.run, ["chattr", "-i", place], check=True)
        else:
            os.chmod(place, 0o500)
        for command in self.commands(os.path.join(place, "out")):
            result = run(*command)
            self.says(result, IO, place)
            self.assertEqual(os.listdir(place), [])


class Nobody(harness.Case):
    """The command run by a user without rights."""

    def setUp(self):
        super().setUp()
        if not is_root() or shutil.which("setpriv") is None:
            self.skipTest("becoming another user needs root and setpriv")
        self.open = tempfile.mkdtemp(prefix="diptych-cli-")
        self.addCleanup(shutil.rmtree, self.open, True)
        os.chmod(self.open, 0o755)
        self.folder = self.open
        self.copy_command()

    def copy_command(self):
        """The build folder may be closed to others: command and library move to /tmp."""
        for name in ("diptych", "libdiptych.so.0"):
            shutil.copy(os.path.join(os.path.dirname(harness.COMMAND), name), self.open)

    def as_nobody(self, *arguments):
        """Runs the copied command as nobody."""
        words = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups",
                 os.path.join(self.open, "diptych"), *arguments]
        done = subprocess.run(words, capture_output=True, check=False,
                              env=dict(harness.environment(), LD_LIBRARY_PATH=self.open))
        return harness.Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def test_folder_of_another_user(self):
        """Permission denied, with the path; nothing is left."""
        project = self.project()
        before = snapshot(self.open)
        result = self.as_nobody("prepare", project, "-o", self.path("out"), "-q")
        self.says(result, IO, self.open, "Permission denied")
        self.assertEqual(snapshot(self.open), before)

    def test_unreadable_files(self):
        """Project, table and part that may not be read."""
        project = self.project()
        dataset = self.dataset()
        os.mkdir(self.path("mine"))
        os.chown(self.path("mine"), NOBODY, NOBODY)
        part = os.path.join(dataset, "item-count.npy")
        for path, command in [(project, ["prepare", project, "-o", self.path("mine", "o"), "-q"]),
                              (self.path("items.tsv"),
                               ["prepare", project, "-o", self.path("mine", "o"), "-q"]),
                              (part, ["train", dataset, "-o", self.path("mine", "o"), "-q"])]:
            os.chmod(path, 0)
            self.says(self.as_nobody(*command), IO, path, "Permission denied")
            os.chmod(path, 0o644)
            self.assertEqual(os.listdir(self.path("mine")), [])

    def test_old_output_of_another_user(self):
        """--force in a folder that is not ours leaves the old output as it was."""
        dataset = self.dataset()
        before = snapshot(self.open)
        result = self.as_nobody("prepare", self.path("p.yaml"), "-o", dataset, "-q", "--force")
        self.says(result, IO, "Permission denied")
        self.assertEqual(snapshot(self.open), before)


if __name__ == "__main__":
    unittest.main()
