// The rate of the last five minutes as a line, with a hairline at the target.

import { svg } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 28;

/** Pictures per minute around each bucket: the mean over `window` buckets ending there. */
export function ratesOf(recent, bucketS, window) {
  return recent.map((_, index) => {
    const part = recent.slice(Math.max(0, index - window + 1), index + 1);
    return (part.reduce((sum, count) => sum + count, 0) / part.length) * (60 / bucketS);
  });
}

export class Sparkline {
  constructor(place) {
    this.line = svg("polyline", { class: "spark-line" });
    this.target = svg("line", { class: "spark-target", x1: 0, x2: WIDTH });
    this.drawing = svg("svg", {
      class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true",
    }, this.target, this.line);
    place.replaceChildren(this.drawing);
  }

  /** flow: the `flow` of a monitor's state. intervalS: its expected interval, or null. */
  show(flow, intervalS) {
    const target = intervalS ? 60 / intervalS : null;
    const window = Math.min(12, Math.max(3, Math.ceil((3 * (intervalS ?? 0)) / flow.bucket_s)));
    const rates = ratesOf(flow.recent.slice(0, -1), flow.bucket_s, window); // the last bucket is still filling
    const top = Math.max(1, ...rates, (target ?? 0) * 1.25);
    const y = (rate) => (HEIGHT - 2 - (rate / top) * (HEIGHT - 4)).toFixed(1);
    const x = (index) => ((index / (rates.length - 1)) * WIDTH).toFixed(1);
    this.line.setAttribute("points", rates.map((rate, index) => `${x(index)},${y(rate)}`).join(" "));
    this.target.toggleAttribute("hidden", target === null);
    if (target !== null) for (const name of ["y1", "y2"]) this.target.setAttribute(name, y(target));
  }
}
