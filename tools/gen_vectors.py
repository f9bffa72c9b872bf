#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/*.txt: what a second, independent implementation says about the numbers.

    python3 tools/gen_vectors.py            # needs NumPy and libxxhash; the tests need neither
    python3 tools/gen_vectors.py --check    # compares its gradients with central differences too

Everything is float64 and follows the formulas in the headers (rng.h, tower.h, pass.h, loss_*.h,
optimizer.h, schedule.h) and in the paper (arXiv 2007.12865). A feature is a pooling matrix P with
one row an example, so that its block of the input is P E + (1 - alive) default, and the gradient of
its table is P^T dx: no loops over bags as in the C sources. tests/grad/test_vectors.c reads the
files; the worlds here are those of tests/grad/tiny.c.

A file holds lines "option KEY VALUE", "kind items|own", and arrays: "array NAME ROWS COLUMNS" with
the numbers on the lines that follow.
"""
import argparse
import ctypes
import ctypes.util
import math
import pathlib
import random

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "vectors"
NAN = float("nan")

# ---- random numbers ------------------------------------------------------------------------------

WORD = 0xFFFFFFFF
INIT, VIEW_H, VIEW_G, FEATURE, QUERY_H, QUERY_G = 1, 5, 6, 7, 22, 23  # purposes, rng.h
EVERY_GROUP = WORD                          # the draw that decides over a whole feature


def philox(counter, key):
    """Philox4x32-10 of Salmon et al. (SC 2011), section 3.4 and table 2."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 1 << 32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return c0, c1, c2, c3


def make_key(seed, purpose):
    words = philox((seed & WORD, seed >> 32, purpose, 0), (0x44697074, 0x79636821))
    return words[:2]


def draw(key, a, b):
    """Four words at counter (a, b)."""
    return philox((a & WORD, a >> 32, b & WORD, b >> 32), key)


def unit(word):
    return (word >> 8) / 2.0**24


def place(example, feature, group):
    return (example << 40) | (feature << 32) | group


def name_hash(name):
    """XXH3 of a tensor's name, the stream of its initial values."""
    library = ctypes.CDLL(ctypes.util.find_library("xxhash"))
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return library.XXH3_64bits(name.encode(), len(name))


# ---- the tiny worlds of tests/grad/tiny.c --------------------------------------------------------

ITEMS = {
    "id": dict(table="id", codes=[0, 1, 2, 3, 4, 5, 6, 7, -1]),
    "kind": dict(table="kind", codes=[0, 1, -1, 2, 3, 0, 1, -1, 2]),
    "tags": dict(table="tags", pool="mean",
                 bags=[[0, 1, 2], [3], [], [4, 5, 6, 0, 1, 2], [2, 2], [5, 1], [6, 0, 3, 3, 1], [],
                       [4, 2]]),
    "words": dict(table="words", pool="sqrtn",
                  bags=[[0, 1], [2, 3, 4], [1], [], [0, 0, 3, 2], [4], [2, 1], [3, 0, 1, 2, 4],
                        [1, 4]]),
    "marks": dict(table="tags", pool="sum",
                  bags=[[1], [0, 6], [5, 3], [], [4, 2, 1], [], [2], [6, 6], [3]]),
    "price": dict(numbers=[0.5, -1.25, NAN, 2.0, 0.25, -0.75, 1.5, NAN, -0.5]),
}
QUERIES = {
    "user": dict(table="query.user", codes=[0, 1, 2, 3, -1]),
    "history": dict(table="tags", pool="sqrtn", bags=[[0, 3], [], [6, 1, 2], [5], [4, 4, 0]]),
    "age": dict(numbers=[-1.0, 0.5, NAN, 1.25, 0.75]),
}
TABLE_ROWS = {"id": 8, "kind": 4, "tags": 7, "words": 5, "query.user": 4}
COUNTS = np.array([5, 1, 6, 2, 4, 3, 1, 2, 0])
QUERY_COUNTS = np.array([5, 4, 5, 5, 5])


def without_rare_ids(entity, name, counts, least):
    """Rows, of which those with fewer training pairs miss their id. Id i is that of row i."""
    codes = [-1 if counts[i] < least else code for i, code in enumerate(entity[name]["codes"])]
    return {**entity, name: {**entity[name], "codes": codes}}


def rows_of(entity):
    feature = next(iter(entity.values()))
    return len(feature["codes"])


# ---- tensors -------------------------------------------------------------------------------------

DIM = 3
HIDDEN = [5, 4]


class Tower:
    """Names of a tower's tensors and the columns of its features in the input."""

    def __init__(self, entity, side, share, queries_are_items):
        own = side + "."
        tables = own if share == "none" else ""
        default = own if share == "none" or not queries_are_items else ""
        layers = "" if share == "all" else own
        self.entity = entity
        self.default = default + "default"
        self.columns = {}
        self.tables = {}
        start = 0
        for name, feature in entity.items():
            width = DIM if "table" in feature else 1
            self.columns[name] = slice(start, start + width)
            if "table" in feature:
                self.tables[name] = tables + "embedding." + feature["table"]
            start += width
        self.width = start
        self.layers = [(f"{layers}layer{l}.weight", f"{layers}layer{l}.bias")
                       for l in range(len(HIDDEN))]

    def shapes(self):
        """(name, rows, columns, scale, decays) of every tensor; biases start at 0."""
        for name, tensor in self.tables.items():
            yield (tensor, TABLE_ROWS[self.entity[name]["table"]], DIM, math.sqrt(3 / DIM), True)
        yield self.default, 1, self.width, math.sqrt(3 / DIM), False
        widths = [self.width] + HIDDEN
        for (weight, bias), n_in, n_out in zip(self.layers, widths, widths[1:]):
            yield weight, n_in, n_out, math.sqrt(6 / (n_in + n_out)), True
            yield bias, 1, n_out, 0.0, False


def initial_values(towers, seed):
    key = make_key(seed, INIT)
    values, decays = {}, {}
    for tower in towers:
        for name, rows, columns, scale, decay in tower.shapes():
            stream = name_hash(name)
            words = [draw(key, i // 4, stream)[i % 4] for i in range(rows * columns)]
            flat = [scale * (2 * unit(word) - 1) for word in words]
            # The model stores floats: both implementations start from the same numbers.
            values[name] = np.array(flat, np.float32).astype(np.float64).reshape(rows, columns)
            decays[name] = decay
    return values, decays


# ---- a view of a batch ---------------------------------------------------------------------------

class View:
    """What augmentation does: a mask for all examples or one for each, and draws for single values
    or features."""

    def __init__(self, mask=0, key=None, value_rate=0.0, feature_rate=0.0, step=0, droppable=None):
        self.mask, self.key, self.step = mask, key, step
        self.value_rate, self.feature_rate = value_rate, feature_rate
        self.droppable = droppable  # the features that may be dropped; None: all but one

    def masked(self, example, n_features):
        mask = self.mask if isinstance(self.mask, int) else self.mask[example]
        lost = {f for f in range(n_features) if mask >> f & 1}
        if self.feature_rate > 0:
            draws = [unit(draw(self.key, self.step, place(example, f, EVERY_GROUP))[0])
                     for f in range(n_features)]
            survivor = max(range(n_features), key=lambda f: (draws[f], -f))
            droppable = set(range(n_features)) - {survivor}
            if self.droppable is not None:
                droppable = self.droppable
            lost |= {f for f in droppable if draws[f] < self.feature_rate}
        return lost

    def keeps(self, example, feature, j):
        if self.value_rate <= 0:
            return True
        words = draw(self.key, self.step, place(example, feature, j // 4))
        return unit(words[j % 4]) >= self.value_rate


FACTOR = {"mean": lambda n: 1 / n, "sum": lambda n: 1.0, "sqrtn": lambda n: 1 / math.sqrt(n)}


def pooling(tower, rows, view):
    """For each feature: P [B x table rows] (or the numbers [B x 1]) and alive [B x 1]."""
    result = {}
    masked = [view.masked(i, len(tower.entity)) for i in range(len(rows))]
    for f, (name, feature) in enumerate(tower.entity.items()):
        width = TABLE_ROWS[feature["table"]] if "table" in feature else 1
        matrix = np.zeros((len(rows), width))
        alive = np.zeros((len(rows), 1))
        for i, row in enumerate(rows):
            if f in masked[i]:
                continue
            if "numbers" in feature:
                number = feature["numbers"][row]
                matrix[i, 0] = 0 if math.isnan(number) else number
                alive[i] = not math.isnan(number)
                continue
            if "codes" in feature:
                kept = [feature["codes"][row]] if feature["codes"][row] >= 0 else []
            else:
                kept = [v for j, v in enumerate(feature["bags"][row]) if view.keeps(i, f, j)]
            for value in kept:
                matrix[i, value] += FACTOR[feature.get("pool", "mean")](len(kept))
            alive[i] = len(kept) > 0
        result[name] = (matrix, alive)
    return result


class Pass:
    """One batch through one tower."""

    def __init__(self, tower, values, rows, view=None):
        self.tower, self.values = tower, values
        self.pools = pooling(tower, rows, view or View())
        x = np.zeros((len(rows), tower.width))
        for name, (matrix, alive) in self.pools.items():
            at = tower.columns[name]
            block = matrix @ values[tower.tables[name]] if name in tower.tables else matrix
            x[:, at] = block + (1 - alive) * values[tower.default][:, at]
        self.inputs = [x]
        self.corner = math.inf  # the smallest |preactivation| of a ReLU
        for l, (weight, bias) in enumerate(tower.layers):
            z = self.inputs[-1] @ values[weight] + values[bias]
            if l + 1 < len(tower.layers):
                self.corner = min(self.corner, abs(z).min())
                z = np.maximum(z, 0)
            self.inputs.append(z)
        z = self.inputs[-1]
        self.norm = np.maximum(np.sqrt((z * z).sum(1, keepdims=True)), 1e-12)
        self.u = z / self.norm

    def backward(self, du, gradients, touched):
        dz = (du - (du * self.u).sum(1, keepdims=True) * self.u) / self.norm
        for l in reversed(range(len(self.tower.layers))):
            weight, bias = self.tower.layers[l]
            if l + 1 < len(self.tower.layers):
                dz = dz * (self.inputs[l + 1] > 0)
            gradients[weight] += self.inputs[l].T @ dz
            gradients[bias] += dz.sum(0, keepdims=True)
            dz = dz @ self.values[weight].T
        for name, (matrix, alive) in self.pools.items():
            block = dz[:, self.tower.columns[name]]
            gradients[self.tower.default][:, self.tower.columns[name]] += (
                (1 - alive) * block).sum(0)
            if name in self.tower.tables:
                gradients[self.tower.tables[name]] += matrix.T @ block
                touched[self.tower.tables[name]] |= (matrix != 0).any(0)


# ---- losses --------------------------------------------------------------------------------------

def softmax_loss(u, v, tau, log_p=None, item=None, same=None):
    """L, dL/du, dL/dv of loss_softmax.h; same [n x n]: no negatives of each other."""
    n = len(u)
    logits = u @ v.T / tau
    if log_p is not None:
        logits = logits - log_p[None, :]
    if same is not None:
        logits = np.where(same & ~np.eye(n, dtype=bool), -np.inf, logits)
    if item is not None:
        same = (np.asarray(item)[:, None] == np.asarray(item)[None, :]) & ~np.eye(n, dtype=bool)
        logits = np.where(same, -np.inf, logits)
    shifted = logits - logits.max(1, keepdims=True)
    p = np.exp(shifted)
    p /= p.sum(1, keepdims=True)
    g = (p - np.eye(n)) / (n * tau)
    return -np.log(np.diag(p)).mean(), g @ v, g.T @ u


def refined_loss(u, v, tau, p, item):
    """train.logq: refined, as its authors write it: the positive is left out of the sum, negatives
    come with shares p_j / (1 - p_i), and the loss of i is weighted by a constant 1 - P_i. The loss
    that is returned is the mean of -log P_i."""
    n = len(u)
    scores = u @ v.T / tau
    gradient = np.zeros((n, n))
    losses = []
    for i in range(n):
        others = [j for j in range(n) if item[j] != item[i]]
        weights = np.exp(scores[i, others]) * (1 - p[i]) / p[others]
        positive = np.exp(scores[i, i])
        chance = positive / (positive + weights.mean())
        gradient[i, i] = -(1 - chance)
        gradient[i, others] = (1 - chance) * weights / weights.sum()
        losses.append(-math.log(chance))
    g = gradient / (n * tau)
    return np.mean(losses), g @ v, g.T @ u


def shown(entity, row, mask):
    """What a view shows of a row before values are dropped."""
    cells = []
    for f, feature in enumerate(entity.values()):
        cell = None
        if mask >> f & 1:
            pass
        elif "numbers" in feature:
            cell = None if math.isnan(feature["numbers"][row]) else feature["numbers"][row]
        elif "codes" in feature:
            cell = feature["codes"][row] if feature["codes"][row] >= 0 else None
        else:
            cell = tuple(sorted(feature["bags"][row])) or None
        cells.append(cell)
    return tuple(cells)


def same_in_a_view(entity, rows, masks):
    """ssl.mask_same: [n x n]. A view's mask is one number, or one for each row."""
    result = np.zeros((len(rows), len(rows)), bool)
    for mask in masks:
        each = [mask] * len(rows) if isinstance(mask, int) else mask
        cells = [shown(entity, row, m) for row, m in zip(rows, each)]
        result |= np.array([[a == b for b in cells] for a in cells])
    return result


def spread_square(z):
    s = z @ z.T
    np.fill_diagonal(s, 0)
    return (s * s).sum() / len(z), 4 * s @ z / len(z)


def spread_moments(z):
    n, d = z.shape
    s = z @ z.T
    off = 1 - np.eye(n)
    pairs = n * (n - 1)
    m1 = (s * off).sum() / pairs
    m2 = (s * s * off).sum() / pairs
    ds = 2 * m1 * off / pairs
    if m2 > 1 / d:
        ds = ds + 2 * s * off / pairs
    return m1 * m1 + max(0.0, m2 - 1 / d), (ds + ds.T) @ z


def noise_view(u, length, key, step):
    """y of noise.h, and what turns a gradient by y into one by u."""
    n, d = u.shape
    w = np.array([[unit(draw(key, step, (i << 32) | c // 4)[c % 4]) for c in range(d)]
                  for i in range(n)])
    a = u + length * np.sign(u) * w / np.sqrt((w * w).sum(1, keepdims=True))
    norm = np.maximum(np.sqrt((a * a).sum(1, keepdims=True)), 1e-12)
    y = a / norm
    return y, lambda dy: (dy - (dy * y).sum(1, keepdims=True) * y) / norm


# ---- a step --------------------------------------------------------------------------------------

VIEWS = ("cfm", "rfm", "dropout")


class Model:
    def __init__(self, case):
        self.case = case
        options = case["options"]
        same = case["kind"] == "items"
        least = options.get("train.id_min_pairs", 0)
        query_least = options.get("train.query_min_pairs", 0)
        items = without_rare_ids(ITEMS, "id", COUNTS, least)
        queries = without_rare_ids(QUERIES, "user", QUERY_COUNTS, query_least)
        self.item = Tower(items, "item", options["model.share"], same)
        self.query = Tower(items if same else queries, "query", options["model.share"], same)
        self.values, self.decays = initial_values([self.item, self.query], options["seed"])
        for tower in (self.item, self.query):
            if "id" in tower.tables:
                self.values[tower.tables["id"]][COUNTS[:TABLE_ROWS["id"]] < least] = 0
            if "user" in tower.tables:
                rare = QUERY_COUNTS[:TABLE_ROWS["query.user"]] < query_least
                self.values[tower.tables["user"]][rare] = 0
        start = options["train.accumulator"] if options["train.optimizer"] == "adagrad" else 0.0
        self.first = {k: np.full_like(v, start) for k, v in self.values.items()}
        self.second = {k: np.zeros_like(v) for k, v in self.values.items()}
        self.t = 0

    def passes(self, batch):
        o = self.case["options"]
        method, seed, rate = o["ssl.method"], o["seed"], o["ssl.dropout"]
        step = batch["step"]
        item_view = View()
        if method == "feature-dropout":
            item_view = View(key=make_key(seed, FEATURE), feature_rate=rate, step=step)
        elif "train.id_dropout" in o:
            item_view = View(key=make_key(seed, FEATURE), feature_rate=o["train.id_dropout"],
                             step=step, droppable={0})
        result = {"query": Pass(self.query, self.values, batch["query"]),
                  "item": Pass(self.item, self.values, batch["item"], item_view)}
        if method in VIEWS:
            for name, purpose, mask in zip("hg", (VIEW_H, VIEW_G), batch["masks"]):
                view = View(mask, make_key(seed, purpose), value_rate=rate, step=step)
                result[name] = Pass(self.item, self.values, batch["self"], view)
            if "queries" in batch:
                for name, purpose, mask in zip(("qh", "qg"), (QUERY_H, QUERY_G),
                                               batch["query_masks"]):
                    view = View(mask, make_key(seed, purpose), value_rate=rate, step=step)
                    result[name] = Pass(self.query, self.values, batch["queries"], view)
        elif method.startswith("spread") or method == "noise":
            result["h"] = Pass(self.item, self.values, batch["self"])
        return result

    def losses(self, batch, passes):
        """(total, main, self) and the gradients by the outputs of the passes."""
        o = self.case["options"]
        alpha = o["ssl.alpha"]
        du = {}
        u, v, tau = passes["query"].u, passes["item"].u, o["train.temperature"]
        p = COUNTS[batch["item"]] / COUNTS.sum()
        item = batch["item"] if o["train.mask_hits"] == "yes" else None
        if o["train.logq"] == "refined":
            main, du["query"], du["item"] = refined_loss(u, v, tau, p, item)
        else:
            log_p = np.log(p) if o["train.logq"] == "exact" else None
            main, du["query"], du["item"] = softmax_loss(u, v, tau, log_p, item)
        second = 0.0
        if "g" in passes:
            second, dh, dg = self.contrast(batch, passes["h"].u, passes["g"].u)
            du["h"], du["g"] = alpha * dh, alpha * dg
            if "qh" in passes:
                third, dh, dg = self.contrast(batch, passes["qh"].u, passes["qg"].u)
                du["qh"], du["qg"] = alpha * dh, alpha * dg
                second += third
        elif o["ssl.method"] == "noise":
            z = passes["h"].u
            (y, back_h), (w, back_g) = (noise_view(z, o["ssl.noise"], make_key(o["seed"], purpose),
                                                   batch["step"]) for purpose in (VIEW_H, VIEW_G))
            second, dy, dw = self.contrast(batch, y, w)
            du["h"] = alpha * (back_h(dy) + back_g(dw))
        elif "h" in passes:
            z = passes["h"].u
            if o["ssl.method"] == "spread-out":
                second, left, right = softmax_loss(z, z, o["ssl.temperature"])
                dz = left + right
            else:
                loss = {"spread-out-square": spread_square, "spread-out-moments": spread_moments}
                second, dz = loss[o["ssl.method"]](z)
            du["h"] = alpha * dz
        skips_main, skips_self = batch.get("skips", (0, 0))
        if skips_main:
            main = 0.0
            del du["query"], du["item"]
        if skips_self:
            second = 0.0
            du = {name: d for name, d in du.items() if name in ("query", "item")}
        return (main + alpha * second, main, second), du

    def contrast(self, batch, u, v):
        """Eq. 3 with its options; the gradients by u and v."""
        o = self.case["options"]
        tau = o["ssl.temperature"]
        same = None
        if o.get("ssl.mask_same") == "yes":
            masks = (0,) if o["ssl.method"] == "noise" else batch["masks"]
            same = same_in_a_view(self.item.entity, batch["self"], masks)
        loss, du, dv = softmax_loss(u, v, tau, same=same)
        if o.get("ssl.symmetric") == "yes":
            back, back_dv, back_du = softmax_loss(v, u, tau, same=same)
            loss, du, dv = (loss + back) / 2, (du + back_du) / 2, (dv + back_dv) / 2
        return loss, du, dv

    def gradients(self, batch):
        passes = self.passes(batch)
        losses, du = self.losses(batch, passes)
        gradients = {k: np.zeros_like(v) for k, v in self.values.items()}
        touched = {k: np.full(len(v), "embedding." not in k) for k, v in self.values.items()}
        for name, one in passes.items():
            if name in du:
                one.backward(du[name], gradients, touched)
        return losses, gradients, touched, passes

    def update(self, gradients, touched, rate):
        o = self.case["options"]
        self.t += 1
        for name, value in self.values.items():
            at = touched[name]
            g, w = gradients[name][at], value[at]
            if self.decays[name]:
                w = w - rate * o["train.decay"] * w
            if o["train.optimizer"] == "sgd":
                w = w - rate * g
            elif o["train.optimizer"] == "adagrad":
                self.first[name][at] += g * g
                w = w - rate * g / (np.sqrt(self.first[name][at]) + 1e-10)
            else:
                b1, b2 = 0.9, 0.999
                m = b1 * self.first[name][at] + (1 - b1) * g
                v = b2 * self.second[name][at] + (1 - b2) * g * g
                self.first[name][at], self.second[name][at] = m, v
                w = w - rate * (m / (1 - b1**self.t)) / (np.sqrt(v / (1 - b2**self.t)) + 1e-8)
            value[at] = w


def rate_of(options, step, total):
    """schedule.h"""
    rate, warmup = options["train.rate"], options["train.warmup"]
    if step <= warmup:
        return rate * step / warmup
    if options["train.schedule"] == "linear":
        return rate * (total - step + 1) / (total - warmup)
    if options["train.schedule"] == "cosine":
        return rate * (1 + math.cos(math.pi * (step - 1 - warmup) / (total - warmup))) / 2
    return rate


# ---- cases ---------------------------------------------------------------------------------------

BASE = {
    "seed": 1, "threads": 1, "model.dim": DIM, "model.hidden": ",".join(map(str, HIDDEN)),
    "model.share": "tables", "train.batch": 8, "train.temperature": 0.25, "train.logq": "none",
    "train.mask_hits": "no", "train.optimizer": "adagrad", "train.rate": 0.05,
    "train.schedule": "constant", "train.warmup": 0, "train.decay": 0.0, "train.accumulator": 0.0,
    "ssl.method": "none", "ssl.alpha": 0.7, "ssl.dropout": 0.4, "ssl.batch": 7,
    "ssl.temperature": 0.3,
}
SUPERVISED = {"train.logq": "exact", "train.mask_hits": "yes", "model.share": "none"}
CFM = {"ssl.method": "cfm", "train.accumulator": 0.1}
CASES = {
    "supervised": ("items", 10, SUPERVISED),
    "refined": ("items", 10, {**SUPERVISED, "train.logq": "refined"}),
    "cfm": ("own", 10, CFM),
    "mask-same": ("own", 4, {**CFM, "ssl.mask_same": "yes"}),
    "symmetric": ("items", 4, {**CFM, "ssl.mask_same": "yes", "ssl.symmetric": "yes",
                               "model.share": "all"}),
    "masks-example": ("own", 4, {**CFM, "ssl.masks": "example", "ssl.mask_same": "yes"}),
    "noise": ("items", 4, {"ssl.method": "noise", "ssl.noise": 0.3, "ssl.mask_same": "yes",
                           "ssl.symmetric": "yes"}),
    "towers": ("own", 4, {**CFM, "ssl.towers": "both", "ssl.symmetric": "yes"}),
    "alone": ("items", 6, {**CFM, "train.optimizer": "adam", "train.rate": 0.02, "train.decay": 0.1,
                           "model.share": "none"}),
    "spread-out": ("items", 10, {"ssl.method": "spread-out", "model.share": "all"}),
    "spread-out-square": ("own", 10, {"ssl.method": "spread-out-square", "model.share": "none"}),
    "spread-out-moments": ("items", 10, {"ssl.method": "spread-out-moments", "model.share": "all",
                                         "train.schedule": "linear", "train.warmup": 2}),
    "feature-dropout": ("items", 10, {"ssl.method": "feature-dropout", "ssl.dropout": 0.8}),
    "id-dropout": ("items", 10, {**SUPERVISED, "train.id_dropout": 0.6}),
    "rare-ids": ("items", 4, {**CFM, "ssl.mask_same": "yes", "train.id_dropout": 0.3,
                              "train.id_min_pairs": 3}),
    "rare-ids-own": ("own", 4, {**SUPERVISED, "train.id_min_pairs": 5}),
    "rare-query-ids": ("own", 4, {**CFM, "train.id_min_pairs": 2, "train.query_min_pairs": 5}),
    "sgd": ("own", 3, {**CFM, "train.optimizer": "sgd", "train.rate": 0.5, "train.decay": 0.1}),
    "adam": ("items", 3, {**SUPERVISED, "ssl.method": "dropout", "train.optimizer": "adam",
                          "train.rate": 0.02, "train.decay": 0.1, "train.schedule": "cosine",
                          "train.warmup": 1}),
}
TRAINED = [i for i, count in enumerate(COUNTS) if count > 0]


def make_batch(rng, kind, step):
    """Sizes 4 to 6; the first pair's item comes again; masks that share the features out."""
    n = rng.randint(4, 6)
    queries = rows_of(ITEMS) if kind == "items" else rows_of(QUERIES)
    item = [rng.choice(TRAINED) for _ in range(n)]
    item[n - 1] = item[0]
    h = rng.randrange(1, 63)
    return {"step": step, "query": [rng.randrange(queries) for _ in range(n)], "item": item,
            "self": rng.sample(range(rows_of(ITEMS)), rng.randint(4, 6)), "masks": (h, 63 & ~h)}


def show_twins(batch):
    """Items that look the same in one view: 2 and 7 have no kind, tags and price."""
    others = [row for row in batch["self"] if row not in (2, 7)]
    batch["self"] = [2, *others[:4], 7]
    batch["masks"] = (0b011001, 0b100110) if batch["step"] % 2 else (0b100110, 0b011001)
    assert same_in_a_view(ITEMS, batch["self"], batch["masks"]).sum() > len(batch["self"])


def mask_each(batch, rng):
    """Masks for single items; those that look the same keep theirs."""
    h, g = batch["masks"]
    swaps = [0 < i < len(batch["self"]) - 1 and rng.random() < 0.5
             for i in range(len(batch["self"]))]
    batch["masks"] = ([g if s else h for s in swaps], [h if s else g for s in swaps])
    assert same_in_a_view(ITEMS, batch["self"], batch["masks"]).sum() > len(batch["self"])


def is_near_corner(case, passes):
    """Of ReLU, of the direction of an output, or of the sign that noise follows."""
    return (min(p.corner for p in passes.values()) < 1e-3
            or min(p.norm.min() for p in passes.values()) < 0.1
            or (case["options"]["ssl.method"] == "noise" and abs(passes["h"].u).min() < 1e-3))


def is_smooth(case):
    """Whether all steps keep clear of where the rounding of float would decide what happens.

    That is at corners of ReLU, at outputs near 0, and at gradients that are sums of terms that
    cancel, which Adagrad and Adam turn into whole steps.
    """
    model = Model(case)
    for s, batch in enumerate(case["batches"]):
        _, gradients, touched, passes = model.gradients(batch)
        if is_near_corner(case, passes):
            return False
        sizes = np.concatenate([abs(gradients[k][touched[k]]).ravel() for k in gradients])
        if ((sizes > 0) & (sizes < 1e-6)).any():
            return False
        model.update(gradients, touched, rate_of(case["options"], s + 1, len(case["batches"])))
    return True


def make_case(name):
    """The case with the first seed that is smooth."""
    kind, steps, changes = CASES[name]
    rng = random.Random(name)
    case = {"name": name, "kind": kind, "options": {**BASE, **changes},
            "batches": [make_batch(rng, kind, 3 + s) for s in range(steps)]}
    if changes.get("ssl.mask_same") == "yes":
        for batch in case["batches"]:
            show_twins(batch)
    if changes.get("ssl.towers") == "both":
        for batch in case["batches"]:
            k, rows = (6, rows_of(ITEMS)) if kind == "items" else (3, rows_of(QUERIES))
            h = rng.randrange(1, 2**k - 1)
            batch["queries"] = rng.sample(range(rows), 4)
            batch["query_masks"] = (h, 2**k - 1 & ~h)
    if name == "alone":
        for s, batch in enumerate(case["batches"]):
            batch["skips"] = (int(s in (1, 2)), int(s == 4))
    if changes.get("ssl.masks") == "example":
        for batch in case["batches"]:
            mask_each(batch, rng)
    while not is_smooth(case):
        case["options"]["seed"] += 1
    return case


def check_gradients(model, batch):
    """The largest difference from central differences, relative to the largest gradient."""
    _, gradients, _, _ = model.gradients(batch)
    worst = 0.0
    for name, value in model.values.items():
        for at in np.ndindex(value.shape):
            start, sides = value[at], []
            for h in (1e-5, -1e-5):
                value[at] = start + h
                sides.append(model.losses(batch, model.passes(batch))[0][0])
            value[at] = start
            worst = max(worst, abs((sides[0] - sides[1]) / 2e-5 - gradients[name][at]))
    return worst / max(abs(g).max() for g in gradients.values())


# ---- files ---------------------------------------------------------------------------------------

def array_text(name, array, digits=8):
    array = np.atleast_2d(np.asarray(array, dtype=np.float64))
    lines = [f"array {name} {array.shape[0]} {array.shape[1]}"]
    lines += [" ".join(f"{x:.{digits}g}" for x in row) for row in array]
    return "\n".join(lines) + "\n"


def padded(rows, width=6):
    return [row + [-1] * (width - len(row)) for row in rows]


def case_text(case):
    model = Model(case)
    batches, o = case["batches"], case["options"]
    text = "# tools/gen_vectors.py wrote this file.\n"
    text += f"kind {case['kind']}\n"
    text += "".join(f"option {key} {value}\n" for key, value in o.items())
    text += array_text("step", [[b["step"]] for b in batches])
    for key in ("query", "item", "self"):
        text += array_text(key, padded([b[key] for b in batches]))
    for key, width in (("queries", 6), ("query_masks", 2), ("skips", 2)):
        if key in batches[0]:
            text += array_text(key, padded([list(b[key]) for b in batches], width))
    if o.get("ssl.masks") == "example":
        text += array_text("masks", [[0, 0] for b in batches])
        text += array_text("each_h", padded([b["masks"][0] for b in batches]))
        text += array_text("each_g", padded([b["masks"][1] for b in batches]))
    else:
        text += array_text("masks", [b["masks"] for b in batches])
    if case["name"] in ("supervised", "cfm"):
        text += "".join(array_text("initial." + k, v, 9) for k, v in model.values.items())
    losses, rates = [], []
    for s, batch in enumerate(batches):
        loss, gradients, touched, passes = model.gradients(batch)
        if s == 0:
            text += "".join(array_text("forward." + k, p.u) for k, p in passes.items())
            text += "".join(array_text("gradient." + k, g) for k, g in gradients.items())
        losses.append(loss)
        rates.append([rate_of(o, s + 1, len(batches))])
        model.update(gradients, touched, rates[-1][0])
    text += array_text("losses", losses) + array_text("rates", rates)
    return text + "".join(array_text("value." + k, v) for k, v in model.values.items())


def world_text():
    """The features of both entities, for a comparison with tests/grad/tiny.c."""
    text = "# tools/gen_vectors.py wrote this file.\n"
    for side, entity in (("item", ITEMS), ("query", QUERIES)):
        for name, feature in entity.items():
            if "bags" in feature:
                lengths = np.cumsum([0] + [len(bag) for bag in feature["bags"]])
                text += array_text(f"{side}.{name}.offsets", lengths)
                text += array_text(f"{side}.{name}", sum(feature["bags"], []))
            else:
                text += array_text(f"{side}.{name}", feature.get("codes", feature.get("numbers")))
    return text + array_text("counts", COUNTS)


def draws_text():
    """Rows (seed, purpose, a high, a low, b high, b low, four words)."""
    rows = []
    rng = random.Random("draws")
    for purpose in range(1, 13):
        seed, a, b = rng.randrange(2**53), rng.randrange(2**64), rng.randrange(2**64)
        words = draw(make_key(seed, purpose), a, b)
        rows.append([seed, purpose, a >> 32, a & WORD, b >> 32, b & WORD, *words])
    lines = "\n".join(" ".join(map(str, row)) for row in rows)
    return f"# tools/gen_vectors.py wrote this file.\narray draws {len(rows)} 10\n{lines}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="check gradients by differences")
    arguments = parser.parse_args()
    assert philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "world.txt").write_text(world_text())
    (FOLDER / "draws.txt").write_text(draws_text())
    for name in CASES:
        case = make_case(name)
        if arguments.check:
            worst = max(check_gradients(Model(case), b) for b in case["batches"][:3]
                        if not is_near_corner(case, Model(case).passes(b)))
            print(f"{name}: gradients within {worst:.1e} of central differences")
        (FOLDER / f"{name}.txt").write_text(case_text(case))


if __name__ == "__main__":
    main()
