// The whole page, from the numbers that it holds. `document.documentElement.dataset.state` is
// "ready" when all is drawn.

const SECTIONS = [
  ["top", "Study"], ["summary", "What it says"], ["tables", "Tables"], ["figures", "Figures"],
  ["choices", "Choices"], ["runs", "Runs"], ["warnings", "Warnings"], ["again", "Again"]
];

function readResults() {
  const results = JSON.parse(document.getElementById("results").textContent);
  if (results.format !== "diptych-report" || results.version !== 1) {
    throw new Error("its numbers are not those of a report of version 1");
  }
  for (const key of ["conditions", "methods", "tables", "figures", "choices", "runs"]) {
    results[key] = results[key] || [];
  }
  return results;
}

/* The link of the section that is being read is marked. */
function navigation() {
  const links = new Map(SECTIONS.map(([id, name]) => [id, element("a", {href: "#" + id}, name)]));
  document.getElementById("navigation").append(element("ul", {}, [
    ...links.values()
  ].map((link) => element("li", {}, link))));
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      links.forEach(
          (link, id) => (id === entry.target.id ? link.setAttribute("aria-current", "true")
                                                : link.removeAttribute("aria-current")));
    }
  }, {rootMargin: "-15% 0px -80% 0px"});
  SECTIONS.forEach(([id]) => observer.observe(document.getElementById(id)));
}

async function makePage() {
  const results = readResults();
  document.title = results.title;
  registerMethods(results);
  document.getElementById("page").replaceChildren(headSection(results), summarySection(results),
      tablesSection(results), figuresSection(results, window.Plotly), choicesSection(results),
      runsSection(results), warningsSection(results), againSection(results));
  navigation();
  closeTips();
  watch();
  await drawInTurn();
  document.documentElement.dataset.state = "ready";
}

makePage().catch((error) => {
  document.documentElement.dataset.state = "failed";
  document.getElementById("page").prepend(element("p", {class: "notice", role: "alert"},
      "This page cannot be shown: " + error.message +
          ". The numbers are in results.json beside it."));
  throw error;
});
