// The boxes over a large picture: shown, chosen, drawn, moved and sized by mouse, touch and keys. edits.js saves them.

import { svg } from "./dom.js";
import { boxBetween, movedBy, pulledBy, sizedBy, SMALLEST } from "./geometry.js";

const LABEL_PX = 13;
const HANDLE_PX = 10;
const TOUCH_PX = 36; // how far around a handle a finger may be
const SLIP_PX = 4; // less than this is a click
const KEY_STEP = 0.01;
const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Boxes {
  /** on.choose(key | null), on.draw(box), on.move(key, box, how): what the person did. canEdit() may refuse it. */
  constructor(picture, on, canEdit = () => true) {
    this.picture = picture;
    this.on = on;
    this.canEdit = canEdit;
    this.tags = [];
    this.marks = new Map(); // key of a box -> who else has it chosen
    this.chosen = null;
    this.draft = null; // the box being drawn
    this.drag = null; // { key, handle, from, box, now } of the box being moved or sized
    this.isDrawing = false;
    this.drawing = picture.drawing;
    picture.place.addEventListener("pointerdown", (event) => this.#press(event));
    picture.place.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) picture.place.addEventListener(name, (event) => this.#release(event));
    picture.place.addEventListener("zoom", () => this.render());
  }

  show(tags) {
    this.tags = tags;
    if (!tags.some((tag) => tag.key === this.chosen)) this.chosen = null;
    if (this.drag && !tags.some((tag) => tag.key === this.drag.key)) this.#letGo();
    this.render();
  }

  /** marks: Map of a box's key -> the name of somebody else who has it chosen. */
  mark(marks) {
    this.marks = marks;
    this.render();
  }

  choose(key) {
    this.chosen = key;
    this.render();
    this.on.choose(key);
  }

  /** The next box after the chosen one, round and round; null without boxes. */
  chooseNext() {
    if (!this.tags.length) return;
    const at = this.tags.findIndex((tag) => tag.key === this.chosen);
    this.choose(this.tags[(at + 1) % this.tags.length].key);
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
    const step = KEY_STEP / this.picture.zoom;
    const [dx, dy] = ARROWS[event.key].map((way) => way * step);
    const change = event.shiftKey ? sizedBy : movedBy;
    if (this.isDrawing) {
      this.draft = change(this.draft ?? { x: 0.4, y: 0.4, w: 0.2, h: 0.2 }, dx, dy);
      this.render();
      return true;
    }
    const tag = this.tags.find((each) => each.key === this.chosen);
    if (!tag) return false;
    this.on.move(tag.key, change(boxOf(tag), dx, dy), { isStep: true });
    return true;
  }

  /** Saves the draft, if it is large enough to be meant. */
  finish() {
    const box = this.draft;
    this.stopDrawing();
    if (box && box.w >= SMALLEST && box.h >= SMALLEST) this.on.draw(box);
  }

  /** Whether a move was under way, which is off now. */
  cancel() {
    const wasDragging = this.drag !== null;
    this.#letGo();
    return wasDragging;
  }

  #press(event) {
    if (event.button !== 0 || !this.picture.image) return;
    if (!event.isPrimary) {
      this.#yieldToPinch();
      return;
    }
    if (this.isDrawing) {
      this.start = this.picture.fractions(event);
      this.picture.place.setPointerCapture(event.pointerId);
      event.preventDefault();
      return;
    }
    const handle = event.target.closest?.("[data-handle]")?.dataset.handle ?? null;
    const key = handle ? this.chosen : event.target.closest?.("[data-tag]")?.dataset.tag ?? null;
    if (key !== this.chosen) this.choose(key);
    if (key && this.canEdit()) this.#grab(event, key, handle);
  }

  #grab(event, key, handle) {
    const tag = this.tags.find((each) => each.key === key);
    if (!tag) return;
    const { clientX, clientY, pointerId } = event;
    this.drag = { key, tag, handle, pointerId, at: { clientX, clientY }, from: this.picture.fractions(event, false), box: boxOf(tag), now: null };
    this.picture.isLocked = true;
    this.picture.place.setPointerCapture(pointerId);
  }

  /** A second finger: what the first one did was the begin of a pinch. */
  #yieldToPinch() {
    this.start = null;
    this.draft = null;
    this.drag = null;
    this.picture.isLocked = false;
    this.render();
  }

  #move(event) {
    if (this.start && event.isPrimary) {
      this.draft = boxBetween(this.start, this.picture.fractions(event));
      this.render();
    }
    if (!this.drag || event.pointerId !== this.drag.pointerId) return;
    const { at, handle, from, box } = this.drag;
    if (!this.drag.now && Math.hypot(event.clientX - at.clientX, event.clientY - at.clientY) < SLIP_PX) return;
    const to = this.picture.fractions(event, false);
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    this.drag.now = handle ? pulledBy(box, handle, dx, dy) : movedBy(box, dx, dy);
    this.render();
  }

  #release(event) {
    const { drag } = this;
    if (this.start && event.type === "pointerup") this.finish();
    else if (this.start) this.stopDrawing();
    else if (drag && event.pointerId === drag.pointerId) {
      this.#letGo();
      if (drag.now && event.type === "pointerup") this.on.move(drag.key, drag.now, { seen: drag.tag });
    } else if (this.isDrawing && !this.picture.pointers.size) this.picture.isLocked = true; // after a pinch
  }

  #letGo() {
    if (!this.drag) return;
    this.drag = null;
    this.picture.isLocked = this.isDrawing;
    this.render();
  }

  render() {
    const { image } = this.picture;
    if (!image) return;
    const pixel = image.width / this.picture.shownWidth; // of the picture, per CSS pixel
    const drafted = this.draft ? [{ ...this.draft, label: "", key: "draft" }] : [];
    const tags = this.tags.map((tag) => (tag.key === this.drag?.key && this.drag.now ? { ...tag, ...this.drag.now } : tag));
    const shapes = [...tags, ...drafted].map((tag) => this.#shape(tag, image, pixel));
    const chosen = tags.find((tag) => tag.key === this.chosen);
    if (chosen && !this.isDrawing && this.canEdit()) shapes.push(this.#handles(chosen, image, pixel));
    this.drawing.replaceChildren(...shapes);
  }

  #shape(tag, image, pixel) {
    const [x, y] = [tag.x * image.width, tag.y * image.height];
    const outline = { x, y, width: tag.w * image.width, height: tag.h * image.height };
    const fontSize = LABEL_PX * pixel;
    const text = svg("text", { x, y: Math.max(fontSize, y - fontSize / 3), "font-size": fontSize });
    const other = this.marks.get(tag.key);
    text.textContent = other ? `${tag.label} · ${other}` : tag.label;
    const classes = ["tag", tag.key === this.chosen && "is-chosen", tag.isSaving && "is-saving", other && "is-others"].filter(Boolean).join(" ");
    return svg("g", { class: classes, "data-tag": tag.key },
      svg("rect", { ...outline, class: "box-halo" }), svg("rect", { ...outline, class: "box" }), text);
  }

  #handles(tag, image, pixel) {
    const isSmall = Math.min(tag.w * image.width, tag.h * image.height) < 3 * HANDLE_PX * pixel;
    const names = isSmall ? HANDLES.filter((name) => name.length === 2) : HANDLES;
    return svg("g", { class: "handles" }, ...names.map((name) => {
      const x = (tag.x + tag.w * (name.includes("e") ? 1 : name.includes("w") ? 0 : 0.5)) * image.width;
      const y = (tag.y + tag.h * (name.includes("s") ? 1 : name.includes("n") ? 0 : 0.5)) * image.height;
      const square = (px, style) => svg("rect", { x: x - (px * pixel) / 2, y: y - (px * pixel) / 2, width: px * pixel, height: px * pixel, class: style });
      const reach = isSmall ? HANDLE_PX * 1.6 : TOUCH_PX;
      return svg("g", { "data-handle": name, class: `handle handle-${name}` }, square(reach, "handle-reach"), square(HANDLE_PX, "handle-mark"));
    }));
  }
}

const boxOf = ({ x, y, w, h }) => ({ x, y, w, h });
