"use strict";
// Elements, numbers and words. Texts of the data become text nodes: no function here or elsewhere
// makes elements from a string.

const NONE = "–";
const MINUS = "\u2212";
const FIXED = "\u00a0";  // a space that no line ends at
const LEVEL = 0.05;      // a p value below it is called significant

/* An element with attributes and children; a child is a node, a text, or an array of these. */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      node.addEventListener(name, value);
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) {
      node.append(child);
    }
  }
}

/* A drawing of one shape or more, 16 pixels high. */
function drawing(width, shapes) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("width", width);
  svg.setAttribute("height", 16);
  svg.setAttribute("aria-hidden", "true");
  for (const [tag, attributes] of shapes) {
    const shape = document.createElementNS(space, tag);
    for (const [name, value] of Object.entries(attributes)) {
      shape.setAttribute(name, value);
    }
    svg.append(shape);
  }
  return svg;
}

const isNumber = (x) => typeof x === "number" && Number.isFinite(x);

/* .0183 as papers print shares: no zero before the point. */
function score(x, digits = 4) {
  if (!isNumber(x)) {
    return NONE;
  }
  const text = Math.abs(x).toFixed(digits);
  const sign = x < 0 && Number(text) !== 0 ? MINUS : "";
  return sign + text.replace(/^0\./, ".");
}

function signed(x, digits = 4) {
  const text = score(x, digits);
  return isNumber(x) && x > 0 && Number(text) !== 0 ? "+" + text : text;
}

/* A relative change: +7.0%. */
function change(x) {
  if (!isNumber(x)) {
    return NONE;
  }
  const text = Math.abs(100 * x).toFixed(Math.abs(x) < 9.995 ? 1 : 0);
  return (Number(text) === 0 ? "±" : x < 0 ? MINUS : "+") + text + "%";
}

function probability(p) {
  if (!isNumber(p)) {
    return NONE;
  }
  return p < 0.001 ? "<" + FIXED + ".001" : p > 0.9995 ? "1" : score(p, 3);
}

function interval(low, high, write = score) {
  return isNumber(low) && isNumber(high) ? write(low) + " to " + write(high) : NONE;
}

function count(n) {
  return isNumber(n) ? n.toLocaleString("en-US") : NONE;
}

/* "1 seed", "5 seeds". */
function counted(n, one, many = one + "s") {
  return count(n) + " " + (n === 1 ? one : many);
}

function duration(seconds) {
  if (!isNumber(seconds)) {
    return NONE;
  }
  if (seconds < 60) {
    return seconds.toFixed(seconds < 10 ? 1 : 0) + " s";
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? minutes + " min"
                      : Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}

function moment(text) {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) {
    return String(text);
  }
  return time.toLocaleString("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: "UTC",
    timeZoneName: "short"
  });
}

/* "a", "a and b", "a, b and c". */
function listed(words) {
  return words.length < 2 ? words.join("")
                          : words.slice(0, -1).join(", ") + " and " + words[words.length - 1];
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/* Options as "alpha 0.3, dropout 0.3": the last part of each key. */
function settingText(setting) {
  return Object.entries(setting || {})
      .map(([key, value]) => key.split(".").pop() + " " + value)
      .join(", ");
}

/* ---- tests of significance ---- */

const TESTS =
    [{key: "p_seed", mark: "s", words: "seeds"}, {key: "p_query", mark: "q", words: "queries"}];

const isBelow = (p) => isNumber(p) && p < LEVEL;

/* "sq" when both tests find a difference. */
function marks(cell) {
  return TESTS.filter((test) => isBelow(cell[test.key])).map((test) => test.mark).join("");
}

/* "significant over seeds and queries", and so on. */
function evidence(cell) {
  const done = TESTS.filter((test) => isNumber(cell[test.key]));
  const found = done.filter((test) => isBelow(cell[test.key]));
  if (done.length === 0) {
    return "not tested";
  }
  if (found.length === 0) {
    return "not significant" + (done.length < TESTS.length ? " over " + done[0].words : "");
  }
  return "significant over " + listed(found.map((test) => test.words)) +
      (found.length < done.length ? " only" : "");
}
