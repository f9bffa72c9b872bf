# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/experiment.md run as they stand there, with its study and its space. The one
of a preset is left out for its time."""
import json
import os
import re
import subprocess
import tempfile
import unittest

SOURCE = os.environ["DIP_SOURCE_DIR"]
COMMAND = os.environ["DIPTYCH"]


def blocks(kind):
    """The fenced blocks of a kind."""
    with open(os.path.join(SOURCE, "docs", "experiment.md"), encoding="utf-8") as file:
        return re.findall(r"```%s\n(.*?)```" % kind, file.read(), re.S)


class Page(unittest.TestCase):
    """docs/experiment.md."""

    def diptych(self, line, folder):
        """Runs one line; what it printed."""
        done = subprocess.run(["bash", "-c", line.replace("diptych", COMMAND, 1)], cwd=folder,
                              check=False, capture_output=True)
        self.assertEqual(done.returncode, 0, line + "\n" + done.stderr.decode())
        return done.stdout.decode()

    def test_commands(self):
        """One after the other; the report and the options are there."""
        study, space = blocks("yaml")
        lines = [line for block in blocks("sh") for line in block.splitlines()]
        self.assertEqual(len(lines), 5)
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.path.join(SOURCE, "data"), os.path.join(folder, "data"))
            for name, text in (("mine.yaml", study), ("space.yaml", space)):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            for line in lines:
                if "--preset quick" not in line:
                    self.diptych(line, folder)
            with open(os.path.join(folder, "mine", "results.json"), encoding="utf-8") as file:
                found = json.load(file)
            self.assertEqual((found["title"], len(found["tables"])), ("A first study", 3))
            self.assertEqual({f["kind"] for f in found["figures"]},
                             {"lines", "bars", "heat", "scatter"})
            self.assertIn("ssl.method", self.diptych(
                "diptych tune packages.dip -o again --space space.yaml --trials 3 --finalists 1 "
                "--seeds 1 --train.epochs 1 --model.hidden 8", folder))

    def test_presets(self):
        """The table names every preset, and each can be printed."""
        with open(os.path.join(SOURCE, "docs", "experiment.md"), encoding="utf-8") as file:
            text = file.read()
        said = subprocess.run([COMMAND, "experiment", "--print-study", "?"], check=False,
                              capture_output=True).stderr.decode()
        names = re.findall(r"\w+", said.split("there are ")[1])
        self.assertEqual(re.findall(r"^\| `(\w+)` \|", text, re.M)[:len(names)], names)
        for name in names:
            self.assertTrue(self.diptych("diptych experiment --print-study " + name, "."))


if __name__ == "__main__":
    unittest.main()
