# SPDX-License-Identifier: Apache-2.0
"""R2: kill -9 at every system call that touches a file of a run with checkpoints: writing, reading
back, rotating, the metrics, the model, the end. strace counts the calls of each kind and kills at
the n-th. Without --all a sample of them, the same for a seed. Exit code 77 when strace does not
work.
"""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys

import crash

CALLS = ["openat", "read", "write", "fsync", "close", "mkdir", "rename", "renameat2", "unlink",
         "rmdir", "flock", "fstat", "newfstatat", "mmap", "munmap", "getdents64", "ftruncate",
         "pwrite64", "fdatasync"]

# Two epochs of two steps, a checkpoint after each.
OPTIONS = ["--model.dim", "4", "--model.hidden", "8", "--train.batch", "128", "--train.epochs", "2",
           "--checkpoint-every", "1", "--train.checkpoint_keep", "1"]


def trace(world, *strace):
    """Trains into "m" under strace."""
    command = ["strace", *strace, crash.harness.COMMAND, *world.command()]
    return subprocess.run(command, env=crash.harness.environment(), stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)


def list_calls(world):
    """(name, number among those of its name) of every call from the first one on that names the
    folder of checkpoints."""
    log = world.path("log")
    done = trace(world, "-o", log, "-e", "trace=" + ",".join(CALLS))
    if done.returncode != 0:
        print("strace does not work here: " + done.stderr.decode()[-200:])
        sys.exit(crash.SKIPPED)
    count = {}
    places = []
    has_begun = False
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            found = re.match(r"(\w+)\(", line)
            if not found:
                continue
            name = found.group(1)
            count[name] = count.get(name, 0) + 1
            has_begun = has_begun or "m.checkpoints" in line
            if has_begun:
                places.append((name, count[name]))
    os.remove(log)
    world.finish()
    return places


def kill_at(world, name, number):
    """Whether the process was killed there; then the next one ends the run as if nothing had
    been."""
    done = trace(world, "-o", "/dev/null", "-e",
                 "inject=%s:signal=KILL:when=%d" % (name, number))
    assert done.returncode in (0, -9, 137), (name, number, done.returncode, done.stderr)
    world.finish()
    return done.returncode != 0


def main():
    """All places, or a sample of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if shutil.which("strace") is None:
        print("strace is not installed")
        sys.exit(crash.SKIPPED)
    world = crash.World(OPTIONS, is_tiny=True)
    places = list_calls(world)
    if not chosen.all:
        draw = random.Random(chosen.seed)
        places = sorted(draw.sample(places, min(chosen.runs, len(places))))
    killed = sum(kill_at(world, *place) for place in places)
    world.remove()
    assert killed >= 0.9 * len(places), (killed, len(places))
    print(json.dumps({"places": len(places), "killed": killed}))


if __name__ == "__main__":
    main()
