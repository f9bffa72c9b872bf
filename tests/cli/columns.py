# SPDX-License-Identifier: Apache-2.0
"""A dataset folder read independently: .npy columns, strings and vocabularies."""
import ast
import os
import struct

import harness

LETTERS = {"|u1": "B", "<i4": "i", "<i8": "q", "<f4": "f", "<f8": "d"}


def read_npy(path):
    """(shape, flat list) of a .npy file; checks what the format asks for."""
    data = harness.read_bytes(path)
    assert data[:8] == b"\x93NUMPY\x01\x00", path
    size = struct.unpack("<H", data[8:10])[0]
    header = data[10:10 + size]
    assert (10 + size) % 64 == 0 and header.endswith(b"\n"), path
    head = ast.literal_eval(header.decode("latin-1").strip())
    assert head["fortran_order"] is False
    count = 1
    for n in head["shape"]:
        count *= n
    return head["shape"], list(struct.unpack("<%d%s" % (count, LETTERS[head["descr"]]),
                                             data[10 + size:]))


class Columns:
    """The columns of one dataset."""

    def __init__(self, folder):
        self.folder = folder

    def npy(self, name):
        """The flat values of a column."""
        return read_npy(os.path.join(self.folder, name))[1]

    def strings(self, stem):
        """A list of texts."""
        offsets = self.npy(stem + ".offsets.npy")
        data = bytes(self.npy(stem + ".bytes.npy"))
        return [data[a:b].decode() for a, b in zip(offsets, offsets[1:])]

    def bag(self, stem):
        """A list of lists of codes."""
        offsets, values = self.npy(stem + ".offsets.npy"), self.npy(stem + ".values.npy")
        return [values[a:b] for a, b in zip(offsets, offsets[1:])]

    def pairs(self, part):
        """(query, item) rows of a part."""
        flat = self.npy("pairs-%s.npy" % part)
        return list(zip(flat[::2], flat[1::2]))

    def all_pairs(self):
        """The pairs of the three parts."""
        return {part: self.pairs(part) for part in ("train", "validation", "test")}

    def vocabulary(self, name):
        """(value, count) rows of a vocabulary."""
        text = harness.read_bytes(os.path.join(self.folder, name)).decode()
        return [(line.split("\t")[0], int(line.split("\t")[1])) for line in text.splitlines()]
