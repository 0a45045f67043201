// The labels one can give with the keys 1-9: one list for pictures, one for boxes, kept per monitor in this browser.

import { element, find } from "./dom.js";
import { labelColour } from "./marks.js";

const KEYS = 9;

export class Palette {
  /** place: an element with [data-target], [data-labels-list] and a form. choose(label) is called for a pick. */
  constructor(place, { store, choose }) {
    this.place = place;
    this.store = `labels:${store}`;
    this.choose = choose;
    this.own = JSON.parse(localStorage.getItem(this.store) ?? '{"picture":[],"box":[]}');
    this.seen = { picture: [], box: [] };
    this.target = { list: "picture", words: "the picture", current: "" };
    this.whyNot = "";
    const form = find("form", place);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#addOwn(find("input", form).value.trim());
      form.reset();
    });
    this.#render();
  }

  /** Labels in use, the most frequent first. list: "picture" | "box". */
  offer(list, labels) {
    const known = this.seen[list];
    const fresh = labels.filter((label) => label && !known.includes(label));
    if (!fresh.length) return;
    this.seen[list] = [...known, ...fresh];
    this.#render();
  }

  /** What a pick labels now. list: "picture" | "box"; words: for people; current: its present label. */
  aim(list, words, current) {
    if (this.target.list === list && this.target.words === words && this.target.current === current) return;
    this.target = { list, words, current };
    this.#render();
  }

  /** The labels are off and say why; with an empty `whyNot` they are on. */
  refuse(whyNot) {
    if (this.whyNot === whyNot) return;
    this.whyNot = whyNot;
    this.#render();
  }

  labels(list = this.target.list) {
    return [...new Set([...this.seen[list], ...this.own[list]])].slice(0, KEYS);
  }

  /** The label behind key 1..9, or undefined. */
  atKey(key) {
    return this.labels()[Number(key) - 1];
  }

  #addOwn(label) {
    if (!label) return;
    const { list } = this.target;
    this.own[list] = [label, ...this.own[list].filter((each) => each !== label)].slice(0, KEYS);
    localStorage.setItem(this.store, JSON.stringify(this.own));
    this.#render();
    this.choose(label);
  }

  #render() {
    find("[data-target]", this.place).textContent = this.target.words;
    const labels = this.labels();
    const buttons = labels.map((label, index) => element("button", {
      type: "button", class: "button label-button", "aria-pressed": String(label === this.target.current), onclick: () => this.choose(label),
      disabled: Boolean(this.whyNot), title: this.whyNot || null,
    }, element("kbd", { "aria-hidden": "true" }, String(index + 1)),
    element("i", { class: `label-fill-${labelColour(label)}`, "aria-hidden": "true" }), label));
    find("[data-labels-list]", this.place).replaceChildren(...buttons);
    find("[data-no-labels]", this.place).hidden = labels.length > 0;
  }
}
