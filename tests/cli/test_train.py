# SPDX-License-Identifier: Apache-2.0
"""Training: what it refuses, what it leaves when it fails, and that every method runs."""
import json
import os
import resource
import shutil
import struct
import unittest

import harness
from harness import FAILED, MEMORY, NONFINITE, USAGE, run, snapshot

METHODS = ["none", "cfm", "cfm-no-complement", "cfm-no-dropout", "rfm", "rfm-no-complement",
           "dropout", "feature-dropout", "spread-out", "spread-out-square", "spread-out-moments",
           "noise"]

# Decay of 3 a step turns weights into twice their negatives: finite for some epochs, then not.
GROWS = ["--train.rate", "3", "--train.decay", "1", "--train.optimizer", "sgd", "--train.epochs",
         "1000", "--train.patience", "0"]


class Refused(harness.Case):
    """Datasets and settings that cannot be trained."""

    def train(self, code, dataset, texts, *options):
        """A run that must be refused."""
        self.refused(code, ["train", dataset, "-o", self.path("m"), "-q", *options], *texts)

    def test_split_leaves_nothing(self):
        """prepare says so, with the number of pairs."""
        rows = [[q, x, t, "test"] for q, x, t, _ in harness.pair_rows()]
        project = self.project(pairs=rows, settings={"split": {"by": "column", "column": "part"}})
        self.not_prepared(FAILED, project, "leaves none of the 300 pairs", "training")
        project = self.project(settings={"split": {"train_fraction": 0.0001}})
        self.not_prepared(FAILED, project, "leaves none", "split.train_fraction")

    def test_one_pair_only(self):
        """In-batch negatives need two."""
        dataset = self.dataset(pairs=[["i0", "i1", 1, "train"]],
                               settings={"split": {"test": 0, "validation": 0}})
        self.train(FAILED, dataset, ["1 training pair", "need two"])

    def test_two_pairs_are_enough(self):
        """The smallest data that trains."""
        dataset = self.dataset(pairs=[["i0", "i1", 1, "train"], ["i1", "i2", 1, "train"]],
                               settings={"split": {"test": 0, "validation": 0}})
        self.model(dataset)

    def test_one_item_only(self):
        """A catalogue of one."""
        pairs = [["u%d" % i, "i0", 1, "train"] for i in range(9)]
        dataset = self.dataset(items=harness.item_rows(1), pairs=pairs, queries="user",
                               settings={"split": {"test": 0, "validation": 0}})
        self.train(FAILED, dataset, ["1 items", "needs two"])

    def test_masking_needs_two_features(self):
        """One feature with cfm and rfm; dropout and none go."""
        dataset = self.dataset(features={"tags": {"type": "bag"}})
        for method in ("cfm", "cfm-no-complement", "cfm-no-dropout", "rfm", "rfm-no-complement"):
            self.train(USAGE, dataset, ["masking needs at least two", "ssl.method"], "--ssl.method",
                       method)
        for method in ("dropout", "none", "spread-out"):
            self.model(dataset, "--ssl.method", method, name=method)

    def test_sharing_all_needs_one_kind(self):
        """model.share: all with separate queries."""
        dataset = self.dataset(queries="user")
        self.train(USAGE, dataset, ["model.share: all"], "--model.share", "all")

    def test_no_test_pairs(self):
        """evaluate has nothing to measure; prepare warned of it."""
        project = self.project(settings={"split": {"test": 0, "validation": 0}})
        result = self.done(run("prepare", project, "-o", self.path("d")))
        self.assertIn("no test pairs", result.err)
        model = self.model(self.path("d"))
        self.refused(FAILED, ["evaluate", model, "-q"], "test split has no pairs", "split.test")
        self.refused(FAILED, ["evaluate", model, "-q", "--evaluate.split", "validation"],
                     "validation split has no pairs")

    def test_not_enough_memory(self):
        """A model that does not fit: exit code 4 with bytes and purpose."""
        if harness.is_sanitized():
            self.skipTest("a sanitizer needs the address space")
        dataset = self.dataset()

        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        self.refused(MEMORY, ["train", dataset, "-o", self.path("m"), "-q", "--model.hidden",
                              "65536,65536"], "out of memory", "bytes for", preexec_fn=limit)


class NotFinite(harness.Case):
    """Divergence stops the run and never reaches a file."""

    def diverges(self, *options):
        """A run that gives up after ten batches; it leaves the list of them and no checkpoint."""
        before = snapshot(self.folder)
        result = run("train", self.path("d.dip"), "-o", self.path("m"), "-q", "--train.rate",
                     "1e38", "--train.batch", "16", *options)
        kept = self.path("m.checkpoints")
        self.says(result, NONFINITE, "step ", os.path.join(kept, "quarantine.jsonl"))
        self.assertRegex(result.err, r'(main|self-supervised) loss|tensor "[a-z0-9.]+"')
        self.assertEqual(sorted(os.listdir(kept)), ["lock", "metrics.jsonl", "quarantine.jsonl"])
        lines = harness.read_bytes(os.path.join(kept, "quarantine.jsonl")).splitlines()
        self.assertEqual(len(lines), 10)
        shutil.rmtree(kept)
        self.assertEqual(snapshot(self.folder), before, "something was left behind or changed")

    def test_no_model_is_left_without_an_epoch(self):
        """The step and the loss or tensor are named."""
        self.dataset()
        for options in ([], ["--ssl.method", "none"], ["--train.optimizer", "sgd"],
                        ["--train.optimizer", "adam"], ["--train.checkpoint_every", "7"]):
            with self.subTest(options=options):
                self.diverges(*options)

    def test_parameters_that_overflow_in_the_last_step(self):
        """One step an epoch: what would be written is looked at."""
        dataset = self.dataset()
        for options in ([], ["--train.epochs", "1"]):
            command = ["train", dataset, "-o", self.path("m"), "-q", "--train.rate", "1e38",
                       "--train.batch", "65536", *options]
            result = self.refused(NONFINITE, command)
            self.assertRegex(result.err, r'(main|self-supervised) loss|tensor "[a-z0-9.]+"')

    def test_old_output_is_untouched(self):
        """--force replaces only by a finished epoch."""
        self.model(self.dataset())
        self.diverges("--force")

    def test_last_good_model_is_kept(self):
        """After some good epochs: the message says which one, and it can be used."""
        for name, split in (("v", {"test": 0.1, "validation": 0.1}),
                            ("w", {"test": 0.2, "validation": 0})):
            dataset = self.dataset(name + ".dip", settings={"split": split})
            out = self.path(name)
            result = run("train", dataset, "-o", out, "-q", *GROWS)
            self.says(result, NONFINITE, "last good model (epoch ", out, "step ")
            training = run("inspect", out, "--json").json()["training"]
            self.assertIn("(epoch %d)" % training.get("best_epoch", training["epochs"]),
                          result.err)
            self.done(run("evaluate", out, "-q", "--json")).json()
            found = self.done(run("recommend", out, "--query", "i1", "--json", "-k", "99")).json()
            self.assertEqual(len(found["items"]), 39)
        self.assertFalse([n for n in os.listdir(self.folder) if n.startswith(".")])


class Runs(harness.Shared):
    """Everything that can be chosen trains and leaves finite numbers."""

    def check(self, *options):
        """A run whose report and metrics are finite."""
        report = self.done(run("train", self.shared_dataset, "-o", self.path("m"), "-f", "-q",
                               "--json", *options)).json()
        self.assertLessEqual({"steps", "epochs", "examples", "loss", "loss_main", "loss_self",
                              "seconds", "examples_per_second", "best_validation", "best_epoch",
                              "validation_metric"}, set(report))
        return report

    def test_every_method(self):
        """The twelve choices of ssl.method."""
        losses = {}
        for method in METHODS:
            report = self.check("--ssl.method", method)
            losses[method] = report["loss_self"]
        for method in ("none", "feature-dropout"):
            self.assertEqual(losses.pop(method), 0)
        self.assertNotIn(0, losses.values())

    def test_every_method_is_listed_here(self):
        """The list above is that of the help."""
        text = " ".join(run("train", "--help").out.split())
        self.assertIn("(choice: %s; default cfm)" % " | ".join(METHODS), text)

    def test_optimizers_schedules_and_sharing(self):
        """The other choices, and each metric."""
        for key, values in {"train.optimizer": ["adagrad", "sgd", "adam"],
                            "train.schedule": ["constant", "linear", "cosine"],
                            "model.share": ["none", "tables", "all"],
                            "train.logq": ["none", "exact", "refined"],
                            "train.mask_hits": ["yes", "no"], "ssl.mask_same": ["yes", "no"],
                            "ssl.masks": ["batch", "example"], "ssl.towers": ["item", "both"],
                            "ssl.pretrain": ["0", "1"], "ssl.after_pretrain": ["keep", "stop"],
                            "ssl.symmetric": ["yes", "no"],
                            "ssl.items": ["catalogue", "training"],
                            "train.metric": ["recall", "map", "ndcg", "mrr", "hit_rate"]}.items():
            for value in values:
                self.check("--" + key, value)

    def test_odd_sizes(self):
        """Batches larger than the data, of two, one layer, eight layers, width one."""
        for options in (["--train.batch", "65536"], ["--train.batch", "2", "--train.epochs", "1"],
                        ["--ssl.batch", "2"], ["--ssl.batch", "65536"], ["--model.hidden", "5"],
                        ["--model.hidden", "9,8,7,6,5,4,3,2"], ["--model.hidden", "1"],
                        ["--model.dim", "1"], ["--train.rate", "0"], ["--ssl.alpha", "0"],
                        ["--train.warmup", "1000000000"], ["--threads", "7"], ["--preset", "paper"],
                        ["--train.temperature", "0.001"], ["--train.temperature", "100"]):
            if options == ["--preset", "paper"]:
                options += ["--model.hidden", "8,4"]
            self.check(*options)

    def test_a_preset_with_dropped_ids_serves_every_catalogue(self):
        """Where ids cannot be dropped the run says so, and leaves what one without it leaves."""
        best = ("--preset", "best", "--model.hidden", "8,4", "--train.epochs", "2")
        bags = {"tags": {"type": "bag"}, "title": {"type": "text"}}
        for which, features in (("none", bags), ("each", {"id": {"type": "id"}})):
            dataset = self.dataset(features=features, name=which + ".dip")
            result = self.done(run("train", dataset, "-o", self.path("a"), "-f", *best))
            self.assertIn("warning: train.id_dropout drops nothing: %s of the items' features is "
                          "of type id" % which, result.err)
            plain = self.done(run("train", dataset, "-o", self.path("b"), "-f", *best,
                                  "--train.id_dropout", "0"))
            self.assertNotIn("id_dropout drops", plain.err)
            self.assertEqual(harness.read_bytes(self.path("a", "model.safetensors")),
                             harness.read_bytes(self.path("b", "model.safetensors")))

    def test_views_that_are_alike(self):
        """Dropped values make views of features with several, where any are dropped."""
        one = {"id": {"type": "id"}, "brand": {"type": "categorical"}, "price": {"type": "numeric"}}
        plain = self.dataset(features=one, name="one.dip")
        bags = self.dataset(name="bags.dip")
        users = self.dataset(pairs=harness.pair_rows(prefix="u"), queries="user", name="users.dip")
        drop = ("--ssl.method", "dropout", "--ssl.dropout")
        for dataset, options, reason in (
                (plain, (*drop, "0.3"), "no feature of the items has"),
                (bags, (*drop, "0"), "ssl.dropout is 0"),
                (bags, (*drop, "0.3"), None),
                (plain, (*drop, "0.3", "--ssl.alpha", "0"), None),
                (users, (*drop, "0.3"), None),
                (users, (*drop, "0.3", "--ssl.towers", "both"), "no feature of the queries has"),
                (plain, ("--ssl.method", "noise"), None)):
            said = self.done(run("train", dataset, "-o", self.path("m"), "-f", "--train.epochs",
                                 "1", *options)).err
            self.assertEqual("views that are alike" in said, reason is not None, options)
            self.assertIn(reason or "", said)

    def test_ids_below_the_least_pairs_are_not_there(self):
        """Their rows hold the default; what the model on disk finds is what training reported,
        and the reason is given where no id can be left out."""
        dataset = self.dataset(settings=dict(harness.TINY, split={"validation": 0.2}))
        options = ("--train.epochs", "3", "--train.average", "2", "--train.metric", "map",
                   "--train.metric_k", "10", "--train.id_min_pairs")
        found = {n: self.tensors(dataset, *options, n) for n in ("0", "6", "1000000000")}
        default = found["1000000000"]["default"][:4]
        rows = {n: [table[i:i + 4] for i in range(0, len(table), 4)]
                for n, table in ((n, tensors["embedding.id"]) for n, tensors in found.items())}
        self.assertEqual(rows["1000000000"], [default] * len(rows["0"]))
        default = found["6"]["default"][:4]
        hidden = sum(row == default for row in rows["6"])
        self.assertTrue(0 < hidden < len(rows["6"]), hidden)
        self.assertEqual(sum(row == found["0"]["default"][:4] for row in rows["0"]), 0)
        report = self.done(run("train", dataset, "-o", self.path("m"), "-f", "--json", *options,
                               "6")).json()
        again = self.done(run("evaluate", self.path("m"), "--json", "--evaluate.split",
                              "validation")).json()
        self.assertEqual(report["best_validation"], again["all"]["map@10"])
        bags = self.dataset(features={"tags": {"type": "bag"}, "title": {"type": "text"}},
                            name="bags.dip")
        result = self.done(run("train", bags, "-o", self.path("m"), "-f", *options, "2"))
        self.assertIn("warning: train.id_min_pairs leaves all ids: no feature of the items is of "
                      "type id", result.err)

    def test_ids_of_queries_below_the_least_pairs_are_not_there(self):
        """The same for queries that are no items, of which nothing else may be left; a preset that
        asks for it where queries are items says nothing."""
        tiny = dict(harness.TINY, split={"validation": 0.2})
        dataset = self.dataset(pairs=harness.pair_rows(prefix="u"), queries="user", settings=tiny)
        options = ("--train.epochs", "3", "--train.query_min_pairs")
        found = {n: self.tensors(dataset, *options, n) for n in ("0", "6", "1000000000")}
        table = "embedding.query.user"
        rows = {n: [t[table][i:i + 4] == t["query.default"]
                    for i in range(0, len(t[table]), 4)]
                for n, t in found.items()}
        self.assertEqual((any(rows["0"]), all(rows["1000000000"])), (False, True))
        self.assertTrue(0 < sum(rows["6"]) < len(rows["6"]), rows["6"])
        report = self.done(run("train", dataset, "-o", self.path("m"), "-f", "--json", *options,
                               "6"))
        again = self.done(run("evaluate", self.path("m"), "--json", "--evaluate.split",
                              "validation")).json()
        self.assertEqual(report.json()["best_validation"], again["all"]["recall@50"])
        self.assertNotIn("leaves all ids", report.err)
        words = [["user", "words"], *([q, q] for q in sorted({row[0] for row in
                                                              harness.pair_rows(prefix="u")}))]
        bags = self.dataset(pairs=harness.pair_rows(prefix="u"), name="bags.dip", queries=(
            words[0], words[1:], {"words": {"type": "bag"}}))
        result = self.done(run("train", bags, "-o", self.path("m"), "-f", *options, "2"))
        self.assertIn("warning: train.query_min_pairs leaves all ids: no feature of the queries is "
                      "of type id", result.err)
        same = self.done(run("train", self.dataset(name="same.dip"), "-o", self.path("m"), "-f",
                             *options, "2"))
        self.assertNotIn("query_min_pairs", same.err)

    def tensors(self, dataset, *options):
        """The tensors of a model that is trained, as flat lists of numbers."""
        self.done(run("train", dataset, "-o", self.path("m"), "-f", "-q", "--train.rate", "0.02",
                      *options))
        data = harness.read_bytes(self.path("m", "model.safetensors"))
        size = int.from_bytes(data[:8], "little")
        found = {}
        for name, tensor in json.loads(data[8:8 + size]).items():
            if name != "__metadata__":
                begin, end = (8 + size + offset for offset in tensor["data_offsets"])
                found[name] = struct.unpack("<%df" % ((end - begin) // 4), data[begin:end])
        return found

    def test_average(self):
        """The model is the running mean of those of shorter runs without one, which are those of
        the last epoch, as nothing is validated."""
        dataset = self.dataset(settings=dict(harness.TINY, split={"validation": 0}))
        ends = [self.tensors(dataset, "--train.epochs", e) for e in "123"]
        means = {n: self.tensors(dataset, "--train.epochs", "3", "--train.average", n)
                 for n in ("1", "2", "3", "1000")}
        differ = 0
        for name, last in ends[2].items():
            for first, second, third, *found in zip(ends[0][name], ends[1][name], last,
                                                    *(means[n][name] for n in means)):
                of_two = (first + second) / 2
                of_two += (third - of_two) / 2
                of_three = (first + second + third) / 3
                for value, expected in zip(found, (third, of_two, of_three, of_three)):
                    self.assertAlmostEqual(value, expected, delta=1e-6)
                differ += abs(of_two - of_three) > 1e-4
        self.assertGreater(differ, 10)

    def test_metrics_file(self):
        """One JSON object a line; steps and epochs."""
        self.check("--train.epochs", "3", "--train.batch", "16", "--train.patience", "0")
        lines = harness.read_bytes(self.path("m", "metrics.jsonl")).decode().splitlines()
        found = [json.loads(line) for line in lines]
        steps = [line for line in found if "step" in line]
        epochs = [line for line in found if "validation_recall@50" in line]
        self.assertEqual(steps[0]["step"], 1)
        self.assertLessEqual({"epoch", "examples", "loss", "loss_main", "loss_self", "rate",
                              "gradient_norm"}, set(steps[0]))
        self.assertGreaterEqual(len(epochs), 1)

    def test_stored_configuration(self):
        """The model remembers every option as it was, and the dataset."""
        self.check("--train.rate", "0.125", "--set", "ssl.alpha=0.7")
        found = run("inspect", self.path("m"), "--json").json()
        self.assertEqual(found["config"]["train.rate"], "0.125")
        self.assertEqual(found["config"]["ssl.alpha"], "0.7")
        self.assertEqual(found["dataset"]["path"], os.path.realpath(self.shared_dataset))

    def test_quiet_and_loud(self):
        """--quiet silences standard error; otherwise a first line says what is done."""
        command = ["train", self.shared_dataset, "-o", self.path("m"), "-f"]
        self.assertEqual(run(*command, "-q").err, "")
        self.assertTrue(run(*command).err.startswith("training on "))

    def test_low_supervision(self):
        """split.train_fraction keeps the test set and a share of the training pairs."""
        whole = run("inspect", self.shared_dataset, "--json").json()["counts"]
        tenth = self.dataset(settings={"split": {"train_fraction": 0.3}})
        counts = run("inspect", tenth, "--json").json()["counts"]
        self.assertEqual(counts["test"], whole["test"])
        self.assertEqual(counts["train"] + counts["unused"], whole["train"])
        self.assertLess(abs(counts["train"] - 0.3 * whole["train"]), 30)
        self.model(tenth)


if __name__ == "__main__":
    unittest.main()
