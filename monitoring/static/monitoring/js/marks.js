// The states of monitors and sessions: one shape, one colour and one word each, the same on every page.

import { element, svg } from "./dom.js";

// Session states that share a shape with a monitor's state; the word stays their own.
const SESSION_STATES = {
  created: ["running", "running"], active: ["running", "running"], recording: ["running", "recording"],
  processing: ["paused", "processing"], completed: ["ended", "ended"], expired: ["ended", "expired"],
  interrupted: ["ended", "interrupted"], error: ["error", "error"],
};
const SEVERITIES = { info: "idle", warning: "late", error: "error" };

export const MONITOR_STATES = ["running", "late", "lost", "idle", "error"];

/** The shape alone; templates/monitoring/parts/marks.html defines the symbols. */
export function mark(state) {
  const shape = svg("svg", { class: `mark mark-${state}`, "aria-hidden": "true" });
  shape.append(svg("use", { href: `#mark-${state}` }));
  return shape;
}

export function chip(state, word = state) {
  return element("span", { class: `chip chip-${state}` }, mark(state), element("span", { class: "word" }, word));
}

export function sessionChip(state) {
  return chip(...(SESSION_STATES[state] ?? ["idle", state]));
}

export const severityMark = (severity) => mark(SEVERITIES[severity] ?? "idle");

const LABEL_COLOURS = 6;

/** 1..6, the same for a label wherever it is shown. Two labels may share one: the words beside it tell them apart. */
export function labelColour(label) {
  let sum = 0;
  for (const letter of label) sum = (sum * 101 + letter.codePointAt(0)) % 65_521;
  return (sum % LABEL_COLOURS) + 1;
}
