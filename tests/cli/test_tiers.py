# SPDX-License-Identifier: Apache-2.0
"""One tier of instructions gives one model, to the bit, for any number of threads at any pace."""
import hashlib
import os
import subprocess
import sys
import unittest

import harness
from harness import environment, read_bytes, run

# A tier that the processor lacks stands for the best that it has.
TIERS = ("reference", "avx2", "avx512", "avx512_bf16", "amx_bf16")
THREADS = (1, 2, 3, 4, 8, 16)

# Batches over several panels of 128 rows, widths that are no multiple of any vector.
OPTIONS = ("--train.batch", "300", "--train.epochs", "2",
           "--model.dim", "20", "--model.hidden", "72,23")
RULES = (("--train.optimizer", "adagrad"), ("--train.optimizer", "adam"))


class Tiers(harness.Case):
    """Trainings that must end in the same bytes."""

    def setUp(self):
        super().setUp()
        self.data = self.dataset(items=harness.item_rows(300),
                                 pairs=harness.pair_rows(3000, items=300, queries=300))

    def digest(self, tier, threads, *options):
        """The digest of the tensors that training ends with."""
        name = "-".join((tier, str(threads)) + options)
        env = dict(environment(), DIP_ISA=tier)
        precision = "bf16" if tier.endswith("bf16") else "fp32"
        self.done(run("train", self.data, "-o", self.path(name), "-q", "--force",
                      "--threads", threads, "--train.precision", precision, *OPTIONS, *options,
                      env=env))
        return hashlib.sha256(read_bytes(self.path(name, "model.safetensors"))).hexdigest()

    def test_one_digest_for_each_tier(self):
        """All numbers of threads. Our own vector kernels give the same bits on every tier, but
        products do not: those in float are oneDNN's, which sums in another order on each, and tiles
        of AMX have an order of their own. So digests of different tiers may differ."""
        for tier in TIERS:
            digests = {n: self.digest(tier, n) for n in THREADS}
            self.assertEqual(len(set(digests.values())), 1, "%s: %s" % (tier, digests))

    def test_other_update_rules(self):
        """Float on the lowest tier and bfloat16 on the highest, few and many threads."""
        for rule in RULES:
            for tier in (TIERS[0], TIERS[-1]):
                digests = {n: self.digest(tier, n, *rule) for n in (1, 3, 8)}
                self.assertEqual(len(set(digests.values())), 1, "%s %s" % (tier, digests))

    def test_on_a_busy_machine(self):
        """Other processes take the processors away at random moments."""
        quiet = self.digest(TIERS[-1], 2)
        for _ in range(1 + (os.cpu_count() or 1)):
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            self.addCleanup(busy.wait)
            self.addCleanup(busy.kill)
        for n in (2, 3, 4, 8):
            self.assertEqual(self.digest(TIERS[-1], n), quiet, n)


if __name__ == "__main__":
    unittest.main()
