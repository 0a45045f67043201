// What was edited on a picture, newest first: who, when, what; a deleted box can be brought back from here.

import { get, post } from "./api.js";
import { element, find, may } from "./dom.js";
import { notifyError, notifyUnread } from "./notice.js";
import { timeElement } from "./times.js";

const ROWS = 200;
const ACTS = { undo: " (undo)", redo: " (redo)" };

function wordsOf({ verb, before, after }) {
  if (verb === "picture") return Object.entries(after).filter(([name]) => name !== "reviewed_by").map(([name, value]) => `${name.replace("review_", "")} ${value || "none"}`).join(", ");
  const label = before && after && before.label !== after.label ? `${before.label} → ${after.label}` : (after ?? before).label;
  return `box ${label} ${verb === "changed" && before.label === after.label ? "moved" : verb}`;
}

export class EditHistory {
  /** place: a <details> with an <ol>; it reads when it is open. */
  constructor(place, key) {
    this.place = place;
    this.key = key;
    this.revision = 0;
    this.shown = -1;
    place.addEventListener("toggle", () => this.#read());
  }

  /** The picture is at `revision` now. whyNot: why none of its boxes may come back; empty when they may. */
  changed(revision, whyNot) {
    this.revision = revision;
    this.whyNot = whyNot;
    this.#read();
  }

  async #read() {
    if (!this.place.open || this.shown === this.revision) return;
    this.shown = this.revision;
    let url = `/api/v1/images/${this.key}/history/?limit=${ROWS}`;
    const rows = [];
    try {
      while (url) {
        const page = await get(url);
        rows.push(...page.results);
        url = page.next;
      }
    } catch (refusal) {
      notifyUnread(refusal);
      return;
    }
    const now = new Set();
    for (const { tag, verb } of rows) if (tag) (verb === "deleted" ? now.delete(tag) : now.add(tag));
    find("ol", this.place).replaceChildren(...rows.reverse().map((row) => this.#item(row, now)));
    find("[data-none]", this.place).hidden = rows.length > 0;
  }

  #item(row, now) {
    const isGone = row.verb === "deleted" && !now.has(row.tag);
    if (isGone) now.add(row.tag); // the newest deletion has the button
    return element("li", { class: "event" },
      element("span", { class: "quiet" }, `${row.image_revision}`),
      element("span", { class: "event-words" }, `${wordsOf(row)}${ACTS[row.act] ?? ""} by ${row.author || "–"}${row.source === "operator" ? "" : `, ${row.source}`}`,
        isGone && may("annotate") && this.#bringBack(row.tag)),
      timeElement(row.at));
  }

  #bringBack(tag) {
    return element("button", {
      type: "button", class: "button button-bare", disabled: Boolean(this.whyNot), title: this.whyNot || null, onclick: () => this.#restore(tag),
    }, "Restore");
  }

  #restore(tag) {
    post(`/api/v1/tags/${tag}/restore/`).catch(notifyError); // what comes of it arrives with the picture
  }
}
