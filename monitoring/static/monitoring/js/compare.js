// Sessions side by side: one drawing each, all from their starts and on one scale.

import { element, find, many, pageData, svg } from "./dom.js";
import { drawTimeline } from "./timelinedraw.js";

const told = pageData("compare");
const place = find("#rates");
const bucketMs = 1000 * told.bucket_s;
const most = Math.max(1, ...told.sessions.flatMap((column) => column.counts));
const lasted = Math.max(1000 * told.longest_s, ...told.sessions.map((column) => bucketMs * column.counts.length));
const rows = told.sessions.map(({ session, counts, gaps }) => {
  const name = session.name || session.monitor_name || session.key;
  const plot = svg("svg", { class: "tl-plot", role: "img", "aria-label": `${name}: ${many(session.total_counter, "picture")}, ${many(gaps.count, "gap")}` });
  place.append(element("h3", {}, name), plot);
  return { plot, data: {
    view: { from: 0, to: lasted }, first: 0, stepMs: bucketMs, counts, most, labels: [], events: [], isElapsed: true,
    gaps: gaps.longest.map((gap) => ({ ...gap, start: 1000 * gap.after_s, end: 1000 * (gap.after_s + gap.lasted_s) })),
  } };
});

function draw() {
  for (const { plot, data } of rows) drawTimeline(plot, data, Math.max(100, place.clientWidth));
}

new ResizeObserver(draw).observe(place);
