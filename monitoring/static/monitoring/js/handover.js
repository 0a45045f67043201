// The report of a session: draws its rate and gaps, writes its events, and prints in the light theme.

import { find, pageData } from "./dom.js";
import { eventItem } from "./events.js";
import { printInLight } from "./printing.js";
import { drawTimeline } from "./timelinedraw.js";

const PRINT_WIDTH = 680; // px of an A4 page between its margins
const told = pageData("drawing");
const ms = (iso) => Date.parse(iso);
const data = {
  view: { from: ms(told.from), to: ms(told.to) },
  first: ms(told.first_bucket),
  stepMs: 1000 * told.bucket_s,
  counts: told.counts,
  labels: [],
  gaps: told.gaps.map((gap) => ({ ...gap, start: ms(gap.from), end: ms(gap.to) })),
  events: told.events.map((event) => ({ ...event, ms: ms(event.at), until: ms(event.detail?.detail?.to) || null })).reverse(),
};
const plot = find("#rate");

const draw = (width = plot.clientWidth) => drawTimeline(plot, data, Math.max(100, width));

find("#events").replaceChildren(...told.events.map((event) => eventItem(event, null)));
const isPrinting = printInLight((prints) => (prints ? draw(PRINT_WIDTH) : draw()));
document.addEventListener("zonechange", () => draw());
new ResizeObserver(() => { if (!isPrinting()) draw(); }).observe(plot.parentElement);
