# SPDX-License-Identifier: Apache-2.0
"""What the command tests share: running diptych(1), small projects, looks at folders."""
import ctypes
import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import unittest

COMMAND = os.environ.get("DIPTYCH", "diptych")
BINARY_DIR = os.environ.get("DIP_BINARY_DIR", "")
SOURCE_DIR = os.environ.get("DIP_SOURCE_DIR", "")

OK, FAILED, USAGE, IO, MEMORY, FORMAT, NONFINITE = range(7)

# Towers that train in milliseconds.
TINY = {"model": {"dim": 4, "hidden": [8, 4]}, "train": {"batch": 32, "epochs": 2},
        "threads": 1, "evaluate": {"bootstrap": 0}}


class Result:
    """How a command ended, and what it printed."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    def json(self):
        """Standard output as JSON; refuses NaN and Infinity, which JSON does not have."""
        def refuse(name):
            raise ValueError("not JSON: " + name)
        return json.loads(self.out, parse_constant=refuse)


def environment():
    """Waiting threads sleep: the machine may be shared, and then spinning costs seconds."""
    return dict(os.environ, OMP_WAIT_POLICY="passive", LC_ALL="C.UTF-8")


def words(arguments):
    """Arguments as the operating system takes them."""
    return [COMMAND] + [a if isinstance(a, bytes) else str(a) for a in arguments]


def run(*arguments, timeout=120, **settings):
    """Runs diptych with arguments and waits."""
    done = subprocess.run(words(arguments), stdout=settings.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=timeout,
                          env=settings.pop("env", environment()), check=False, **settings)
    text = (done.stdout or b"").decode("utf-8", "replace")
    return Result(done.returncode, text, done.stderr.decode("utf-8", "replace"))


def start(*arguments, **settings):
    """Starts diptych and does not wait."""
    return subprocess.Popen(words(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, env=environment(), **settings)


def is_sanitized():
    """Whether the command was built with a sanitizer that arranges memory in its own way."""
    with open(COMMAND, "rb") as file:
        data = file.read()
    return b"__asan_init" in data or b"__tsan_init" in data


def snapshot(folder):
    """Every path under a folder with a digest of its content."""
    found = {}
    for base, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.relpath(os.path.join(base, name), folder)] = "folder"
        for name in files:
            path = os.path.join(base, name)
            if os.path.islink(path):
                digest = "link to " + os.readlink(path)
            elif not os.path.isfile(path):
                digest = "special"
            else:
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(path, folder)] = digest
    return found


def read_bytes(path):
    """A whole file."""
    with open(path, "rb") as file:
        return file.read()


def write_bytes(path, data):
    """Replaces a file's content."""
    with open(path, "wb") as file:
        file.write(data)


def zstd(data):
    """One zstd frame, by the library that diptych itself needs."""
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compressBound.restype = ctypes.c_size_t
    library.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    library.ZSTD_compress.restype = ctypes.c_size_t
    library.ZSTD_compress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p,
                                      ctypes.c_size_t, ctypes.c_int]
    bound = library.ZSTD_compressBound(len(data))
    target = ctypes.create_string_buffer(bound)
    size = library.ZSTD_compress(target, bound, data, len(data), 3)
    return target.raw[:size]


def table(columns, rows, name="x.tsv"):
    """A table as the bytes of a .tsv or .csv file, compressed when the name says so."""
    def cell(text):
        text = str(text)
        if ".csv" in name and any(c in text for c in ',"\n'):
            return '"' + text.replace('"', '""') + '"'
        return text
    mark = "," if ".csv" in name else "\t"
    lines = [mark.join(cell(c) for c in row) for row in [columns] + list(rows)]
    data = ("\n".join(lines) + "\n").encode()
    if name.endswith(".gz"):
        return gzip.compress(data, mtime=0)
    return zstd(data) if name.endswith(".zst") else data


ITEM_COLUMNS = ["id", "title", "tags", "brand", "price", "year"]
TAGS = ["red", "green", "blue", "warm", "cold", "wet", "dry"]
NOUNS = ["chair", "table", "lamp", "Größe", "shelf", "box", "rug", "椅子"]


def item_rows(n=40):
    """A catalogue in which items of one group share words, tags and brand."""
    draw = random.Random(7)
    rows = []
    for i in range(n):
        group = i % 5
        title = "%s %s no%d" % (NOUNS[group], NOUNS[(group + 1) % 8], draw.randrange(4))
        tags = "|".join(sorted({TAGS[group], TAGS[draw.randrange(7)]}))
        rows.append(["i%d" % i, title, tags, "brand%d" % group, "%.2f" % (draw.random() * 90 + 1),
                     2000 + draw.randrange(20)])
    return rows


def pair_rows(n=300, items=40, prefix="i", queries=40):
    """Distinct pairs query, item, time, part; a query prefers items of its own group."""
    draw = random.Random(11)
    seen = {}
    while len(seen) < n:
        q, x = draw.randrange(queries), draw.randrange(items)
        if (prefix == "i" and q == x) or (draw.random() < 0.8 and q % 5 != x % 5):
            continue
        seen.setdefault((q, x), draw.randrange(100000))
    part = ["train"] * 8 + ["valid", "test"]
    return [["%s%d" % (prefix, q), "i%d" % x, time, part[i % 10]]
            for i, ((q, x), time) in enumerate(seen.items())]


ITEM_FEATURES = {"id": {"type": "id"}, "title": {"type": "text", "ngrams": [1, 2]},
                 "tags": {"type": "bag"}, "brand": {"type": "categorical"},
                 "price": {"type": "numeric"}}


class Case(unittest.TestCase):
    """A test with an empty folder of its own."""
    maxDiff = 2000

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="case-", dir=os.getcwd())
        self.addCleanup(shutil.rmtree, self.folder, True)

    def path(self, *parts):
        """A path in the test's folder."""
        return os.path.join(self.folder, *parts)

    def write(self, name, data):
        """Writes a file of the test's folder: text or bytes."""
        write_bytes(self.path(name), data.encode() if isinstance(data, str) else data)
        return self.path(name)

    def project(self, items=None, pairs=None, queries=None, features=None, settings=None,
                files=("items.tsv", "pairs.tsv", "users.tsv"), time=None, name="p.yaml"):
        """Writes tables and a project file. queries: (columns, rows, features) or an id column."""
        self.write(files[0], table(ITEM_COLUMNS, items or item_rows(), files[0]))
        self.write(files[1], table(["q", "x", "t", "part"], pairs or pair_rows(), files[1]))
        project = {"items": {"file": files[0], "id": "id",
                             "features": features or ITEM_FEATURES},
                   "interactions": {"file": files[1], "query": "q", "item": "x"}}
        if time:
            project["interactions"]["time"] = time
        if isinstance(queries, str):
            project["queries"] = {"id": queries}
        elif queries:
            self.write(files[2], table(queries[0], queries[1], files[2]))
            project["queries"] = {"file": files[2], "id": queries[0][0], "features": queries[2]}
        for section, values in dict(TINY, **(settings or {})).items():
            project[section] = values
        return self.write(name, json.dumps(project, indent=1))

    def dataset(self, name="d.dip", **project):
        """Prepares a dataset and returns its path."""
        self.done(run("prepare", self.project(**project), "-o", self.path(name), "-q"))
        return self.path(name)

    def model(self, dataset, *options, name="m"):
        """Trains a model and returns its path."""
        self.done(run("train", dataset, "-o", self.path(name), "-q", *options))
        return self.path(name)

    def done(self, result):
        """Fails unless the command succeeded."""
        self.assertEqual(result.code, OK, result.err)
        return result

    def says(self, result, code, *texts):
        """Fails unless the command stopped with this code and a message with all texts."""
        self.assertEqual(result.code, code, "%s%s" % (result.out, result.err))
        for text in texts:
            self.assertIn(str(text), result.err)
        self.assertTrue(result.err.startswith("diptych"), result.err)
        self.assertTrue(result.err.endswith("\n"), result.err)

    def refused(self, code, arguments, *texts, but=(), **settings):
        """Runs a command that must fail with a code and texts, print nothing, change nothing, but
        for files of these names."""
        def kept():
            return {k: v for k, v in snapshot(self.folder).items() if k not in but}
        before = kept()
        result = run(*arguments, **settings)
        self.says(result, code, *texts)
        self.assertEqual(result.out, "")
        self.assertEqual(kept(), before, "something was left behind or changed")
        return result

    def not_prepared(self, code, project, *texts, options=()):
        """A project that prepare must refuse."""
        return self.refused(code, ["prepare", project, "-o", self.path("out.dip"), "-q", *options],
                            *texts)


class Shared(Case):
    """Tests that look at one dataset and one model; copies are made to change them."""

    @classmethod
    def setUpClass(cls):
        cls.base = tempfile.mkdtemp(prefix="shared-", dir=os.getcwd())
        cls.addClassCleanup(shutil.rmtree, cls.base, True)
        maker = Case()
        maker.folder = cls.base
        cls.shared_dataset = maker.dataset()
        cls.shared_model = maker.model(cls.shared_dataset)

    def copies(self):
        """A dataset and a model of the test's own."""
        shutil.copytree(self.shared_dataset, self.path("d.dip"))
        shutil.copytree(self.shared_model, self.path("m"))
        return self.path("d.dip"), self.path("m")
