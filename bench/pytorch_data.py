"""A prepared dataset and its batches in numpy, for pytorch_step.py: no Python loop over rows.

The files are described in docs/formats.md. Batches are drawn as Diptych draws them: training pairs
in a new random order each epoch, the self-supervised items uniformly from the catalogue and
distinct within a batch, one pair of masks a step, values of bags dropped independently.
"""

import json
import os

import numpy as np


class Dataset:
    """Columns of the items, training pairs and counts; queries are items here."""

    def __init__(self, path):
        with open(os.path.join(path, "manifest.json"), encoding="utf-8") as file:
            schema = json.load(file)["schema"]
        assert "queries" not in schema, "this script is for queries that are items"

        def load(name):
            return np.load(os.path.join(path, name), mmap_mode="r")

        self.table_rows = [table["rows"] for table in schema["tables"]]
        self.table_of = []  # of each feature
        self.columns = []  # of each feature: (offsets or None, rows in the table)
        for number, feature in enumerate(schema["items"]["features"]):
            stem = f"item-{number:02d}-{feature['name']}"
            assert feature["pool"] == "mean" and feature["type"] != "numeric"
            self.table_of.append(feature["table_index"])
            if feature["type"] in ("bag", "text"):
                self.columns.append((load(stem + ".offsets.npy"), load(stem + ".values.npy")))
            else:
                self.columns.append((None, load(stem + ".npy")))
        self.pairs = load("pairs-train.npy")
        count = load("item-count.npy")
        self.items = len(count)
        self.log_p = np.log(np.maximum(count, 1) / len(self.pairs)).astype(np.float32)
        self.information = np.array(load("mutual-information.npy"))

    @property
    def features(self):
        """How many."""
        return len(self.columns)


def bag(column, rows, rng=None, dropout=0.0):
    """(values, length of each row's bag) of one feature; a missing value is an empty bag."""
    offsets, codes = column
    if offsets is None:
        values = codes[rows]
        is_there = values >= 0
        return values[is_there].astype(np.int64), is_there.astype(np.int64)
    begin = offsets[rows]
    lengths = offsets[rows + 1] - begin
    ends = np.cumsum(lengths)
    total = int(ends[-1])
    places = np.arange(total) + np.repeat(begin - (ends - lengths), lengths)
    values = codes[places].astype(np.int64)
    if dropout > 0:
        stays = rng.random(total, dtype=np.float32) >= dropout
        kept = np.concatenate(([0], np.cumsum(stays)))
        return values[stays], kept[ends] - kept[ends - lengths]
    return values, lengths


class Batch:
    """Rows of a step, and what its views mask: a set of features each."""

    def __init__(self, query, item, own, masks):
        self.query, self.item, self.own, self.masks = query, item, own, masks

    def passes(self):
        """(rows, masked features, whether values are dropped) of query, item and views."""
        yield self.query, frozenset(), False
        yield self.item, frozenset(), False
        if self.own is not None:
            for mask in self.masks:
                yield self.own, mask, True


class Batches:
    """An endless stream of batches."""

    def __init__(self, dataset, batch, has_views, seed):
        self.dataset, self.batch, self.has_views = dataset, batch, has_views
        self.rng = np.random.default_rng(seed)
        self.pairs, self.pair_at = np.empty(0, np.int64), 0
        self.items, self.item_at = np.empty(0, np.int64), 0

    def _pairs(self):
        if self.pair_at + self.batch > len(self.pairs):
            self.pairs, self.pair_at = self.rng.permutation(len(self.dataset.pairs)), 0
        self.pair_at += self.batch
        chosen = self.dataset.pairs[self.pairs[self.pair_at - self.batch : self.pair_at]]
        return chosen[:, 0].astype(np.int64), chosen[:, 1].astype(np.int64)

    def _own(self):
        # Parts of a random order of the catalogue: uniform, distinct, and cheap.
        if self.item_at + self.batch > len(self.items):
            self.items, self.item_at = self.rng.permutation(self.dataset.items), 0
        self.item_at += self.batch
        return self.items[self.item_at - self.batch : self.item_at]

    def _masks(self):
        """Correlated feature masking: a seed and the half that it tells most about; the rest."""
        k = self.dataset.features
        seed = int(self.rng.integers(k))
        information = self.dataset.information[seed].copy()
        information[seed] = np.inf
        count = 1 + min(k // 2, k - 2)
        h = frozenset(np.argsort(-information, kind="stable")[:count].tolist())
        return h, frozenset(range(k)) - h

    def next(self):
        """The next one."""
        query, item = self._pairs()
        if not self.has_views:
            return Batch(query, item, None, None)
        return Batch(query, item, self._own(), self._masks())
