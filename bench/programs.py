"""Programs under measurement: Diptych's step and PyTorch's, driven window by window."""

import glob
import json
import os
import statistics
import subprocess
import sys
import time

HIDDEN = "1024,128"

# The diptych command sets this for itself; PyTorch keeps its own default unless a way says so.
SPIN = {"GOMP_SPINCOUNT": "3000"}

# glibc gives large blocks back to the system and faults them in again, step after step; these keep
# them. (Values that no block of a training step exceeds.)
KEEP = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
HUGE = {**KEEP, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def preload(pattern):
    """Environment that loads another allocator, or None where it is not installed."""
    found = sorted(p for d in ("/usr/lib/*/", "/usr/lib64/") for p in glob.glob(d + pattern))
    return {"LD_PRELOAD": found[0]} if found else None


def pytorch_ways():
    """(name, value of --ways, environment) of what is tried for PyTorch's best."""
    ways = [
        ("plain, bf16", "bf16", {}),
        ("plain, bf16, pages kept", "bf16", KEEP),
        ("joint table, fp32", "joint,fused", HUGE),
        ("joint table, fp32 with medium products", "medium,joint,fused", HUGE),
        ("joint table, bf16", "bf16,joint,fused", {}),
        ("joint table, bf16, pages kept", "bf16,joint,fused", KEEP),
        ("joint table, bf16, huge pages", "bf16,joint,fused", HUGE),
        ("the same, foreach for fused", "bf16,joint,foreach", HUGE),
        ("the same, short spin", "bf16,joint,fused", {**HUGE, **SPIN}),
        ("the same, prefetching thread", "bf16,joint,fused,prefetch", HUGE),
        ("the same, compiled", "bf16,joint,fused,compile", HUGE),
        ("the same, compiled with the update", "bf16,joint,fused,compile,compile-update", HUGE),
    ]
    for name, pattern in (("jemalloc", "libjemalloc.so*"), ("tcmalloc", "libtcmalloc*.so.*")):
        env = preload(pattern)
        if env is not None:
            ways.append((f"joint table, bf16, {name}", "bf16,joint,fused", env))
    return ways


# What is taken without a search (--quick): the fastest in our searches.
USUAL_BEST = ("joint table, bf16, huge pages", "bf16,joint,fused", HUGE)


# A round is quiet when other programs kept less than this much of a core busy in it. Nothing about
# a rate decides: a program whose threads spin while they wait (PyTorch's do) loses far more to
# others than one whose threads sleep, so ratios of other rounds would flatter Diptych.
QUIET_CORES = 0.15
QUIET_LEAST = 3  # rounds that a published ratio needs


def cpu_of_all():
    """Processor seconds of everything on this machine, stolen ones too."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def cpu_of_process(pid):
    """Processor seconds of a process that lives."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_ours(programs=()):
    """Of this one, its ended children, and programs that live."""
    own = os.times()
    done = own.user + own.system + own.children_user + own.children_system
    return done + sum(cpu_of_process(program.process.pid) for program in programs)


class Others:
    """How many cores other programs keep busy, from when it is made."""

    def __init__(self, programs=()):
        self.programs = programs
        self.all, self.ours = cpu_of_all(), cpu_of_ours(programs)
        self.begin = time.perf_counter()

    def cores(self):
        """Until now."""
        spent = cpu_of_all() - self.all - (cpu_of_ours(self.programs) - self.ours)
        return max(0.0, spent / (time.perf_counter() - self.begin))


class ProgramError(Exception):
    """A program ended early."""


class Program:
    """A process that runs one window of training for each line that it is sent."""

    def __init__(self, command, env, key=None):
        self.command, self.key = command, key
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **env},
            text=True,
        )
        self.rates = []

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise ProgramError(
                f"exit code {self.process.returncode}: {' '.join(map(str, self.command))}"
            )
        return json.loads(line)

    def wait_ready(self):
        """Until it has started and made the steps that are not timed."""
        self._read()
        return self

    def window(self):
        """One window; its rate."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.rates.append(self._read()["examples_per_s"])
        return self.rates[-1]

    def finish(self):
        """What it prints at the end."""
        self.process.stdin.close()
        result = self._read()
        self.process.stdout.close()
        self.process.wait()
        return result

    def kill(self):
        """Ends it, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def diptych_command(build, setting, check, seconds, *more):
    """bench_step at a setting."""
    options = {
        "ssl.method": setting["ssl"],
        "train.batch": setting["batch"],
        "model.dim": setting["dim"],
        "model.hidden": setting.get("hidden", HIDDEN),
        "threads": setting["threads"],
        "train.precision": setting["precision"],
        "check": check,
        "seconds": seconds,
    }
    flags = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    return [os.path.join(build, "bench", "bench_step"), setting["dataset"], *flags, *more]


def pytorch_command(python, setting, ways, check, seconds, *more):
    """pytorch_step.py at a setting."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch_step.py")
    command = [python, "-W", "ignore", script, setting["dataset"], "--ways", ways]
    for key in ("ssl", "batch", "dim", "threads"):
        command += [f"--{key}", str(setting[key])]
    return [*command, "--hidden", HIDDEN, "--check", str(check), "--seconds", str(seconds), *more]


def once(command, env=None):
    """Runs a program to its end and returns the JSON that it prints last."""
    result = subprocess.run(
        command, stdout=subprocess.PIPE, env={**os.environ, **SPIN, **(env or {})}, check=False
    )
    if result.returncode != 0:
        raise ProgramError(f"exit code {result.returncode}: {' '.join(map(str, command))}")
    return json.loads(result.stdout.decode().strip().splitlines()[-1])


def take_turns(programs, rounds):
    """One window each, round after round, so that all meet the same moments of the machine.

    Goes on until that many rounds were quiet, or three times as many were made. Returns the
    numbers of the quiet ones.
    """
    quiet = []
    for number in range(3 * rounds):
        others = Others(programs)
        for program in programs:
            program.window()
        if others.cores() < QUIET_CORES:
            quiet.append(number)
        if len(quiet) == rounds:
            break
    return quiet


def ratio(program, other, quiet):
    """Median over the quiet rounds of the ratio of two programs' rates; None with too few."""
    if len(quiet) < QUIET_LEAST:
        return None
    return statistics.median(program.rates[i] / other.rates[i] for i in quiet)


def rate(program, quiet):
    """Median rate over the quiet rounds; over all of them when too few were."""
    rounds = quiet if len(quiet) >= QUIET_LEAST else range(len(program.rates))
    return statistics.median(program.rates[i] for i in rounds)


def find_pytorch(asked):
    """A Python that imports torch, and torch's version; (None, reason) where there is none."""
    python = asked or sys.executable
    for candidate in [python] if asked else [python, "python3", "python"]:
        try:
            result = subprocess.run(
                [candidate, "-c", "import torch, numpy; print(torch.__version__)"],
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            continue
        if result.returncode == 0:
            return candidate, result.stdout.strip()
    return None, f"{python} does not import torch and numpy"
