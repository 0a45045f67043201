// One night in figures: curves over its frames, frames per target and filter, its timeline.

import { element, find, setText } from "./dom.js";
import { drawCurve, drawTimeline } from "./rigcharts.js";
import { formatAge } from "./times.js";

/** night: what the report of a session or of a night gives. Open spans of its timeline end at nowMs. */
export function showNight(night, nowMs) {
  const { rms, hfr, temperature } = night.series;
  showCurve("rms", "Guiding RMS, arc seconds", rms, night.guiding.mean_arcsec);
  showCurve("hfr", "HFR, pixels", hfr);
  showCurve("temperature", "Camera temperature, °C", temperature);
  drawTimeline(find("#night-lanes"), night.timeline, nowMs);
  showFrames(night);
}

/** Under its name: the newest value, and between which values the curve runs. */
function showCurve(id, name, points, mean = null) {
  drawCurve(find(`#${id}`), points);
  const values = points.map(([, value]) => value);
  const [low, high] = [places(Math.min(...values)), places(Math.max(...values))];
  const words = [mean !== null && `${mean} mean`, values.length && `${places(values.at(-1))} last`,
    low !== high && values.length && `${low} to ${high}`].filter(Boolean);
  setText(find(`#${id}-words`), words.length ? `${name}: ${words.join(", ")}` : name);
}

const places = (value) => String(Number(value.toFixed(2)));

/** Frames per target, filter and exposure; with several rows also per filter, and all together. */
function showFrames(night) {
  const rows = night.targets.flatMap((target) => target.frames.map((row) => frameRow(target.name, row)));
  if (!rows.length) rows.push(element("tr", {}, element("td", { class: "quiet", colspan: "5" }, "No frame in this night.")));
  find("#frames tbody").replaceChildren(...rows);
  const sums = night.targets.length > 1 ? night.filters.map((row) => frameRow("All targets", row)) : [];
  const all = { filter: "", count: night.total_images, total_s: night.total_exposure_s };
  if (rows.length > 1) sums.push(frameRow("Together", all));
  find("#frames tfoot").replaceChildren(...sums);
}

function frameRow(name, row) {
  const exposure = row.exposure_s === undefined ? "" : row.exposure_s === null ? "–" : `${row.exposure_s} s`;
  return element("tr", {}, element("td", {}, name), element("td", {}, row.filter), element("td", { class: "n" }, exposure),
    element("td", { class: "n" }, String(row.count)), element("td", { class: "n" }, formatAge(row.total_s * 1000)));
}
