// Drawings of a night: curves of its frames, and its timeline in lanes. Plain SVG, colours from css/rig.css.

import { element, svg } from "./dom.js";
import { formatTime } from "./times.js";

const WIDTH = 1000;
const HEIGHT = 64;
const LANE = 20;
const HOUR_MS = 3_600_000;
const TICK_PX = 110;
const LANES = [
  ["target", "Target"], ["guiding", "Guiding"], ["autofocus", "Autofocus"], ["flip", "Flip"], ["paused", "Paused"],
  ["flats", "Flats"], ["darks", "Darks"], ["unsafe", "Unsafe"], ["gap", "No connection"],
];

/** points: [[ms, value], ...] in the order of time. */
export function drawCurve(place, points) {
  if (points.length < 2) {
    place.replaceChildren(element("p", { class: "small quiet" }, points.length ? `One value: ${points[0][1]}` : "Nothing yet."));
    return;
  }
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const x = (ms) => (((ms - first) / (last - first || 1)) * WIDTH).toFixed(1);
  const height = (value) => (high > low ? (value - low) / (high - low) : 0.5); // what never changes runs in the middle
  const y = (value) => (HEIGHT - 4 - height(value) * (HEIGHT - 8)).toFixed(1);
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${values.length} values from ${low} to ${high}, the last one ${values.at(-1)}` });
  drawing.append(
    svg("line", { class: "curve-ground", x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 }),
    svg("polyline", { class: "curve-line", points: points.map(([ms, value]) => `${x(ms)},${y(value)}`).join(" ") }),
  );
  place.replaceChildren(drawing);
}

/** spans: the report's `timeline`. Only lanes in which something happened are drawn; open spans end at nowMs. */
export function drawTimeline(place, spans, nowMs) {
  const known = spans.map((span) => ({ ...span, start: Date.parse(span.from), end: span.to ? Date.parse(span.to) : nowMs }));
  const happened = known.filter((span) => span.kind !== "gap");
  if (!happened.length) {
    place.replaceChildren(element("p", { class: "quiet" }, "Nothing has happened in this night."));
    return;
  }
  const first = Math.min(...happened.map((span) => span.start));
  const last = Math.max(first + 60_000, ...happened.map((span) => span.end));
  const scale = { first, last, x: (ms) => ((Math.min(Math.max(ms, first), last) - first) / (last - first)) * WIDTH };
  const rows = LANES.flatMap(([kind, words]) => lane(known.filter((span) => span.kind === kind), words, scale));
  const ticks = Math.max(2, Math.floor(place.clientWidth / TICK_PX));
  place.replaceChildren(element("div", { class: "timeline" }, rows, element("span"), hours(scale, ticks)));
}

function lane(spans, words, scale) {
  const shown = spans.filter((span) => span.end >= scale.first && span.start <= scale.last);
  if (!shown.length) return [];
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${LANE}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${words}: ${shown.map(wordsOf).join("; ")}` });
  drawing.append(...shown.map((span) => bar(span, scale)));
  return [element("span", { class: "small" }, words), drawing];
}

function bar(span, scale) {
  const from = scale.x(span.start);
  const shape = svg("rect", {
    class: `span-${span.kind}${span.label.endsWith("failed") ? " is-failed" : ""}`,
    x: from.toFixed(1), y: 3, width: Math.max(scale.x(span.end) - from, 1.5).toFixed(1), height: LANE - 6,
  });
  const title = svg("title");
  title.textContent = wordsOf(span);
  shape.append(title);
  return shape;
}

function wordsOf(span) {
  const until = span.to ? formatTime(new Date(span.to), "minute") : "now";
  return `${span.label}, ${formatTime(new Date(span.from), "minute")} to ${until}`;
}

/** Full hours below the lanes, in the zone of the page, at most so many. */
function hours({ first, last, x }, ticks) {
  const drawing = svg("svg", { class: "hours", "aria-hidden": "true" });
  const step = Math.max(1, Math.ceil((last - first) / HOUR_MS / Math.min(ticks, 12))) * HOUR_MS;
  for (let ms = Math.ceil(first / step) * step; ms <= last; ms += step) {
    const text = svg("text", { x: `${(x(ms) / WIDTH) * 100}%`, y: 14, "text-anchor": "middle" });
    text.textContent = formatTime(new Date(ms), "minute");
    drawing.append(text);
  }
  return drawing;
}
