# SPDX-License-Identifier: Apache-2.0
"""The words and tables of a report's page: everything that results.json has is there, as it is
there, in a real browser without a network. Skipped where there is no browser."""
import json
import os
import re
import unittest

import report
from make_results import HOSTILE, Maker
from report import change, interval, probability, score, signed

CELLS = """[...document.querySelectorAll('#table-%s table.scores td')].map(td =>
    [td.dataset.row, td.dataset.column, td.textContent, td.querySelector('b') !== null])"""
ROWS = """[...document.querySelectorAll('%s tr')].map(tr =>
    [...tr.querySelectorAll('th, td')].map(cell => cell.textContent))"""
OPEN = "document.querySelectorAll('details').forEach(d => { d.open = true })"


def slice_name(name):
    """As tables write it."""
    return "All\u00a0pairs" if name == "all" else name.capitalize()


class Tables:
    """What holds for the tables of every report."""
    CAN_TELL = True  # whether a method is the best beyond chance

    def test_every_cell_of_every_table(self):
        """Mean, marks, spread and change; bold where it should be, and nowhere else."""
        n_bold = 0
        for table in self.data["tables"]:
            wanted = []
            for kind in ("method", "reference"):
                for row in table["rows"]:
                    if row["kind"] == kind:
                        for column, cell in zip(table["columns"], row["cells"]):
                            text, is_bold = report.cell_text(cell, kind == "reference")
                            wanted.append([row["method"], column["key"], text, is_bold])
                            n_bold += is_bold
            self.assertEqual(self.page.run(CELLS % table["id"]), wanted, table["id"])
        self.assertEqual(self.page.run("document.querySelectorAll('#tables td b').length"), n_bold)
        self.assertEqual(n_bold > 0, self.CAN_TELL)

    def test_heads_of_the_tables(self):
        """Slices with their sizes above the metrics; labels with their settings before the rows."""
        for table in self.data["tables"]:
            rows = self.page.run(ROWS % ("#table-%s table.scores" % table["id"]))
            seen = []
            for column in table["columns"]:
                size = ("%s pairs, %s queries" % (format(column["pairs"], ","), format(
                    column["queries"], ",")) if column["pairs"] else "no pairs")
                text = slice_name(column["slice"]) + size
                if text not in seen:
                    seen.append(text)
            self.assertEqual(rows[0], [""] + seen)
            self.assertEqual(rows[1], ["Method"] + [c["label"] for c in table["columns"]])
            labels = [row["label"] + ", ".join("%s %s" % (k.split(".")[-1], v) for k, v in
                                               row.get("setting", {}).items())
                      for row in table["rows"]]
            self.assertEqual([row[0] for row in rows[2:]], labels)

    def test_details_of_the_tables(self):
        """Both p values, the interval of the difference, the values of each seed."""
        self.page.run(OPEN)
        for table in self.data["tables"]:
            place = "#table-%s details table tbody" % table["id"]
            self.page.wait("document.querySelector('%s')" % place)
            wanted = []
            for i, column in enumerate(table["columns"]):
                for row in table["rows"]:
                    cell = row["cells"][i]
                    between = cell.get("difference") or {"mean": None, "low": None, "high": None}
                    wanted.append([
                        slice_name(column["slice"]), column["label"], row["label"],
                        score(cell["mean"]), score(cell.get("sd")),
                        interval(cell.get("low"), cell.get("high")),
                        change(cell.get("change")), signed(between["mean"]),
                        interval(between["low"], between["high"], signed),
                        probability(cell.get("p_seed")), probability(cell.get("p_query")),
                        " ".join(map(score, cell.get("values", []))) or report.NONE])
            self.assertEqual(self.page.run(ROWS % place), wanted)

    def test_choices(self):
        """Every value that was tried, with its score; the one that was taken is marked."""
        found = self.page.run("""[...document.querySelectorAll('#choices tbody tr')].map(tr =>
            [...tr.querySelectorAll('li')].map(li => [li.textContent, li.className]))""")
        wanted = [[["%s%s %s" % ("\u2713 " if t["chosen"] else "", t["value"], score(t["score"])),
                    "chosen" if t["chosen"] else ""] for t in choice["tried"]]
                  for choice in self.data["choices"]]
        self.assertEqual(found, wanted)

    def test_costs(self):
        """What a final run takes, by method."""
        found = self.page.run("""[...document.querySelectorAll('#runs table:not(.dense) tbody tr')]
            .map(tr => [...tr.children].map(cell => cell.textContent))""")
        self.assertEqual(len(found), len(self.data["costs"]))
        for row, cost in zip(found, self.data["costs"]):
            self.assertEqual(row[1], "%.1f" % cost["epochs"])
            times = cost["times_baseline"]
            self.assertEqual(row[4], "\u2013" if times is None else "%.2f" % times)

    def test_all_runs(self):
        """Each on a line, in the order of a column when its name is pressed."""
        self.page.run(OPEN)
        self.page.wait("document.querySelector('#runs .dense tbody')")
        key = self.data["tables"][0]["columns"][0]["key"]
        keys = lambda: self.page.run("""[...document.querySelectorAll('#runs .dense tbody tr')]
            .map(tr => tr.lastChild.textContent)""")
        press = lambda: self.page.run("""[...document.querySelectorAll('#runs .dense th button')]
            .find(b => b.textContent === 'test %s').click()""" % key.replace("all/", ""))
        self.assertEqual(keys(), [run["key"] for run in self.data["runs"]])
        by_key = {run["key"]: (run["test"] or {}).get(key) for run in self.data["runs"]}
        for sign in (1, -1):
            press()
            values = [by_key[key] for key in keys() if by_key[key] is not None]
            self.assertEqual(values, sorted(values, reverse=sign < 0))
            self.assertEqual(len(keys()), len(by_key))

    def test_the_page_holds_the_document(self):
        """Exactly: it can be taken out of the page again."""
        text = self.page.run("document.getElementById('results').textContent")
        self.assertEqual(json.loads(text), self.data)
        self.assertIsNone(re.search("[<>&]", text))

    def test_head_and_warnings(self):
        """Title, leaks, command and all warnings can be read without a press."""
        self.assertEqual(self.page.run("document.title"), self.data["title"])
        self.assertEqual(self.texts("h1"), [self.data["title"]])
        top = self.texts("header")[0]
        for text in self.data["dataset"]["warnings"] + [self.data["command"], "12,394",
                                                         self.data["study"]["selection"]]:
            self.assertIn(text, top)
        for text in self.data["dataset"]["warnings"] + self.data["warnings"]:
            self.assertIn(text, self.texts("#warnings")[0])

    def test_it_can_be_read_by_a_machine(self):
        """Headers of tables have their scope, pictures their text, ids are not given twice."""
        self.page.run(OPEN)
        bare = "[...document.querySelectorAll('%s')].filter(e => !e.%s).map(e => e.outerHTML)"
        self.assertEqual(self.page.run(bare % ("th:not(:empty)", "scope")), [])
        self.assertEqual(self.page.run(bare % (".plot", "ariaLabel")), [])
        ids = self.page.run("[...document.querySelectorAll('main [id]')].map(e => e.id)")
        self.assertEqual(len(ids), len(set(ids)))
        links = self.page.run("""[...document.querySelectorAll('a[href^="#"]')]
            .map(a => a.getAttribute('href').slice(1))""")
        self.assertEqual(set(links) - set(ids), set())
        self.assertGreater(len(links), 8)


class Usual(Tables, report.Opened):
    """A study as it should be."""

    def comparisons(self):
        """(condition, slice, baseline's cell, best row, its cell) for recall@50."""
        seen = set()
        for table in self.data["tables"]:
            for i, column in enumerate(table["columns"]):
                key = (table["condition"], column["slice"])
                if column["key"].endswith("recall@50") and key not in seen:
                    seen.add(key)
                    rows = [r for r in table["rows"] if r["kind"] == "method"]
                    best = max(rows[1:], key=lambda r, at=i: r["cells"][at]["mean"])
                    yield key[0], key[1], rows[0]["cells"][i], best, best["cells"][i]

    def test_summary(self):
        """One line a condition and slice, with the method that is best besides the baseline."""
        rows = [row for row in self.page.run(ROWS % "#summary tbody") if len(row) > 1]
        wanted = []
        for _, part, base, best, cell in self.comparisons():
            found = [w for w, k in (("seeds", "p_seed"), ("queries", "p_query"))
                     if cell[k] < 0.05]
            words = ("not significant" if not found else "significant over " + " and ".join(found)
                     + (" only" if len(found) < 2 else ""))
            wanted.append([slice_name(part), "Recall@50", score(base["mean"]), best["label"],
                           score(cell["mean"]), change(cell["change"]),
                           probability(cell["p_seed"]), probability(cell["p_query"]),
                           "higher; " + words])
        self.assertEqual(rows, wanted)
        self.assertEqual(len(rows), 12)
        certain = [c for *_, c in self.comparisons() if report.marks(c) == "sq"]
        lead = self.texts("#summary .lead")[0]
        self.assertIn("In all 12 comparisons", lead)
        self.assertIn("in %d of these 12" % len(certain), lead)
        self.assertIn(change(max(c["change"] for c in certain)), lead)

    def test_a_tip_tells_of_a_cell(self):
        """Under the pointer; it goes away again."""
        table = self.data["tables"][0]
        cell = table["rows"][4]["cells"][2]
        place = self.page.run("""(() => { const td = document.querySelector(
            '#table-%s tr:nth-child(5) td:nth-child(4)'); td.scrollIntoView({block: 'center'});
            const box = td.getBoundingClientRect(); return [box.x + 9, box.y + 9]; })()"""
                              % table["id"])
        self.page.move(*place)
        self.page.wait("document.getElementById('tip')")
        tip = self.texts("#tip")[0]
        for text in (probability(cell["p_seed"]), probability(cell["p_query"]),
                     signed(cell["difference"]["mean"]), *map(score, cell["values"])):
            self.assertIn(text, tip)
        self.page.move(2, 2)
        self.page.wait("!document.getElementById('tip')")

    def test_a_phone_scrolls_down_only(self):
        """Tables scroll by themselves; the page is as wide as the screen."""
        self.page.resize(390, 844, True)
        self.addCleanup(self.page.resize, 1280, 900)
        self.page.wait("[...document.querySelectorAll('.plot .main-svg')]"
                       ".every(e => e.clientWidth <= 390)")
        self.assertLessEqual(self.page.run("document.documentElement.scrollWidth"), 390)
        self.assertEqual(self.page.run("""getComputedStyle(document.getElementById('navigation'))
            .position"""), "sticky")

    def test_the_numbers_can_be_saved(self):
        """The button gives results.json."""
        self.page.browser.send("Browser.setDownloadBehavior",
                               {"behavior": "allow", "downloadPath": self.folder + "/saved"})
        self.page.run("[...document.querySelectorAll('#again button')][0].click()")
        saved = os.path.join(self.folder, "saved", "results.json")
        self.page.wait("true")
        for _ in range(200):
            if os.path.exists(saved):
                break
            self.page.run("new Promise(resolve => setTimeout(resolve, 50))")
        with open(saved, encoding="utf-8") as file:
            self.assertEqual(json.load(file), self.data)


class Hostile(Tables, report.Opened):
    """Texts that would break a page which trusts them; one seed, empty slices, gaps."""

    @classmethod
    def results(cls):
        return Maker(points=300, seeds=1, hostile=True).make()

    def test_texts_stay_texts(self):
        """They are read as they are, and make no element."""
        self.assertIn(HOSTILE, self.data["title"])
        self.assertEqual(self.page.run("document.querySelectorAll('img, main script').length"), 0)
        self.assertEqual(self.page.run("document.scripts.length"), 3)
        self.assertGreater(len([t for t in self.texts("#figures .legend button")
                                if HOSTILE in t]), 1)


class Nothing(report.Opened):
    """A study that has made nothing yet."""

    @classmethod
    def results(cls):
        return dict(Maker(points=10).make(), tables=[], figures=[], choices=[], runs=[],
                    costs=[], conditions=[], warnings=[])

    def test_it_says_so(self):
        """Each section has a sentence."""
        for part, words in [("summary", "nothing to compare"), ("tables", "no tables"),
                            ("figures", "no figures"), ("choices", "Nothing was chosen"),
                            ("runs", "0 runs")]:
            self.assertIn(words, self.texts("#" + part)[0])


class Negative(report.Opened):
    """No method is above the baseline."""

    @classmethod
    def results(cls):
        data = Maker(points=10).make()
        for table in data["tables"]:
            for i in range(len(table["columns"])):
                base = table["rows"][0]["cells"][i]
                base["mean"], base["is_best"] = 0.9, True
                for row in table["rows"][1:]:
                    row["cells"][i].update(is_best=False, change=row["cells"][i]["mean"] / 0.9 - 1)
        return data

    def test_it_says_so(self):
        """In plain words; nothing is bold."""
        self.assertIn("In none of 12 comparisons", self.texts("#summary .lead")[0])
        self.assertIn("no method helps", self.texts("#summary .lead")[0])
        rows = [row for row in self.page.run(ROWS % "#summary tbody") if len(row) > 1]
        self.assertEqual([row[8].startswith("no method is higher; the nearest one: ")
                          for row in rows], [True] * 12)
        self.assertEqual(self.texts("#tables td b"), [])


class Foreign(report.Opened):
    """The document is not a report of this version."""

    @classmethod
    def results(cls):
        return {"format": "diptych-report", "version": 2}

    def test_the_page_is_made_without_a_complaint(self):
        """It says why it cannot be shown."""
        self.assertEqual(self.state, "failed")
        self.assertIn("cannot be shown", self.texts("main")[0])
        self.assertIn("version 1", self.texts("main")[0])


if __name__ == "__main__":
    report.main()
