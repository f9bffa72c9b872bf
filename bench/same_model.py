"""Whether Diptych and PyTorch train the same model: exactly, and by what they come to."""

import os
import statistics
import subprocess

from programs import SPIN, diptych_command, once, pytorch_command

REPLAY_STEPS = 5
# fp32 losses of five steps from one start on the same batches; rounding alone parts them.
EXACT, EXACT_BF16 = 1e-4, 0.05
# Means over seeds. One run is not enough: after 300 steps at this rate two runs of one program are
# apart by 1% in the total and 6% in the self-supervised part, by their seeds alone.
TOLERANCE = 0.02


def replay(bench):
    """The first steps of Diptych, made again by PyTorch from the same parameters and batches."""
    folder = os.path.join(bench.args.data, "replay")
    os.makedirs(folder, exist_ok=True)
    dataset, model = bench.catalogue("10k"), os.path.join(folder, "model")
    steps = os.path.join(folder, "steps.jsonl")
    with open(steps, "w", encoding="utf-8") as file:
        options = ["--train.precision", "fp32", "--train.rate", "0.05", "--threads", "2"]
        subprocess.run(
            [bench.program("bench_replay"), dataset, model, str(REPLAY_STEPS), *options],
            stdout=file, env={**os.environ, **SPIN}, check=True,
        )  # fmt: skip
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch_replay.py")
    found = once([bench.python, "-W", "ignore", script, dataset, model, steps])
    words = ", ".join(f"{name} {worst:.1e}" for name, worst in found.items())
    is_same = all(
        worst <= (EXACT_BF16 if "bf16" in name else EXACT) for name, worst in found.items()
    )
    note = (
        f"the same {REPLAY_STEPS} steps as Diptych in fp32, from its parameters and batches, "
        f"without dropout; largest relative difference of a loss: {words}"
    )
    if not is_same:
        bench.failures.append("the replayed losses differ: " + words)
        note += ": NOT the same model"
    bench.notes.append(note)
    bench.say(note)


def one_loss(bench, key, steps, seed):
    """The check loss of one program with another seed; nothing is timed."""
    who, ssl, how = key
    precision = how if who == "diptych" else "fp32"
    setting = bench.setting("10k", ssl, 1024, 64, max(bench.args.threads), precision)
    more = ("--windows", "0", "--seed", str(seed))
    if who == "diptych":
        return once(diptych_command(bench.args.build, setting, steps, 0.1, *more))["check_loss"]
    _, ways, env = bench.best_way if how == "best" else ("", "", {})
    return once(pytorch_command(bench.python, setting, ways, steps, 0.1, *more), env)["check_loss"]


def compare(bench, results, steps, seeds):
    """Mean loss of the last 50 steps, over seeds with self-supervision: within the tolerance."""
    for ssl in ("none", "cfm"):
        losses = {}
        for key, result in results.items():
            is_left_out = key[0] == "diptych" and key[2] not in bench.precisions
            if key[1] == ssl and not is_left_out:
                others = range(2, seeds + 1) if ssl == "cfm" else ()
                values = [one_loss(bench, key, steps, seed) for seed in others]
                losses[f"{key[0]} {key[2]}"] = statistics.fmean([result["check_loss"], *values])
        words = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
        spread = max(losses.values()) / min(losses.values()) - 1
        count = f", {seeds} seeds" if ssl == "cfm" else ""
        note = (
            f"mean loss of the last 50 of {steps} steps, {ssl}{count}: {words}; "
            f"within {100 * spread:.1f}%"
        )
        if spread > TOLERANCE:
            note += f": NOT the same model (tolerance {100 * TOLERANCE:.0f}%)"
            bench.failures.append(f"loss of {ssl}: {words}")
        bench.notes.append(note)
        bench.say(note)
