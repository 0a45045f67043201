// What is kept, when the disk is full, and the rules: each change is previewed before it is saved.

import { get, post, request } from "./api.js";
import { formatBytes } from "./bar.js";
import { element, find, many, pageData, setText } from "./dom.js";
import { clearProblems, onSubmit } from "./forms.js";
import { notify, notifyError } from "./notice.js";
import { timeElement } from "./times.js";

const GB = 1e9;
const { organisation } = document.body.dataset;
const sheet = find("#rule-sheet");
const form = find("#rule");
let storage = pageData("storage");
let chosen = null; // of which monitor the sheet is; null: of the organisation
let previewed = null; // the rule whose effect the sheet shows


function ruleWords({ keep_days: days, keep_bytes: bytes }) {
  const words = [];
  if (days !== null) words.push(many(days, "day"));
  if (bytes !== null) words.push(`at most ${formatBytes(bytes)}`);
  return words.join(", ");
}

function part(className, share) {
  const node = element("span", { class: className });
  node.style.width = `${Math.min(100, Math.max(0, share * 100))}%`;
  return node;
}

function showDisk({ forecast: disk, pinned }) {
  const used = disk.total_bytes - disk.free_bytes;
  setText(find("#forecast"), disk.words);
  const bar = find("#disk-bar");
  bar.setAttribute("aria-label", `${formatBytes(used)} of ${formatBytes(disk.total_bytes)} used`);
  bar.replaceChildren(part("storage-used", used / disk.total_bytes), part("storage-reserve", disk.reserve_bytes / disk.total_bytes));
  const facts = [
    ["Pictures of this organisation", formatBytes(storage.stored_bytes)],
    ["Free", `${formatBytes(disk.free_bytes)} of ${formatBytes(disk.total_bytes)}, ${formatBytes(disk.reserve_bytes)} in reserve`],
    ["Coming in", `${formatBytes(disk.bytes_per_day)} a day`],
    ["Full", disk.full_at ? timeElement(disk.full_at, "full") : "not in sight"],
    ["Pinned", `${many(pinned.sessions, "session")}, ${many(pinned.images, "picture")}, ${formatBytes(pinned.size_bytes)}`],
  ];
  find("#disk-facts").replaceChildren(...facts.flatMap(([word, value]) => [element("dt", {}, word), element("dd", {}, value)]));
}

function row(monitor) {
  const share = storage.stored_bytes ? monitor.stored_bytes / storage.stored_bytes : 0;
  const name = monitor.slug
    ? element("a", { href: `/monitors/${monitor.slug}/` }, monitor.name || monitor.slug)
    : element("b", {}, monitor.name);
  const inherited = monitor.slug ? "as all monitors" : storage.default_days ? `${many(storage.default_days, "day")} (RETENTION_DAYS)` : "for ever";
  return element("tr", {},
    element("td", { class: "grow first" }, name, monitor.is_archived ? " (archived)" : null),
    element("td", { class: "n", "data-word": "Stored" }, formatBytes(monitor.stored_bytes)),
    element("td", { class: "n", "data-word": "Share" }, element("span", { class: "storage-share", "aria-hidden": "true" }, part("", share)), ` ${Math.round(share * 100)} %`),
    element("td", { class: "n", "data-word": "Quota" }, monitor.quota_bytes === null || monitor.quota_bytes === undefined ? "–" : formatBytes(monitor.quota_bytes)),
    element("td", { "data-word": "Keeps" }, ruleWords(monitor) || element("span", { class: "quiet" }, inherited)),
    element("td", { class: "n" }, element("button", {
      type: "button", class: "button", "aria-label": `Change the rule of ${monitor.name || monitor.slug}`, onclick: () => open(monitor),
    }, "Change")));
}

function showKept() {
  const all = { slug: null, name: "All monitors together", stored_bytes: storage.stored_bytes, quota_bytes: null, ...storage.rule };
  find("#kept tbody").replaceChildren(row(all), ...storage.monitors.map(row));
  find("#no-monitors").hidden = storage.monitors.length > 0;
}

function show(newer) {
  storage = newer;
  showDisk(storage);
  showKept();
}

function effect(found) {
  if (!found.images) return "Nothing goes now.";
  const words = `Next to go: ${many(found.images, "picture")} of ${many(found.sessions, "session")}, ${formatBytes(found.size_bytes)} of ${formatBytes(found.stored_bytes)}.`;
  return found.is_too_much ? `${words} That is more than half of everything: it waits until somebody runs cleanup_sessions --force.` : words;
}

function due(one) {
  return element("tr", {},
    element("td", { class: "grow first" }, element("a", { href: `/sessions/${one.session}/` }, one.name || one.session)),
    element("td", { "data-word": "Monitor" }, one.monitor ?? "–"),
    element("td", { "data-word": "Ended" }, timeElement(one.stopped_at)),
    element("td", { class: "n", "data-word": "Pictures" }, one.images.toLocaleString("en")),
    element("td", { class: "n", "data-word": "Bytes" }, formatBytes(one.size_bytes)),
    element("td", { "data-word": "Why" }, one.words));
}

async function showDue() {
  try {
    const found = await get(`/api/v1/storage/preview/?organisation=${organisation}`);
    setText(find("#due-words"), effect(found));
    find("#due tbody").replaceChildren(...found.results.map(due));
    find("#due-wrap").hidden = !found.results.length;
  } catch (refusal) {
    setText(find("#due-words"), refusal.message);
  }
}

function open(monitor) {
  chosen = monitor.slug;
  setText(find("#rule-title"), chosen ? `Keep of ${monitor.name || chosen}` : "Keep of all monitors together");
  setText(find("#r-days-help"), chosen
    ? "Pictures go so many days after their session ended. Empty: as all monitors."
    : "Pictures go so many days after their session ended. Empty: as RETENTION_DAYS says.");
  form.elements.keep_days.value = monitor.keep_days ?? "";
  form.elements.keep_bytes.value = monitor.keep_bytes === null || monitor.keep_bytes === undefined ? "" : monitor.keep_bytes / GB;
  clearProblems(form);
  change();
  sheet.showModal();
}

/** What was previewed is no longer what stands in the form. */
function change() {
  previewed = null;
  setText(find("#trial"), "");
  setText(find("#rule-save"), "Preview");
}

function asked({ keep_days: days, keep_bytes: size }) {
  return {
    organisation,
    monitor: chosen,
    keep_days: days === "" ? null : Number(days),
    keep_bytes: size === "" ? null : Math.round(Number(size) * GB),
  };
}

async function send(values) {
  const rule = asked(values);
  if (previewed !== JSON.stringify(rule)) {
    setText(find("#trial"), effect(await post("/api/v1/storage/preview/", rule)));
    previewed = JSON.stringify(rule);
    setText(find("#rule-save"), "Save");
    return;
  }
  show(await request("PUT", "/api/v1/storage/rule/", { body: rule }));
  sheet.close();
  notify("The rule is saved; it is obeyed within minutes");
  showDue();
}

onSubmit(form, send);
form.addEventListener("input", change);
find("#rule-cancel").addEventListener("click", () => sheet.close());
find("#preview-again").addEventListener("click", async () => {
  try {
    show(await get(`/api/v1/storage/?organisation=${organisation}`));
  } catch (refusal) {
    notifyError(refusal);
  }
  showDue();
});
show(storage);
showDue();
