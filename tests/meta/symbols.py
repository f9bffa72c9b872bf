# SPDX-License-Identifier: Apache-2.0
"""The symbols of the built libraries: what is exported is declared, and the library never prints,
exits or touches signals and locale."""
import os
import re
import subprocess
import unittest

SOURCE_DIR = os.environ["DIP_SOURCE_DIR"]
BINARY_DIR = os.environ["DIP_BINARY_DIR"]
SHARED = os.path.join(BINARY_DIR, "libdiptych.so")
STATIC = os.path.join(BINARY_DIR, "libdiptych.a")

# What sanitizers and coverage add to every object.
FOREIGN = re.compile(r"^(__odr_asan|__asan|__ubsan|__tsan|__gcov|__llvm|__prof|_init$|_fini$)")

FORBIDDEN = {"exit", "_exit", "_Exit", "quick_exit", "abort", "printf", "vprintf", "puts",
             "putchar", "putc", "fprintf", "vfprintf", "fputs", "fputc", "fwrite", "perror",
             "psignal", "dprintf", "vdprintf", "stdout", "stderr", "signal", "sigaction", "raise",
             "setlocale", "atexit", "error", "err", "errx", "warn", "warnx", "system", "fork",
             "execve", "longjmp", "setenv", "putenv", "srand", "rand", "random", "__printf_chk",
             "__fprintf_chk", "__vprintf_chk", "__vfprintf_chk"}


def nm(*arguments):
    """Symbol names, without their versions."""
    text = subprocess.run(["nm", *arguments], capture_output=True, check=True, text=True).stdout
    names = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and len(words[-2]) == 1 and words[-2].isalpha():
            names.append(words[-1].split("@")[0])
    return names


def declared():
    """The functions that diptych.h declares."""
    with open(os.path.join(SOURCE_DIR, "include", "diptych.h"), encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", " ", file.read(), flags=re.S)
    return set(re.findall(r"DIP_API\b[^;{]*?\b(dip_\w+)\s*\(", text))


class Symbols(unittest.TestCase):
    """nm of both libraries."""

    def test_exported_are_the_declared(self):
        """Both ways."""
        exported = {name for name in nm("-D", "--defined-only", SHARED) if not FOREIGN.match(name)}
        self.assertEqual(sorted(exported - declared()), [], "exported, not in diptych.h")
        self.assertEqual(sorted(declared() - exported), [], "in diptych.h, not exported")
        self.assertGreater(len(declared()), 40)

    def test_global_names_are_prefixed(self):
        """A program that links the static library keeps all other names to itself."""
        names = {name for name in nm("-g", "--defined-only", STATIC) if not FOREIGN.match(name)}
        self.assertEqual([n for n in sorted(names) if not n.startswith("dip_")], [])
        self.assertGreater(len(names), 200)

    def test_the_library_never_prints_or_exits(self):
        """Imports of the shared library, and of each object of the static one."""
        for names in (nm("-D", "-u", SHARED), nm("-u", STATIC)):
            self.assertEqual(sorted(FORBIDDEN & set(names)), [])
            self.assertIn("dnnl_sgemm", names)

    def test_no_executable_stack_and_soname(self):
        """What distributions ask of a library."""
        text = subprocess.run(["readelf", "-lWd", SHARED], capture_output=True, check=True,
                              text=True).stdout
        stack = [line for line in text.splitlines() if "GNU_STACK" in line][0]
        self.assertNotIn("RWE", stack)
        self.assertRegex(text, r"SONAME.*libdiptych\.so\.\d+\]")


if __name__ == "__main__":
    unittest.main()
