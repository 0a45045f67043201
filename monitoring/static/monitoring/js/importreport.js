// The report of an import's dry run: every file with what would happen to it, and the button that does it.

import { get, post } from "./api.js";
import { element, find, findAll, many, may, setText } from "./dom.js";
import { notifyError } from "./notice.js";

const OUTCOMES = { "": "all", new: "new", matched: "known", skipped: "skipped" };
const PAGE = 100;

function words(plan) {
  const boxes = `${many(plan.boxes_added, "box", "boxes")} to add, ${plan.boxes_unchanged} there already, ${plan.boxes_refused} refused`;
  return `${many(plan.new, "new picture")}, ${plan.matched} known, ${plan.skipped} skipped; ${boxes}.`;
}

const line = ({ file, outcome, boxes_added: added, boxes_unchanged: unchanged, boxes_refused: refused, reason }) =>
  element("tr", {},
    element("td", {}, file), element("td", {}, OUTCOMES[outcome] ?? outcome),
    ...[added, unchanged, refused].map((count) => element("td", { class: "n" }, String(count))),
    element("td", { class: "grow" }, reason));

const head = () => element("thead", {}, element("tr", {},
  ...["File", "Picture"].map((word) => element("th", { scope: "col" }, word)),
  ...["Boxes added", "there", "refused"].map((word) => element("th", { scope: "col", class: "n" }, word)),
  element("th", { scope: "col" }, "Why")));

/** Opens the report of `job`; applied(job) is called once somebody has said yes. */
export async function showReport(job, applied) {
  const sheet = find("#report-sheet");
  const body = element("tbody");
  let after = 0;
  let outcome = "";
  find("#report").replaceChildren(head(), body);
  setText(find("#report-words"), words(job.result.plan));

  let isReading = false;
  const more = async () => {
    if (isReading) return;
    isReading = true;
    try {
      await readPage();
    } finally {
      isReading = false;
    }
  };
  const readPage = async () => {
    const query = new URLSearchParams({ after, limit: PAGE, ...(outcome && { outcome }) });
    const page = await get(`/api/v1/jobs/${job.key}/report/?${query}`);
    body.append(...page.results.map(line));
    after = page.next_after;
    find("#report-more").hidden = after === null;
    find("#report-empty").hidden = body.childElementCount > 0;
  };
  const choose = async (chosen) => {
    [outcome, after] = [chosen, 0];
    body.replaceChildren();
    for (const chip of findAll("#report-outcomes button")) chip.setAttribute("aria-pressed", chip.dataset.outcome === chosen);
    await more();
  };
  find("#report-outcomes").replaceChildren(...Object.entries(OUTCOMES).map(([value, word]) =>
    element("button", { type: "button", class: "filter-chip", "data-outcome": value, onclick: () => choose(value).catch(notifyError) },
      value ? `${word} ${job.result.plan[value]}` : word)));
  find("#report-more").onclick = () => more().catch(notifyError);
  const apply = find("#report-apply");
  apply.hidden = job.state !== "ready" || !may("annotate");
  apply.onclick = async () => {
    apply.disabled = true;
    try {
      applied(await post(`/api/v1/jobs/${job.key}/apply/`));
      sheet.close();
    } catch (error) { notifyError(error); }
    apply.disabled = false;
  };
  find("[data-close]", sheet).onclick = () => sheet.close();
  await choose("");
  sheet.showModal();
}
