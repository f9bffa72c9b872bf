# SPDX-License-Identifier: Apache-2.0
"""What the tests of the report in a browser share: pages of made results, and numbers as they are
written on a page, worked out here a second time."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import devtools
from make_results import Maker

WRITE_PAGE = os.environ["WRITE_PAGE"]
PLOTLY = os.environ["DIP_PLOTLY"]
READY = "document.documentElement.dataset.state"
NONE = "\u2013"


def need_browser():
    """Ends the test as skipped where it cannot be made."""
    if not devtools.find_browser():
        print("skipped: there is no browser (tools/browser.sh installs chromium)")
        sys.exit(77)
    if not os.path.exists(PLOTLY):
        print("skipped: there is no plotly.min.js (tools/plotly.sh fetches it)")
        sys.exit(77)


def write_page(folder, name, results, with_figures=True):
    """Makes a page by the library; its path."""
    source, page = (os.path.join(folder, name + end) for end in (".json", ".html"))
    with open(source, "w", encoding="utf-8") as file:
        json.dump(results, file, ensure_ascii=False)
    if os.path.exists(page):
        os.unlink(page)
    subprocess.run([WRITE_PAGE, source, page] + [PLOTLY] * with_figures, check=True)
    return page


def dom_id(figure):
    """The id of its element."""
    return "figure-" + figure["id"].replace(".", "-")


class Opened(unittest.TestCase):
    """Tests that look at one page, opened once without a network."""
    maxDiff = 2000
    FLAGS = ()
    WITH_FIGURES = True

    @classmethod
    def results(cls):
        """The report."""
        return Maker().make()

    @classmethod
    def make_page(cls):
        """Its numbers and its path."""
        data = cls.results()
        return data, write_page(cls.folder, "index", data, cls.WITH_FIGURES)

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.data, cls.path = cls.make_page()
        cls.browser = devtools.Browser(*cls.FLAGS)
        cls.addClassCleanup(cls.browser.close)
        cls.page = devtools.Page(cls.browser)
        cls.page.send("Network.emulateNetworkConditions", offline=True, latency=0,
                      downloadThroughput=0, uploadThroughput=0)
        cls.page.media(dark=False)
        cls.page.open(cls.path, READY)
        cls.state = cls.page.run(READY)

    def test_the_page_is_made_without_a_complaint(self):
        """No error in any script, and nothing is asked of a network."""
        self.assertEqual(self.state, "ready")
        found = [text for text in self.page.complaints() if "willReadFrequently" not in text]
        self.assertEqual(found, [])
        asked = [url for url in self.page.requests() if not url.startswith(("data:", "blob:"))]
        self.assertEqual(asked, ["file://" + os.path.abspath(self.path)])

    def texts(self, selector):
        """The texts of all elements that a selector finds."""
        return self.page.run("[...document.querySelectorAll(%s)].map(e => e.textContent)"
                             % json.dumps(selector))


def main():
    """Runs the tests of the script that calls it."""
    need_browser()
    unittest.main()


# ---- numbers as the page writes them ----

def score(x, digits=4):
    """.0183"""
    if x is None:
        return NONE
    text = "%.*f" % (digits, abs(x))
    sign = "\u2212" if x < 0 and float(text) else ""
    return sign + (text[1:] if text.startswith("0.") else text)


def signed(x):
    """+.0183"""
    text = score(x)
    return "+" + text if x is not None and x > 0 and text != ".0000" else text


def change(x):
    """+7.0%"""
    if x is None:
        return NONE
    text = "%.*f" % (1 if abs(x) < 9.995 else 0, abs(100 * x))
    return ("\u00b1" if not float(text) else "\u2212" if x < 0 else "+") + text + "%"


def probability(p):
    """.003"""
    if p is None:
        return NONE
    return "<\u00a0.001" if p < 0.001 else "1" if p > 0.9995 else score(p, 3)


def interval(low, high, write=score):
    """.0178 to .0188"""
    return NONE if low is None or high is None else write(low) + " to " + write(high)


def marks(cell):
    """Letters of the tests that found a difference."""
    return "".join(mark for mark, key in (("s", "p_seed"), ("q", "p_query"))
                   if cell.get(key) is not None and cell[key] < 0.05)


def cell_text(cell, is_reference):
    """A cell of a table of scores: text, and whether it is bold."""
    text = score(cell["mean"]) + marks(cell)
    if is_reference:
        return text, False
    if cell["sd"] is not None:
        text += "\u00b1 " + score(cell["sd"])
    if cell["change"] is not None:
        text += change(cell["change"])
    return text, cell["is_best"] and cell["is_significant"]
