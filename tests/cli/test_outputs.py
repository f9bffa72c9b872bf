# SPDX-License-Identifier: Apache-2.0
"""Where output goes: what exists is kept, --force replaces in one step, nothing stays behind."""
import os
import subprocess
import unittest

import harness
from harness import IO, OK, USAGE, read_bytes, run, snapshot


class Outputs(harness.Shared):
    """prepare and train writing to places that are taken."""

    def makers(self, out, *options):
        """The two commands that write folders."""
        return [["prepare", os.path.join(self.base, "p.yaml"), "-o", out, "-q", *options],
                ["train", self.shared_dataset, "-o", out, "-q", *options]]

    def test_existing_output_is_kept(self):
        """Without --force."""
        dataset, model = self.copies()
        for out in (dataset, model):
            for command in self.makers(out):
                self.refused(USAGE, command, out, "exists", "--force")

    def test_force_replaces(self):
        """The new output is whole and the old one gone; a dataset also replaces a model."""
        dataset, model = self.copies()
        wanted = snapshot(self.shared_dataset)
        for out in (dataset, model):
            self.done(run(*self.makers(out, "--force")[0]))
            self.assertEqual(snapshot(out), wanted)
        self.done(run(*self.makers(model, "-f", "--train.epochs", "1")[1]))
        self.assertEqual(run("inspect", model, "--json").json()["kind"], "model")
        self.assertEqual(sorted(os.listdir(self.folder)), ["d.dip", "m"])

    def test_force_without_an_old_output(self):
        """--force on a free name is no error."""
        self.done(run(*self.makers(self.path("new"), "--force")[0]))

    def test_empty_folder_may_be_replaced(self):
        """mkdir before prepare --force is fine; without --force the folder exists."""
        os.mkdir(self.path("e"))
        self.refused(USAGE, self.makers(self.path("e"))[0], "exists")
        self.done(run(*self.makers(self.path("e"), "--force")[0]))

    def test_foreign_folder_is_never_replaced(self):
        """Not with --force either."""
        os.mkdir(self.path("photos"))
        self.write("photos/holiday.jpg", b"precious")
        for command in self.makers(self.path("photos"), "--force"):
            self.refused(USAGE, command, "photos", "not a folder that diptych wrote")

    def test_foreign_file_is_never_replaced(self):
        """Not with --force either."""
        self.write("thesis.txt", b"precious")
        for command in self.makers(self.path("thesis.txt"), "--force"):
            self.refused(USAGE, command, "thesis.txt", "not a folder that diptych wrote")
        for command in self.makers(self.path("thesis.txt")):
            self.refused(USAGE, command, "thesis.txt", "exists")

    def test_foreign_folder_with_a_manifest(self):
        """A manifest.json alone, as web projects have it, does not make a folder ours."""
        os.mkdir(self.path("web"))
        self.write("web/manifest.json", b'{"name": "my site"}\n')
        self.write("web/index.html", b"precious")
        for command in self.makers(self.path("web"), "--force"):
            self.refused(USAGE, command, "web", "not a folder that diptych wrote")

    def test_missing_parent(self):
        """The folder to write in must be there."""
        for command in self.makers(self.path("no", "such", "out")):
            self.refused(IO, command, "No such file or directory")
        self.write("file", b"")
        for command in self.makers(self.path("file", "out")):
            self.refused(IO, command, "Not a directory")

    def test_output_is_checked_before_the_work(self):
        """A run that cannot be saved must not train for an epoch first: at this rate the first
        step would end with exit code 6."""
        diverge = ["--train.rate", "1e38", "--train.batch", "8"]
        self.write("thesis.txt", b"precious")
        for out, code, options in [(self.path("no", "such"), IO, []),
                                   (self.path("thesis.txt"), USAGE, ["--force"])]:
            command = ["train", self.shared_dataset, "-o", out, "-q", *options, *diverge]
            with self.subTest(out=out):
                self.refused(code, command, os.path.dirname(out))

    def test_trailing_slashes_and_dots(self):
        """The same folder in other spellings."""
        for i, name in enumerate(["a/", "b//", "./c", "../%s/d" % os.path.basename(self.folder)]):
            self.done(run(*self.makers(name)[i % 2], cwd=self.folder))
        self.assertEqual(sorted(os.listdir(self.folder)), ["a", "b", "c", "d"])

    def test_impossible_names(self):
        """No name at all, the folder itself, its parent, the root, and far too long a name."""
        for out in ("", ".", "..", "/", "./", "x" * 300):
            for command in self.makers(out) + self.makers(out, "--force"):
                with self.subTest(command=command):
                    self.refuse_impossible(command)

    def refuse_impossible(self, command):
        """Whatever the reason: a clean refusal."""
        before = snapshot(self.folder)
        result = run(*command, cwd=self.folder)
        self.assertIn(result.code, (USAGE, IO), result.err)
        self.assertEqual(snapshot(self.folder), before)

    def test_odd_names(self):
        """Blanks, letters of any script, quotes, a leading dash and dots are good names."""
        for name in ("two words", "Größe 椅子", "it's \"quoted\"", "--force", ".hidden",
                     "a.tmp.1"):
            self.done(run("prepare", os.path.join(self.base, "p.yaml"), "-o", name, "-q",
                          cwd=self.folder))
            self.done(run("train", "-o", "m", "-q", "--train.epochs", "1", "--", name,
                          cwd=self.folder))
            self.assertEqual(sorted(os.listdir(self.folder)), sorted([name, "m"]))
            self.done(run("evaluate", "m", "-q", cwd=self.folder))
            subprocess.run(["rm", "-r", "--", name, "m"], cwd=self.folder, check=True)

    def test_symbolic_link(self):
        """--force on a link replaces the link, not what it shows, and leaves nothing behind."""
        dataset, _ = self.copies()
        before = snapshot(dataset)
        os.symlink("d.dip", self.path("link.dip"))
        self.refused(USAGE, self.makers(self.path("link.dip"))[0], "exists")
        self.done(run(*self.makers(self.path("link.dip"), "--force")[0]))
        self.assertEqual(sorted(os.listdir(self.folder)), ["d.dip", "link.dip", "m"])
        self.assertEqual(snapshot(dataset), before)

    def test_dangling_link(self):
        """A link to nothing is a name that is taken."""
        os.symlink("nowhere", self.path("link"))
        for command in self.makers(self.path("link")):
            self.refused(USAGE, command, "exists")

    def test_leftovers_of_dead_writers_are_swept(self):
        """A killed run's temporary folder goes with the next run; a living one's stays."""
        dead = self.path(".out.tmp.4194000.0badf00d")  # above any pid that a small machine gives
        living = self.path(".out.tmp.%d.0badf00d" % os.getpid())
        other = self.path(".other.tmp.4194000.0badf00d")
        for folder in (dead, living, other):
            os.mkdir(folder)
            harness.write_bytes(os.path.join(folder, "part.npy"), b"half")
        self.done(run(*self.makers(self.path("out"))[0]))
        names = {os.path.basename(living), os.path.basename(other), "out"}
        self.assertEqual(set(os.listdir(self.folder)), names)

    def test_output_folder_is_the_dataset(self):
        """train -o DATASET --force replaces the dataset that is mapped: refused, or done whole."""
        dataset, _ = self.copies()
        result = run("train", dataset, "-o", dataset, "-f", "-q")
        if result.code != OK:
            self.assertEqual(snapshot(dataset), snapshot(self.shared_dataset))
        else:
            self.assertEqual(run("inspect", dataset, "--json").json()["kind"], "model")

    def test_files_of_others_inside_an_output(self):
        """--force does not delete what diptych did not write: here the inputs themselves."""
        dataset, _ = self.copies()
        for name in ("p.yaml", "items.tsv", "pairs.tsv"):
            harness.write_bytes(os.path.join(dataset, name),
                                read_bytes(os.path.join(self.base, name)))
        run("prepare", os.path.join(dataset, "p.yaml"), "-o", dataset, "-f", "-q")
        self.assertTrue(os.path.exists(os.path.join(dataset, "items.tsv")), "inputs were deleted")


class StandardOutput(harness.Shared):
    """What is printed must arrive, or the exit code says that it did not."""

    def commands(self):
        """Every command in a form that prints something; then the helps."""
        yield ["prepare", os.path.join(self.base, "p.yaml"), "-o", self.path("d"), "-q", "-f"]
        yield ["train", self.shared_dataset, "-o", self.path("m"), "-q", "-f"]
        for more in ([], ["--json"]):
            yield ["evaluate", self.shared_model, "-q", *more]
            yield ["recommend", self.shared_model, "-q", "--query", "i1", *more]
            yield ["inspect", self.shared_model, *more]
        yield ["--help"]
        yield ["--version"]
        yield ["train", "--help"]

    def test_full_device(self):
        """/dev/full takes nothing."""
        for command in self.commands():
            with self.subTest(command=command), open("/dev/full", "wb") as full:
                result = run(*command, stdout=full)
                self.says(result, IO, "cannot write to standard output")

    def test_closed_pipe(self):
        """A reader that left: no signal, an exit code."""
        for command in self.commands():
            reader, writer = os.pipe()
            os.close(reader)
            with self.subTest(command=command), os.fdopen(writer, "wb") as pipe:
                result = run(*command, stdout=pipe)
                self.says(result, IO, "cannot write to standard output")

    def test_work_is_kept_when_printing_fails(self):
        """The dataset is there although its summary could not be printed."""
        with open("/dev/full", "wb") as full:
            run(*next(self.commands()), stdout=full)
        self.assertEqual(snapshot(self.path("d")), snapshot(self.shared_dataset))


if __name__ == "__main__":
    unittest.main()
