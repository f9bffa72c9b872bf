# SPDX-License-Identifier: Apache-2.0
"""The example of docs/check.md is what the command prints. With --write it is made anew."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ["DIP_SOURCE_DIR"]
COMMAND = os.environ["DIPTYCH"]
PAGE = os.path.join(SOURCE, "docs", "check.md")
BLOCK = re.compile(r"```\n\$ (diptych check [^\n]*)\n(.*?)```\n", re.S)


def example(command):
    """What the page's command prints, on the dataset that it names."""
    with tempfile.TemporaryDirectory() as folder:
        project = os.path.join(SOURCE, "data", "packages-small", "project.yaml")
        for words in (["prepare", project, "-o", "packages.dip", "-q"],
                      command.split()[1:] + ["-q"]):
            done = subprocess.run([COMMAND, *words], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode()


def steady(text):
    """The lines that do not depend on the machine or the version."""
    lines = text.splitlines()[1:]
    return [line for line in lines if not re.match(r"  (memory|disk|time) |            ", line)]


class Page(unittest.TestCase):
    """docs/check.md."""
    maxDiff = None

    def test_example(self):
        """The same lines, in the same order; and the others are there."""
        with open(PAGE, encoding="utf-8") as file:
            command, shown = BLOCK.search(file.read()).groups()
        printed = example(command)
        self.assertEqual(steady(shown), steady(printed))
        self.assertGreater(len(steady(shown)), 50)
        self.assertEqual(len(shown.splitlines()), len(printed.splitlines()))


def write():
    """Puts the example into the page."""
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    command = BLOCK.search(text).group(1)
    block = "```\n$ %s\n%s```\n" % (command, example(command))
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(BLOCK.sub(lambda _: block, text, count=1))


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        unittest.main()
