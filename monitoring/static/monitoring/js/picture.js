// One picture, large: zoom with wheel, pinch or keys, move by dragging, `0` fits. The boxes lie over it (boxes.js).

import { element, find, svg } from "./dom.js";

const MOST_ZOOM = 20;
const STEP = 1.25;
const SHARP_FROM = 3; // from here on pixels are shown as squares

export class Picture {
  /** place: an element with class "viewer". */
  constructor(place) {
    this.place = place;
    this.image = null;
    this.picture = element("img", { alt: "", draggable: "false", hidden: true });
    this.drawing = svg("svg", { class: "viewer-boxes" });
    this.stage = element("div", { class: "viewer-stage" }, this.picture, this.drawing);
    this.empty = element("p", { class: "viewer-empty" }, "No picture yet");
    place.append(this.stage, this.empty);
    this.pointers = new Map();
    this.isLocked = false; // while a box is drawn, dragging does not move the picture
    this.reset();
    this.#wire();
    new ResizeObserver(() => this.#layOut()).observe(place);
  }

  /** Shows `image` once it has been decoded. Resolves to false when another one was wanted meanwhile, or it failed. */
  async show(image, description) {
    this.wanted = image.key;
    if (this.image?.key === image.key) return true;
    const next = new Image();
    next.draggable = false;
    next.src = image.file_url;
    const isDecoded = await next.decode().then(() => true, () => this.#fallBack(next, image));
    if (this.wanted !== image.key || !isDecoded) return false;
    next.alt = description;
    this.picture.replaceWith(next);
    this.picture = next;
    const hasSameShape = this.image?.width === image.width && this.image?.height === image.height;
    this.image = image;
    this.empty.hidden = true;
    this.drawing.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
    if (!hasSameShape) this.reset();
    this.#layOut();
    return true;
  }

  /** Stays with what is shown: a picture that is still being fetched no longer replaces it. */
  keep() {
    this.wanted = this.image?.key;
  }

  /** A format that no browser shows (TIFF): the thumbnail stands in. */
  #fallBack(next, image) {
    next.src = image.thumbnail_url;
    return next.decode().then(() => true, () => false);
  }

  reset() {
    this.zoom = 1;
    this.shift = { x: 0, y: 0 };
    this.#place();
  }

  zoomBy(factor, at = null) {
    const frame = this.place.getBoundingClientRect();
    const point = at ?? { x: frame.width / 2, y: frame.height / 2 };
    const zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    const ratio = zoom / this.zoom;
    const middle = { x: frame.width / 2, y: frame.height / 2 };
    for (const axis of ["x", "y"]) {
      this.shift[axis] = (point[axis] - middle[axis]) * (1 - ratio) + this.shift[axis] * ratio;
    }
    this.zoom = zoom;
    this.#place();
  }

  /** Where a pointer is, as fractions of the picture, clipped to it unless told otherwise. */
  fractions({ clientX, clientY }, isClipped = true) {
    const frame = this.stage.getBoundingClientRect();
    const clip = (value) => (isClipped ? Math.min(1, Math.max(0, value)) : value);
    return { x: clip((clientX - frame.left) / frame.width), y: clip((clientY - frame.top) / frame.height) };
  }

  /** CSS pixels of the shown picture's width, at the present zoom. */
  get shownWidth() {
    return this.stage.clientWidth * this.zoom || 1;
  }

  #layOut() {
    if (!this.image) return;
    const [width, height] = [this.place.clientWidth, this.place.clientHeight];
    const scale = Math.min(width / this.image.width, height / this.image.height);
    this.stage.style.setProperty("width", `${this.image.width * scale}px`);
    this.stage.style.setProperty("height", `${this.image.height * scale}px`);
    this.#place();
  }

  #place() {
    if (this.zoom === 1) this.shift = { x: 0, y: 0 };
    const limit = (axis, size) => Math.max(-size / 2 * (this.zoom - 1), Math.min(size / 2 * (this.zoom - 1), this.shift[axis]));
    this.shift = { x: limit("x", this.stage.clientWidth), y: limit("y", this.stage.clientHeight) };
    this.stage.style.setProperty("transform", `translate(${this.shift.x}px, ${this.shift.y}px) scale(${this.zoom})`);
    const perPixel = this.image ? this.image.width / this.stage.clientWidth : 1;
    this.picture.classList.toggle("is-sharp", this.zoom / perPixel > SHARP_FROM);
    this.place.classList.toggle("is-zoomed", this.zoom > 1);
    this.place.dispatchEvent(new CustomEvent("zoom"));
  }

  #wire() {
    const { place } = this;
    place.addEventListener("wheel", (event) => {
      if (!this.image) return;
      event.preventDefault();
      this.zoomBy(event.deltaY < 0 ? STEP : 1 / STEP, this.#inside(event));
    }, { passive: false });
    place.addEventListener("dblclick", () => !this.isLocked && this.reset());
    place.addEventListener("pointerdown", (event) => this.#press(event));
    place.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
      place.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    }
  }

  #inside({ clientX, clientY }) {
    const frame = this.place.getBoundingClientRect();
    return { x: clientX - frame.left, y: clientY - frame.top };
  }

  #press(event) {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    this.pointers.set(event.pointerId, now);
    if (this.isLocked) return;
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (others.length === 1) this.#pinch(before, now, others[0]);
    else if (this.zoom > 1) {
      this.shift.x += now.x - before.x;
      this.shift.y += now.y - before.y;
      this.#place();
    }
  }

  #pinch(before, now, other) {
    const span = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
    this.zoomBy(span(now) / span(before), this.#inside({ clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 }));
  }
}

/** Fills the row of zoom buttons that stands beside every picture. */
export function zoomButtons(place, picture) {
  const button = (words, label, run) => element("button", { type: "button", class: "button button-bare", "aria-label": label, onclick: run }, words);
  find("[data-zoom]", place).append(
    button("−", "Zoom out", () => picture.zoomBy(1 / STEP)),
    button("+", "Zoom in", () => picture.zoomBy(STEP)),
    button("Fit", "Fit the picture", () => picture.reset()));
}
