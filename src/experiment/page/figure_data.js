// What a figure shows, as text and as tables: for readers who cannot see it, and in its place when
// there is no library to draw it.

const MOST_ITEMS = 2000;  // rows of the table of a map

const numbers = (values) => (values || []).filter(isNumber);

const plainNumber = (x) => (isNumber(x) ? String(Number(x.toPrecision(6))) : NONE);

/* A value with its interval below it. */
function valueCell(series, i) {
  const low = series.low ? series.low[i] : null;
  const high = series.high ? series.high[i] : null;
  return [
    score(series.y[i]),
    isNumber(low) && isNumber(high) ? element("small", {}, " (" + interval(low, high) + ")") : null
  ];
}

function lineTable(figure, panel) {
  const xs = [...new Set(panel.series.flatMap((series) => series.x))].sort((a, b) => a - b);
  const places = panel.series.map((series) => new Map(series.x.map((x, i) => [x, i])));
  const rows = xs.map(
      (x) => [plainNumber(x),
          ...panel.series.map(
              (series, s) => (places[s].has(x) ? valueCell(series, places[s].get(x)) : NONE))]);
  const caption = panel.label +
      (panel.reference ? " (" + panel.reference.name + ": " + score(panel.reference.y) + ")" : "");
  return table({
    caption,
    head: [[figure.x.label, ...panel.series.map((series) => series.name)]],
    groups: [rows]
  });
}

function barTable(figure, panel) {
  const pairs = panel.series.length ? panel.series[0].pairs : null;
  const rows = figure.x.ticks.map((tick, i) => [String(tick), pairs ? count(pairs[i]) : null,
                                      ...panel.series.map((series) => valueCell(series, i))]
                                                   .filter((value) => value !== null));
  const head = [figure.x.label, ...(pairs ? ["pairs"] : []), ...panel.series.map((s) => s.name)];
  return table({caption: panel.label, head: [head], groups: [rows]});
}

function heatTable(figure) {
  return table({
    caption: figure.title,
    head: [["", ...figure.labels]],
    groups: [figure.labels.map((label, i) => [label, ...figure.values[i].map((x) => score(x, 3))])]
  });
}

/* For each seed feature, in which of the two views each feature is masked. */
function maskTable(figure) {
  const rows = figure.masks.map((mask) => [mask.seed, ...figure.labels.map((label) => {
    const view = mask.h.includes(label) ? "h" : mask.g.includes(label) ? "g" : "";
    return {content: view || NONE, class: view};
  })]);
  return table({
    caption: "The view that masks each feature, by the seed that was drawn",
    groups: [rows],
    head: [[{content: "Seed", class: "left"}, ...figure.labels]],
    className: "masks"
  });
}

function categoryCounts(figure) {
  const counts = figure.categories.map(() => 0);
  figure.category_of.forEach((k) => counts[k]++);
  return counts;
}

function categoryTable(figure) {
  const counts = categoryCounts(figure);
  return table({
    caption: "Items on the map by " + figure.category,
    head: [[{content: figure.category, class: "left"}, "items"]],
    groups: [figure.categories.map((name, k) => [name, count(counts[k])])]
  });
}

function itemTable(figure) {
  const n = Math.min(figure.titles.length, MOST_ITEMS);
  const rows = [];
  for (let i = 0; i < n; i++) {
    rows.push([
      figure.titles[i], {content: figure.categories[figure.category_of[i]], class: "left"},
      ...figure.panels.flatMap((panel) => [plainNumber(panel.x[i]), plainNumber(panel.y[i])])
    ]);
  }
  const head = [
    {content: "item", class: "left"}, {content: figure.category, class: "left"},
    ...figure.panels.flatMap((panel) => [panel.label + ", x", panel.label + ", y"])
  ];
  const rest = figure.titles.length > n ? "The first " + count(n) + " of " +
          count(figure.titles.length) + " items; results.json has all."
                                        : "All items";
  return table({caption: rest, head: [head], groups: [rows]});
}

/* The tables of a figure's data. */
function dataTables(figure) {
  switch (figure.kind) {
    case "lines":
      return figure.panels.map((panel) => scroll(lineTable(figure, panel)));
    case "bars":
      return figure.panels.map((panel) => scroll(barTable(figure, panel)));
    case "heat":
      return [scroll(heatTable(figure))];
    case "scatter":
      return [
        scroll(categoryTable(figure)),
        lazyDetails("Where each item is", () => scroll(itemTable(figure)))
      ];
    default:
      return [element("p", {}, "This page does not know figures of the kind " + figure.kind + ".")];
  }
}

/* ---- descriptions ---- */

function seriesWords(series, labels) {
  const seen = series.y.map((y, i) => [labels[i], y]).filter(([, y]) => isNumber(y));
  if (seen.length === 0) {
    return series.name + ": no values";
  }
  const [first, last] = [seen[0], seen[seen.length - 1]];
  const most = seen.reduce((a, b) => (b[1] > a[1] ? b : a));
  return series.name + ": " + score(first[1]) + " at " + first[0] + ", " + score(last[1]) + " at " +
      last[0] + ", highest " + score(most[1]) + " at " + most[0];
}

function panelWords(figure, panel) {
  const words = panel.series.map(
      (series) =>
          seriesWords(series, figure.kind === "bars" ? figure.x.ticks : series.x.map(plainNumber)));
  if (panel.reference) {
    words.push(panel.reference.name + ": " + score(panel.reference.y));
  }
  return panel.label + ". " + words.join("; ") + ".";
}

/* One text that says what the figure shows. */
function describe(figure) {
  const title = figure.title + ". ";
  switch (figure.kind) {
    case "lines":
    case "bars":
      return title + "Against " + figure.x.label + ". " +
          figure.panels.map((panel) => panelWords(figure, panel)).join(" ");
    case "heat":
      return title + "A matrix of " + listed(figure.labels) +
          "; the numbers are in the table below.";
    case "scatter": {
      const counts = categoryCounts(figure);
      return title + count(figure.titles.length) + " items, side by side for " +
          listed(figure.panels.map((panel) => panel.label)) + ". Items by " + figure.category +
          ": " + figure.categories.map((name, k) => name + " " + count(counts[k])).join(", ") + ".";
    }
    default:
      return title;
  }
}

/* Whether there is anything to draw. */
function hasData(figure) {
  switch (figure.kind) {
    case "lines":
    case "bars":
      return figure.panels.some((panel) => panel.series.some((s) => numbers(s.y).length > 0));
    case "heat":
      return figure.labels.length > 0;
    case "scatter":
      return figure.titles.length > 0 && figure.panels.length > 0;
    default:
      return false;
  }
}
