"""The model of Diptych in PyTorch, twice: as people write it, and as fast as we could make it."""

import math
import queue
import threading

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pytorch_data import bag

ADAGRAD_FLOOR = 1e-10


def mlp(width, hidden):
    """ReLU layers, the last one without; Glorot weights, zero biases."""
    layers = []
    for i, out in enumerate(hidden):
        layers += [nn.Linear(width, out)] + ([nn.ReLU()] if i + 1 < len(hidden) else [])
        nn.init.xavier_uniform_(layers[2 * i].weight)
        nn.init.zeros_(layers[2 * i].bias)
        width = out
    return nn.Sequential(*layers)


def embedding_scale(dim):
    """Uniform values in +-this have standard deviation 1 / sqrt(dim)."""
    return math.sqrt(3 / dim)


def softmax_loss(u, v, temperature, log_p=None, item=None):
    """Batch softmax with the sampling-bias correction, accidental hits left out."""
    logits = (u / temperature) @ v.T
    if log_p is not None:
        logits = logits - log_p
    if item is not None:
        hits = item[:, None] == item[None, :]
        hits.fill_diagonal_(False)
        logits = logits.masked_fill_(hits, -torch.inf)
    return F.cross_entropy(logits, torch.arange(len(u)))


class PlainModel(nn.Module):
    """One EmbeddingBag a feature with sparse gradients, one call of the towers a pass."""

    def __init__(self, dataset, dim, hidden):
        super().__init__()
        scale = embedding_scale(dim)
        self.dataset, self.dim = dataset, dim
        self.tables = nn.ModuleList(
            nn.EmbeddingBag(max(rows, 1), dim, mode="mean", sparse=True)
            for rows in dataset.table_rows
        )
        for table in self.tables:
            nn.init.uniform_(table.weight, -scale, scale)
        self.default = nn.Parameter(torch.empty(dataset.features, dim).uniform_(-scale, scale))
        self.item_tower = mlp(dataset.features * dim, hidden)
        self.query_tower = mlp(dataset.features * dim, hidden)

    def embed(self, rows, mask, rng, dropout):
        """The input of a tower."""
        blocks = []
        for f, column in enumerate(self.dataset.columns):
            default = self.default[f].expand(len(rows), -1)
            if f in mask:
                blocks.append(default)
                continue
            values, lengths = bag(column, rows, rng, dropout)
            offsets = torch.from_numpy(np.cumsum(lengths) - lengths)
            pooled = self.tables[self.dataset.table_of[f]](torch.from_numpy(values), offsets)
            is_empty = torch.from_numpy(lengths == 0)
            blocks.append(torch.where(is_empty[:, None], default, pooled))
        return torch.cat(blocks, dim=1)

    def losses(self, batch, rng, args):
        """Main and self-supervised loss."""
        u = []
        for number, (rows, mask, drops) in enumerate(batch.passes()):
            x = self.embed(rows, mask, rng, args.dropout if drops else 0.0)
            tower = self.query_tower if number == 0 else self.item_tower
            u.append(F.normalize(tower(x)))
        log_p = torch.from_numpy(self.dataset.log_p[batch.item])
        item = torch.from_numpy(batch.item)
        main = softmax_loss(u[0], u[1], args.temperature, log_p, item)
        own = softmax_loss(u[2], u[3], args.temperature) if len(u) > 2 else torch.zeros(())
        return main, own


class PlainTrainer:
    """torch.optim.Adagrad on everything: it takes sparse gradients and dense ones."""

    def __init__(self, dataset, args):
        self.args = args
        self.model = PlainModel(dataset, args.dim, args.hidden)
        self.optimizer = torch.optim.Adagrad(self.model.parameters(), lr=args.rate)

    def prepare(self, batch, rng):
        """Nothing ahead: a step makes its own bags."""
        return batch, rng

    def step(self, made):
        """One step; the losses as numbers."""
        batch, rng = made
        with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in self.args.ways):
            main, own = self.model.losses(batch, rng, self.args)
            loss = main + self.args.alpha * own
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return main.item(), own.item()


class Towers(nn.Module):
    """Both towers over inputs that lie one after the other: query, item, and the views."""

    def __init__(self, width, hidden):
        super().__init__()
        self.item_tower = mlp(width, hidden)
        self.query_tower = mlp(width, hidden)

    def forward(self, x, batch, temperature, log_p, item):
        """Main and self-supervised loss; the items of all passes go through their tower at once."""
        u = F.normalize(self.query_tower(x[:batch]))
        v = F.normalize(self.item_tower(x[batch:]))
        main = softmax_loss(u, v[:batch], temperature, log_p, item)
        if x.shape[0] == 2 * batch:
            return main, torch.zeros(())
        h, g = v[batch:].chunk(2)
        return main, softmax_loss(h, g, temperature)


class Joint:
    """Bags of all passes and features of a step over one table that holds every row.

    The default of feature f is row `rows + f`: a masked, missing or emptied feature is a bag of
    that one value. Bags are in the order of (example, feature), so that what EmbeddingBag returns
    is the input of the towers as it stands.
    """

    def __init__(self, dataset):
        self.dataset = dataset
        starts = np.concatenate(([0], np.cumsum(dataset.table_rows)))
        self.start = [int(starts[table]) for table in dataset.table_of]
        self.rows = int(starts[-1])

    def bags(self, batch, rng, dropout):
        """(values, offsets, lengths), all passes together."""
        passes = list(batch.passes())
        k = self.dataset.features
        place = np.cumsum([0] + [len(rows) for rows, _, _ in passes])
        lengths = np.ones((int(place[-1]), k), np.int64)
        found = []
        for f, column in enumerate(self.dataset.columns):
            for p, (rows, mask, drops) in enumerate(passes):
                here = slice(place[p], place[p + 1])
                if f in mask:
                    values = np.full(len(rows), self.rows + f)
                else:
                    values, count = bag(column, rows, rng, dropout if drops else 0.0)
                    values += self.start[f]
                    if not count.all():
                        values = np.insert(values, np.cumsum(count)[count == 0], self.rows + f)
                        count = np.maximum(count, 1)
                    lengths[here, f] = count
                found.append((here, f, values))
        ends = np.cumsum(lengths.ravel())
        offsets = ends - lengths.ravel()
        by_place = offsets.reshape(lengths.shape)
        joint = np.empty(int(ends[-1]), np.int64)
        for here, f, values in found:
            count = lengths[here, f]
            shift = by_place[here, f] - (np.cumsum(count) - count)
            joint[np.arange(len(values)) + np.repeat(shift, count)] = values
        return joint, offsets, lengths.ravel()


class FastTrainer:
    """One table, one EmbeddingBag call a step, and an Adagrad for its rows that sorts once.

    The table is outside autograd: the gradient of its rows is itself an EmbeddingBag over the
    gradient of the inputs, with the bags of the sorted row numbers.
    """

    def __init__(self, dataset, args):
        self.args, self.dataset, self.joint = args, dataset, Joint(dataset)
        scale = embedding_scale(args.dim)
        rows = self.joint.rows + dataset.features
        self.table = torch.empty(rows, args.dim).uniform_(-scale, scale)
        # Written once here: zeros alone would be mapped, page by page, in the steps that are timed.
        self.state = torch.empty(rows, args.dim).fill_(0)
        self.towers = Towers(dataset.features * args.dim, args.hidden)
        style = {"fused": True} if "fused" in args.ways else {"foreach": "foreach" in args.ways}
        self.optimizer = torch.optim.Adagrad(self.towers.parameters(), lr=args.rate, **style)
        self.forward, self.update = self.towers, row_adagrad
        if "compile" in args.ways:
            self.forward = torch.compile(self.towers, dynamic=False)
        if "compile-update" in args.ways:
            self.update = torch.compile(row_adagrad, dynamic=True)

    def prepare(self, batch, rng):
        """All of a step that is numpy's: bags, and the order of table rows for the update."""
        values, offsets, lengths = self.joint.bags(batch, rng, self.args.dropout)
        order = np.argsort(values)
        ordered = values[order]
        first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        source = np.repeat(np.arange(len(lengths)), lengths)[order]
        factor = (1 / lengths).astype(np.float32)[source]
        arrays = {
            "values": values, "offsets": offsets, "rows": ordered[first], "first": first,
            "source": source, "factor": factor, "log_p": self.dataset.log_p[batch.item],
            "item": batch.item,
        }  # fmt: skip
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def step(self, made):
        """One step; the losses as numbers."""
        args, n = self.args, len(made["item"])
        x = F.embedding_bag(made["values"], self.table, made["offsets"], mode="mean")
        x = x.view(-1, self.dataset.features * args.dim).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in args.ways):
            main, own = self.forward(x, n, args.temperature, made["log_p"], made["item"])
            loss = main + args.alpha * own
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            gradient = F.embedding_bag(
                made["source"],
                x.grad.view(-1, args.dim),
                made["first"],
                mode="sum",
                per_sample_weights=made["factor"],
            )
            self.update(self.table, self.state, made["rows"], gradient, args.rate)
        return main.item(), own.item()


def row_adagrad(table, state, rows, gradient, rate):
    """Adagrad on some rows of a table, each named once."""
    sums = state.index_select(0, rows).addcmul_(gradient, gradient)
    state.index_copy_(0, rows, sums)
    values = table.index_select(0, rows)
    values.addcdiv_(gradient, sums.sqrt_().add_(ADAGRAD_FLOOR), value=-rate)
    table.index_copy_(0, rows, values)


def prefetched(make):
    """What make() returns, again and again, made ahead in a thread of its own."""
    ready = queue.Queue(maxsize=2)

    def work():
        while True:
            ready.put(make())

    threading.Thread(target=work, daemon=True).start()
    return ready.get
