// The page of one dataset: counts, shares, export, import, labels, jobs.

import { get, patch } from "./api.js";
import { element, find, pageData, setText } from "./dom.js";
import { onSubmit } from "./forms.js";
import { startExports } from "./exportform.js";
import { startImports } from "./importform.js";
import { JobList } from "./jobs.js";
import { notify, notifyUnread } from "./notice.js";
import { offerLabels, startRelabels } from "./relabel.js";
import { watchJob } from "./watchjobs.js";

const { key } = pageData("dataset");
const query = `?organisation=${document.body.dataset.organisation}`;
const address = `/api/v1/datasets/${encodeURIComponent(key)}/`;
const SPLITS = ["train", "valid", "test", "none"];
const number = (count) => (count ?? 0).toLocaleString("en");
const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);

function cells(counts, splits) {
  return [sum(counts), ...splits.map((split) => counts[split])].map((count) => element("td", { class: "n" }, number(count)));
}

function showLabels({ splits, labels, boxes }) {
  const used = SPLITS.filter((split) => splits[split]);
  setText(find("#splits"), "");
  find("#splits").append(...[["pictures", sum(splits)], ...used.map((split) => [split === "none" ? "in no split" : split, splits[split]])]
    .map(([word, count]) => element("span", { class: "split-words" }, element("b", {}, number(count)), ` ${word}`)));
  const rows = [
    ...Object.entries(boxes).map(([label, counts]) => ["box", label, counts]),
    ...Object.entries(labels).filter(([label]) => label).map(([label, counts]) => ["picture", label, counts]),
  ];
  find("#no-labels").hidden = rows.length > 0;
  const words = ["Label", "Of", "All", ...used.map((split) => (split === "none" ? "no split" : split))];
  find("#labels").replaceChildren(...(rows.length ? [
    element("thead", {}, element("tr", {}, ...words.map((word, index) => element("th", { scope: "col", class: index > 1 ? "n" : null }, word)))),
    element("tbody", {}, ...rows.map(([of, label, counts]) => element("tr", {}, element("td", { class: "grow" }, label), element("td", {}, of), ...cells(counts, used)))),
  ] : []));
  offerLabels([...new Set(rows.map(([, label]) => label))].sort());
}

function showCoverage({ coverage }) {
  find("#no-coverage").hidden = coverage.length > 0;
  if (!coverage.length) return find("#coverage").replaceChildren();
  const words = ["Day, UTC", "Monitor", "Pictures", "With boxes", "Reviewed"];
  return find("#coverage").replaceChildren(
    element("thead", {}, element("tr", {}, ...words.map((word, index) => element("th", { scope: "col", class: index > 1 ? "n" : null }, word)))),
    element("tbody", {}, ...coverage.map((row) => element("tr", {},
      element("td", {}, row.day), element("td", { class: "grow" }, row.monitor_name || row.monitor || "imported"),
      ...[row.images, row.boxed, row.reviewed].map((count) => element("td", { class: "n" }, number(count)))))),
  );
}

async function count() {
  try {
    const summary = await get(`${address}summary/${query}`);
    showLabels(summary);
    showCoverage(summary);
  } catch (error) { notifyUnread(error); }
}

function startShares() {
  const form = find("#shares");
  const percent = (name) => (form.elements[name].value === "" ? null : Number(form.elements[name].value));
  const showRest = () => {
    const [valid, test] = [percent("valid_percent"), percent("test_percent")];
    form.elements.train.value = valid === null && test === null ? "" : Math.max(0, 100 - valid - test);
  };
  form.addEventListener("input", showRest);
  showRest();
  onSubmit(form, async () => {
    await patch(`${address}${query}`, { valid_percent: percent("valid_percent"), test_percent: percent("test_percent") });
    const isShared = percent("valid_percent") !== null || percent("test_percent") !== null;
    notify(isShared ? "The pictures are shared out" : "No shares are set: pictures are not shared out");
    await count();
  });
}

const jobs = new JobList(find("#jobs"), new URLSearchParams({ dataset: key, organisation: document.body.dataset.organisation }), { changed: count });
const begun = (job) => { jobs.show(job); watchJob(job); };
count();
jobs.load().catch(notifyUnread);
startShares();
startExports(`${address}export/`, query, begun);
startImports({ address, query }, begun);
startRelabels(address, query, begun);
