// What the tables say, in neutral words: for each condition and slice, the best method beside the
// baseline.

const SUMMARY_NOTE = "One metric a slice, the one that choices were made by where the table has " +
    "it. The best method is the one with the highest mean on the test split; p values are " +
    "adjusted for the number of methods compared (Holm). The tables below have every method and " +
    "metric.";

/* The metric that choices were made by, when the table has it; else the first one of the slice. */
function chiefColumn(columns, selection) {
  const metric = (column) => column.key.split("/").pop().toLowerCase();
  return columns.find((column) => selection.toLowerCase().includes(metric(column))) || columns[0];
}

/* One comparison: the method with the highest mean among all but the baseline. null when there is
   nothing to compare. */
function compareColumn(data, column) {
  const i = data.columns.indexOf(column);
  const base = baselineRow(data);
  const others = data.rows.filter(
      (row) => row !== base && row.kind !== "reference" && isNumber(row.cells[i].mean));
  if (!base || !isNumber(base.cells[i].mean) || others.length === 0) {
    return null;
  }
  const best = others.reduce((a, b) => (b.cells[i].mean > a.cells[i].mean ? b : a));
  return {data, column, base, best, cell: best.cells[i], baseCell: base.cells[i]};
}

const isHigher = (found) => found.cell.mean > found.baseCell.mean;
const isFull = (cell) => {
  const done = TESTS.filter((test) => isNumber(cell[test.key]));
  return done.length > 0 && done.every((test) => isBelow(cell[test.key]));
};

/* Each slice of each condition once, from the first table that has it. */
function comparisons(results) {
  const found = [];
  const seen = new Set();
  for (const data of results.tables) {
    for (const group of columnGroups(data.columns)) {
      const key = data.condition + "\n" + group.slice;
      const one = seen.has(key)
          ? null
          : compareColumn(data, chiefColumn(group.columns, results.study.selection || ""));
      if (one) {
        seen.add(key);
        found.push(one);
      }
    }
  }
  return found;
}

function reading(found) {
  const direction = isHigher(found)           ? "higher"
      : found.cell.mean < found.baseCell.mean ? "no method is higher"
                                              : "equal";
  return direction + "; " + (isHigher(found) ? "" : "the nearest one: ") + evidence(found.cell);
}

/* Sentences on all comparisons together. */
function overview(all, baseline) {
  const higher = all.filter(isHigher);
  const certain = higher.filter((found) => isFull(found.cell));
  const n = all.length;
  const share = higher.length === n && n > 1 ? "all "
      : higher.length === 0                  ? "none of "
                                             : higher.length + " of ";
  const lines = ["In " + share + counted(n, "comparison") +
    " (a condition and a slice each) the best method scores higher than " + baseline + "; " +
    (higher.length === 0 ? "so on these data no method helps by this metric."
                         : "in " + certain.length + " of these " + higher.length +
                " the difference is significant in every " +
                "test that was made.")];
  if (certain.length > 0) {
    const most = certain.filter((found) => isNumber(found.cell.change))
                     .reduce((a, b) => (!a || b.cell.change > a.cell.change ? b : a), null);
    if (most) {
      lines.push("The largest such change: " + change(most.cell.change) + " " + most.column.label +
          " (" + sliceName(most.column.slice).toLowerCase() + "), " + most.best.label + ", " +
          conditionLabel(most.data.condition) + ".");
    }
  }
  return lines.join(" ");
}

let conditionLabels = new Map();
const conditionLabel = (name) => conditionLabels.get(name) || name;

function summaryTable(all) {
  const head = [[
    "Slice", "Metric", "Baseline", "Best other method", "Score", "Change", "p over seeds",
    "p over queries", "Reading"
  ].map((name, i) => ({content: name, class: [0, 1, 3, 8].includes(i) ? "left" : null}))];
  const groups = new Map();
  for (const found of all) {
    const name = found.data.condition;
    const rows = groups.get(name) || [[{
      content: capital(conditionLabel(name)),
      class: "title",
      scope: "rowgroup",
      colspan: head[0].length
    }]];
    groups.set(name, rows);
    const {cell} = found;
    rows.push([
      sliceName(found.column.slice), {content: found.column.label, class: "left"},
      score(found.baseCell.mean), {content: found.best.label, class: "left name"},
      isBold(cell) ? element("b", {}, score(cell.mean)) : score(cell.mean), change(cell.change),
      probability(cell.p_seed), probability(cell.p_query), {content: reading(found), class: "wrap"}
    ]);
  }
  return table({head, groups: [...groups.values()]});
}

function summarySection(results) {
  conditionLabels = new Map(results.conditions.map((one) => [one.name, one.label]));
  const all = comparisons(results);
  const base = results.methods.find((method) => method.name === results.study.baseline);
  const section = element("section", {id: "summary"}, element("h2", {}, "What it says"));
  if (all.length === 0) {
    section.append(element("p", {}, "The tables hold nothing to compare with the baseline."));
    return section;
  }
  section.append(
      element("p", {class: "lead"}, overview(all, base ? base.label : results.study.baseline)),
      scroll(summaryTable(all)),
      element("p", {class: "note"}, SUMMARY_NOTE));
  return section;
}
