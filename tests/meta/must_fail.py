# SPDX-License-Identifier: Apache-2.0
"""Fails on purpose: it is registered as a test that must."""
import unittest


class MustFail(unittest.TestCase):
    """One wrong claim."""

    def test_a_wrong_claim_is_noticed(self):
        """Two is not three."""
        self.assertEqual(2, 3)


if __name__ == "__main__":
    unittest.main()
