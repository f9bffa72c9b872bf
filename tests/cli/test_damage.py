# SPDX-License-Identifier: Apache-2.0
"""Datasets and models that are missing, altered, truncated or mixed up."""
import os
import shutil
import unittest

import harness
from harness import FAILED, FORMAT, IO, USAGE, read_bytes, run, snapshot, write_bytes


def flip(data):
    """One bit in the middle."""
    spoiled = bytearray(data)
    spoiled[len(data) // 2] ^= 4
    return bytes(spoiled)


DAMAGE = {"truncated by one byte": lambda data: data[:-1], "empty": lambda data: b"",
          "cut in half": lambda data: data[:len(data) // 2], "one bit flipped": flip,
          "one byte more": lambda data: data + b"\n",
          "zeroed": lambda data: b"\0" * len(data)}


class Damage(harness.Shared):
    """Every file of both folders in turn."""

    def each(self, folder, command):
        """Spoils each file in each way; the command must name it, with exit code 5."""
        unnoticed = []
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            good = read_bytes(path)
            for kind, spoil in DAMAGE.items():
                if spoil(good) == good:
                    continue
                write_bytes(path, spoil(good))
                before = snapshot(self.folder)
                result = run(*command)
                if result.code != FORMAT or name not in result.err or result.out:
                    unnoticed.append("%s %s: exit %d %s" % (name, kind, result.code, result.err))
                self.assertEqual(snapshot(self.folder), before)
            write_bytes(path, good)
        self.assertEqual(unnoticed, [])

    def test_dataset(self):
        """train checks all parts before it begins: with this rate its first step would fail."""
        dataset, _ = self.copies()
        self.each(dataset, ["train", dataset, "-o", self.path("new"), "-q", "--train.rate", "1e38",
                            "--train.batch", "8"])

    def test_dataset_of_a_model(self):
        """recommend names the dataset's file."""
        dataset, model = self.copies()
        self.each(dataset, ["recommend", model, "--query", "i1", "--data", dataset, "-q"])

    def test_model(self):
        """recommend names the model's file."""
        dataset, model = self.copies()
        self.each(model, ["recommend", model, "--query", "i1", "--data", dataset, "-q"])

    def test_missing_parts(self):
        """A part that is gone is damage too, says diptych.h: missing, truncated or altered."""
        dataset, model = self.copies()
        wrong = []
        for folder in (dataset, model):
            for name in sorted(os.listdir(folder)):
                path = os.path.join(folder, name)
                os.rename(path, self.path("aside"))
                result = run("recommend", model, "--query", "i1", "--data", dataset, "-q")
                codes = (IO, FORMAT) if name == "manifest.json" else (FORMAT,)
                if result.code not in codes or name not in result.err:
                    wrong.append("%s: exit %d %s" % (name, result.code, result.err.strip()))
                os.rename(self.path("aside"), path)
        self.assertEqual(wrong, [])

    def test_parts_of_another_kind(self):
        """Folders, links and pipes in place of a part."""
        dataset, model = self.copies()
        path = os.path.join(dataset, "item-count.npy")
        os.rename(path, self.path("aside"))
        command = ["recommend", model, "--query", "i1", "--data", dataset, "-q"]
        for make in (os.mkdir, lambda p: os.symlink(self.path("aside"), p)):
            make(path)
            result = run(*command, timeout=20)
            self.assertIn(result.code, (IO, FORMAT), result.err)
            self.assertIn("item-count.npy", result.err)
            (os.rmdir if os.path.isdir(path) else os.remove)(path)

    def test_part_is_a_pipe(self):
        """Opening a pipe without a writer would wait for ever."""
        dataset, model = self.copies()
        path = os.path.join(dataset, "item-count.npy")
        os.remove(path)
        os.mkfifo(path)
        result = run("recommend", model, "--query", "i1", "--data", dataset, "-q", timeout=5)
        self.assertIn(result.code, (IO, FORMAT), result.err)
        self.assertIn("item-count.npy", result.err)

    def test_swapped_parts(self):
        """Two files of the same kind exchanged."""
        dataset, model = self.copies()
        os.rename(os.path.join(dataset, "pairs-test.npy"), self.path("aside"))
        os.rename(os.path.join(dataset, "pairs-train.npy"), os.path.join(dataset, "pairs-test.npy"))
        os.rename(self.path("aside"), os.path.join(dataset, "pairs-train.npy"))
        self.refused(FORMAT, ["evaluate", model, "--data", dataset, "-q"], "pairs-t")

    def test_extra_files_do_no_harm(self):
        """What the manifest does not name is not looked at."""
        dataset, model = self.copies()
        write_bytes(os.path.join(dataset, "notes.txt"), b"mine")
        self.done(run("recommend", model, "--query", "i1", "--data", dataset, "-q"))

    def test_kinds_mixed_up(self):
        """A model where a dataset is asked for, a file where a folder is, and nothing at all."""
        dataset, model = self.copies()
        new = self.path("new")
        self.refused(FORMAT, ["train", model, "-o", new], "diptych-model", "diptych-dataset")
        self.refused(FORMAT, ["evaluate", dataset], "diptych-dataset", "diptych-model")
        self.refused(FORMAT, ["train", self.write("file", b"x"), "-o", new], "is a file")
        self.refused(IO, ["train", self.path("nope"), "-o", new], self.path("nope"),
                     "No such file")
        os.mkdir(self.path("empty"))
        self.refused(IO, ["train", self.path("empty"), "-o", new], self.path("empty"))

    def test_model_with_another_dataset(self):
        """Other features, other tables, or the same features with other values."""
        _, model = self.copies()
        other = self.dataset("other.dip", features={"id": {"type": "id"}, "tags": {"type": "bag"}})
        renamed = [["x" + row[0][1:], *row[1:]] for row in harness.item_rows()]
        pairs = [["x" + q[1:], "x" + i[1:], t, p] for q, i, t, p in harness.pair_rows()]
        values = self.dataset("values.dip", items=renamed, pairs=pairs)
        for data, text in [(other, "other features or tables"), (values, 'vocabulary "id"')]:
            for command in (["evaluate", model], ["recommend", model, "--query", "i1"]):
                self.refused(FAILED, [*command, "--data", data, "-q"], data, text)

    def test_model_with_a_larger_catalogue(self):
        """The same training rows and twenty more items: the model serves them."""
        _, model = self.copies()
        larger = self.dataset("larger.dip", items=harness.item_rows(60))
        found = self.done(run("recommend", model, "--query", "i1", "-d", larger, "-q", "-k", "100"))
        self.assertEqual(len(found.out.splitlines()), 59)

    def test_dataset_has_moved(self):
        """The message says how to name the new place."""
        dataset, model = self.copies()
        trained = self.model(dataset, name="m2")
        shutil.move(dataset, self.path("moved.dip"))
        self.refused(IO, ["evaluate", trained, "-q"], dataset, "--data")
        self.done(run("evaluate", trained, "-q", "--data", self.path("moved.dip")))
        self.done(run("evaluate", trained, "-q", "-d", self.path("moved.dip")))
        self.done(run("evaluate", model, "-q"))


class Inspect(harness.Shared):
    """inspect reads headers and manifests, and says what is wrong with them."""

    def test_everything_can_be_inspected(self):
        """Folders, arrays, tensors and projects; text and JSON."""
        paths = [self.shared_dataset, self.shared_model, os.path.join(self.base, "p.yaml")]
        for folder in (self.shared_dataset, self.shared_model):
            paths += [os.path.join(folder, n) for n in os.listdir(folder)
                      if n.endswith((".npy", ".safetensors"))]
        for path in paths:
            found = self.done(run("inspect", path, "--json")).json()
            self.assertEqual(found["path"], path)
            text = self.done(run("inspect", path)).out
            self.assertTrue(text.startswith("kind: %s\n" % found["kind"]), text)

    def test_contents(self):
        """A few facts of each kind."""
        found = run("inspect", self.shared_dataset, "--json").json()
        self.assertEqual((found["kind"], found["counts"]["item_rows"]), ("dataset", 40))
        self.assertEqual(found["parts"]["item-count.npy"], 128 + 8 * 40)
        found = run("inspect", self.shared_model, "--json").json()
        self.assertEqual((found["kind"], found["training"]["epochs"] > 0), ("model", True))
        path = os.path.join(self.shared_dataset, "pairs-test.npy")
        found = run("inspect", path, "--json").json()
        self.assertEqual((found["kind"], found["dtype"], found["shape"][1]), ("npy", "<i4", 2))
        path = os.path.join(self.shared_model, "model.safetensors")
        found = run("inspect", path, "--json").json()
        self.assertEqual(found["tensors"]["embedding.id"]["shape"], [40, 4])

    def test_damaged_headers(self):
        """Every short truncation and many altered headers."""
        for folder, name in [(self.shared_dataset, "pairs-test.npy"),
                             (self.shared_model, "model.safetensors")]:
            data = read_bytes(os.path.join(folder, name))
            spoiled = [data[:n] for n in (0, 1, 7, 8, 9, 10, 63, 100)]
            spoiled += [b"\xff" * 8 + data[8:], b"\0" * 8 + data[8:], data[:8] + b"\0" * 200,
                        b"\0\0\0\0\0\0\0\x80" + data[8:], data[:8] + b"[" * 3000]
            for one in spoiled:
                path = self.write(name, one)
                self.refused(FORMAT, ["inspect", path], name)

    def test_not_ours(self):
        """Other files and folders, and what is not there."""
        self.refused(USAGE, ["inspect", self.write("x.txt", b"x")], "x.txt")
        self.refused(IO, ["inspect", self.path("nope")], "nope")
        self.refused(IO, ["inspect", self.path("nope.npy")], "nope.npy", "No such file")
        os.mkdir(self.path("web"))
        self.write("web/manifest.json", b'{"name": "my site"}\n')
        self.refused(FORMAT, ["inspect", self.path("web")], "web")


if __name__ == "__main__":
    unittest.main()
