// The health page: the server's own report, asked for every few seconds.

import { get } from "./api.js";
import { formatBytes, formatDaysLeft } from "./bar.js";
import { element, find, setText } from "./dom.js";
import { chip } from "./marks.js";
import { timeElement } from "./times.js";

const EVERY_MS = 5_000;
const STATES = { ok: ["running", "ok"], degraded: ["late", "degraded"], failing: ["error", "failing"] };
const NAMES = { disk: "Disk", database: "Database", layer: "Channel layer", live: "Live readers", native: "Compiled helpers", loops: "Background loops" };

const isTime = (value) => typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value);

function shown(name, value) {
  if (value === null || value === "") return "–";
  if (name.endsWith("_bytes")) return formatBytes(value);
  if (isTime(value)) return timeElement(value);
  if (name.endsWith("_ms")) return `${value} ms`;
  if (name.endsWith("_s")) return `${value} s`;
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}

const title = (name) => name.replace(/_(ms|s|bytes|at)$/, "").replaceAll("_", " ");

function facts(part) {
  const rows = Object.entries(part).filter(([name, value]) => !["status", "reason"].includes(name) && typeof value !== "object");
  return element("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [
    element("dt", {}, title(name)), element("dd", {}, name === "days_left" && value !== null ? String(value) : shown(name, value)),
  ]));
}

/** The first value names its row. Text takes a line of its own where rows are cards. */
function cell(name, value, place) {
  const className = place === 0 ? "first" : typeof value === "string" && !isTime(value) ? "grow" : null;
  return element("td", { class: className, "data-word": place === 0 ? null : title(name) }, shown(name, value));
}

function table(word, rows) {
  const names = Object.keys(rows[0]);
  return element("div", { class: "table-wrap cards", role: "region", tabindex: "0", "aria-label": title(word) }, element("table", { class: "table" },
    element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, title(name))))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...names.map((name, place) => cell(name, row[name], place)))))));
}

function panel(name, part) {
  const lists = Object.entries(part).filter(([, value]) => Array.isArray(value) && value.length);
  return element("section", { class: lists.length ? "panel stack wide" : "panel stack" },
    element("div", { class: "row" }, element("h2", {}, NAMES[name] ?? name), part.status ? chip(...STATES[part.status]) : null),
    part.reason ? element("p", {}, part.reason) : null,
    name === "disk" && part.free_bytes !== undefined ? element("p", {}, formatDaysLeft({ ...part, status: part.room })) : null,
    facts(part), ...lists.flatMap(([word, rows]) => [element("h3", {}, title(word)), table(word, rows)]));
}

async function refresh() {
  const place = find("#report");
  try {
    const report = await get("/api/v1/health/");
    find("#overall").replaceChildren(chip(...STATES[report.status]));
    find("#about").replaceChildren(`Version ${report.version}, up since `, timeElement(report.started_at), ", seen ", timeElement(report.at, "clock"));
    place.replaceChildren(...Object.keys(NAMES).filter((name) => report[name]).map((name) => panel(name, report[name])));
  } catch (refusal) {
    find("#overall").replaceChildren(chip("error", "no answer"));
    setText(find("#about"), refusal.message);
  }
}

refresh();
setInterval(() => document.hidden || refresh(), EVERY_MS);
