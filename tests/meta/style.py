# SPDX-License-Identifier: Apache-2.0
"""What no formatter checks: sizes of files and lines, licence lines, notes to self."""
import os
import re
import subprocess
import unittest

SOURCE_DIR = os.environ["DIP_SOURCE_DIR"]
FOLDERS = ["src", "include", "tests", "examples", "bench", "tools"]
FILE_LINES, COLUMNS = 500, 100
PAGE = (".js", ".css", ".html")
ALL = (".c", ".h", ".py", *PAGE)
GENERATORS = "tools"  # run by hand when vectors change; their length is the formulas'
NOTE = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME)\b")


def files(*endings):
    """(path from the root, lines) of every source file."""
    for folder in FOLDERS:
        for base, folders, names in sorted(os.walk(os.path.join(SOURCE_DIR, folder))):
            folders[:] = [f for f in folders if f != "__pycache__"]
            for name in sorted(names):
                if name.endswith(endings):
                    path = os.path.join(base, name)
                    with open(path, encoding="utf-8") as file:
                        yield os.path.relpath(path, SOURCE_DIR), file.read().split("\n")


class Style(unittest.TestCase):
    """Every source file of the tree."""

    def test_files_are_short(self):
        """500 lines at most."""
        long = ["%s: %d lines" % (path, len(lines) - 1) for path, lines in files(*ALL)
                if len(lines) - 1 > FILE_LINES and not path.startswith(GENERATORS)]
        self.assertEqual(long, [])

    def lines(self, is_wrong, *endings):
        """Places of wrong lines."""
        return ["%s:%d" % (path, number) for path, lines in files(*endings)
                for number, line in enumerate(lines, 1) if is_wrong(line)]

    def test_lines_are_short(self):
        """100 columns at most."""
        self.assertEqual(self.lines(lambda line: len(line) > COLUMNS, *ALL), [])

    def test_lines_are_clean(self):
        """No tabs, nothing behind the last word."""
        found = self.lines(lambda line: "\t" in line or line != line.rstrip(), ".c", ".h", *PAGE)
        self.assertEqual(found, [])

    def test_files_end_with_a_line_end(self):
        """One, not several."""
        for path, lines in files(*ALL):
            self.assertEqual(lines[-1], "", path)
            self.assertNotEqual(lines[-2:-1], [""], path)

    def test_no_notes_to_self(self):
        """What is left to do stands in an issue."""
        self.assertEqual(self.lines(NOTE.search, *ALL), [])

    def test_licence_line(self):
        """The first line of every C file."""
        wrong = [path for path, lines in files(".c", ".h")
                 if "SPDX-License-Identifier: Apache-2.0" not in lines[0]]
        self.assertEqual(wrong, [])

    def test_no_code_is_switched_off(self):
        """No #if 0."""
        self.assertEqual(self.lines(re.compile(r"\s*#\s*if\s+0\b").match, ".c", ".h"), [])

    def test_scripts_can_be_read_to_their_end(self):
        """Bash reads a script as it runs it: what a usual run never reaches can be broken."""
        scripts = [os.path.join(SOURCE_DIR, path) for path, _ in files(".sh")]
        self.assertGreater(len(scripts), 4)
        for path in [*scripts, os.path.join(SOURCE_DIR, ".ci", "run")]:
            read = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
            self.assertEqual((read.returncode, read.stderr), (0, ""))

    def test_something_was_looked_at(self):
        """The walk finds the tree."""
        self.assertGreater(len(list(files(".c", ".h"))), 90)


if __name__ == "__main__":
    unittest.main()
