// The boxes over a large picture: shown, chosen, drawn, moved by keys. Saving is the business of edits.js.

import { svg } from "./dom.js";

const LABEL_PX = 13;
const SMALLEST = 0.004; // of the picture: smaller is a slip of the hand
const KEY_STEP = 0.01;

/** A box inside the picture: x, y, w, h as fractions. */
export function boxBetween(one, other) {
  return {
    x: Math.min(one.x, other.x), y: Math.min(one.y, other.y),
    w: Math.abs(one.x - other.x), h: Math.abs(one.y - other.y),
  };
}

export const movedBy = (box, dx, dy) => ({
  ...box, x: Math.min(1 - box.w, Math.max(0, box.x + dx)), y: Math.min(1 - box.h, Math.max(0, box.y + dy)),
});

export const sizedBy = (box, dw, dh) => ({
  ...box, w: Math.min(1 - box.x, Math.max(SMALLEST, box.w + dw)), h: Math.min(1 - box.y, Math.max(SMALLEST, box.h + dh)),
});

export class Boxes {
  /** on.choose(key | null), on.draw(box), on.move(key, box): what the person did. */
  constructor(picture, on) {
    this.picture = picture;
    this.on = on;
    this.tags = [];
    this.chosen = null;
    this.draft = null; // the box being drawn
    this.isDrawing = false;
    this.drawing = picture.drawing;
    picture.place.addEventListener("pointerdown", (event) => this.#press(event));
    picture.place.addEventListener("pointermove", (event) => this.#drag(event));
    picture.place.addEventListener("pointerup", () => this.#release());
    picture.place.addEventListener("pointercancel", () => this.stopDrawing());
    picture.place.addEventListener("zoom", () => this.render());
  }

  show(tags) {
    this.tags = tags;
    if (!tags.some((tag) => tag.key === this.chosen)) this.chosen = null;
    this.render();
  }

  choose(key) {
    this.chosen = key;
    this.render();
    this.on.choose(key);
  }

  /** From here until a box is drawn, a drag makes a box. By keys: arrows move one, Shift sizes it, Enter saves. */
  startDrawing() {
    this.isDrawing = true;
    this.picture.isLocked = true;
    this.picture.place.classList.add("is-drawing");
  }

  stopDrawing() {
    this.isDrawing = false;
    this.start = null;
    this.draft = null;
    this.picture.isLocked = false;
    this.picture.place.classList.remove("is-drawing");
    this.render();
  }

  /** Arrow keys: the draft, else the chosen box. Returns false when there was nothing to move. */
  nudge(event) {
    const [dx, dy] = { ArrowLeft: [-KEY_STEP, 0], ArrowRight: [KEY_STEP, 0], ArrowUp: [0, -KEY_STEP], ArrowDown: [0, KEY_STEP] }[event.key];
    const change = event.shiftKey ? sizedBy : movedBy;
    if (this.isDrawing) {
      this.draft = change(this.draft ?? { x: 0.4, y: 0.4, w: 0.2, h: 0.2 }, dx, dy);
      this.render();
      return true;
    }
    const tag = this.tags.find((each) => each.key === this.chosen);
    if (!tag) return false;
    this.on.move(tag.key, change({ x: tag.x, y: tag.y, w: tag.w, h: tag.h }, dx, dy));
    return true;
  }

  /** Saves the draft, if it is large enough to be meant. */
  finish() {
    const box = this.draft;
    this.stopDrawing();
    if (box && box.w >= SMALLEST && box.h >= SMALLEST) this.on.draw(box);
  }

  #press(event) {
    if (event.button !== 0 || !this.picture.image) return;
    if (this.isDrawing) {
      this.start = this.picture.fractions(event);
      this.picture.place.setPointerCapture(event.pointerId);
      event.preventDefault();
      return;
    }
    const key = event.target.closest?.("[data-tag]")?.dataset.tag ?? null;
    if (key !== this.chosen) this.choose(key);
  }

  #drag(event) {
    if (!this.start) return;
    this.draft = boxBetween(this.start, this.picture.fractions(event));
    this.render();
  }

  #release() {
    if (this.start) this.finish();
  }

  render() {
    const { image } = this.picture;
    if (!image) return;
    const fontSize = (LABEL_PX * image.width) / this.picture.shownWidth;
    const drafted = this.draft ? [{ ...this.draft, label: "", key: "draft" }] : [];
    this.drawing.replaceChildren(...[...this.tags, ...drafted].map((tag) => this.#shape(tag, image, fontSize)));
  }

  #shape(tag, image, fontSize) {
    const [x, y] = [tag.x * image.width, tag.y * image.height];
    const outline = { x, y, width: tag.w * image.width, height: tag.h * image.height };
    const text = svg("text", { x, y: Math.max(fontSize, y - fontSize / 3), "font-size": fontSize });
    text.textContent = tag.label;
    const classes = ["tag", tag.key === this.chosen ? "is-chosen" : "", tag.isSaving ? "is-saving" : ""].join(" ").trim();
    return svg("g", { class: classes, "data-tag": tag.key },
      svg("rect", { ...outline, class: "box-halo" }), svg("rect", { ...outline, class: "box" }), text);
  }
}
