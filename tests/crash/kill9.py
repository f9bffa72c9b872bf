# SPDX-License-Identifier: Apache-2.0
"""R1: kill -9 at random moments, half of them while a checkpoint is written. The next run goes on
from a whole checkpoint, at most one interval back, and ends with the bits of an unbroken run."""
import json

import crash

EVERY = 7


def kill_at_random(world, draw):
    """Somewhere in the time that a run takes, from before its first system call on."""
    child = world.start("--checkpoint-every", str(EVERY))
    try:
        child.wait(draw.random() * 0.7 * world.seconds)
    except crash.subprocess.TimeoutExpired:
        pass
    return child


def kill_in_checkpoint(world, draw):
    """With one after every step: after some of them, when the next temporary folder is there."""
    child = world.start("--checkpoint-every", "1")
    first = max(world.steps() or [0])
    wanted = first + draw.randrange(6)
    crash.wait_for(child, lambda: max(world.steps() or [0]) >= wanted and world.unfinished())
    pause = draw.random() * 0.001
    if pause > 0.0005:
        crash.time.sleep(pause)
    return child


def check_kept(world, kept):
    """Checkpoints are never lost but at the end, when the model is finished; at most the steps of
    one interval are. Metrics are noted every tenth step; a process that was killed early leaves
    those of the one before it. Returns the newest checkpoint's step."""
    steps = world.steps()
    if world.is_finished():
        return kept
    newest = max(steps or [0])
    assert newest >= kept, (newest, kept, "a checkpoint was lost")
    assert newest >= world.noted() - EVERY, (newest, world.noted())
    return newest


def main():
    """--runs kills."""
    runs, draw = crash.arguments(25)
    world = crash.World()
    killed = inside = ended = 0
    kept = 0
    while killed < runs:
        child = (kill_in_checkpoint if killed % 2 else kill_at_random)(world, draw)
        child.kill()
        code, err = crash.end(child)
        assert code in (0, -9), (code, err)
        if code == 0:
            world.finish()
            ended, kept = ended + 1, 0
            continue
        killed += 1
        inside += bool(world.unfinished())
        kept = check_kept(world, kept)
        if draw.random() < 0.1:
            world.finish()
            ended, kept = ended + 1, 0
    world.finish()
    world.remove()
    print(json.dumps({"kills": killed, "inside_a_checkpoint": inside, "compared": ended + 1}))


if __name__ == "__main__":
    main()
