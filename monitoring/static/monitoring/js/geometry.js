// Boxes as fractions of the picture: { x, y, w, h }, always inside of it.

export const SMALLEST = 0.004; // of the picture: smaller is a slip of the hand

const within = (value, low, high) => Math.min(high, Math.max(low, value));

/** The box between two corners, in any order. */
export function boxBetween(one, other) {
  return {
    x: Math.min(one.x, other.x), y: Math.min(one.y, other.y),
    w: Math.abs(one.x - other.x), h: Math.abs(one.y - other.y),
  };
}

export const movedBy = (box, dx, dy) => ({ ...box, x: within(box.x + dx, 0, 1 - box.w), y: within(box.y + dy, 0, 1 - box.h) });

export const sizedBy = (box, dw, dh) => ({ ...box, w: within(box.w + dw, SMALLEST, 1 - box.x), h: within(box.h + dh, SMALLEST, 1 - box.y) });

/** The sides that `handle` (n, ne, e, …) names are moved; the others stay. */
export function pulledBy(box, handle, dx, dy) {
  let { x, y, w, h } = box;
  const [right, bottom] = [x + w, y + h];
  if (handle.includes("w")) [x, w] = [within(x + dx, 0, right - SMALLEST), right - within(x + dx, 0, right - SMALLEST)];
  if (handle.includes("e")) w = within(w + dx, SMALLEST, 1 - x);
  if (handle.includes("n")) [y, h] = [within(y + dy, 0, bottom - SMALLEST), bottom - within(y + dy, 0, bottom - SMALLEST)];
  if (handle.includes("s")) h = within(h + dy, SMALLEST, 1 - y);
  return { x, y, w, h };
}
