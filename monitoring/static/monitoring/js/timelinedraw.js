// Draws a session's timeline as one SVG: events, density, a strip per label, gaps hatched over all, a time axis.

import { svg } from "./dom.js";
import { wordsOf } from "./events.js";
import { labelColour } from "./marks.js";
import { placeOf, ticks } from "./timescale.js";
import { formatElapsed, formatTime } from "./times.js";

export const EVENTS = 24;
export const DENSITY = 72;
export const LABEL = 20;
export const AXIS = 24;
const DAY_MS = 86_400_000;
const SHAPES = { info: "M-4-4h8v8h-8z", warning: "M0-6 6 0 0 6-6 0z", error: "M0-6 6 5h-12z" };

let drawings = 0;

const round = (value) => value.toFixed(1);

/** data.isElapsed: times count from a start and there is no lane of events. */
const laneOf = (data) => (data.isElapsed ? 0 : EVENTS);

export const heightOf = (data) => laneOf(data) + DENSITY + LABEL * data.labels.length + AXIS;

/** One path of a bar per bucket; as high as its part of the most, and at least 2 px where there is anything. */
function bars(counts, most, { x, width, ground, height }) {
  return counts.map((count, index) => {
    if (!count) return "";
    const high = Math.max(2, (count / most) * height);
    return `M${round(x(index))} ${round(ground - high)}h${round(width)}v${round(high)}h${round(-width)}z`;
  }).join("");
}

/** data: the answer of …/timeline/, its times in ms as data.span, data.first, data.stepMs. */
export function drawTimeline(place, data, width) {
  const height = heightOf(data);
  const ground = laneOf(data) + DENSITY;
  const bucketWidth = (data.stepMs / (data.view.to - data.view.from)) * width;
  const x = (index) => placeOf(data.first + index * data.stepMs, data.view, width);
  const barWidth = Math.max(1, bucketWidth - (bucketWidth > 3 ? 1 : 0));
  place.setAttribute("viewBox", `0 0 ${width} ${height}`);
  place.style.height = `${height}px`;
  const id = `clip-${(drawings += 1)}`; // several drawings may be on a page
  const clip = svg("clipPath", { id }, svg("rect", { x: 0, y: 0, width, height }));
  const drawn = svg("g", { "clip-path": `url(#${id})` },
    ...data.gaps.map((gap) => gapShape(gap, data, width, height)),
    svg("path", { class: "tl-bars", d: bars(data.counts, data.most ?? Math.max(1, ...data.counts), { x, width: barWidth, ground, height: DENSITY - 8 }) }),
    svg("line", { class: "tl-line", x1: 0, x2: width, y1: ground, y2: ground }),
    ...data.labels.map((line, row) => strip(line, row, { x, width: barWidth, ground })),
    ...data.events.toReversed().map((event) => eventShape(event, data, width)));
  place.replaceChildren(svg("defs", {}, clip), drawn, axis(data, width, height), svg("g", { class: "tl-over", "clip-path": `url(#${id})` }));
}

function strip(line, row, frame) {
  const ground = frame.ground + (row + 1) * LABEL - 3;
  return svg("path", { class: `tl-label-${labelColour(line.label)}`,
    d: bars(line.counts, Math.max(1, ...line.counts), { ...frame, ground, height: LABEL - 6 }) });
}

function gapShape(gap, data, width, height) {
  const { view } = data;
  const [left, right] = [Math.max(0, placeOf(gap.start, view, width)), Math.min(width, placeOf(gap.end, view, width))];
  return svg("rect", { class: `tl-gap tl-gap-${gap.cause}`, x: round(left), y: laneOf(data), width: round(Math.max(2, right - left)), height: height - laneOf(data) - AXIS });
}

function eventShape(event, { view }, width) {
  const left = placeOf(event.ms, view, width);
  const group = svg("g", { class: `tl-event tl-event-${event.severity}`, "data-seq": event.seq });
  if (event.until) group.append(svg("rect", { x: round(left), y: EVENTS / 2 - 3, width: round(Math.max(2, placeOf(event.until, view, width) - left)), height: 6 }));
  group.append(svg("line", { x1: round(left), x2: round(left), y1: EVENTS - 6, y2: EVENTS + DENSITY }),
    svg("path", { d: SHAPES[event.severity] ?? SHAPES.info, transform: `translate(${round(left)} ${EVENTS / 2})` }));
  const title = svg("title");
  title.textContent = `${formatTime(new Date(event.ms), "clock")} ${wordsOf(event)}`;
  group.append(title);
  return group;
}

function axis({ view, isElapsed }, width, height) {
  const offset = isElapsed ? 0 : zoneOffsetMs(view.from);
  const { stepMs, found } = ticks(view, Math.max(2, Math.floor(width / 84)), offset);
  const group = svg("g", { class: "tl-axis" });
  for (const ms of found) {
    const left = placeOf(ms, view, width);
    const text = svg("text", { x: round(left), y: height - 6, "text-anchor": left < 28 ? "start" : left > width - 28 ? "end" : "middle" });
    text.textContent = isElapsed ? formatElapsed(ms) : stepMs >= DAY_MS ? formatTime(new Date(ms), "full").slice(5, 10) : formatTime(new Date(ms), stepMs < 60_000 ? "clock" : "minute");
    group.append(svg("line", { x1: round(left), x2: round(left), y1: height - AXIS, y2: height - AXIS + 4 }), text);
  }
  return group;
}

/** How far the page's zone is ahead of UTC at that moment. */
function zoneOffsetMs(ms) {
  const shown = formatTime(new Date(ms), "full").slice(0, 19).replace(" ", "T");
  return Date.parse(`${shown}Z`) - Math.floor(ms / 1000) * 1000;
}

/** The brushed range and the cursor above everything. range: {from, to} or null; at: ms or null. */
export function drawOver(place, data, width, { range, at }) {
  const over = place.querySelector(".tl-over");
  if (!over) return;
  const height = heightOf(data) - AXIS;
  const parts = [];
  if (range) {
    const [left, right] = [placeOf(range.from, data.view, width), placeOf(range.to, data.view, width)];
    parts.push(svg("rect", { class: "tl-range", x: round(left), y: 0, width: round(Math.max(2, right - left)), height }),
      ...[left, right].map((edge) => svg("line", { class: "tl-edge", x1: round(edge), x2: round(edge), y1: 0, y2: height })));
  }
  if (at !== null) {
    const left = round(placeOf(at, data.view, width));
    parts.push(svg("line", { class: "tl-cursor", x1: left, x2: left, y1: 0, y2: height }));
  }
  over.replaceChildren(...parts);
}
