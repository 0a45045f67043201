// The arithmetic of a timeline: from moments (ms) to places (px) and buckets, and back.

const MIN_SPAN_MS = 1_000;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

export const placeOf = (ms, span, width) => ((ms - span.from) / (span.to - span.from)) * width;
export const momentAt = (x, span, width) => span.from + (Math.min(Math.max(x, 0), width) / width) * (span.to - span.from);

/** The edge of the bucket grid nearest to `ms`. */
export const snapped = (ms, firstMs, stepMs) => firstMs + Math.round((ms - firstMs) / stepMs) * stepMs;

/** The bucket that holds `ms`, as its begin. */
export const bucketOf = (ms, firstMs, stepMs) => firstMs + Math.floor((ms - firstMs) / stepMs) * stepMs;

/** Two moments as a span of whole buckets, at least one. */
export function bucketsBetween(one, other, firstMs, stepMs) {
  const [low, high] = [Math.min(one, other), Math.max(one, other)];
  const from = snapped(low, firstMs, stepMs);
  return { from, to: Math.max(snapped(high, firstMs, stepMs), from + stepMs) };
}

/** `span` made `factor` times as long around `centre`, within `whole`. */
export function zoomed(span, factor, centre, whole) {
  const length = Math.min(Math.max((span.to - span.from) * factor, MIN_SPAN_MS), whole.to - whole.from);
  const part = (centre - span.from) / (span.to - span.from);
  const from = Math.min(Math.max(centre - part * length, whole.from), whole.to - length);
  return { from, to: from + length };
}

/** Moments for about `most` ticks at full steps; offsetMs: of the zone, so that days begin at its midnight. */
export function ticks(span, most, offsetMs = 0) {
  const lengthS = (span.to - span.from) / 1000;
  const stepMs = 1000 * (STEPS_S.find((s) => lengthS / s <= most) ?? Math.ceil(lengthS / most / 604800) * 604800);
  const found = [];
  for (let ms = Math.ceil((span.from + offsetMs) / stepMs) * stepMs - offsetMs; ms <= span.to; ms += stepMs) found.push(ms);
  return { stepMs, found };
}

/** Pictures in the buckets that lie in `range`; isExact: no bucket is cut by its edges. */
export function countIn(counts, firstMs, stepMs, range) {
  const low = (range.from - firstMs) / stepMs;
  const high = (range.to - firstMs) / stepMs;
  const isWhole = (value) => Math.abs(value - Math.round(value)) < 1e-6;
  const sum = counts.reduce((total, count, index) => total + (index + 1e-6 >= low && index + 1 <= high + 1e-6 ? count : 0), 0);
  return { sum, isExact: isWhole(low) && isWhole(high) && low > -1e-6 && high < counts.length + 1e-6 };
}
