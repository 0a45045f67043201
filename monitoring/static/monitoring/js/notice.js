// What the page says besides its content: short notices with an undo, and words for screen readers.

import { element, find } from "./dom.js";

const SHOWN_MS = 8_000;
const GATHER_MS = 1_500;
let said = [];
let timer = null;

/** Shows `text` for some seconds. action: { label, run } adds a button, e.g. Undo. kind: "info" | "error". */
export function notify(text, { kind = "info", action = null } = {}) {
  const close = () => notice.remove();
  const notice = element("div", { class: `notice notice-${kind}`, role: kind === "error" ? "alert" : "status" },
    element("p", {}, text),
    action && element("button", { type: "button", class: "button", onclick: () => { close(); action.run(); } }, action.label),
    element("button", { type: "button", class: "button button-bare", "aria-label": "Close", onclick: close }, "×"));
  find("#notices").append(notice);
  setTimeout(() => { if (!notice.matches(":hover, :focus-within")) close(); }, kind === "error" ? 2 * SHOWN_MS : SHOWN_MS);
}

export const notifyError = (error) => notify(error.message, { kind: "error" });

/** For what a page reads by itself: that the server cannot be reached is said by the link badge. */
export function notifyUnread(error) {
  if (!("status" in error)) throw error;
  if (error.code !== "unreachable") notifyError(error);
}

/** Says `text` to screen readers; what comes within a moment is said together, once. */
export function announce(text) {
  said.push(text);
  timer ??= setTimeout(() => {
    find("#announcer").textContent = [...new Set(said)].join(". ");
    said = [];
    timer = null;
  }, GATHER_MS);
}
