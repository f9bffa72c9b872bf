# SPDX-License-Identifier: Apache-2.0
"""The report that diptych experiment writes of a study on the data of this tree, in a real browser:
every kind of figure is drawn, and page, figures and tables have the numbers of results.json."""
import json
import os
import subprocess

import report
import test_figures
import test_report

# Two conditions, a choice by two seeds, two final seeds, and every kind of figure.
STUDY = """
options:
  model: {dim: 8, hidden: [16]}
  train: {epochs: 2, rate: 0.05}
  evaluate: {bootstrap: 100}
seeds: 2
choice_seeds: 2
baseline: supervised
conditions:
  exact: {label: with the correction, options: {train.logq: exact}}
  none: {label: without it, options: {train.logq: none}}
methods:
  supervised: {label: supervised only, options: {ssl.method: none}}
  cfm: {label: CFM, options: {ssl.method: cfm}, choose: {ssl.alpha: [0.1, 1]}}
tables:
  - number: 2
    title: All pairs and slices
    columns: [map@10, recall@50, tail/recall@50, cold/recall@50]
figures:
  - {kind: choice, option: ssl.alpha, methods: [cfm], columns: [recall@50, map@10]}
  - {kind: curves, methods: [supervised, cfm]}
  - {kind: deciles, conditions: [exact], columns: [recall@50]}
  - {kind: popularity}
  - {kind: information, conditions: [exact]}
  - {kind: map, conditions: [exact], methods: [supervised, cfm]}
"""


def diptych(*words):
    """Runs the command, which must succeed."""
    subprocess.run([os.environ["DIPTYCH"], *words, "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)


class Study(test_figures.Drawn, test_report.Tables, report.Opened):
    """What a user opens."""
    CAN_TELL = False  # with two seeds hardly anything is significant

    @classmethod
    def make_page(cls):
        data, study, made = (os.path.join(cls.folder, name) for name in ("d.dip", "s.yaml", "r"))
        with open(study, "w", encoding="utf-8") as file:
            file.write(STUDY)
        project = os.path.join(os.environ["DIP_SOURCE_DIR"], "data", "docs-small", "project.yaml")
        diptych("prepare", project, "-o", data, "--split.train_fraction", "0.1")
        diptych("experiment", data, "--study", study, "-o", made, "--map_items", "400", "--plotly",
                report.PLOTLY)
        with open(os.path.join(made, "results.json"), encoding="utf-8") as file:
            return json.load(file), os.path.join(made, "index.html")

    def test_every_kind_of_figure_is_there(self):
        """With as many figures, panels and series as the study asks for."""
        self.assertEqual({figure["id"]: len(figure["panels"]) for figure in self.data["figures"]
                          if "panels" in figure},
                         {"ssl.alpha-exact": 2, "ssl.alpha-none": 2, "curves-exact": 2,
                          "curves-none": 2, "deciles-exact": 1, "popularity": 1, "map-exact": 2})
        self.assertEqual(len(self.of_kind("heat")), 1)
        self.assertEqual(len(self.of_kind("scatter")[0]["titles"]), 400)


if __name__ == "__main__":
    report.main()
