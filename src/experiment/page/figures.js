// Figures: one drawing each, its panels side by side, drawn again when the page's width or colours
// change and when it is printed.

const PRINT_WIDTH =
    690;          // pixels of a line on paper, A4 or letter, within the margins of the style
const GAP = 66;   // between panels side by side, room for the numbers of an axis
const LEFT = 58;  // of a panel with a vertical axis
const RIGHT = 14;
const TRACES = {
  lines: lineTraces,
  bars: barTraces,
  heat: heatTraces,
  scatter: mapTraces
};

const PRESS_NOTE = "Press a name to hide it, twice to see it alone";
const DRAG_NOTE = "; drag to come closer, press twice to go back. An item under the pointer is " +
    "ringed in the other panels.";

const panelsOf = (figure) => (figure.kind === "heat" ? [{label: ""}] : figure.panels);

/* How panels are laid out in a width. */
function panelGrid(figure, width) {
  const n = panelsOf(figure).length;
  const most = figure.kind === "bars" || figure.kind === "heat" ? 1
      : width < 560                                             ? 1
      : n % 3 === 0 && width >= 900                             ? 3
                                                                : 2;
  const columns = Math.min(n, most);
  const rows = Math.ceil(n / columns);
  const isMap = figure.kind === "scatter";
  const left = isMap ? 10 : LEFT;
  const gap = isMap ? 20 : GAP;
  const inner = width - left - RIGHT;
  const panelWidth = (inner - (columns - 1) * gap) / columns;
  const panelHeight = isMap    ? panelWidth
      : figure.kind === "heat" ? Math.min(420, panelWidth)
                               : Math.min(300, Math.max(210, panelWidth * 0.62));
  const rowGap = isMap ? 36 : 84;
  const innerHeight = rows * panelHeight + (rows - 1) * rowGap;
  const domain = (i) => {
    const x = (i % columns) * (panelWidth + gap);
    const y = innerHeight - Math.floor(i / columns) * (panelHeight + rowGap);
    return {
      x: [x / inner, (x + panelWidth) / inner],
      y: [Math.max(0, (y - panelHeight) / innerHeight), y / innerHeight]
    };
  };
  return {inner, innerHeight, panelWidth, panelHeight, left, domain};
}

/* ---- axes ---- */

function commonAxis() {
  return {
    color: colour("--muted"),
    gridcolor: colour("--grid"),
    linecolor: colour("--strong"),
    showline: true,
    zeroline: false,
    ticks: "outside",
    tickcolor: colour("--strong"),
    ticklen: 4,
    fixedrange: true,
    automargin: false
  };
}

/* Ticks as given; of those that would stand upon each other, some without text. */
function givenTicks(ticks, isLog, width) {
  const place = (x) => (isLog ? Math.log10(x) : x);
  const span = place(ticks[ticks.length - 1]) - place(ticks[0]) || 1;
  let last = -Infinity;
  const ticktext = ticks.map((x) => {
    const at = (place(x) - place(ticks[0])) / span * width;
    if (at - last < 26) {
      return "";
    }
    last = at;
    return plainNumber(x);
  });
  return {tickmode: "array", tickvals: ticks, ticktext};
}

function lineAxes(figure, grid) {
  const isLog = figure.x.scale === "log";
  const ticks = numbers(figure.x.ticks).sort((a, b) => a - b);
  return [
    {
      ...commonAxis(),
      type: isLog ? "log" : "linear",
      title: {text: plain(figure.x.label), standoff: 6},
      showgrid: false,
      ...(ticks.length ? givenTicks(ticks, isLog, grid.panelWidth) : {nticks: 8})
    },
    {...commonAxis(), nticks: 6, rangemode: figure.id === "popularity" ? "tozero" : "normal"}
  ];
}

/* Ticks of bars have the number of pairs below them, where there is room. */
function barAxes(figure, grid) {
  const {ticks} = figure.x;
  const first = figure.panels[0].series[0];
  const room = grid.panelWidth / Math.max(1, ticks.length);
  const text = (tick, i) => {
    const words = folded(tick, Math.max(4, Math.floor(room / 6)));
    return room < 44           ? plain(String(tick).split(" ")[0])
        : first && first.pairs ? words + "<br>n=" + count(first.pairs[i])
                               : words;
  };
  return [
    {
      ...commonAxis(),
      type: "linear",
      showgrid: false,
      tickmode: "array",
      tickvals: ticks.map((_, i) => i),
      ticktext: ticks.map(text),
      range: [-0.5, ticks.length - 0.5],
      tickangle: 0,
      title: {text: plain(figure.x.label), standoff: 8},
      ticks: ""
    },
    {...commonAxis(), nticks: 6, rangemode: "tozero"}
  ];
}

function heatAxes(figure) {
  const n = figure.labels.length;
  const text =
      figure.labels.map((label) => folded(label, 16).split("<br>").slice(0, 2).join("<br>"));
  const axis = {
    ...commonAxis(),
    showline: false,
    showgrid: false,
    ticks: "",
    tickmode: "array",
    tickvals: figure.labels.map((_, i) => i),
    ticktext: text,
    automargin: true
  };
  return [
    {...axis, side: "bottom", tickangle: n > 6 ? -40 : 0, range: [-0.5, n - 0.5]},
    {...axis, range: [n - 0.5, -0.5]}
  ];
}

/* A square around all points, so that distances are the same in both directions. */
function mapAxes(figure, grid, panel) {
  const ends = (values) => numbers(values).reduce(
      ([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const [x, y] = [ends(panel.x), ends(panel.y)];
  const half = 0.53 * Math.max(x[1] - x[0], y[1] - y[0]) || 1;
  const frame = (around) => ({
    ...commonAxis(),
    showgrid: false,
    ticks: "",
    showticklabels: false,
    mirror: true,
    linecolor: colour("--line"),
    fixedrange: isTouch(),
    range: [(around[0] + around[1]) / 2 - half, (around[0] + around[1]) / 2 + half]
  });
  return [frame(x), frame(y)];
}

const isTouch = () => matchMedia("(pointer: coarse)").matches;

const AXES = {
  lines: lineAxes,
  bars: barAxes,
  heat: heatAxes,
  scatter: mapAxes
};

/* ---- layout ---- */

function panelTitle(panel, domain) {
  return {
    text: "<b>" + plain(panel.label) + "</b>",
    showarrow: false,
    xref: "paper",
    yref: "paper",
    x: domain.x[0],
    xanchor: "left",
    y: domain.y[1],
    yanchor: "bottom",
    yshift: 5,
    font: {size: 13, color: colour("--ink")}
  };
}

/* The numbers of the matrix, in ink that can be read on each cell. */
function heatTexts(figure) {
  const most =
      Math.max(1e-9, ...numbers(figure.values.flatMap((row, i) => row.filter((_, j) => i !== j))));
  return figure.values.flatMap((row, i) => row.map((value, j) => ({
    x: j,
    y: i,
    xref: "x",
    yref: "y",
    showarrow: false,
    text: score(value, value >= 9.995 ? 1 : 2),
    font: {
      size: figure.labels.length > 8 ? 10 : 12,
      color: isNumber(value) && value > 0.55 * most ? colour("--back") : colour("--ink")
    }
  })));
}

/* Room around the panels: for the title of a panel above, for ticks and the axis' title below. */
function marginOf(figure, grid) {
  const below = {lines: 52, bars: 74, heat: 30, scatter: 12}[figure.kind];
  return {
    l: grid.left,
    r: RIGHT,
    t: figure.kind === "heat" ? 8 : 30,
    b: below,
    autoexpand: figure.kind === "heat"
  };
}

function layoutOf(figure, width) {
  const grid = panelGrid(figure, width);
  const margin = marginOf(figure, grid);
  const layout = {
    width,
    height: grid.innerHeight + margin.t + margin.b,
    margin,
    paper_bgcolor: colour("--back"),
    plot_bgcolor: colour("--back"),
    showlegend: false,
    font: {family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--ink")},
    hovermode: "closest",
    dragmode: figure.kind === "scatter" && !isTouch() ? "zoom" : false,
    bargap: 0.2,
    hoverlabel: {
      bgcolor: colour("--back"),
      bordercolor: colour("--strong"),
      align: "left",
      font: {color: colour("--ink"), size: 12}
    },
    annotations: figure.kind === "heat" ? heatTexts(figure) : [],
    separators: ".,"
  };
  panelsOf(figure).forEach((panel, i) => {
    const domain = grid.domain(i);
    const [x, y] = AXES[figure.kind](figure, grid, panel);
    const end = i === 0 ? "" : i + 1;
    layout["xaxis" + end] = {...x, domain: domain.x, anchor: "y" + end};
    layout["yaxis" + end] = {...y, domain: domain.y, anchor: "x" + end};
    if (panel.label) {
      layout.annotations.push(panelTitle(panel, domain));
    }
  });
  return layout;
}

function tracesOf(figure, hidden) {
  return panelsOf(figure)
      .flatMap((panel, i) => {
        const end = i === 0 ? "" : i + 1;
        return TRACES[figure.kind](figure, panel, {xaxis: "x" + end, yaxis: "y" + end});
      })
      .map((trace) => ({...trace, visible: !hidden.has(trace.meta.series)}));
}

/* ---- legends ---- */

function legendEntries(figure) {
  if (figure.kind === "scatter") {
    return figure.categories.map((name, k) => ({name, sample: pointSample(categoryLook(k, name))}));
  }
  if (figure.kind === "heat") {
    return [];
  }
  const names = new Map();  // whether it is a reference
  for (const panel of figure.panels) {
    panel.series.forEach((series) => names.set(series.name, false));
  }
  for (const {reference} of figure.panels) {
    if (reference && !names.has(reference.name)) {
      names.set(reference.name, true);
    }
  }
  const isLong =
      figure.panels.some((panel) => panel.series.some((s) => s.x && s.x.length > FEW_POINTS));
  return [...names].map(([name, isReference]) => {
    const style = seriesLook(figure, name);
    return {
      name,
      sample: figure.kind === "bars" ? barSample(style)
                                     : lineSample(isReference ? {colour: style.colour, dash: "dash"}
                                               : isLong ? {colour: style.colour, dash: style.dash}
                                                        : style)
    };
  });
}

/* ---- drawing ---- */

const drawings = [];  // {draw(width)} of every figure on the page
let isPrinting = false;

function figureWidth(plot) {
  return isPrinting ? PRINT_WIDTH : Math.max(280, Math.floor(plot.getBoundingClientRect().width));
}

function drawWith(Plotly, figure, plot, hidden) {
  const width = figure.kind === "heat" ? Math.min(figureWidth(plot), 640) : figureWidth(plot);
  const config = {
    displayModeBar: false,
    displaylogo: false,
    responsive: false,
    scrollZoom: false,
    showTips: false,
    doubleClick: figure.kind === "scatter" ? "reset" : false
  };
  return Plotly.react(plot, tracesOf(figure, hidden), layoutOf(figure, width), config);
}

/* The item under the pointer is ringed in the other panels too. */
function linkPanels(figure, plot) {
  const clear = () => plot.querySelectorAll(".ring").forEach((ring) => ring.remove());
  plot.on("plotly_unhover", clear);
  plot.on("plotly_hover", ({points: [point]}) => {
    clear();
    const item = point.customdata;
    figure.panels.forEach((panel, i) => {
      const end = i === 0 ? "" : i + 1;
      const x = plot._fullLayout["xaxis" + end];
      const y = plot._fullLayout["yaxis" + end];
      const [left, top] = [x.l2p(panel.x[item]), y.l2p(panel.y[item])];
      const isInside = left >= 0 && left <= x._length && top >= 0 && top <= y._length;
      if (isInside && "x" + end !== point.fullData.xaxis) {
        const ring = element("div", {class: "ring"});
        ring.style.left = x._offset + left + "px";
        ring.style.top = y._offset + top + "px";
        plot.append(ring);
      }
    });
  });
}

function addDrawing(Plotly, figure, plot, node) {
  let hidden = new Set();
  const draw = () => drawWith(Plotly, figure, plot, hidden);
  const entries = legendEntries(figure);
  if (entries.length > 1) {
    node.append(legend(entries, (names) => {
      hidden = names;
      draw();
    }));
  }
  node.append(plot);
  let isLinked = false;
  drawings.push({
    draw: () => {
      const done = draw();
      if (figure.kind === "scatter" && !isLinked) {
        isLinked = true;
        linkPanels(figure, plot);
      }
      return done;
    }
  });
}

function figureNotes(figure) {
  const notes = [figure.note, figure.split ? capital(figure.split) + " split." : null];
  const step = figure.kind === "scatter" ? mapStep(figure) : 1;
  if (step > 1) {
    notes.push("This browser has no WebGL, so one item in " + step + " is drawn.");
  }
  return notes.filter(Boolean).join(" ");
}

/* Names of options in it have dots, which would be classes in a selector. */
const figureId = (figure) => "figure-" + figure.id.replaceAll(".", "-");

function figureBlock(Plotly, figure) {
  const caption = element("figcaption", {}, element("h3", {}, figure.title),
      element("p", {class: "note"}, figureNotes(figure)));
  const node = element("figure", {id: figureId(figure)}, caption);
  const isDrawn = Boolean(Plotly) && hasData(figure);
  if (isDrawn) {
    if (figure.kind === "scatter") {
      caption.append(element("p", {class: "note screen"},
          PRESS_NOTE + (isTouch() ? "." : DRAG_NOTE)));
    }
    const pair = figure.kind === "heat" ? element("div", {class: "pair"}) : node;
    addDrawing(Plotly, figure,
        element("div", {class: "plot", role: "img", "aria-label": describe(figure)}), pair);
    if (pair !== node) {
      pair.append(...maskTables(figure));
      node.append(pair);
    }
    node.append(
        lazyDetails("The numbers of this figure", () => element("div", {}, dataTables(figure))));
  } else if (hasData(figure)) {
    node.append(...dataTables(figure), ...maskTables(figure));
  } else {
    node.append(element("p", {}, "There is nothing to show: the figure has no data."));
  }
  return node;
}

const maskTables = (figure) =>
    (figure.kind === "heat" && (figure.masks || []).length ? [scroll(maskTable(figure))] : []);

function figuresSection(results, Plotly) {
  return element("section", {id: "figures"}, element("h2", {}, "Figures"),
      Plotly ? null
             : element("p", {class: "notice", id: "no-figures"},
                   "This page was made without the library " +
                       "that draws figures, so their numbers stand here as tables."),
      results.figures.length ? null : element("p", {}, "The study made no figures."),
      contents(results.figures.map((figure) => [figureId(figure), figure.title])),
      results.figures.map((figure) => figureBlock(Plotly, figure)));
}

/* ---- when to draw ---- */

function drawAll() {
  return Promise.all(drawings.map((drawing) => drawing.draw()));
}

/* One after the other, so that the page can be read and scrolled meanwhile. */
async function drawInTurn() {
  for (const drawing of drawings) {
    await new Promise((resolve) => setTimeout(resolve));
    await drawing.draw();
  }
}

function setPrinting(value) {
  if (value !== isPrinting) {
    isPrinting = value;
    document.documentElement.toggleAttribute("data-print", value);
    drawAll();
  }
}

function watch() {
  const paper = matchMedia("print");
  paper.addEventListener("change", () => setPrinting(paper.matches));
  addEventListener("beforeprint", () => setPrinting(true));
  addEventListener("afterprint", () => setPrinting(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let width = document.documentElement.clientWidth;
  let timer = null;
  addEventListener("resize", () => {
    if (document.documentElement.clientWidth !== width && !isPrinting) {
      width = document.documentElement.clientWidth;
      clearTimeout(timer);
      timer = setTimeout(drawAll, 150);
    }
  });
}
