"""Runs the shell commands of README.md as they stand there, and checks names that the docs give.

Blocks fenced with ```sh are commands. Those that begin with "make" are the front door, which runs
this very test: for them only the target's existence is checked. Every other line must exit with 0
in a copy of the files that it needs.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = os.environ["DIP_SOURCE_DIR"]
COMMAND = os.environ["DIPTYCH"]


def read(name):
    """A file of the project as text."""
    with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
        return file.read()


def shell_lines(text):
    """The command lines of all sh blocks, continuation lines joined."""
    lines = []
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        joined = block.replace("\\\n", " ")
        lines += [line for line in joined.splitlines() if line.strip() and line[0] != "#"]
    return lines


class Readme(unittest.TestCase):
    """README.md."""

    def test_make_targets_exist(self):
        """Each "make X" names a target of the Makefile."""
        targets = re.findall(r"^(\w+):", read("Makefile"), re.M)
        made = [
            line.split()[1] for line in shell_lines(read("README.md")) if line.startswith("make ")
        ]
        self.assertIn("demo", made)
        self.assertIn("test", made)
        for target in made:
            self.assertIn(target, targets)

    def test_commands_run(self):
        """All other commands exit with 0, one after the other, in an empty folder with the data."""
        lines = [line for line in shell_lines(read("README.md")) if not line.startswith("make ")]
        self.assertTrue(lines)
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(os.path.join(SOURCE, "data"), os.path.join(folder, "data"))
            os.makedirs(os.path.join(folder, "build", "default"))
            os.symlink(COMMAND, os.path.join(folder, "build", "default", "diptych"))
            for line in lines:
                result = subprocess.run(
                    ["bash", "-c", line], cwd=folder, check=False, capture_output=True
                )
                self.assertEqual(result.returncode, 0, f"{line}\n{result.stderr.decode()}")


class Documents(unittest.TestCase):
    """docs/ and the map of the tree."""

    def names(self, text):
        """Paths in backquotes that look like files or folders of the tree."""
        return set(
            re.findall(r"`((?:src|docs|tests|data|tools|examples|include)/[\w./-]*)`", text)
        )

    def test_named_files_exist(self):
        """Every path in backquotes exists."""
        for document in ["README.md"] + ["docs/" + name for name in os.listdir(SOURCE + "/docs")]:
            if document.endswith(".md"):
                for name in self.names(read(document)):
                    places = [os.path.join(SOURCE, folder, name) for folder in ("", "src")]
                    self.assertTrue(any(map(os.path.exists, places)), (document, name))

    def test_named_functions_exist(self):
        """Every dip_ function in backquotes of docs/math.md is defined in src/."""
        source = ""
        for folder, _, files in os.walk(os.path.join(SOURCE, "src")):
            for name in files:
                source += read(os.path.join(folder, name))
        for function in re.findall(r"`(dip_\w+|run_\w+|contrast_\w+)`", read("docs/math.md")):
            self.assertTrue(re.search(r"\b" + function + r"\(", source), function)


if __name__ == "__main__":
    unittest.main()
