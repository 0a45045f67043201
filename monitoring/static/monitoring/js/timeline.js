// The label timeline of an annotation session: a bar per frame, as high as its confidence, over the last minutes.

import { element, svg } from "./dom.js";
import { labelColour } from "./marks.js";

const SPAN_S = 120;
const WIDTH = 600; // units of the drawing
const HEIGHT = 100;
const BAR = 4;
const KEPT = 600;

export class Timeline {
  /** place: an <svg>; legend: a list that names the colours. */
  constructor(place, legend) {
    this.place = place;
    this.legend = legend;
    this.frames = [];
    this.marks = [];
    place.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    place.setAttribute("preserveAspectRatio", "none");
  }

  add(frame) {
    this.frames.push(frame);
    if (this.frames.length > KEPT) this.frames.shift();
    const labels = [...new Set(this.frames.map((each) => each.label))];
    if (labels.length !== this.legend.children.length) {
      this.legend.replaceChildren(...labels.map((label) => element("li", {},
        element("span", { class: `swatch label-fill-${labelColour(label)}`, "aria-hidden": "true" }), label)));
    }
  }

  mark(t_s) {
    this.marks.push(t_s);
    if (this.marks.length > KEPT) this.marks.shift();
  }

  /** now_s: seconds since the session began, at the right edge. */
  draw(now_s) {
    const start = Math.max(0, now_s - SPAN_S);
    const x = (t_s) => ((t_s - start) / SPAN_S) * WIDTH;
    const bars = this.frames.filter((frame) => frame.t_s >= start).map((frame) => svg("rect", {
      class: `bar-${labelColour(frame.label)}`, x: x(frame.t_s).toFixed(1), width: BAR,
      y: (HEIGHT * (1 - frame.confidence)).toFixed(1), height: (HEIGHT * frame.confidence).toFixed(1),
    }));
    const lines = this.marks.filter((t_s) => t_s >= start).map((t_s) => svg("line", {
      class: "timeline-mark", x1: x(t_s).toFixed(1), x2: x(t_s).toFixed(1), y1: 0, y2: HEIGHT,
    }));
    this.place.replaceChildren(...bars, ...lines);
  }
}
