# SPDX-License-Identifier: Apache-2.0
"""Dataset folders with another content than prepare gives, and right checksums."""
import ctypes
import os
import re
import struct

import harness


def xxh3(data):
    """XXH3-64 as 16 digits, by the library that diptych itself needs."""
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return "%016x" % library.XXH3_64bits(data, len(data))


def npy(pairs):
    """An int32 [n, 2] array as numpy.save writes it."""
    head = "{'descr': '<i4', 'fortran_order': False, 'shape': (%d, 2), }" % len(pairs)
    head = head.ljust(117) + "\n"
    flat = [number for pair in pairs for number in pair]
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode()
            + struct.pack("<%di" % len(flat), *flat))


def replace_part(folder, name, data):
    """Puts a part there, and its size and checksum into the manifest."""
    harness.write_bytes(os.path.join(folder, name), data)
    path = os.path.join(folder, "manifest.json")
    text = harness.read_bytes(path).decode()
    entry = r'"%s": \{\s*"bytes": \d+,\s*"xxh3": "[0-9a-f]{16}"' % re.escape(name)
    found = re.search(entry, text).group(0)
    changed = re.sub(r"\d+,", "%d," % len(data), found.split("\n", 1)[1], count=1)
    changed = re.sub(r'"[0-9a-f]{16}"', '"%s"' % xxh3(data), changed)
    text = text.replace(found, found.split("\n", 1)[0] + "\n" + changed)
    text = re.sub(r',\s*"checksum": "[0-9a-f]{16}"', "", text)
    seal = xxh3(text.encode())
    text = re.sub(r"\n\}\n$", ',\n "checksum": "%s"\n}\n' % seal, text)
    harness.write_bytes(path, text.encode())
