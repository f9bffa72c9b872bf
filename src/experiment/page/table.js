// Tables: plain ones, sortable ones, and those of scores with their details.

/* head: rows of cells; body: groups of rows of cells. A cell is a text, a node, or {content,
   ...attributes}. The first cell of a row of the body is its header. */
function table({caption, head, groups, className}) {
  const cell = (tag, value, attributes) => {
    const isPlain = value === null || typeof value !== "object" || value instanceof Node ||
        Array.isArray(value);
    const {content, ...own} = isPlain ? {content: value} : value;
    return element(tag, {...attributes, ...own}, content);
  };
  const headRow = (row) => element("tr", {}, row.map((value) => cell("th", value, {scope: "col"})));
  const bodyRow = (row) => element("tr", {class: row.className},
      row.map((value, i) => cell(i === 0 ? "th" : "td", value, i === 0 ? {scope: "row"} : {})));
  return element("table", {class: className}, caption ? element("caption", {}, caption) : null,
      element("thead", {}, head.map(headRow)),
      groups.map((rows) => element("tbody", {}, rows.map(bodyRow))));
}

const scroll = (node) =>
    element("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": "Table"}, node);

/* A table whose rows are put in order by a press on a column's name. columns: {label, value(row),
   show(row), className}; what value() gives is compared. */
function sortableTable(columns, rows) {
  const body = element("tbody");
  const heads = columns.map((column) => element("th", {scope: "col", class: column.className}));
  const fill = (order) => body.replaceChildren(
      ...order.map((row) => element("tr", {},
                       columns.map((column, i) => element(i === 0 ? "th" : "td",
                                       {scope: i === 0 ? "row" : null, class: column.className},
                                       column.show(row))))));
  const compare = (a, b) => {
    if (isNumber(a) !== isNumber(b)) {
      return isNumber(a) ? -1 : 1;  // what is missing stands last
    }
    return isNumber(a) ? a - b : String(a).localeCompare(String(b), "en");
  };
  const sort = (i) => {
    const isUp = heads[i].getAttribute("aria-sort") !== "ascending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[i].setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const key = columns[i].value;
    fill([...rows].sort((a, b) => (isUp ? 1 : -1) * compare(key(a), key(b))));
  };
  columns.forEach((column, i) => heads[i].append(
                      element("button", {type: "button", click: () => sort(i)}, column.label)));
  fill(rows);
  return element("table", {class: "dense"},
      element("thead", {}, element("tr", {}, heads)), body);
}

/* ---- tables of scores ---- */

const SLICES = {
  all: "All" + FIXED + "pairs",
  head: "Head",
  tail: "Tail",
  cold: "Cold"
};
const SLICE_WORDS = {
  all: "all held-out pairs of the split",
  head: "pairs whose item is among the most frequent ones in training",
  tail: "pairs whose item is not in the head",
  cold: "pairs whose item never occurs in training"
};

const sliceName = (slice) => SLICES[slice] || capital(String(slice));

/* Runs of columns of one slice: [{slice, columns}]. */
function columnGroups(columns) {
  const groups = [];
  for (const column of columns) {
    const last = groups[groups.length - 1];
    if (last && last.slice === column.slice) {
      last.columns.push(column);
    } else {
      groups.push({slice: column.slice, columns: [column]});
    }
  }
  return groups;
}

const isBold = (cell) => cell.is_best === true && cell.is_significant === true;

function scoreCell(cell, isReference) {
  const mean = isBold(cell) ? element("b", {}, score(cell.mean)) : score(cell.mean);
  const mark = marks(cell);
  const lines = [element("span", {class: "mean"}, mean, mark ? element("sup", {}, mark) : null)];
  if (!isReference && isNumber(cell.sd)) {
    lines.push(element("small", {}, "± " + score(cell.sd)));
  }
  if (isNumber(cell.change)) {
    lines.push(element("small", {}, change(cell.change)));
  }
  return lines;
}

/* "3,990 pairs, 1,200 queries", as far as it is known. */
function sizeText({pairs, queries}) {
  if (pairs === 0) {
    return "no pairs";
  }
  return [[pairs, "pair", "pairs"], [queries, "query", "queries"]].filter(([n]) => isNumber(n))
      .map((size) => counted(...size)).join(", ");
}

function groupHead(group) {
  return {
    content: [sliceName(group.slice), element("small", {}, sizeText(group.columns[0]))],
    scope: "colgroup",
    colspan: group.columns.length,
    class: "group",
    title: SLICE_WORDS[group.slice]
  };
}

function scoreRow(data, row, groups) {
  const isReference = row.kind === "reference";
  const setting = settingText(row.setting);
  const cells = [[row.label, setting ? element("small", {}, setting) : null]];
  const firsts = new Set(groups.map((group) => group.columns[0]));
  row.cells.forEach((cell, i) => cells.push({
    content: scoreCell(cell, isReference),
    class: firsts.has(data.columns[i]) ? "first" : null,
    "data-row": row.method,
    "data-column": data.columns[i].key
  }));
  cells.className = isReference ? "reference" : null;
  return cells;
}

function scoreTable(data) {
  const groups = columnGroups(data.columns);
  const rowsOf = (kind) => data.rows.filter((row) => (row.kind === "reference") === kind)
                               .map((row) => scoreRow(data, row, groups));
  const head = [
    [{content: "", scope: null, class: "left"}, ...groups.map(groupHead)],
    [
      {content: "Method", class: "left"},
      ...groups.flatMap(
          (group) => group.columns.map(
              (column, i) => ({content: column.label, class: i === 0 ? "first" : null})))
    ]
  ];
  const node = table({
    head,
    className: "scores",
    groups: [rowsOf(false), rowsOf(true)].filter((rows) => rows.length > 0)
  });
  attachTips(node, data);
  return node;
}

/* What is known of one cell, as [name, text]. */
function cellFacts(cell, baselineLabel) {
  const facts = [["mean", score(cell.mean)]];
  if (isNumber(cell.sd)) {
    facts.push(["spread (sd)", score(cell.sd)], ["95% interval", interval(cell.low, cell.high)]);
  }
  if (isNumber(cell.change)) {
    facts.push(["change", change(cell.change) + " against " + baselineLabel]);
  }
  if (cell.difference) {
    facts.push([
      "difference",
      signed(cell.difference.mean) + " (" +
          interval(cell.difference.low, cell.difference.high, signed) + ")"
    ]);
    facts.push(
        ["p over seeds", probability(cell.p_seed)], ["p over queries", probability(cell.p_query)]);
  }
  facts.push(["by seed", (cell.values || []).map((value) => score(value)).join("  ") || NONE]);
  return facts;
}

function baselineRow(data) {
  return data.rows.find((row) => row.method === data.baseline);
}

const baselineLabel = (data) => (baselineRow(data) || {label: data.baseline}).label;

/* One tip for the page, beside the cell that the pointer is on or that was pressed. The same is in
   the details below the table, for those who have no pointer. */
function attachTips(node, data) {
  const show = (event) => {
    const place = event.target.closest("td[data-column]");
    hideTip();
    if (place) {
      const row = data.rows.find((r) => r.method === place.dataset.row);
      const i = data.columns.findIndex((c) => c.key === place.dataset.column);
      showTip(place, [
        element("strong", {}, row.label),
        ", " + sliceName(data.columns[i].slice) + " " + data.columns[i].label,
        element("dl", {}, cellFacts(row.cells[i], baselineLabel(data)).map(([name,
          text]) => [element("dt", {}, name), element("dd", {}, text)]))
      ]);
    }
  };
  node.addEventListener("mouseover", show);
  node.addEventListener("click", show);
  node.addEventListener("mouseleave", hideTip);
}

/* A press elsewhere, or Escape, takes the tip away. */
function closeTips() {
  document.addEventListener(
      "click", (event) => event.target.closest("td[data-column]") || hideTip());
  document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
}

function hideTip() {
  const tip = document.getElementById("tip");
  if (tip) {
    tip.remove();
  }
}

function showTip(place, content) {
  const tip = element("div", {id: "tip", "aria-hidden": "true"}, content);
  document.body.append(tip);
  const box = place.getBoundingClientRect();
  const width = document.documentElement.clientWidth;
  const left = Math.max(8, Math.min(box.left, width - tip.offsetWidth - 8));
  const isBelowPlace = box.bottom + tip.offsetHeight + 8 < window.innerHeight;
  const top = isBelowPlace ? box.bottom + 4 : box.top - tip.offsetHeight - 4;
  tip.style.left = left + window.scrollX + "px";
  tip.style.top = top + window.scrollY + "px";
}

/* Every cell of a table of scores on a line of its own. */
function detailTable(data) {
  const names = [
    "Slice", "Metric", "Method", "Mean", "Spread (sd)", "95% interval", "Change", "Difference",
    "95% interval of the difference", "p over seeds", "p over queries", "Values by seed"
  ];
  const groups = data.columns.map((column, i) => data.rows.map((row) => {
    const cell = row.cells[i];
    const difference = cell.difference || {};
    return [
      sliceName(column.slice), {content: column.label, class: "left"},
      {content: row.label, class: "left"}, score(cell.mean), score(cell.sd),
      interval(cell.low, cell.high), change(cell.change), signed(difference.mean),
      interval(difference.low, difference.high, signed), probability(cell.p_seed),
      probability(cell.p_query),
      {content: (cell.values || []).map((v) => score(v)).join(" ") || NONE, class: "left"}
    ];
  }));
  return table({
    className: "dense",
    groups,
    head: [names.map((name, i) => ({content: name, class: i < 3 || i === 11 ? "left" : null}))]
  });
}
