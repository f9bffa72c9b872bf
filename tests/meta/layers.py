# SPDX-License-Identifier: Apache-2.0
"""The layers of src/: a file includes its own folder, a lower layer, or diptych.h; nothing else."""
import os
import re
import unittest

SOURCE_DIR = os.environ["DIP_SOURCE_DIR"]

# Folders of one line do not include each other.
LAYERS = [["base"], ["config", "math"], ["data"], ["import", "model", "prepare"],
          ["engine", "generate"], ["evaluate", "retrieve"],
          ["train"], ["check"], ["experiment"], ["api"]]
LEVEL = {folder: level for level, folders in enumerate(LAYERS) for folder in folders}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def sources(root):
    """Every C file under a folder."""
    for base, _, files in sorted(os.walk(root)):
        for name in sorted(files):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(base, name), root)


def includes(path):
    """(line, name) of every #include "..." of a file."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            found = INCLUDE.match(line)
            if found:
                yield number, found.group(1)


def may_include(folder, name):
    """Whether a file of a folder may include a name."""
    if name == "diptych.h":
        return True
    other = name.split("/")[0]
    if folder == "cli" or other == folder:
        return other == folder
    return other in LEVEL and LEVEL[other] < LEVEL[folder]


class Layers(unittest.TestCase):
    """The tree."""

    def test_every_folder_has_a_layer(self):
        """A new folder must be given its place above."""
        folders = {path.split("/")[0] for path in sources(os.path.join(SOURCE_DIR, "src"))}
        self.assertLessEqual(folders, set(LEVEL) | {"cli"})

    def test_includes_point_downwards(self):
        """Every include of every file."""
        root = os.path.join(SOURCE_DIR, "src")
        wrong = []
        count = 0
        for path in sources(root):
            for line, name in includes(os.path.join(root, path)):
                count += 1
                if not may_include(path.split("/")[0], name):
                    wrong.append('src/%s:%d: includes "%s"' % (path, line, name))
        self.assertEqual(wrong, [])
        self.assertGreater(count, 100)

    def test_included_files_exist(self):
        """With their full path from src/ or include/."""
        for path in sources(os.path.join(SOURCE_DIR, "src")):
            for line, name in includes(os.path.join(SOURCE_DIR, "src", path)):
                places = [os.path.join(SOURCE_DIR, folder, name) for folder in ("src", "include")]
                self.assertTrue(any(map(os.path.exists, places)), "%s:%d" % (path, line))

    def test_every_source_is_built(self):
        """No .c file is forgotten in CMakeLists.txt, and none is listed that is gone."""
        with open(os.path.join(SOURCE_DIR, "CMakeLists.txt"), encoding="utf-8") as file:
            listed = set(re.findall(r"\bsrc/([a-z_/0-9]+\.c)\b", file.read()))
        found = {p for p in sources(os.path.join(SOURCE_DIR, "src")) if p.endswith(".c")}
        self.assertEqual(found, listed)

    def test_headers_have_guards(self):
        """DIP_FOLDER_NAME_H."""
        for path in sources(os.path.join(SOURCE_DIR, "src")):
            if path.endswith(".h"):
                guard = "DIP_" + re.sub(r"[/.]", "_", path).upper()
                with open(os.path.join(SOURCE_DIR, "src", path), encoding="utf-8") as file:
                    text = file.read()
                self.assertIn("#ifndef %s\n#define %s\n" % (guard, guard), text, path)

    def test_the_rule_itself(self):
        """The check can fail."""
        self.assertTrue(may_include("model", "data/schema.h"))
        self.assertTrue(may_include("cli", "cli/command.h"))
        for folder, name in [("data", "model/model.h"), ("config", "math/vec.h"),
                             ("evaluate", "retrieve/index.h"), ("cli", "base/mem.h"),
                             ("base", "somewhere.h"), ("api", "cli/command.h")]:
            self.assertFalse(may_include(folder, name), (folder, name))


if __name__ == "__main__":
    unittest.main()
