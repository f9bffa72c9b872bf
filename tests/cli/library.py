# SPDX-License-Identifier: Apache-2.0
"""The shared library through ctypes: what an independent program sees of a model and a dataset."""
import array
import ctypes
import os

import harness


class Error(ctypes.Structure):
    """dip_error"""
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 1020)]


class OptionInfo(ctypes.Structure):
    """dip_option_info"""
    _fields_ = [("key", ctypes.c_char_p), ("type", ctypes.c_char_p),
                ("default_value", ctypes.c_char_p), ("help", ctypes.c_char_p),
                ("range", ctypes.c_char * 256)]


def is_usable():
    """A sanitized library cannot be loaded into a plain Python."""
    return not harness.is_sanitized()


class Library:
    """libdiptych.so of the build folder."""

    def __init__(self):
        path = os.path.join(harness.BINARY_DIR or os.path.dirname(harness.COMMAND), "libdiptych.so")
        if not is_usable():
            raise harness.unittest.SkipTest("a sanitized library does not load into Python")
        self.call = ctypes.CDLL(path)
        self.call.dip_option_count.restype = ctypes.c_size_t
        self.call.dip_option_get.argtypes = [ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
        self.call.dip_dataset_item_count.restype = ctypes.c_int64
        self.call.dip_dataset_query_count.restype = ctypes.c_int64
        self.call.dip_model_dim.restype = ctypes.c_size_t
        for name in ("dip_dataset_item_count", "dip_dataset_query_count", "dip_model_dim",
                     "dip_dataset_close", "dip_model_free", "dip_index_free"):
            getattr(self.call, name).argtypes = [ctypes.c_void_p]

    def options(self):
        """(key, type, default, range) of every option."""
        info, found = OptionInfo(), []
        for i in range(self.call.dip_option_count()):
            assert self.call.dip_option_get(i, ctypes.byref(info), None) == 0
            found.append((info.key.decode(), info.type.decode(), info.default_value.decode(),
                          info.range.decode()))
        return found

    def check(self, status, error):
        """Raises what the library said."""
        if status != 0:
            raise RuntimeError("%d: %s" % (status, error.message.decode()))


class Opened:
    """A model with a dataset, their vectors, and an index."""

    def __init__(self, model, dataset):
        self.library = Library()
        self.call = self.library.call
        self.model, self.dataset, self.index = (ctypes.c_void_p() for _ in range(3))
        self.must("dip_model_load", ctypes.byref(self.model), os.fsencode(model))
        self.must("dip_dataset_open", ctypes.byref(self.dataset), os.fsencode(dataset))
        self.must("dip_index_build", ctypes.byref(self.index), self.model, self.dataset, None)
        self.n_items = self.call.dip_dataset_item_count(self.dataset)
        self.n_queries = self.call.dip_dataset_query_count(self.dataset)
        self.dim = self.call.dip_model_dim(self.model)

    def must(self, name, *arguments):
        """Calls a function that returns dip_status."""
        error = Error()
        self.library.check(getattr(self.call, name)(*arguments, ctypes.byref(error)), error)

    def vectors(self, side, rows):
        """The vectors of some rows of a side, as one flat array."""
        given = (ctypes.c_int64 * len(rows))(*rows)
        target = (ctypes.c_float * (len(rows) * self.dim))()
        self.must("dip_model_encode_" + side, self.model, self.dataset, given,
                  ctypes.c_size_t(len(rows)), target)
        return array.array("f", target)

    def search(self, queries, n, k):
        """items[n][k], scores[n][k] of flat query vectors."""
        given = (ctypes.c_float * len(queries))(*queries)
        items = (ctypes.c_int64 * (n * k))()
        scores = (ctypes.c_float * (n * k))()
        self.must("dip_index_search", self.index, given, ctypes.c_size_t(n), ctypes.c_size_t(k),
                  items, scores)
        return ([list(items[i * k:i * k + k]) for i in range(n)],
                [list(scores[i * k:i * k + k]) for i in range(n)])

    def close(self):
        """Frees everything."""
        self.call.dip_index_free(self.index)
        self.call.dip_dataset_close(self.dataset)
        self.call.dip_model_free(self.model)
