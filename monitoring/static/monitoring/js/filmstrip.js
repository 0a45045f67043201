// The newest pictures in a row, newest at the left. Arrow keys move along it; a thicker edge has boxes, a dot is unreviewed.

import { element, find } from "./dom.js";
import { formatTime } from "./times.js";

const MOST = 60;

export class Filmstrip {
  /** place: an <ol>. choose(key) is called when a person picks a picture. */
  constructor(place, choose) {
    this.place = place;
    this.choose = choose;
    this.images = []; // newest first; what is known of each: key, label, taken_at, tags?, review?
    this.chosen = null;
    place.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Replaces everything; images newest first. */
  fill(images) {
    this.images = images.slice(0, MOST);
    this.place.replaceChildren(...this.images.map((image) => this.#frame(image)));
    this.mark(this.chosen);
  }

  /** New pictures, oldest first, go in front. */
  add(images) {
    for (const image of images) {
      if (this.images.some((each) => each.key === image.key)) continue;
      this.images.unshift(image);
      this.place.prepend(this.#frame(image));
    }
    while (this.images.length > MOST) {
      this.images.pop();
      this.place.lastElementChild.remove();
    }
    this.mark(this.chosen);
  }

  has(key) {
    return this.images.some((each) => each.key === key);
  }

  /** Something of a picture changed: its boxes, label or review. */
  update(image) {
    const at = this.images.findIndex((each) => each.key === image.key);
    if (at < 0) return;
    this.images[at] = { ...this.images[at], ...image };
    this.#dress(this.place.children[at].firstElementChild, this.images[at]);
  }

  drop(key) {
    const at = this.images.findIndex((each) => each.key === key);
    if (at < 0) return;
    this.images.splice(at, 1);
    this.place.children[at].remove();
  }

  /** Shows which picture is open; only that one is in the Tab order. */
  mark(key) {
    this.chosen = key;
    const at = Math.max(0, this.images.findIndex((image) => image.key === key));
    [...this.place.children].forEach((item, index) => {
      const button = item.firstElementChild;
      button.tabIndex = index === at ? 0 : -1;
      button.setAttribute("aria-current", index === at && this.images[at]?.key === key);
    });
  }

  /** The picture no longer belongs to what the strip shows, or does again. */
  dim(key, isDone) {
    this.#buttonOf(key)?.classList.toggle("is-done", isDone);
  }

  select(key, isSelected) {
    this.#buttonOf(key)?.classList.toggle("is-selected", isSelected);
  }

  #buttonOf(key) {
    return this.place.children[this.images.findIndex((image) => image.key === key)]?.firstElementChild;
  }

  /** Picks the neighbour: 1 is older, -1 is newer. */
  step(by) {
    const at = this.images.findIndex((image) => image.key === this.chosen);
    const next = this.images[Math.min(this.images.length - 1, Math.max(0, at + by))];
    if (!next || next.key === this.chosen) return;
    const hadFocus = this.place.contains(document.activeElement);
    this.choose(next.key);
    this.mark(next.key);
    const button = find('[aria-current="true"]', this.place);
    button?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (hadFocus) button?.focus();
  }

  #frame(image) {
    const picture = element("img", { src: `/api/v1/images/${image.key}/thumbnail/`, alt: "", width: 96, height: 72, loading: "lazy", decoding: "async" });
    const button = element("button", { type: "button", tabindex: "-1", onclick: () => { this.choose(image.key); this.mark(image.key); } }, picture);
    this.#dress(button, image);
    return element("li", {}, button);
  }

  #dress(button, image) {
    const boxes = image.tags?.length ?? 0;
    const isUnreviewed = (image.review ?? "unreviewed") === "unreviewed";
    button.classList.toggle("has-boxes", boxes > 0);
    button.classList.toggle("is-unreviewed", isUnreviewed);
    const about = [image.label, boxes ? `${boxes} ${boxes === 1 ? "box" : "boxes"}` : "", isUnreviewed ? "unreviewed" : image.review];
    button.setAttribute("aria-label", [`Picture of ${formatTime(new Date(image.taken_at), "clock")}`, ...about].filter(Boolean).join(", "));
    button.title = [formatTime(new Date(image.taken_at), "full"), ...about].filter(Boolean).join(", ");
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    this.step(step);
    event.preventDefault();
    event.stopPropagation();
  }
}
