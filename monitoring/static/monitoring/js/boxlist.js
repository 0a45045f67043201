// The boxes of a picture as a list: what is drawn, in words, with a button for each verb.

import { element } from "./dom.js";

export class BoxList {
  /** place: a <ul>. on.choose(key), on.remove(key): what the person did. */
  constructor(place, on) {
    this.place = place;
    this.on = on;
    this.shape = null;
  }

  show(tags, chosen, canEdit) {
    const shape = JSON.stringify([tags.map((tag) => [tag.key, tag.label, tag.isSaving, tag.author, tag.revision]), chosen, canEdit]);
    if (this.shape === shape) return;
    this.shape = shape;
    const hadFocus = this.place.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    this.place.replaceChildren(...tags.map((tag) => this.#row(tag, chosen, canEdit)));
    if (hadFocus) this.place.querySelector(`[data-focus="${CSS.escape(hadFocus)}"]`)?.focus();
  }

  #row(tag, chosen, canEdit) {
    const from = [tag.author, tag.source === "operator" ? "" : tag.source].filter(Boolean).join(", ");
    return element("li", { class: "box-row" },
      element("button", {
        type: "button", class: "button button-bare", "aria-pressed": String(tag.key === chosen), "data-focus": tag.key, onclick: () => this.on.choose(tag.key),
      }, tag.label),
      element("span", { class: "quiet small", title: `Version ${tag.revision}` }, tag.isSaving ? "saving…" : `${from} · v${tag.revision}`),
      canEdit && element("button", {
        type: "button", class: "button button-bare", "aria-label": `Delete the box ${tag.label}`, title: "Delete", onclick: () => this.on.remove(tag.key),
      }, "×"));
  }
}
