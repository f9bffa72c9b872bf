#!/usr/bin/env python3
"""Makes the steps that bench_replay wrote down and compares their losses: the same model, exactly?

Prints a JSON object: for each way, the largest relative difference of a loss over the steps.
"""

import json
import os
import struct
import sys
from types import SimpleNamespace

import numpy as np
import torch

from pytorch_data import Batch, Dataset
from pytorch_model import FastTrainer, PlainTrainer

WAYS = {"plain fp32": "", "joint fp32": "joint,fused", "joint bf16": "bf16,joint,fused"}


def tensors(path):
    """A safetensors file of F32, in full."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    found = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            array = np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"])
            found[name] = torch.from_numpy(array.copy())
    return found


def load(trainer, given, dataset, names):
    """Puts the tensors into a trainer of either kind."""
    tables = [given["embedding." + name] for name in names]
    default = given["default"].view(dataset.features, -1)
    with torch.no_grad():
        if isinstance(trainer, FastTrainer):
            trainer.table.copy_(torch.cat([*tables, default]))
            owner = trainer.towers
        else:
            owner = trainer.model
            for bag, table in zip(owner.tables, tables):
                bag.weight.copy_(table)
            owner.default.copy_(default)
        for side in ("item", "query"):
            linear = [m for m in getattr(owner, side + "_tower") if isinstance(m, torch.nn.Linear)]
            for number, layer in enumerate(linear):
                layer.weight.copy_(given[f"{side}.layer{number}.weight"].T)
                layer.bias.copy_(given[f"{side}.layer{number}.bias"].view(-1))


def features_of(mask, k):
    """A bit set as a set."""
    return frozenset(f for f in range(k) if mask >> f & 1)


def replay(ways, path, model, steps):
    """Largest relative difference of a loss."""
    dataset = Dataset(path)
    with open(os.path.join(path, "manifest.json"), encoding="utf-8") as file:
        names = [table["name"] for table in json.load(file)["schema"]["tables"]]
    given = tensors(os.path.join(model, "model.safetensors"))
    hidden = [given[f"item.layer{number}.bias"].numel() for number in range(2)]
    args = SimpleNamespace(
        ways=frozenset(way for way in ways.split(",") if way), hidden=hidden,
        dim=given["default"].numel() // dataset.features, rate=0.05, temperature=0.07, alpha=0.3,
        dropout=0.0,
    )  # fmt: skip
    trainer = (FastTrainer if "joint" in args.ways else PlainTrainer)(dataset, args)
    load(trainer, given, dataset, names)
    worst = 0.0
    for step in steps:
        rows = (np.array(step[key], np.int64) for key in ("query", "item", "self"))
        masks = [features_of(step[key], dataset.features) for key in ("mask_h", "mask_g")]
        main, own = trainer.step(trainer.prepare(Batch(*rows, masks), np.random.default_rng(1)))
        worst = max(worst, abs(main / step["main"] - 1), abs(own / step["own"] - 1))
    return worst


def main():
    """pytorch_replay.py DATASET MODEL STEPS.jsonl"""
    path, model, written = sys.argv[1:]
    torch.set_num_threads(2)
    with open(written, encoding="utf-8") as file:
        steps = [json.loads(line) for line in file if line.strip()]
    print(json.dumps({name: replay(ways, path, model, steps) for name, ways in WAYS.items()}))


if __name__ == "__main__":
    main()
