// The traces of each kind of figure, as Plotly takes them. `meta` names the role and the series of
// a trace: data (the figure's own numbers), band (an interval as an area), reference (a level
// line).

const FEW_POINTS = 15;   // a line of more has a band and no markers
const MOST_SVG = 20000;  // points that can be drawn without WebGL

/* Plotly reads some markup in texts. These three as entities keep every text what it is. */
function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/* A text in lines of about so many letters, cut after four. */
function folded(text, width = 46) {
  const lines = [""];
  for (const word of String(text).split(/\s+/)) {
    for (let at = 0; at === 0 || at < word.length; at += width) {
      const part = word.slice(at, at + width);
      const last = lines[lines.length - 1];
      if (last && last.length + part.length + 1 > width) {
        lines.push(part);
      } else {
        lines[lines.length - 1] = last ? last + " " + part : part;
      }
    }
  }
  const kept = lines.length > 4 ? [...lines.slice(0, 4), "…"] : lines;
  return kept.map(plain).join("<br>");
}

const SHOW_TEXT = "%{text}<extra></extra>";

/* How far the ends of the intervals are from the values. */
function errorBars(series, colourValue) {
  const distance = (ends, sign) => series.y.map(
      (y, i) => (isNumber(y) && isNumber(ends[i]) ? Math.max(0, sign * (ends[i] - y)) : 0));
  return {
    type: "data",
    symmetric: false,
    array: distance(series.high, 1),
    arrayminus: distance(series.low, -1),
    color: colourValue,
    thickness: 1.2,
    width: 3
  };
}

const hasInterval = (series) => Array.isArray(series.low) && Array.isArray(series.high);

function hoverTexts(figure, panel, series, labels) {
  return series.y.map((y, i) => {
    const range = hasInterval(series) ? interval(series.low[i], series.high[i]) : NONE;
    return [
      "<b>" + folded(series.name) + "</b>",
      plain(panel.label) + " " + score(y) + (range === NONE ? "" : " (" + range + ")"),
      folded(figure.x.label + ": " + labels[i]),
      series.pairs ? counted(series.pairs[i], "pair") : null
    ].filter((line) => line !== null)
        .join("<br>");
  });
}

function withAlpha(hex, alpha) {
  const n = parseInt(hex.slice(1), 16);
  return "rgba(" + [n >> 16, (n >> 8) & 255, n & 255, alpha].join(",") + ")";
}

/* The area between the ends of the intervals: along the lower ones, back along the upper ones. */
function band(series, axes, colourValue) {
  const known =
      series.y.map((_, i) => i).filter((i) => isNumber(series.low[i]) && isNumber(series.high[i]));
  const back = [...known].reverse();
  return {
    type: "scatter",
    mode: "none",
    fill: "toself",
    fillcolor: withAlpha(colourValue, 0.16),
    hoverinfo: "skip",
    x: [...known, ...back].map((i) => series.x[i]),
    y: [...known.map((i) => series.low[i]), ...back.map((i) => series.high[i])],
    showlegend: false,
    meta: {role: "band", series: series.name},
    ...axes
  };
}

function lineTraces(figure, panel, axes) {
  const traces = [];
  const data = panel.series.map((series) => {
    const style = seriesLook(figure, series.name);
    const colourValue = colour(style.colour);
    const isLong = series.x.length > FEW_POINTS;
    if (isLong && hasInterval(series)) {
      traces.push(band(series, axes, colourValue));
    }
    return {
      type: "scatter",
      mode: isLong ? "lines" : "lines+markers",
      x: series.x,
      y: series.y,
      name: plain(series.name),
      line: {color: colourValue, width: 2, dash: style.dash},
      marker: {color: colourValue, size: 8, symbol: style.symbol},
      error_y: !isLong && hasInterval(series) ? errorBars(series, colourValue) : undefined,
      text: hoverTexts(figure, panel, series, series.x.map(plainNumber)),
      hovertemplate: SHOW_TEXT,
      showlegend: false,
      meta: {role: "data", series: series.name},
      ...axes
    };
  });
  return [...traces, ...referenceTraces(figure, panel, axes), ...data];
}

function referenceTraces(figure, panel, axes) {
  const {reference} = panel;
  const xs = numbers(panel.series.flatMap((series) => series.x).concat(figure.x.ticks || []));
  if (!reference || !isNumber(reference.y) || xs.length === 0) {
    return [];
  }
  const ends = [Math.min(...xs), Math.max(...xs)];
  const text =
      "<b>" + folded(reference.name) + "</b><br>" + plain(panel.label) + " " + score(reference.y);
  return [{
    type: "scatter",
    mode: "lines",
    x: ends,
    y: [reference.y, reference.y],
    name: plain(reference.name),
    line: {color: colour(look(reference.name).colour), width: 1.6, dash: "dash"},
    text: [text, text],
    hovertemplate: SHOW_TEXT,
    showlegend: false,
    meta: {role: "reference", series: reference.name},
    ...axes
  }];
}

function barTraces(figure, panel, axes) {
  return panel.series.map((series) => {
    const style = look(series.name);
    const colourValue = colour(style.colour);
    return {
      type: "bar",
      x: figure.x.ticks.map((_, i) => i),
      y: series.y,
      name: plain(series.name),
      marker: {
        color: colourValue,
        line: {width: 0},
        pattern: {
          shape: style.pattern,
          size: 5,
          solidity: 0.25,
          fillmode: "overlay",
          fgcolor: colour("--back"),
          fgopacity: 0.5
        }
      },
      error_y: hasInterval(series) ? errorBars(series, colour("--ink")) : undefined,
      text: hoverTexts(figure, panel, series, figure.x.ticks),
      textposition: "none",
      hovertemplate: SHOW_TEXT,
      showlegend: false,
      meta: {role: "data", series: series.name},
      ...axes
    };
  });
}

/* The diagonal, a feature's entropy, is often far above the rest: colours end at the rest's largest
   value. */
function heatTraces(figure, panel, axes) {
  const n = figure.labels.length;
  const rest = numbers(figure.values.flatMap((row, i) => row.filter((_, j) => n === 1 || i !== j)));
  const most = Math.max(1e-9, ...rest);
  const places = figure.labels.map((_, i) => i);
  return [{
    type: "heatmap",
    x: places,
    y: places,
    z: figure.values,
    zmin: 0,
    zmax: most,
    xgap: 2,
    ygap: 2,
    colorscale: [[0, colour("--heat-low")], [1, colour("--heat-high")]],
    showscale: false,
    text: figure.values.map(
        (row, i) => row.map((value, j) => folded(figure.labels[i] + " and " + figure.labels[j]) +
                ": " + score(value, 3))),
    hovertemplate: SHOW_TEXT,
    meta: {role: "data", series: figure.title},
    ...axes
  }];
}

/* ---- the map ---- */

let webGL = null;

function hasWebGL() {
  if (webGL === null) {
    const canvas = document.createElement("canvas");
    webGL = Boolean(canvas.getContext("webgl") || canvas.getContext("experimental-webgl"));
  }
  return webGL;
}

/* Every how manieth item is drawn. */
function mapStep(figure) {
  const points = figure.titles.length * figure.panels.length;
  return hasWebGL() ? 1 : Math.max(1, Math.ceil(points / MOST_SVG));
}

/* The items of each category, in the order of the items. */
function mapMembers(figure) {
  const members = figure.categories.map(() => []);
  const step = mapStep(figure);
  figure.category_of.forEach((k, i) => i % step === 0 && members[k].push(i));
  return members;
}

function mapTraces(figure, panel, axes) {
  const n = figure.titles.length;
  const size = n > 20000 ? 3 : n > 4000 || innerWidth < 560 ? 4 : 6;
  const members = mapMembers(figure);
  // What has no category of its own lies below the others.
  const order =
      figure.categories.map((_, k) => k)
          .sort((a, b) => (figure.categories[b] === "other") - (figure.categories[a] === "other"));
  return order.map((k) => {
    const name = figure.categories[k];
    const style = categoryLook(k, name);
    return {
      type: hasWebGL() ? "scattergl" : "scatter",
      mode: "markers",
      name: plain(name),
      x: members[k].map((i) => panel.x[i]),
      y: members[k].map((i) => panel.y[i]),
      customdata: members[k],
      text: members[k].map((i) => "<b>" + folded(figure.titles[i]) + "</b><br>" +
              folded(figure.category + ": " + name)),
      marker:
          {color: colour(style.colour), size, symbol: style.symbol, opacity: n > 4000 ? 0.65 : 0.8},
      hovertemplate: SHOW_TEXT,
      showlegend: false,
      meta: {role: "data", series: name},
      ...axes
    };
  });
}
