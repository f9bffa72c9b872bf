# SPDX-License-Identifier: Apache-2.0
"""What must repeat to the bit: datasets, models for any number of threads, saved and reloaded."""
import os
import shutil
import unittest

import harness
from harness import read_bytes, run, snapshot
from library import Opened


class SameBits(harness.Shared):
    """Byte-identical results."""

    def test_prepare_twice(self):
        """Byte-identical folders, each kind of project."""
        users = [["u%d" % i, "land%d" % (i % 5)] for i in range(40)]
        kinds = [{}, {"queries": "user", "pairs": harness.pair_rows(prefix="u")},
                 {"queries": (["user", "country"], users, {"country": {"type": "categorical"}}),
                  "pairs": harness.pair_rows(prefix="u")},
                 {"settings": {"split": {"by": "time"}}, "time": "t"}]
        for i, kind in enumerate(kinds):
            names = ["a%d" % i, "b%d" % i]
            for name in names:
                self.dataset(name, **kind)
            self.assertEqual(snapshot(self.path(names[0])), snapshot(self.path(names[1])))

    def test_prepare_elsewhere(self):
        """The same files under another folder give the same bytes: no path is stored."""
        os.mkdir(self.path("elsewhere"))
        for name in ("p.yaml", "items.tsv", "pairs.tsv"):
            shutil.copy(os.path.join(self.base, name), self.path("elsewhere"))
        self.done(run("prepare", "p.yaml", "-o", "d", "-q", cwd=self.path("elsewhere")))
        self.assertEqual(snapshot(self.path("elsewhere", "d")), snapshot(self.shared_dataset))

    def tensors(self, name, *options):
        """The bytes of a model's tensors."""
        model = self.model(self.shared_dataset, *options, name=name)
        return read_bytes(os.path.join(model, "model.safetensors"))

    def test_train_twice(self):
        """Tensors and metrics; another seed gives others."""
        one = self.tensors("a", "--seed", "5")
        self.assertEqual(self.tensors("b", "--seed", "5"), one)
        self.assertEqual(read_bytes(self.path("a", "metrics.jsonl")),
                         read_bytes(self.path("b", "metrics.jsonl")))
        self.assertNotEqual(self.tensors("c", "--seed", "6"), one)

    def test_number_of_threads(self):
        """One, two, three and eight threads; several methods, batches over several panels."""
        for method in ("cfm", "none", "spread-out", "feature-dropout"):
            options = ["--ssl.method", method, "--train.batch", "200", "--model.hidden", "40,8"]
            found = {self.tensors("%s%d" % (method, n), "--threads", str(n), *options)
                     for n in (1, 2, 3, 8)}
            self.assertEqual(len(found), 1, method)

    def test_threads_in_evaluate(self):
        """The report but for its seconds."""
        reports = [run("evaluate", self.shared_model, "--json", "-q", "--threads", n).json()
                   for n in (1, 2, 5)]
        for report in reports:
            report.pop("seconds")
        self.assertEqual(reports[0], reports[1])
        self.assertEqual(reports[0], reports[2])

    def test_reloaded_and_moved(self):
        """A copied model and dataset give the same vectors and scores to the bit."""
        dataset, model = self.copies()
        lists = []
        for one, other in [(self.shared_model, self.shared_dataset), (model, dataset)]:
            opened = Opened(one, other)
            items = opened.vectors("items", range(opened.n_items))
            queries = opened.vectors("queries", range(opened.n_queries))
            lists.append((items.tobytes(), queries.tobytes(),
                          opened.search(queries, opened.n_queries, 10)))
            opened.close()
        self.assertEqual(lists[0], lists[1])

    def test_the_command_and_the_library_agree(self):
        """recommend prints the very scores of dip_index_search, asked for one query at a time: the
        matrix product of many queries may round a row differently."""
        opened = Opened(self.shared_model, self.shared_dataset)
        self.addCleanup(opened.close)
        for row in (0, 7, 39):
            order, scores = opened.search(opened.vectors("queries", [row]), 1, opened.n_items)
            found = run("recommend", self.shared_model, "--query", "i%d" % row, "--json", "-k",
                        "100").json()["items"]
            wanted = [("i%d" % item, score) for item, score in zip(order[0], scores[0])
                      if item != row]
            self.assertEqual([(item["id"], item["score"]) for item in found], wanted)

    def test_early_stopping_keeps_the_best_epoch(self):
        """The model that is kept is the one that a run of just so many epochs would give."""
        options = ["--train.epochs", "9", "--train.patience", "2", "--train.metric", "map",
                   "--train.metric_k", "5"]
        kept = self.tensors("kept", *options)
        best = run("inspect", self.path("kept"), "--json").json()["training"]["best_epoch"]
        again = self.tensors("again", *options[2:], "--train.epochs", str(best))
        self.assertEqual(kept, again)


if __name__ == "__main__":
    unittest.main()
