// The sections of tables, choices, runs, warnings, and how to make it all again.

const SEEDS_NOTE =
    " the difference from the baseline is significant over seeds (paired Student t), ";
const QUERIES_NOTE = " over queries (paired bootstrap); both p < .05, adjusted by Holm's method " +
    "for the methods of a column. ";
const BOLD_NOTE = ": the best of its column, references included, and significantly different " +
    "from the baseline. TopPopular and Random, below the line, are references that learn " +
    "nothing; they are not tested.";
const AGAIN_NOTE = "The same seeds, data and options give the same numbers. Runs that are " +
    "finished are kept in the report's folder; made there again, only what is missing is " +
    "trained. The numbers of this page are in results.json and in the CSV files beside it, and " +
    "in the page itself:";

const COST_NOTE = "A final run that is stopped early counts to its end. Times are those of the " +
    "machine that made the run, with as many others beside it as were made at a time.";

function scoresLegend() {
  return element("p", {class: "note"},
      "A cell: mean over seeds, ± standard deviation over seeds, change against the baseline. ",
      element("sup", {}, "s"), SEEDS_NOTE, element("sup", {}, "q"), QUERIES_NOTE,
      element("b", {}, "Bold"), BOLD_NOTE);
}

/* Links to the parts of a section, when it has several. */
function contents(entries) {
  return entries.length < 3 ? null : element("ul", {class: "contents"}, entries.map(([id,
    title]) => element("li", {}, element("a", {href: "#" + id}, title))));
}

function tableBlock(data) {
  const condition = conditionLabel(data.condition);
  const note = [data.title.includes(condition) ? null : capital(condition) + ".", data.note];
  return element("section", {id: "table-" + data.id, class: "block"}, element("h3", {}, data.title),
      element("p", {class: "note"}, note.filter(Boolean).join(" ")), scroll(scoreTable(data)),
      lazyDetails(
          "p values, intervals, and the values of each seed", () => scroll(detailTable(data))));
}

/* Details whose content is made when they are opened first. */
function lazyDetails(title, make) {
  const node = element("details", {}, element("summary", {}, title));
  node.addEventListener("toggle", () => {
    if (node.open && node.childElementCount === 1) {
      node.append(make());
    }
  });
  return node;
}

function tablesSection(results) {
  return element("section", {id: "tables"}, element("h2", {}, "Tables"),
      contents(results.tables.map((data) => ["table-" + data.id, data.title])),
      results.tables.length ? scoresLegend() : element("p", {}, "The study made no tables."),
      results.tables.map(tableBlock));
}

/* ---- choices ---- */

function choiceRow(choice, methods) {
  const tried = element("ul", {class: "tried"},
      choice.tried.map(
          (one) => element("li", {class: one.chosen ? "chosen" : null},
              (one.chosen ? "✓ " : "") + one.value + " ",
              element("span", {class: one.chosen ? null : "muted"}, score(one.score)))));
  return [
    {content: methods.get(choice.method) || choice.method},
    {content: element("code", {}, choice.option), class: "left"},
    {content: tried, class: "left wrap"}
  ];
}

function choicesSection(results) {
  const methods = new Map(results.methods.map((method) => [method.name, method.label]));
  const names = [...new Set(results.choices.map((choice) => choice.condition))];
  const head = [["Method", "Option", "Tried, with the score of each"].map(
      (name) => ({content: name, class: "left"}))];
  return element("section", {id: "choices"}, element("h2", {}, "Choices"),
      element("p", {},
          "Made by " + results.study.selection +
              ". The value that was taken is marked ✓; the test " +
              "split had no part in this."),
      names.length === 0 ? element("p", {}, "Nothing was chosen: all options were given.") : null,
      names.map((name) => scroll(table({
        caption: capital(conditionLabel(name)),
        head,
        groups: [results.choices.filter((choice) => choice.condition === name)
                     .map((choice) => choiceRow(choice, methods))]
      }))));
}

/* ---- runs ---- */

/* Of all metrics of a run, those that the tables show. */
function metricColumns(results, part) {
  const keys = [...new Set(results.tables.flatMap((table) => table.columns.map((c) => c.key)))];
  return keys.map((key) => {
    const value = (run) => (run[part] || {})[key];
    const label = part + " " + key.replace(/^all\//, "");
    return {label, value, show: (run) => score(value(run))};
  });
}

function runColumns(results) {
  const methods = new Map(results.methods.map((method) => [method.name, method.label]));
  const plain = (label, value, className, show = value) => ({label, value, show, className});
  return [
    plain("Method", (run) => methods.get(run.method) || run.method, "left"),
    plain("Condition", (run) => run.condition, "left"), plain("Seed", (run) => run.seed),
    plain("Stage", (run) => run.stage, "left"),
    plain("Setting", (run) => settingText(run.setting) || NONE, "left"),
    plain("Epochs", (run) => run.epochs), plain("Best epoch", (run) => run.best_epoch),
    ...metricColumns(results, "validation"), ...metricColumns(results, "test"),
    plain("Time", (run) => run.seconds, null, (run) => duration(run.seconds)),
    plain("Key", (run) => run.key, "left", (run) => element("code", {}, run.key))
  ];
}

/* What a final run of each method takes, a table a condition. */
function costTables(results) {
  const methods = new Map(results.methods.map((method) => [method.name, method.label]));
  const names = [...new Set(results.costs.map((cost) => cost.condition))];
  const head = [[
    {content: "Method", class: "left"}, "Epochs", "Time of a run", "± (sd)", "Times the baseline's"
  ]];
  const row = (cost) => [
    methods.get(cost.method) || cost.method, isNumber(cost.epochs) ? cost.epochs.toFixed(1) : NONE,
    duration(cost.seconds), duration(cost.seconds_sd),
    isNumber(cost.times_baseline) ? cost.times_baseline.toFixed(2) : NONE
  ];
  const tables = names.map((name) => scroll(table({
    caption: "What a final run takes: " + conditionLabel(name),
    head,
    groups: [results.costs.filter((cost) => cost.condition === name).map(row)]
  })));
  return names.length === 0 ? [] : [...tables, element("p", {class: "note"}, COST_NOTE)];
}

function runsSection(results) {
  const {runs} = results;
  const seconds = runs.reduce((sum, run) => sum + (isNumber(run.seconds) ? run.seconds : 0), 0);
  const finals = runs.filter((run) => run.stage === "final").length;
  return element("section", {id: "runs"}, element("h2", {}, "Runs"),
      element("p", {},
          counted(runs.length, "run") + ", " + counted(finals, "final one") + " on the test " +
              "split, the others to choose by; " + duration(seconds) +
              " of training in all. A run's key names its " +
              "folder under runs/."),
      costTables(results),
      lazyDetails("All runs (press a column's name to sort)",
          () => scroll(sortableTable(runColumns(results), runs))));
}

/* ---- warnings, and again ---- */

function warningsSection(results) {
  const warnings = [...(results.dataset.warnings || []), ...(results.warnings || [])];
  return element("section", {id: "warnings"}, element("h2", {}, "Warnings"),
      warnings.length ? notice("To keep in mind", warnings) : element("p", {}, "There were none."));
}

function saveResults() {
  const data = document.getElementById("results").textContent;
  const address = URL.createObjectURL(new Blob([data], {type: "application/json"}));
  element("a", {href: address, download: "results.json"}).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function againSection(results) {
  return element("section", {id: "again"}, element("h2", {}, "How to make it again"),
      element("pre", {}, element("code", {}, results.command)),
      element("p", {}, "With " + results.created_by + ". " + AGAIN_NOTE),
      element("p", {},
          element("button", {type: "button", class: "button", click: saveResults},
              "Save results.json")));
}
