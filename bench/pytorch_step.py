#!/usr/bin/env python3
"""Trains Diptych's model in PyTorch on a prepared dataset and prints its speed as JSON.

The counterpart of bench_step: the same arguments, the same protocol. --mode default is the model as
people write it; --mode best is the fastest that we found. --ways lists techniques one by one.
"""

import os
import re
import sys
import time


def memory_mb(key):
    """VmHWM (peak) or VmRSS of this process, in 10^6 bytes."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return int(re.search(key + r":\s+(\d+) kB", file.read()).group(1)) * 1024 / 1e6


import torch  # noqa: E402

IMPORT_RSS_MB = memory_mb("VmRSS")

# pylint: disable=wrong-import-position
import argparse  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402

import numpy as np  # noqa: E402

from pytorch_data import Batches, Dataset  # noqa: E402
from pytorch_model import FastTrainer, PlainTrainer, prefetched  # noqa: E402

MODES = {"default": "", "best": "bf16,joint,fused"}
LOSS_STEPS = 50


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("dataset")
    parser.add_argument("--mode", choices=MODES, default="default")
    parser.add_argument(
        "--ways", help="any of bf16,medium,joint,fused,foreach,prefetch,compile,compile-update"
    )
    parser.add_argument("--ssl", choices=["none", "cfm"], default="cfm")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--hidden", default="1024,128")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--temperature", type=float, default=0.07)
    parser.add_argument("--alpha", type=float, default=0.3)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", type=int, default=10)
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--lockstep", action="store_true")
    args = parser.parse_args()
    ways = MODES[args.mode] if args.ways is None else args.ways
    args.ways = frozenset(way for way in ways.split(",") if way)
    args.hidden = [int(width) for width in args.hidden.split(",")]
    return args


class Run:
    """A trainer and its clock."""

    def __init__(self, args):
        self.args = args
        torch.manual_seed(args.seed)
        torch.set_num_threads(args.threads)
        if "medium" in args.ways:
            torch.set_float32_matmul_precision("medium")
        dataset = Dataset(args.dataset)
        self.batches = Batches(dataset, args.batch, args.ssl == "cfm", args.seed)
        self.rng = np.random.default_rng(args.seed + 1)
        self.trainer = (FastTrainer if "joint" in args.ways else PlainTrainer)(dataset, args)
        self.next = prefetched(self.prepare) if "prefetch" in args.ways else self.prepare
        self.rates, self.steps, self.seconds = [], 0, 0.0
        self.losses = (0.0, 0.0)

    def prepare(self):
        """The next batch."""
        return self.trainer.prepare(self.batches.next(), self.rng)

    def step(self):
        """One step; what making the batch costs is in it."""
        self.losses = self.trainer.step(self.next())

    def check(self):
        """Means of both losses over the last steps before the clock starts."""
        seen = []
        for _ in range(self.args.check):
            self.step()
            seen.append(self.losses)
        seen = seen[-LOSS_STEPS:] or [(0.0, 0.0)]
        return [statistics.fmean(part) for part in zip(*seen)]

    def window(self):
        """Steps for the length of a window; examples a second."""
        begin = time.perf_counter()
        steps = 0
        while time.perf_counter() - begin < self.args.seconds:
            self.step()
            steps += 1
        seconds = time.perf_counter() - begin
        self.steps, self.seconds = self.steps + steps, self.seconds + seconds
        self.rates.append(steps * self.args.batch / seconds)
        return self.rates[-1]


def main():
    """Checks, then times."""
    args = parse()
    begin = time.perf_counter()
    run = Run(args)
    setup = time.perf_counter() - begin
    loss_main, loss_self = run.check()
    if args.lockstep:
        print(json.dumps({"ready": True}), flush=True)
        for _ in sys.stdin:
            print(json.dumps({"examples_per_s": run.window()}), flush=True)
    else:
        for _ in range(args.windows):
            run.window()
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "ways": sorted(args.ways),
                "malloc": {k: v for k, v in os.environ.items() if "MALLOC" in k or "GLIBC" in k},
                "examples_per_s": statistics.median(run.rates) if run.rates else 0.0,
                "ms_per_step": 1e3 * run.seconds / max(run.steps, 1),
                "steps": run.steps,
                "seconds": run.seconds,
                "setup_s": setup,
                "peak_rss_mb": memory_mb("VmHWM"),
                "import_rss_mb": IMPORT_RSS_MB,
                "check_loss": loss_main + (args.alpha * loss_self if args.ssl == "cfm" else 0),
                "check_loss_main": loss_main,
                "check_loss_self": loss_self,
                "final_loss": run.losses[0] + args.alpha * run.losses[1],
                "windows": run.rates,
            }
        )
    )


if __name__ == "__main__":
    main()
