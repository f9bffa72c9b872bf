# SPDX-License-Identifier: Apache-2.0
"""bench/run.py --smoke: 500 items, 20 steps, one limit; what it writes has the promised fields."""

import json
import math
import os
import subprocess
import sys
import unittest

RUN = os.path.join(os.environ["DIP_SOURCE_DIR"], "bench", "run.py")
BUILD = os.environ["DIP_BINARY_DIR"]
FIELDS = {
    "name": str,
    "ssl": str,
    "batch": int,
    "dim": int,
    "threads": int,
    "precision": str,
    "examples_per_s": float,
    "limit_fraction": float,
    "peak_rss_mb": float,
    "bytes_per_example": float,
    "allocations_per_step": float,
    "phases": dict,
}


class Smoke(unittest.TestCase):
    """One run."""

    @classmethod
    def setUpClass(cls):
        cls.result = subprocess.run(
            [sys.executable, RUN, "--smoke", "--build", BUILD, "--data", "data", "--out", "out"],
            capture_output=True,
            text=True,
            check=False,
        )

    def rows(self, tables=False):
        """Of results.json: those of the settings, or those of the table sizes."""
        self.assertEqual(self.result.returncode, 0, self.result.stderr)
        with open("out/results.json", encoding="utf-8") as file:
            return [row for row in json.load(file) if ("table_rows" in row) == tables]

    def test_rows_have_their_fields(self):
        """With the right types, and null where there was no PyTorch."""
        rows = self.rows()
        self.assertEqual([row["ssl"] for row in rows], ["none", "cfm"])
        for row in rows:
            for name, kind in FIELDS.items():
                self.assertIsInstance(row[name], kind, name)
            self.assertIsNone(row["ratio_to_pytorch"])
            self.assertIsNone(row["ratio_to_pytorch_default"])

    def test_numbers_are_numbers(self):
        """Positive and finite."""
        for row in self.rows():
            for name in ("examples_per_s", "limit_fraction", "peak_rss_mb", "bytes_per_example"):
                self.assertTrue(math.isfinite(row[name]) and row[name] > 0, (name, row[name]))
            self.assertTrue(math.isfinite(row["final_loss"]))
            self.assertGreaterEqual(min(row["phases"][name] for name in ("load", "update")), 0)

    def test_plain_operations(self):
        """By hand, for 5 features of 8, hidden [32, 16], batch 64: a pass is three products."""
        for row in self.rows():
            towers, losses = (2, 1) if row["ssl"] == "none" else (4, 2)
            wanted = 3 * 2 * (towers * (40 * 32 + 32 * 16) + losses * 64 * 16)
            self.assertEqual(row["plain_operations_per_example"], wanted)

    def test_tables_take_turns(self):
        """Each has its rate beside that of the smallest, from the same rounds."""
        rows = self.rows(tables=True)
        self.assertEqual([row["table_rows"] for row in rows], [100, 1000])
        self.assertEqual([row["tables"]["item_id"] for row in rows], [100, 1000])
        for row in rows:
            self.assertGreater(row["examples_per_s"], 0)
            self.assertEqual(row["step_to_first"] is None, row["quiet_rounds"] < 3)
        if rows[0]["quiet_rounds"] >= 3:
            self.assertEqual(rows[0]["step_to_first"], 1)
            self.assertGreater(rows[1]["step_to_first"], 0.2)

    def test_the_table_is_written(self):
        """results.txt is what was printed."""
        self.rows()
        with open("out/results.txt", encoding="utf-8") as file:
            text = file.read()
        self.assertIn("examples/s", text)
        self.assertIn(text.strip(), self.result.stdout)


if __name__ == "__main__":
    unittest.main()
