// The rate of the last hour (uPlot); stretches without a picture are hatched.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { get } from "./api.js";
import { token } from "./theme.js";
import { isUtc, serverNow, zoneName } from "./times.js";

const MINUTES = 60;
const HEIGHT = 140;
const SHORTEST_GAP_S = 30;
const SMOOTH_S = 30; // each point is the mean of this long, so that a slow camera draws a line and not spikes

/** Runs [first, last] of indices where nothing came for at least `leastS` seconds. */
export function gapsIn(counts, bucketS, leastS) {
  const gaps = [];
  let first = null;
  counts.forEach((count, index) => {
    if (count === 0) first ??= index;
    if ((count > 0 || index === counts.length - 1) && first !== null) {
      const last = count > 0 ? index - 1 : index;
      if ((last - first + 1) * bucketS >= leastS) gaps.push([first, last]);
      first = null;
    }
  });
  return gaps;
}

/** Pictures per minute at each bucket; null inside gaps. */
export function ratesIn(counts, bucketS, gaps) {
  const window = Math.max(1, Math.round(SMOOTH_S / bucketS));
  const rates = counts.map((_, index) => {
    const part = counts.slice(Math.max(0, index - window + 1), index + 1);
    return (part.reduce((sum, count) => sum + count, 0) / part.length) * (60 / bucketS);
  });
  for (const [first, last] of gaps) rates.fill(null, first, last + 1);
  return rates;
}

/** Indices of points that no line shows, since nothing stands beside them. */
export function lonely({ data }, series) {
  const rates = [null, ...data[series], null];
  return data[series].flatMap((rate, at) => (rate !== null && (rates[at] ?? null) === null && (rates[at + 2] ?? null) === null ? [at] : []));
}

export class RateChart {
  constructor(place, slug) {
    this.place = place;
    this.slug = slug;
    this.counts = null;
    this.intervalS = null;
    document.addEventListener("themechange", () => this.#rebuild());
    document.addEventListener("zonechange", () => this.#rebuild());
    new ResizeObserver(() => this.plot?.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  }

  async load() {
    const rate = await get(`/api/v1/monitors/${this.slug}/rate/?minutes=${MINUTES}`);
    this.bucketS = rate.bucket_s;
    this.fromS = Math.floor(Date.parse(rate.from) / 1000);
    this.counts = rate.counts;
    this.#rebuild();
  }

  /** Puts the newest minutes of a live state in place of what was loaded. */
  take(flow, intervalS) {
    this.intervalS = intervalS;
    if (!this.counts) return undefined;
    const untilS = Math.round(Date.parse(flow.until) / 1000);
    const fresh = new Map(); // index -> { count, parts }
    flow.recent.forEach((count, index) => {
      const startS = untilS - (flow.recent.length - index) * flow.bucket_s;
      const at = Math.floor((startS - this.fromS) / this.bucketS);
      const part = fresh.get(at) ?? { count: 0, parts: 0 };
      fresh.set(at, { count: part.count + count, parts: part.parts + 1 });
    });
    if (Math.min(...fresh.keys()) > this.counts.length) return this.#loadAgain(); // the page slept: what lies between is not here
    const newest = Math.max(...fresh.keys());
    const whole = this.bucketS / flow.bucket_s;
    for (const [at, { count, parts }] of fresh) {
      if (at < 0 || (parts < whole && at < newest)) continue; // of the oldest one a part has been cut off
      while (this.counts.length <= at) this.counts.push(0);
      this.counts[at] = count;
    }
    const most = (MINUTES * 60) / this.bucketS;
    while (this.counts.length > most) {
      this.counts.shift();
      this.fromS += this.bucketS;
    }
    this.plot?.setData(this.#data());
    return undefined;
  }

  #loadAgain() {
    this.loading ??= this.load().catch(() => {}).finally(() => { this.loading = null; });
  }

  /** The last bucket is still filling: it is left out. */
  #data() {
    const counts = this.counts.slice(0, -1);
    this.gaps = gapsIn(counts, this.bucketS, Math.max(SHORTEST_GAP_S, 3 * (this.intervalS ?? 0)));
    const times = counts.map((_, index) => this.fromS + index * this.bucketS);
    return [times, ratesIn(counts, this.bucketS, this.gaps)];
  }

  #rebuild() {
    if (!this.counts) return;
    this.plot?.destroy();
    this.place.replaceChildren();
    const [text, line, curve] = [token("text-quiet"), token("line"), token("text")];
    const axis = { stroke: text, font: `13px ${token("font")}`, grid: { show: false }, ticks: { stroke: line, width: 1, size: 4 } };
    this.plot = new uPlot({
      width: this.place.clientWidth, height: HEIGHT, padding: [8, 20, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zoneName()),
      legend: { show: false }, cursor: { show: false },
      scales: { x: { range: () => [this.#now() - MINUTES * 60, this.#now()] }, y: { range: (_, __, top) => [0, Math.max(1, top * 1.15, this.#target() * 1.25)] } },
      axes: [{ ...axis, size: 28, space: 60, values: (_, splits) => splits.map(clock) }, { ...axis, size: 44 }],
      series: [{}, { stroke: curve, width: 1.5, points: { show: true, size: 5, stroke: curve, fill: curve, filter: lonely }, spanGaps: false }],
      hooks: { drawClear: [(plot) => this.#hatch(plot, line)], draw: [(plot) => this.#drawTarget(plot, line)] },
    }, this.#data(), this.place);
  }

  #now() {
    return serverNow() / 1000;
  }

  #target() {
    return this.intervalS ? 60 / this.intervalS : 0;
  }

  #hatch(plot, colour) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    for (const [first, last] of this.gaps) {
      const left = Math.max(bbox.left, plot.valToPos(this.fromS + first * this.bucketS, "x", true));
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(this.fromS + (last + 1) * this.bucketS, "x", true));
      if (right > left) ctx.rect(left, bbox.top, right - left, bbox.height);
    }
    ctx.clip();
    ctx.strokeStyle = colour;
    ctx.lineWidth = devicePixelRatio;
    ctx.globalAlpha = 0.5;
    ctx.beginPath();
    for (let x = bbox.left - bbox.height; x < bbox.left + bbox.width; x += 8 * devicePixelRatio) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    if (this.gaps.length) ctx.stroke();
    ctx.restore();
  }

  #drawTarget(plot, colour) {
    if (!this.#target()) return;
    const { ctx, bbox } = plot;
    const y = plot.valToPos(this.#target(), "y", true);
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}

function clock(seconds) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: isUtc() ? "UTC" : undefined, timeStyle: "short" }).format(new Date(seconds * 1000));
}
