// A picture in a frame of fixed size: boxes over it, a new one in its place without a flash, its age when it is old.

import { element, setText, svg } from "./dom.js";
import { formatAge, serverNow } from "./times.js";

const OLD_FACTOR = 2; // older than twice the expected interval: say so
const STALE_FACTOR = 4; // dim it as well
const UNKNOWN_INTERVAL_S = 30;
const LABEL_PX = 13;

/** Boxes as outlines in the picture's own pixels; the drawing scales like `object-fit: contain` does. */
function drawBoxes(drawing, image) {
  drawing.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
  const scale = Math.max(image.width / (drawing.clientWidth || 320), image.height / (drawing.clientHeight || 240));
  drawing.replaceChildren(...image.tags.flatMap((tag) => outline(tag, image, LABEL_PX * scale)));
}

function outline(tag, image, fontSize) {
  const [x, y] = [tag.x * image.width, tag.y * image.height];
  const shape = { x, y, width: tag.w * image.width, height: tag.h * image.height };
  const text = svg("text", { x, y: Math.max(fontSize, y - fontSize / 3), "font-size": fontSize });
  text.textContent = tag.label;
  return [svg("rect", { ...shape, class: "box-halo" }), svg("rect", { ...shape, class: "box" }), text];
}

export class Shot {
  /** place: an element with class "shot". */
  constructor(place) {
    this.place = place;
    this.image = null;
    this.wanted = null;
    this.picture = element("img", { alt: "", hidden: true });
    this.boxes = svg("svg", { class: "shot-boxes", "aria-hidden": "true" });
    this.empty = element("span", { class: "shot-empty" }, "No picture yet");
    this.age = element("span", { class: "shot-age", hidden: true });
    place.replaceChildren(this.picture, this.boxes, this.empty, this.age);
  }

  /** Shows `image` (or nothing yet, for null) once it has been decoded; of several in a row only the newest. */
  async show(image) {
    if (!image) return;
    if (image.key === this.image?.key) {
      this.#draw(image);
      return;
    }
    const isLoading = this.wanted !== null;
    this.wanted = image;
    if (isLoading) return;
    while (this.wanted && this.wanted.key !== this.image?.key) await this.#load(this.wanted);
    this.wanted = null;
  }

  async #load(image) {
    const next = new Image();
    next.src = image.thumbnail_url;
    try {
      await next.decode();
    } catch {
      if (this.wanted === image) this.wanted = null; // the picture before stays, with its age
      return;
    }
    next.alt = this.picture.alt;
    this.picture.replaceWith(next);
    this.picture = next;
    this.empty.hidden = true;
    this.#draw(image);
  }

  #draw(image) {
    this.image = image;
    drawBoxes(this.boxes, image);
  }

  describe(text) {
    this.picture.alt = text;
  }

  /** Says the picture's age once it is older than it should be. isTrusted: the page's link is up. */
  tick({ running, intervalS, isTrusted }) {
    if (!this.image) return;
    const ageMs = serverNow() - Date.parse(this.image.received_at);
    const expectedMs = 1000 * (intervalS ?? UNKNOWN_INTERVAL_S);
    const isOld = !isTrusted || (running && ageMs > OLD_FACTOR * expectedMs);
    this.age.hidden = !isOld;
    if (isOld) setText(this.age, `${formatAge(ageMs)} old`);
    this.place.classList.toggle("is-stale", !isTrusted || (running && ageMs > STALE_FACTOR * expectedMs));
  }
}
