# SPDX-License-Identifier: Apache-2.0
"""R16: SIGTERM and SIGINT at random moments and in each phase: saved and gone within five seconds,
exit code 143 or 130, resumed to the bits of an unbroken run. A second signal ends the process at
once, and the run can still be resumed."""
import json
import os
import signal

import crash

LIMIT = 5.0
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}

# Few steps and most pairs in the validation split: it takes most of the time.
VALIDATING = ["--train.batch", "4096", "--train.epochs", "4"]
STEPS = 3  # an epoch
SPLIT = ["--split.validation", "0.6"]


def stop(child, number, limit=LIMIT):
    """Sends a signal; checks exit code and time. Before the handlers stand a signal ends the
    process as usual."""
    start = crash.time.monotonic()
    child.send_signal(number)
    code, err = crash.end(child, 4 * limit)
    seconds = crash.time.monotonic() - start
    assert code in (0, CODES[number], -number), (code, err)
    assert seconds <= limit, "it took %.1f s to stop" % seconds
    return code, seconds


def at_random(world, draw, runs):
    """Somewhere in the time that a run takes."""
    longest = 0.0
    stopped = 0
    while stopped < runs:
        child = world.start("--checkpoint-every", draw.choice(["0", "0", "1", "9"]))
        try:
            child.wait(draw.random() * 0.7 * world.seconds)
        except crash.subprocess.TimeoutExpired:
            pass
        code, seconds = stop(child, draw.choice(list(CODES)))
        longest = max(longest, seconds)
        stopped += code != 0
        if code == 0 or draw.random() < 0.2:
            world.finish()
    world.finish()
    return longest


def has_temporary_model(world):
    """Whether a model is being written."""
    return any(name.startswith(".m.tmp.") for name in os.listdir(world.folder))


def is_catching(child):
    """Whether the handlers stand."""
    try:
        with open("/proc/%d/status" % child.pid, encoding="ascii") as file:
            mask = [line.split()[1] for line in file if line.startswith("SigCgt:")]
    except OSError:
        return False
    return bool(mask) and bool(int(mask[0], 16) >> (signal.SIGTERM - 1) & 1)


def in_each_phase(world):
    """One signal of each kind in each phase that can be seen from outside."""
    kept = world.path("m.checkpoints")
    phases = {"start": lambda child: True,
              "read": is_catching,
              "train": lambda child: len(world.steps()) > 0,
              "checkpoint": lambda child: len(world.unfinished()) > 0,
              "save": lambda child: has_temporary_model(world)}
    for name, seen in phases.items():
        for number in CODES:
            child = world.start("--checkpoint-every", "3")
            assert crash.wait_for(child, lambda s=seen, c=child: s(c)), name + " was not seen"
            code, _ = stop(child, number)
            assert code != 0 or name == "save", name
            if name in ("train", "checkpoint"):
                assert world.steps(), os.listdir(kept)
            world.finish()
    return len(phases)


def in_validation(draw, runs):
    """Stopped there, the checkpoint stands at the end of an epoch that is not yet counted."""
    world = crash.World(VALIDATING, SPLIT)
    found = 0
    tries = 0
    # How much of the time validations take depends on the machine: go on until one is met.
    while tries < runs or (found == 0 and tries < 20 * runs):
        tries += 1
        child = world.start()
        crash.wait_for(child, lambda c=child: is_catching(c))
        crash.time.sleep(draw.random() * 0.9 * world.seconds)
        stop(child, draw.choice(list(CODES)))
        for step in world.steps():
            path = world.path("m.checkpoints", "step-%012d" % step, "manifest.json")
            manifest = json.loads(crash.harness.read_bytes(path))
            found += manifest["step"] == STEPS * (manifest["state"]["epochs"] + 1)
        world.finish()
    world.remove()
    assert found > 0, "no signal arrived within a validation"
    return found


def second_signal(world, draw, runs):
    """Two signals, one right after the other."""
    for _ in range(runs):
        child = world.start("--checkpoint-every", "2")
        crash.wait_for(child, lambda c=child: is_catching(c))
        crash.time.sleep(draw.random() * 0.5 * world.seconds)
        number = draw.choice(list(CODES))
        child.send_signal(number)
        crash.time.sleep(draw.random() * 0.01)
        stop(child, number, 1.0)
        world.finish()


def main():
    """--runs random moments; the rest in proportion."""
    runs, draw = crash.arguments(25)
    world = crash.World()
    longest = at_random(world, draw, runs)
    phases = in_each_phase(world)
    second_signal(world, draw, max(3, runs // 8))
    world.remove()
    validating = in_validation(draw, max(6, runs // 6))
    print(json.dumps({"signals": runs, "slowest_stop_s": round(longest, 3), "phases": phases,
                      "within_validation": validating}))


if __name__ == "__main__":
    main()
