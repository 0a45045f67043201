// Keyboard shortcuts: each page registers its own; `?` lists what this page knows.

import { element, find, isTyping } from "./dom.js";

const WAIT_MS = 1_000; // for the second key of a pair such as "g l"
const known = new Map(); // keys -> { words, run }
let first = null;

/** keys: "w", "g l", "ArrowLeft", … run(event) is called outside of text fields and dialogs. */
export function onKey(keys, words, run) {
  known.set(keys, { words, run });
}

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", Delete: "Del", Escape: "Esc" };
const pretty = (keys) => NAMES[keys] ?? keys;
/** "1" to "9" read as one. */
const joined = (all) => (all.length === 9 ? ["1–9"] : all);

export function showKeys() {
  const rows = new Map();
  for (const [keys, { words }] of known) if (words) rows.set(words, [...(rows.get(words) ?? []), keys]);
  find("#key-list").replaceChildren(...[...rows].flatMap(([words, all]) => [
    element("dt", {}, ...joined(all).flatMap((keys) => [element("kbd", {}, pretty(keys)), " "])),
    element("dd", {}, words),
  ]));
  find("#key-sheet").showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const pair = first && `${first} ${event.key}`;
  const action = known.get(pair) ?? known.get(event.key);
  first = null;
  if (action) {
    if (action.run(event) !== false) event.preventDefault();
  } else if ([...known.keys()].some((keys) => keys.startsWith(`${event.key} `))) {
    first = event.key;
    setTimeout(() => { first = null; }, WAIT_MS);
  }
});
