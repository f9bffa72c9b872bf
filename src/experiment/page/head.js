// The head of the page: what was compared, on what, and how choices were made.

const PROTOCOLS = {
  paper: "each test pair is one example with one right item; the whole catalogue is ranked",
  standard: "all test items of a query are right, its training items are taken out; the whole " +
      "catalogue is ranked"
};
const SPLITS = {
  query: "by query: all pairs of a query are in one part",
  pair: "by pair, at random",
  unordered_pair: "by pair, both directions of a pair in one part",
  time: "by time",
  column: "given by a column of the data"
};

function facts(entries) {
  return element("dl", {},
      entries.filter((entry) => entry[1] !== null && entry[1] !== undefined)
          .map(([name, content]) => [element("dt", {}, name), element("dd", {}, content)]));
}

function dataFacts({dataset}) {
  const pairs = dataset.pairs || {};
  const isSame = dataset.path === dataset.name;
  return facts([
    [
      "Dataset",
      [
        dataset.name,
        isSame || !dataset.path ? null : element("small", {}, " (" + dataset.path + ")")
      ]
    ],
    ["Items", count(dataset.items)], ["Queries", count(dataset.queries)],
    ["Pairs", listed(Object.entries(pairs).map(([part, n]) => count(n) + " " + part))],
    ["Split", SPLITS[dataset.split_by] || dataset.split_by],
    ["Features", (dataset.features || []).join(", ") || "none"]
  ]);
}

function studyFacts(results) {
  const {study} = results;
  const baseline = results.methods.find((method) => method.name === study.baseline);
  const seeds = study.seeds || [];
  return facts([
    ["Study", study.preset], ["Baseline", baseline ? baseline.label : study.baseline],
    ["Seeds", seeds.length > 8 ? counted(seeds.length, "seed") : seeds.join(", ")],
    [
      "Protocol",
      [study.protocol, PROTOCOLS[study.protocol] ? ": " + PROTOCOLS[study.protocol] : null]
    ],
    [
      "Choices",
      ["by " + study.selection + "; ", element("a", {href: "#choices"}, "all that was tried")]
    ],
    [
      "Made",
      moment(results.made) + " by " + results.created_by + ", in " + duration(results.seconds)
    ]
  ]);
}

function optionTable(caption, options) {
  return scroll(table({
    caption,
    head: [[{content: "Option", class: "left"}, {content: "Value", class: "left"}]],
    groups: [Object.entries(options).map(
        ([key, value]) => [element("code", {}, key),
            {content: element("code", {}, String(value)), class: "left wrap"}])]
  }));
}

/* Methods or conditions with the options that make them what they are. */
function namedOptions(caption, entries) {
  const text = (options) =>
      Object.entries(options || {}).map(([key, value]) => key + "=" + value).join("  ");
  return scroll(table({
    caption,
    head: [[
      {content: "Name", class: "left"}, {content: "Stands for", class: "left"},
      {content: "Options", class: "left"}
    ]],
    groups: [entries.map(
        (entry) => [element("code", {}, entry.name), {content: entry.label, class: "left"},
            {content: element("code", {}, text(entry.options) || NONE), class: "left wrap"}])]
  }));
}

function notice(title, texts) {
  return element("div", {class: "notice", role: "note"}, element("strong", {}, title),
      texts.length === 1 ? element("div", {}, texts[0])
                         : element("ul", {}, texts.map((text) => element("li", {}, text))));
}

function headSection(results) {
  const {dataset, study} = results;
  const leaks = dataset.warnings || [];
  const others = results.warnings || [];
  const nSeeds = (study.seeds || []).length;
  return element("header", {id: "top"}, element("h1", {}, results.title),
      element("p", {class: "lead"},
          counted(results.methods.length, "method") + " under " +
              counted(results.conditions.length, "condition") + ", " +
              (nSeeds > 1 ? counted(nSeeds, "seed") + " each" : "one seed each") +
              ", compared on the test split of " + dataset.name + "."),
      leaks.length ? notice("About these data", leaks) : null,
      others.length
          ? element("p", {}, element("a", {href: "#warnings"}, counted(others.length, "warning")),
                " of the study itself.")
          : null,
      element("div", {class: "facts"}, dataFacts(results), studyFacts(results)),
      element("pre", {}, element("code", {}, results.command)),
      element("details", {},
          element("summary", {}, "Methods, conditions, and the options that all share"),
          namedOptions("Methods", results.methods), namedOptions("Conditions", results.conditions),
          optionTable("Options of all runs", study.options || {})));
}
