# SPDX-License-Identifier: Apache-2.0
"""An installed Diptych: found by pkg-config and by CMake, linked, run, at a prefix of any name."""
import os
import shlex
import shutil
import subprocess
import tempfile
import unittest

BINARY_DIR = os.environ["DIP_BINARY_DIR"]
CMAKE = os.environ.get("CMAKE", "cmake")

PROGRAM = """\
#include <diptych.h>
#include <stdio.h>
int main(void) {
    dip_config *config = NULL;
    dip_error err;
    char value[64];
    if (dip_config_create(&config, &err) != DIP_OK) return 1;
    if (dip_config_get(config, "train.batch", value, sizeof value, &err) != DIP_OK) return 1;
    printf("%s %s\\n", dip_version(), value);
    dip_config_free(config);
    return 0;
}
"""

CMAKE_LISTS = """\
cmake_minimum_required(VERSION 3.21)
project(user LANGUAGES C)
find_package(diptych 0.1 REQUIRED)
add_executable(user user.c)
target_link_libraries(user PRIVATE diptych::diptych)
"""


def is_sanitized():
    """A sanitized library needs the sanitizer's flags, which a user would not give."""
    with open(os.path.join(BINARY_DIR, "libdiptych.so"), "rb") as file:
        data = file.read()
    return any(name in data for name in (b"__asan_init", b"__tsan_init", b"__ubsan_handle"))


class Install(unittest.TestCase):
    """cmake --install into a folder that is not the configured prefix."""

    @classmethod
    def setUpClass(cls):
        if is_sanitized():
            raise unittest.SkipTest("a sanitized library is not installed")
        cls.prefix = tempfile.mkdtemp(prefix="prefix-", dir=os.getcwd())
        cls.addClassCleanup(shutil.rmtree, cls.prefix, True)
        cls.must([CMAKE, "--install", BINARY_DIR, "--prefix", cls.prefix])
        with open(os.path.join(cls.prefix, "user.c"), "w", encoding="utf-8") as file:
            file.write(PROGRAM)

    @classmethod
    def must(cls, words, **environment):
        """Runs a command that must succeed; returns what it printed."""
        done = subprocess.run(words, capture_output=True, text=True, cwd=cls.prefix, check=False,
                              env=dict(os.environ, **environment))
        if done.returncode != 0:
            raise AssertionError("%s\n%s%s" % (words, done.stdout, done.stderr))
        return done.stdout

    def find(self, name):
        """The folder of an installed file."""
        for base, _, files in os.walk(self.prefix):
            if name in files:
                return base
        return self.fail(name + " is not installed")

    def pkg_config(self, *flags):
        """What pkg-config says about the installed library."""
        text = self.must(["pkg-config", *flags, "diptych"],
                         PKG_CONFIG_PATH=self.find("diptych.pc"))
        return shlex.split(text)

    def check(self, program):
        """The program prints version and default batch."""
        version = self.pkg_config("--modversion")[0]
        text = self.must([os.path.join(self.prefix, program)],
                         LD_LIBRARY_PATH=self.find("libdiptych.so"))
        self.assertEqual(text, "%s 1024\n" % version)

    def compile(self, program, flags):
        """Compiles the program with what pkg-config gave."""
        self.must([*shlex.split(os.environ.get("CC", "cc")), "user.c", "-o", program, *flags])

    def test_pkg_config_shared(self):
        """cc user.c $(pkg-config --cflags --libs diptych)"""
        self.compile("shared", self.pkg_config("--cflags", "--libs"))
        self.check("shared")

    def test_pkg_config_static(self):
        """The static library with all that it needs."""
        flags = ["-l:libdiptych.a" if flag == "-ldiptych" else flag
                 for flag in self.pkg_config("--static", "--cflags", "--libs")]
        self.compile("static", flags)
        self.check("static")

    def test_cmake_package(self):
        """find_package(diptych) and diptych::diptych."""
        with open(os.path.join(self.prefix, "CMakeLists.txt"), "w", encoding="utf-8") as file:
            file.write(CMAKE_LISTS)
        self.must([CMAKE, "-S", ".", "-B", "b", "-DCMAKE_PREFIX_PATH=" + self.prefix])
        self.must([CMAKE, "--build", "b"])
        self.check(os.path.join("b", "user"))

    def test_the_command_runs_where_it_is(self):
        """It finds its library without help, also after the whole tree was moved."""
        moved = os.path.join(self.prefix, "moved")
        os.mkdir(moved)
        for name in ("bin", "lib", "lib64"):
            if os.path.isdir(os.path.join(self.prefix, name)):
                shutil.copytree(os.path.join(self.prefix, name), os.path.join(moved, name),
                                symlinks=True)
        environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
        text = subprocess.run([os.path.join(moved, "bin", "diptych"), "--version"], check=True,
                              capture_output=True, text=True, env=environment).stdout
        self.assertEqual(text, "diptych %s\n" % self.pkg_config("--modversion")[0])

    def test_nothing_else_is_installed(self):
        """Header, libraries, command, pkg-config file, CMake package; plotly.js where it is had."""
        top = set(os.listdir(self.prefix)) & {"include", "share", "etc", "var"}
        has_plotly = os.path.exists(os.path.join(BINARY_DIR, "plotly.min.js"))
        self.assertEqual(top, {"include", "share"} if has_plotly else {"include"})
        if has_plotly:
            self.assertEqual(os.listdir(os.path.join(self.prefix, "share")), ["diptych"])
            self.assertEqual(sorted(os.listdir(os.path.join(self.prefix, "share", "diptych"))),
                             ["plotly.min.js", "plotly.min.js.LICENSE.txt"])
        self.assertEqual(os.listdir(os.path.join(self.prefix, "include")), ["diptych.h"])
        self.assertEqual(os.listdir(os.path.join(self.prefix, "bin")), ["diptych"])


if __name__ == "__main__":
    unittest.main()
