# SPDX-License-Identifier: Apache-2.0
"""diptych.h alone: a C99 and a C++11 header."""
import os
import shlex
import subprocess
import unittest

INCLUDE = os.path.join(os.environ["DIP_SOURCE_DIR"], "include")
WARNINGS = ["-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-c", "-o",
            os.devnull, "-I" + INCLUDE]
C_ONLY = ["-Wstrict-prototypes", "-Wmissing-prototypes"]


def compile_text(compiler, text, *flags):
    """The compiler's complaints about a program text, or ""."""
    done = subprocess.run(shlex.split(compiler) + list(flags) + WARNINGS + ["-"],
                          input=text.encode(), capture_output=True, check=False)
    return done.stderr.decode() + ("" if done.returncode == 0 else "\nexit %d" % done.returncode)


class Header(unittest.TestCase):
    """The header is the first and only thing included."""

    TEXT = '#include "diptych.h"\n#include "diptych.h"\nint main(void) { return 0; }\n'

    def test_c(self):
        """C99 and later."""
        for standard in ("c99", "c11", "c17"):
            found = compile_text(os.environ.get("CC", "cc"), self.TEXT, "-xc", "-std=" + standard,
                                 *C_ONLY)
            self.assertEqual(found, "")

    def test_cplusplus(self):
        """C++11 and later."""
        for standard in ("c++11", "c++17", "c++20"):
            found = compile_text(os.environ.get("CXX", "c++"), self.TEXT.replace("(void)", "()"),
                                 "-xc++", "-std=" + standard)
            self.assertEqual(found, "")

    def test_results_must_be_used(self):
        """Ignoring a status is a warning; so the check above can fail."""
        text = self.TEXT.replace("return 0", "dip_config_create(0, 0); return 0")
        found = compile_text(os.environ.get("CC", "cc"), text, "-xc", "-std=c99")
        self.assertIn("unused", found)


if __name__ == "__main__":
    unittest.main()
