// The label timeline of an annotation session: a row per label, a bar per frame, as high as its confidence.

import { element, svg } from "./dom.js";
import { labelColour } from "./marks.js";

const SPAN_S = 120;
const WIDTH = 600; // units of the drawing
const HEIGHT = 100;
const BAR = 4;
const KEPT = 600;
const ROWS = 6; // labels with a row of their own; those that come after them share the last one

export class Timeline {
  /** place: an <svg>; legend: the list beside it that names the rows, so that no colour has to be told from another. */
  constructor(place, legend) {
    this.place = place;
    this.legend = legend;
    this.frames = [];
    this.marks = [];
    this.labels = []; // in the order in which they came
    place.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    place.setAttribute("preserveAspectRatio", "none");
  }

  add(frame) {
    this.frames.push(frame);
    if (this.frames.length > KEPT) this.frames.shift();
    if (!this.labels.includes(frame.label)) {
      this.labels.push(frame.label);
      this.#nameRows();
    }
  }

  mark(t_s) {
    this.marks.push(t_s);
    if (this.marks.length > KEPT) this.marks.shift();
  }

  /** now_s: seconds since the session began, at the right edge once two minutes are full. */
  draw(now_s) {
    const start = Math.max(0, now_s - SPAN_S);
    const x = (t_s) => (Math.max(0, Math.min(t_s - start, SPAN_S - 1)) / SPAN_S) * WIDTH;
    const rows = Math.min(ROWS, this.labels.length);
    const tall = HEIGHT / Math.max(1, rows);
    const row = (label) => Math.min(this.labels.indexOf(label), ROWS - 1);
    const borders = Array.from({ length: Math.max(0, rows - 1) }, (_, number) => svg("path", {
      class: "timeline-row", d: `M0 ${((number + 1) * tall).toFixed(1)} H${WIDTH}`,
    }));
    const bars = this.frames.filter((frame) => frame.t_s >= start).map((frame) => {
      const height = 0.9 * tall * frame.confidence;
      return svg("rect", {
        class: `bar-${labelColour(frame.label)}`, x: x(frame.t_s).toFixed(1), width: BAR,
        y: ((row(frame.label) + 1) * tall - height).toFixed(1), height: height.toFixed(1),
      });
    });
    const lines = this.marks.filter((t_s) => t_s >= start).map((t_s) => svg("line", {
      class: "timeline-mark", x1: x(t_s).toFixed(1), x2: x(t_s).toFixed(1), y1: 0, y2: HEIGHT,
    }));
    this.place.replaceChildren(...borders, ...bars, ...lines);
  }

  #nameRows() {
    const named = this.labels.length > ROWS ? [...this.labels.slice(0, ROWS - 1), "others"] : this.labels;
    this.legend.replaceChildren(...named.map((label) => element("li", {},
      element("span", { class: `swatch label-fill-${labelColour(label)}`, "aria-hidden": "true" }), label)));
  }
}
