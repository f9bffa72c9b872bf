// How methods and categories look: one colour, marker, dash and pattern each, in every figure of
// the page.

const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const SYMBOLS = [
  "circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "pentagon", "star"
];
const PATTERNS = ["", "/", "\\", "x", "-", "|", "+", "."];
const N_COLOURS = 9;      // --series-0 is the baseline's
const N_CATEGORIES = 12;  // --category-0 is that of "other"

/* Strokes of 10 x 10 for the patterns above, and outlines of radius 5 around (0, 0) for markers. */
const STROKES = {
  "": "",
  "/": "M0 10L10 0",
  "\\": "M0 0L10 10",
  "x": "M0 0L10 10M0 10L10 0",
  "-": "M0 3H10M0 7H10",
  "|": "M3 0V10M7 0V10",
  "+": "M0 5H10M5 0V10",
  ".": "M2 3h1M6 3h1M4 7h1M8 7h1"
};
const OUTLINES = {
  "circle": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z",
  "square": "M-4 -4H4V4H-4Z",
  "diamond": "M0 -5.2L5.2 0L0 5.2L-5.2 0Z",
  "triangle-up": "M0 -5L5 4H-5Z",
  "cross": "M-1.7 -5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
  "x":
      "M-4.6 -2.4L-2.4 -4.6L0 -2.2L2.4 -4.6L4.6 -2.4L2.2 0L4.6 2.4L2.4 4.6L0 2.2" +
      "L-2.4 4.6L-4.6 2.4L-2.2 0Z",
  "triangle-down": "M0 5L5 -4H-5Z",
  "pentagon": "M0 -5L4.8 -1.5L2.9 4H-2.9L-4.8 -1.5Z",
  "star": "M0 -5.5L1.5 -1.9L5.2 -1.7L2.4 .7L3.3 4.4L0 2.4L-3.3 4.4L-2.4 .7L-5.2 -1.7L-1.5 -1.9Z"
};
const STROKE_ARRAYS = {
  "solid": "none",
  "dash": "6 4",
  "dot": "2 3",
  "dashdot": "6 3 2 3",
  "longdash": "9 4",
  "longdashdot": "9 3 2 3"
};

/* Names in the order in which they get their looks: baseline first, the other methods, then
   whatever a figure names besides. */
const looks = new Map();

function registerMethods(results) {
  const name = results.study.baseline;
  const methods = results.methods || [];
  for (const method of methods.filter((m) => m.name === name)) {
    looks.set(method.label, 0);
  }
  let next = 1;
  for (const method of methods.filter((m) => m.name !== name)) {
    looks.set(method.label, next++);
  }
}

function look(name) {
  if (!looks.has(name)) {
    looks.set(name, Math.max(0, ...looks.values()) + 1);
  }
  const i = looks.get(name);
  const round = i === 0 ? 0 : Math.floor((i - 1) / (N_COLOURS - 1));
  return {
    colour: "--series-" + (i === 0 ? 0 : 1 + (i - 1) % (N_COLOURS - 1)),
    dash: i === 0 ? "solid" : DASHES[(i + round) % DASHES.length],
    symbol: SYMBOLS[i % SYMBOLS.length],
    pattern: PATTERNS[(i + round) % PATTERNS.length]
  };
}

/* How a series of a figure looks: a figure's only series that is no method is drawn in plain ink.
   */
function seriesLook(figure, name) {
  const isAlone =
      figure.panels.every((panel) => panel.series.length === 1 && panel.series[0].name === name);
  return isAlone && !looks.has(name)
      ? {colour: "--ink", dash: "solid", symbol: "circle", pattern: ""}
      : look(name);
}

/* The k-th category of n; the one that is called "other" is grey. */
function categoryLook(k, name) {
  const isOther = name === "other";
  return {
    colour: "--category-" + (isOther ? 0 : 1 + k % (N_CATEGORIES - 1)),
    symbol: isOther ? "circle" : SYMBOLS[(k + Math.floor(k / (N_CATEGORIES - 1))) % SYMBOLS.length]
  };
}

/* The value of a colour by its name in the style, as it is now: screens may be dark. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/* ---- legends ---- */

function lineSample({colour: name, dash, symbol}) {
  const shapes = [[
    "path", {
      d: "M1 8H33",
      stroke: "var(" + name + ")",
      "stroke-width": 2,
      fill: "none",
      "stroke-dasharray": STROKE_ARRAYS[dash]
    }
  ]];
  if (symbol) {
    shapes.push(
        ["path", {d: OUTLINES[symbol], fill: "var(" + name + ")", transform: "translate(17 8)"}]);
  }
  return drawing(34, shapes);
}

function barSample({colour: name, pattern}) {
  return drawing(16, [
    ["path", {d: "M1 1H15V15H1Z", fill: "var(" + name + ")"}],
    [
      "path", {
        d: STROKES[pattern],
        stroke: "var(--back)",
        "stroke-width": 1.4,
        fill: "none",
        transform: "translate(3 3)"
      }
    ]
  ]);
}

function pointSample({colour: name, symbol}) {
  return drawing(14,
      [["path", {d: OUTLINES[symbol], fill: "var(" + name + ")", transform: "translate(7 8)"}]]);
}

/* A list of names that can be pressed to hide or show them; pressed twice, one is seen alone.
   `change` gets the set of hidden names. */
function legend(entries, change) {
  const hidden = new Set();
  const buttons = new Map();
  const names = entries.map((entry) => entry.name);
  const update = () => {
    for (const [name, button] of buttons) {
      button.setAttribute("aria-pressed", String(!hidden.has(name)));
    }
    change(hidden);
  };
  const flip = (name) => (hidden.has(name) ? hidden.delete(name) : hidden.add(name));
  const toggle = (name) => {
    flip(name);
    update();
  };
  const isolate = (name) => {
    flip(name);  // as it was before the first of the two presses
    const isAlone = !hidden.has(name) && hidden.size === names.length - 1;
    hidden.clear();
    names.filter((other) => !isAlone && other !== name).forEach((other) => hidden.add(other));
    update();
  };
  const list = element("ul", {class: "legend", "aria-label": "Legend; press a name to hide it"});
  for (const {name, sample} of entries) {
    const button = element("button", {
      type: "button",
      "aria-pressed": "true",
      click: (event) => (event.detail === 2 ? isolate(name) : toggle(name))
    },
        sample, name);
    buttons.set(name, button);
    list.append(element("li", {}, button));
  }
  return list;
}
