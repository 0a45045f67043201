// Counts per label as one thin stacked bar with its words under it.

import { element } from "./dom.js";
import { labelColour } from "./marks.js";

const SHOWN = 4;

/** counts: { label: number }, the most frequent first. */
export function showLabels(place, counts) {
  const shape = JSON.stringify(counts);
  if (place.dataset.shape === shape) return;
  place.dataset.shape = shape;
  const all = Object.entries(counts);
  const bar = element("div", { class: "labels-bar", "aria-hidden": "true" });
  for (const [label, count] of all) {
    const part = element("span", { class: `label-fill-${labelColour(label)}` });
    part.style.flexGrow = count;
    bar.append(part);
  }
  const words = all.slice(0, SHOWN).map(([label, count]) => element("span", { class: "labels-word" },
    element("i", { class: `label-fill-${labelColour(label)}`, "aria-hidden": "true" }), label || "no label", " ",
    element("b", {}, String(count))));
  const rest = all.slice(SHOWN).reduce((sum, [, count]) => sum + count, 0);
  if (rest) words.push(element("span", { class: "labels-word quiet" }, `${all.length - SHOWN} more ${rest}`));
  place.replaceChildren(bar, element("div", { class: "labels-words" }, ...words));
}
