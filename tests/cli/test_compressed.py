# SPDX-License-Identifier: Apache-2.0
"""Compressed tables: all formats read the same; damage is refused with file and position."""
import gzip
import random
import unittest

import harness
from harness import FORMAT, run, table


def long_rows():
    """Pairs enough for several blocks of a compressor."""
    return harness.pair_rows(n=300) * 40


class Compressed(harness.Case):
    """The same tables in every spelling."""

    def test_all_formats_give_the_same_dataset(self):
        """tsv and csv, plain, .gz and .zst, differ in the file names that they store only."""
        datasets = []
        for i, ending in enumerate(["tsv", "csv", "tsv.gz", "csv.gz", "tsv.zst", "csv.zst"]):
            files = ("items." + ending, "pairs." + ending, "users." + ending)
            found = harness.snapshot(self.dataset("d%d.dip" % i, files=files))
            found.pop("manifest.json")
            datasets.append(found)
        self.assertGreater(len(datasets[0]), 15)
        for found in datasets[1:]:
            self.assertEqual(found, datasets[0])

    def test_several_members_and_frames(self):
        """Files that were compressed in pieces and put behind each other."""
        plain = table(["q", "x", "t", "part"], harness.pair_rows())
        cut = len(plain) // 3
        pieces = [plain[:cut], b"", plain[cut:]]
        names = []
        for name, data in [("a.tsv", plain), ("b.tsv.gz", b"".join(map(gzip.compress, pieces))),
                           ("c.tsv.zst", b"".join(map(harness.zstd, pieces)))]:
            project = self.project()
            text = harness.read_bytes(project).decode().replace("pairs.tsv", name)
            self.write(name, data)
            self.done(run("prepare", self.write("p.yaml", text), "-o", self.path(name + ".dip"),
                          "-q"))
            names.append(harness.read_bytes(self.path(name + ".dip", "pairs-train.npy")))
        self.assertEqual(names[1], names[0])
        self.assertEqual(names[2], names[0])

    def damaged(self, name, data, *texts):
        """Interactions in this file must be refused."""
        project = self.project()
        text = harness.read_bytes(project).decode().replace("pairs.tsv", name)
        path = self.write(name, data)
        self.not_prepared(FORMAT, self.write("p.yaml", text), path, *texts)

    def both(self):
        """The interactions compressed by both formats."""
        plain = table(["q", "x", "t", "part"], long_rows())
        return [("pairs2.tsv.gz", gzip.compress(plain, mtime=0), "gzip"),
                ("pairs2.tsv.zst", harness.zstd(plain), "zstd")]

    def test_truncated(self):
        """Cut anywhere, even at the last byte."""
        for name, data, kind in self.both():
            for cut in (1, 2, 5, 9, 20, len(data) // 3, len(data) // 2, len(data) - 4,
                        len(data) - 1):
                with self.subTest(name=name, cut=cut):
                    self.damaged(name, data[:cut], kind)

    def test_truncated_at_nothing(self):
        """A compressed file of no bytes has no header line."""
        for name, _, _ in self.both():
            self.damaged(name, b"", "empty")

    def test_corrupt(self):
        """Bits turned over: gzip carries a checksum, and so do our frames' contents."""
        draw = random.Random(5)
        for name, data, _ in self.both():
            for _ in range(12):
                spoiled = bytearray(data)
                spoiled[draw.randrange(10, len(data))] ^= 1 << draw.randrange(8)
                with self.subTest(name=name):
                    self.not_the_same(name, bytes(spoiled))

    def not_the_same(self, name, data):
        """A flipped bit in gzip is refused; zstd has a checksum only when its writer asked."""
        project = self.project()
        text = harness.read_bytes(project).decode().replace("pairs.tsv", name)
        self.write(name, data)
        result = run("prepare", self.write("p.yaml", text), "-o", self.path("out.dip"), "-q", "-f")
        if name.endswith(".gz") or result.code != 0:
            self.says(result, FORMAT, name)

    def test_garbage(self):
        """Text and noise under a compressed name."""
        noise = random.Random(6).randbytes(5000)
        for name, data, kind in self.both():
            self.damaged(name, b"q\tx\na\tb\n", kind)
            self.damaged(name, noise, kind)
            self.damaged(name, data + b"garbage behind the end", kind)
            self.damaged(name, data[:100] + noise, kind)

    def test_compressed_bomb(self):
        """A small file that grows to a gigabyte of one line is refused in little memory."""
        block = gzip.compress(b"x" * (64 << 20), 9)
        self.damaged("pairs2.tsv.gz", gzip.compress(b"q\tx\n") + block * 16, "16 MiB")


if __name__ == "__main__":
    unittest.main()
