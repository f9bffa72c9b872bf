# SPDX-License-Identifier: Apache-2.0
"""The figures of a report in a real browser: each is drawn, and has exactly the numbers of
results.json; on light and dark screens, on paper, without WebGL and without their library."""
import json
import re
import unittest

import report
from report import dom_id
from make_results import CATEGORIES, HOSTILE, Maker

# What Plotly was given and has taken, as plain arrays.
TRACES = """document.querySelector('#%s .plot').data.map(t => ({
    type: t.type, role: t.meta.role, series: t.meta.series, axis: t.xaxis, visible: t.visible,
    x: [...t.x], y: [...t.y], z: t.z, text: t.text, customdata: t.customdata,
    colour: (t.line && t.line.color) || (t.marker && t.marker.color), dash: t.line && t.line.dash,
    symbol: t.marker && t.marker.symbol, pattern: t.marker && t.marker.pattern &&
    t.marker.pattern.shape, bars: t.error_y ? [t.error_y.array, t.error_y.arrayminus] : null}))"""
# Where a point is in the window, after the figure was brought into sight.
PLACE = """(() => { const plot = document.querySelector('#%s .plot');
    plot.scrollIntoView({block: 'center'}); const box = plot.getBoundingClientRect();
    const x = plot._fullLayout['xaxis%s'], y = plot._fullLayout['yaxis%s'];
    return [box.x + x._offset + x.d2p(%r), box.y + y._offset + y.d2p(%r)]; })()"""
FOLLOWS = """[...document.querySelectorAll('.plot')].every(p => p._fullLayout.paper_bgcolor ===
    getComputedStyle(document.documentElement).getPropertyValue('--back').trim())"""
BACKGROUNDS = """[getComputedStyle(document.body).backgroundColor,
    ...[...document.querySelectorAll('.plot')].map(p => p._fullLayout.paper_bgcolor)]"""


def luminance(colour):
    """Relative luminance as WCAG defines it."""
    if colour.startswith("#"):
        parts = [int(colour[i:i + 2], 16) for i in (1, 3, 5)]
    else:
        parts = [int(v) for v in re.findall(r"\d+", colour)[:3]]
    linear = [v / 3294.6 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    """Contrast of two colours, 1 to 21."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


class Drawn:
    """What holds for the figures of every report."""

    def of_kind(self, kind):
        """Figures of results.json."""
        found = [figure for figure in self.data["figures"] if figure["kind"] == kind]
        self.assertTrue(found)
        return found

    def traces(self, figure, role="data"):
        """Traces of a figure by (panel, series)."""
        found = {}
        for trace in self.page.run(TRACES % dom_id(figure)):
            if trace["role"] == role:
                panel = int((trace["axis"] or "x")[1:] or 1) - 1
                self.assertNotIn((panel, trace["series"]), found)
                found[panel, trace["series"]] = trace
        return found

    def panels(self, figure):
        """((panel, series), the series' data) of a figure."""
        return [((p, s["name"]), s) for p, panel in enumerate(figure["panels"])
                for s in panel["series"]]

    def check_interval(self, series, trace):
        """Bars reach from low to high."""
        for i, y in enumerate(series["y"]):
            ends = (0, 0) if y is None else (series["high"][i] - y, y - series["low"][i])
            for bar, end in zip(trace["bars"], ends):
                self.assertAlmostEqual(bar[i], end, 12)

    def test_lines(self):
        """Values, intervals as bars or bands, the level of the baseline."""
        for figure in self.of_kind("lines"):
            traces, wanted = self.traces(figure), self.panels(figure)
            self.assertEqual(set(traces), {key for key, _ in wanted})
            bands = self.traces(figure, "band")
            for key, series in wanted:
                self.assertEqual(traces[key]["x"], series["x"])
                self.assertEqual(traces[key]["y"], series["y"])
                has_interval = series["low"] is not None
                self.assertEqual(key in bands, has_interval and len(series["x"]) > 15)
                if key in bands:
                    self.assertEqual(bands[key]["y"], series["low"] + series["high"][::-1])
                    self.assertEqual(bands[key]["x"], series["x"] + series["x"][::-1])
                elif has_interval:
                    self.check_interval(series, traces[key])
                else:
                    self.assertIsNone(traces[key]["bars"])
            levels = {(p, panel["reference"]["name"]): panel["reference"]["y"]
                      for p, panel in enumerate(figure["panels"]) if panel.get("reference")}
            found = self.traces(figure, "reference")
            self.assertEqual({key: set(t["y"]) for key, t in found.items()},
                             {key: {y} for key, y in levels.items()})
            self.assertEqual(self.count(figure, ".scatterlayer .trace"),
                             len(wanted) + len(bands) + len(levels))

    def test_bars(self):
        """A bar for each value there is, with its interval."""
        for figure in self.of_kind("bars"):
            traces, wanted = self.traces(figure), self.panels(figure)
            self.assertEqual(set(traces), {key for key, _ in wanted})
            drawn = 0
            for key, series in wanted:
                self.assertEqual(traces[key]["y"], series["y"])
                self.assertEqual(traces[key]["x"], list(range(len(series["y"]))))
                if series["low"] is not None:
                    self.check_interval(series, traces[key])
                drawn += len([y for y in series["y"] if y is not None])
            paths = """[...document.querySelectorAll('#%s .bars .point path')]
                .filter(p => p.getBBox().height > 1).length""" % dom_id(figure)
            self.assertEqual(self.page.run(paths), drawn)

    def test_heat(self):
        """The matrix, its numbers in the cells, the masks of each seed."""
        for figure in self.of_kind("heat"):
            trace, = self.page.run(TRACES % dom_id(figure))
            self.assertEqual(trace["z"], figure["values"])
            numbers = self.texts("#%s .annotation-text" % dom_id(figure))
            self.assertEqual(numbers, [report.score(v, 2) for row in figure["values"] for v in row])
            self.assertEqual(self.count(figure, ".heatmaplayer image"), 1)
            masks = self.page.run("""[...document.querySelectorAll('#%s .masks tbody tr')]
                .map(tr => [...tr.cells].map(c => c.textContent))""" % dom_id(figure))
            self.assertEqual(masks, [[m["seed"]] + ["h" if f in m["h"] else "g"
                                                    for f in figure["labels"]]
                                     for m in figure["masks"]])

    def test_map(self):
        """Every item once in each panel, with its category and its title."""
        for figure in self.of_kind("scatter"):
            traces = self.traces(figure)
            self.assertEqual(len(traces), len(figure["categories"]) * len(figure["panels"]))
            for p, panel in enumerate(figure["panels"]):
                for k, category in enumerate(figure["categories"]):
                    trace = traces[p, category]
                    items = [i for i, c in enumerate(figure["category_of"])
                             if c == k and i % self.STEP == 0]
                    self.assertEqual(trace["type"], self.MAP_TYPE)
                    self.assertEqual(trace["x"], [panel["x"][i] for i in items])
                    self.assertEqual(trace["y"], [panel["y"][i] for i in items])
                    self.assertEqual(trace["customdata"], items)
                    for i, text in zip(items, trace["text"]):
                        plain = re.sub("<br>|</?b>", " ", text)
                        self.assertIn(figure["titles"][i].split()[0], re.sub(" ", "", plain))
            self.check_drawn(figure)

    STEP, MAP_TYPE = 1, "scattergl"

    def check_drawn(self, figure):
        """The canvas of the map has colours on it, in both panels."""
        found = self.page.run("""(() => { const plot = document.querySelector('#%s .plot');
            const from = plot.querySelector('.gl-canvas-context'), to =
            document.createElement('canvas'); to.width = from.width; to.height = from.height;
            const draw = to.getContext('2d'); draw.drawImage(from, 0, 0);
            const half = from.width >> 1; return [0, half].map(x => draw.getImageData(x, 0, half,
            to.height).data.filter((v, i) => i %% 4 === 3 && v > 100).length); })()"""
                              % dom_id(figure))
        for n in found:
            self.assertGreater(n, len(figure["titles"]))

    def count(self, figure, selector):
        """How many elements a selector finds in a figure."""
        return self.page.run("document.querySelectorAll('#%s %s').length"
                             % (dom_id(figure), selector))


class Usual(Drawn, report.Opened):
    """A study as it should be."""

    def hover(self, figure, panel, x, y):
        """The label that appears where the pointer is put."""
        end = "" if panel == 0 else panel + 1
        place = self.page.run(PLACE % (dom_id(figure), end, end, x, y))
        self.page.move(2, 2)
        self.page.wait("!document.querySelector('.hovertext')")
        self.page.move(*place)
        self.page.wait("document.querySelector('#%s .hovertext')" % dom_id(figure))
        return " ".join(self.texts("#%s .hovertext tspan, #%s .hovertext text"
                                   % (dom_id(figure), dom_id(figure))))

    def test_a_pointer_on_a_line_tells_the_value(self):
        """Series, value, interval and place."""
        figure = self.of_kind("lines")[0]
        series = figure["panels"][1]["series"][0]
        text = self.hover(figure, 1, series["x"][1], series["y"][1])
        for part in (series["name"], report.score(series["y"][1]), "alpha: 0.3",
                     report.interval(series["low"][1], series["high"][1])):
            self.assertIn(part, text)

    def test_a_pointer_on_the_map_tells_the_title(self):
        """And the same item has a ring in the other panel."""
        figure = self.of_kind("scatter")[0]
        left, right = figure["panels"]
        item = max(range(len(left["x"])), key=lambda i: left["x"][i])
        text = self.hover(figure, 0, left["x"][item], left["y"][item])
        self.assertIn(figure["titles"][item], text)
        self.assertIn("section: " + figure["categories"][figure["category_of"][item]], text)
        ring, = self.page.run("""[...document.querySelectorAll('.ring')].map(r => {
            const box = r.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2]; })""")
        place = self.page.run(PLACE % (dom_id(figure), 2, 2, right["x"][item], right["y"][item]))
        for a, b in zip(ring, place):
            self.assertAlmostEqual(a, b, delta=1.5)
        self.page.move(2, 2)
        self.page.wait("!document.querySelector('.ring')")

    def test_a_method_looks_the_same_everywhere(self):
        """One colour in all figures, no two methods with the same; lines differ by dash too."""
        looks, marks = {}, {}
        for figure in self.of_kind("lines") + self.of_kind("bars"):
            for (_, name), trace in self.traces(figure).items():
                looks.setdefault(name, set()).add(trace["colour"])
                if figure["kind"] == "lines":
                    marks.setdefault(name, set()).add((trace["dash"], trace["symbol"]))
        labels = [m["label"] for m in self.data["methods"] if m["label"] in looks]
        self.assertEqual(len(labels), 5)
        self.assertEqual([len(looks[name]) for name in labels], [1] * 5)
        self.assertEqual(len({next(iter(looks[name])) for name in labels}), 5)
        self.assertEqual(len(set.union(*(marks[name] for name in labels))), 5)

    def test_a_press_on_a_name_hides_it_in_all_panels(self):
        """A second press beside the first shows it alone; twice more, all."""
        figure = self.of_kind("scatter")[0]
        visible = lambda: {t["series"] for t in self.page.run(TRACES % "figure-map")
                           if t["visible"]}
        place = self.page.run("""(() => { const b = [...document.querySelectorAll(
            '#figure-map .legend button')][2]; b.scrollIntoView({block: 'center'});
            const box = b.getBoundingClientRect(); return [box.x + 20, box.y + 8]; })()""")
        press = lambda n: self.page.click(*place, count=n)
        press(1)
        self.assertEqual(visible(), set(figure["categories"]) - {CATEGORIES[2]})
        self.page.run("new Promise(resolve => setTimeout(resolve, 700))")
        press(1)
        self.assertEqual(visible(), set(figure["categories"]))
        self.page.run("new Promise(resolve => setTimeout(resolve, 700))")
        press(1)
        press(2)
        self.assertEqual(visible(), {CATEGORIES[2]})
        self.page.run("new Promise(resolve => setTimeout(resolve, 700))")
        press(1)
        press(2)
        self.assertEqual(visible(), set(figure["categories"]))

    def test_light_dark_and_paper(self):
        """Figures follow the screen; paper is white with dark text whatever the screen is."""
        self.addCleanup(self.page.media, "", False)
        wanted = {("", False): 1, ("", True): 0, ("print", True): 1, ("print", False): 1}
        for (kind, dark), light in wanted.items():
            self.page.media(kind, dark)
            self.page.wait(FOLLOWS)
            found = self.page.run(BACKGROUNDS)
            self.assertEqual(len(found), 1 + len(self.data["figures"]))
            self.assertEqual([round(luminance(c)) for c in found], [light] * len(found))
            ink = self.page.run("getComputedStyle(document.body).color")
            self.assertGreater(contrast(found[0], ink), 12)
            self.check_colours(found[0])

    def check_colours(self, back):
        """Lines can be told from what is behind them (WCAG 2.1, 1.4.11), small text be read."""
        for trace in self.page.run(TRACES % "figure-curves-full-none"):
            if trace["role"] == "data":
                self.assertGreater(contrast(trace["colour"], back), 3, trace["series"])
        for place in (".note", "td small", "td", "a", "sup", "summary"):
            colour = self.page.run("getComputedStyle(document.querySelector('main %s')).color"
                                   % place)
            self.assertGreater(contrast(colour, back), 4.5, place)

    def test_figures_fit_on_paper(self):
        """No wider than a line, no higher than a page, nothing to press."""
        self.page.media("print")
        self.addCleanup(self.page.media, "", False)
        self.page.wait("[...document.querySelectorAll('.plot')].every("
                       "p => p._fullLayout.width <= 690)")
        sizes = self.page.run("""[...document.querySelectorAll('figure')].map(f =>
            f.getBoundingClientRect().height)""")
        self.assertLess(max(sizes), 1010)  # A4 without its margins
        self.assertEqual(self.page.run("getComputedStyle(document.querySelector('nav')).display"),
                         "none")
        self.page.media("", False)
        self.page.wait("document.querySelector('.plot')._fullLayout.width > 690")
        self.assertTrue(self.page.pdf().startswith(b"%PDF-"))

    def test_numbers_of_the_figures(self):
        """Each figure says in words and in a table what it shows."""
        self.page.run("document.querySelectorAll('#figures details').forEach(d => d.open = true)")
        self.page.wait("document.querySelectorAll('#figures details table').length > 10")
        for figure in self.of_kind("lines") + self.of_kind("bars"):
            cells = self.texts("#%s details td" % dom_id(figure))
            for _, series in self.panels(figure):
                for i, y in enumerate(series["y"]):
                    text = report.score(y) + ("" if series["low"] is None else " (%s)" % (
                        report.interval(series["low"][i], series["high"][i])))
                    self.assertIn(text, cells)
            words = self.page.run("document.querySelector('#%s .plot').ariaLabel"
                                  % dom_id(figure))
            self.assertIn(figure["title"], words)
            self.assertIn(report.score(max(self.panels(figure)[0][1]["y"])), words)


class Hostile(Drawn, report.Opened):
    """Texts that would break a page which trusts them, and gaps."""

    @classmethod
    def results(cls):
        return Maker(points=300, seeds=1, hostile=True).make()

    def test_map(self):
        """Titles are hostile here; the words of the others are compared above."""

    def test_labels_stay_texts(self):
        """In labels, on axes, and under the pointer."""
        shown = self.texts("#figure-information .yaxislayer-above text")
        self.assertTrue([t for t in shown if "</script" in t], shown)
        item = 0
        left = self.data["figures"][-1]["panels"][0]
        place = self.page.run(PLACE % ("figure-map", "", "", left["x"][item], left["y"][item]))
        self.page.move(*place)
        self.page.wait("document.querySelector('#figure-map .hovertext')")
        text = "".join(self.texts("#figure-map .hovertext .nums"))
        self.assertIn("</script><img", text)
        self.assertIn("<!--<b>&amp;%{x}$a$", text)
        self.assertIn("onerror=", HOSTILE)
        self.assertEqual(self.page.run("document.querySelectorAll('img').length"), 0)


class Plain(Drawn, report.Opened):
    """A browser without WebGL draws few points by other means."""
    FLAGS = ("--disable-3d-apis",)
    MAP_TYPE = "scatter"

    def check_drawn(self, figure):
        """A path for each item in each panel."""
        self.assertEqual(self.count(figure, ".points path"),
                         len(figure["titles"]) * len(figure["panels"]))


class PlainAndMany(Drawn, report.Opened):
    """Of many points it draws some, and says so."""
    FLAGS = ("--disable-3d-apis",)
    MAP_TYPE, STEP = "scatter", 3

    @classmethod
    def results(cls):
        return Maker(points=25000).make()

    def check_drawn(self, figure):
        """Every third."""
        self.assertIn("one item in 3 is drawn", self.texts("#figure-map .note")[0])
        self.assertEqual(self.count(figure, ".points path"), 2 * len(range(0, 25000, 3)))


class Tables(report.Opened):
    """A page that was made without the library of figures."""
    WITH_FIGURES = False

    def test_tables_stand_for_figures(self):
        """One sentence says why, and the numbers are there."""
        self.assertEqual(len(self.texts("#no-figures")), 1)
        self.assertIn("without the library that draws figures", self.texts("#no-figures")[0])
        self.assertEqual(self.texts(".plot"), [])
        for figure in self.data["figures"]:
            cells = self.texts("#%s > .scroll td" % dom_id(figure))
            if figure["kind"] in ("lines", "bars"):
                for series in (s for panel in figure["panels"] for s in panel["series"]):
                    for y in series["y"]:
                        self.assertTrue([c for c in cells if c.startswith(report.score(y))])
            elif figure["kind"] == "heat":
                for value in (v for row in figure["values"] for v in row):
                    self.assertIn(report.score(value, 3), cells)
            else:
                counts = [figure["category_of"].count(k) for k in range(len(CATEGORIES))]
                self.assertEqual(cells, ["{:,}".format(n) for n in counts])


if __name__ == "__main__":
    report.main()
