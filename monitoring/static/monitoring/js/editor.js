// A large picture with its boxes, labels and keys; the monitor page and the picture page share it.

import { Boxes } from "./boxes.js";
import { element, find, may, setText } from "./dom.js";
import { onKey } from "./keys.js";
import { Edits } from "./edits.js";
import { announce, notify } from "./notice.js";
import { Palette } from "./palette.js";
import { Picture, zoomButtons } from "./picture.js";

const FIRST_BOX_LABEL = "defect";

export class Editor {
  /** place holds [data-viewer], [data-draw], [data-saved], [data-palette] and [data-boxes]; store names its labels. */
  constructor(place, { store }) {
    this.place = place;
    this.picture = new Picture(find("[data-viewer]", place));
    this.boxes = new Boxes(this.picture, {
      choose: (key) => {
        if (key) this.#engage();
        this.#aim();
      },
      draw: (box) => this.#add(box),
      move: (key, box) => this.edits.change(key, box),
    });
    this.palette = new Palette(find("[data-palette]", place), { store, choose: (label) => this.label(label) });
    this.edits = null; // of the picture that is shown
    zoomButtons(place, this.picture);
    this.#wire();
  }

  /** Shows `image` with its boxes and lets them be edited. Resolves to false when another one is shown instead. */
  async show(image) {
    const isShown = await this.picture.show(image, describe(image));
    if (!isShown) return false;
    if (image.key === this.image?.key) {
      this.edits.take(image);
      return true;
    }
    this.boxes.stopDrawing();
    this.boxes.choose(null);
    const edits = new Edits(image, () => this.#changed(edits));
    this.edits = edits;
    this.#render();
    return true;
  }

  get image() {
    return this.edits?.image ?? null;
  }

  /** A change of a picture that is no longer shown is told of only when it was refused. */
  #changed(edits) {
    if (edits === this.edits) this.#render();
    else if (edits.status.word === "refused") notify(`${edits.image.name || "A picture"}: ${edits.status.text}`, { kind: "error" });
  }

  /** Gives `label` to the chosen box, to the next box while drawing, else to the picture. */
  label(label) {
    if (!this.image || !may("annotate")) return;
    if (this.boxes.isDrawing) {
      this.nextLabel = label;
      this.#aim();
    } else if (this.boxes.chosen) this.edits.change(this.boxes.chosen, { label });
    else this.edits.changeImage({ label: label === this.image.label ? "" : label });
  }

  draw() {
    if (!this.image || !may("annotate")) return;
    if (this.boxes.isDrawing) this.boxes.stopDrawing();
    else this.boxes.startDrawing();
    if (this.boxes.isDrawing) this.#engage();
    if (this.boxes.isDrawing) announce("Draw a box: drag over the picture, or use the arrow keys and Enter");
    this.#aim();
  }

  /** Somebody works on this very picture: a page that follows the newest one stays here. */
  #engage() {
    this.picture.keep();
    this.place.dispatchEvent(new CustomEvent("engage"));
  }

  #add(box) {
    this.nextLabel = this.#labelOfNext();
    this.edits.add(this.nextLabel, box);
    this.#aim();
  }

  #labelOfNext() {
    return this.nextLabel ?? this.palette.labels("box")[0] ?? FIRST_BOX_LABEL;
  }

  #removeChosen() {
    if (!this.boxes.chosen) return false;
    this.edits.remove(this.boxes.chosen);
    return true;
  }

  #wire() {
    const draw = find("[data-draw]", this.place);
    if (draw) draw.addEventListener("click", () => this.draw());
    find("[data-viewer]", this.place).addEventListener("keydown", (event) => this.#viewerKey(event));
    onKey("0", "Fit the picture", () => this.picture.reset());
    onKey("+", "Zoom in", () => this.picture.zoomBy(1.25));
    onKey("-", "Zoom out", () => this.picture.zoomBy(0.8));
    if (!may("annotate")) return;
    onKey("b", "Draw a box: drag, or arrows, Shift + arrows and Enter", () => this.draw());
    for (let key = 1; key <= 9; key += 1) {
      onKey(String(key), "Label the picture, the chosen box or the next box", () => {
        const label = this.palette.atKey(key);
        if (label) this.label(label);
      });
    }
    for (const key of ["Delete", "Backspace"]) onKey(key, key === "Delete" ? "Delete the chosen box" : "", () => this.#removeChosen());
    onKey("z", "Undo the last change of this picture", () => this.edits?.undo());
    onKey("Escape", "Leave drawing, let the box go", () => this.#escape());
    if (may("review")) {
      onKey("a", "Accept the picture", () => this.review("accepted"));
      onKey("x", "Reject the picture", () => this.review("rejected"));
    }
  }

  review(word) {
    if (!this.image) return;
    this.edits.changeImage({ review: this.image.review === word ? "unreviewed" : word });
  }

  #escape() {
    if (this.boxes.isDrawing) this.boxes.stopDrawing();
    else this.boxes.choose(null);
    this.#aim();
  }

  /** With the picture in focus the arrows move the draft or the chosen box. */
  #viewerKey(event) {
    if (event.key.startsWith("Arrow") && may("annotate") && this.boxes.nudge(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === "Enter" && this.boxes.isDrawing) {
      event.preventDefault();
      this.boxes.finish();
    }
  }

  #aim() {
    if (!this.image) return;
    const chosen = this.boxes.chosen && this.edits.tag(this.boxes.chosen);
    if (this.boxes.isDrawing) this.palette.aim("box", "the next box", this.#labelOfNext());
    else if (chosen) this.palette.aim("box", "the chosen box", chosen.label);
    else this.palette.aim("picture", "the picture", this.image.label);
    find("[data-draw]", this.place)?.setAttribute("aria-pressed", this.boxes.isDrawing);
    setText(find("[data-hint]", this.place), this.boxes.isDrawing ? `Drag over the picture: ${this.#labelOfNext()}` : "");
    this.#list();
  }

  #render() {
    const { image, status } = this.edits;
    this.boxes.show(image.tags);
    this.palette.offer("box", image.tags.map((tag) => tag.label));
    this.palette.offer("picture", [image.label]);
    this.#aim();
    this.#showReview(image);
    const saved = find("[data-saved]", this.place);
    saved.dataset.word = status.word;
    setText(saved, status.text);
    this.place.dispatchEvent(new CustomEvent("imagechange", { detail: image }));
  }

  #showReview(image) {
    for (const button of this.place.querySelectorAll("[data-review]")) {
      button.setAttribute("aria-pressed", button.dataset.review === image.review);
      button.onclick = () => this.review(button.dataset.review);
    }
  }

  /** The boxes as a list: what is drawn, in words, with a button for each verb. */
  #list() {
    const list = find("[data-boxes]", this.place);
    const { tags } = this.image;
    const shape = JSON.stringify([tags.map((tag) => [tag.key, tag.label, tag.isSaving, tag.author]), this.boxes.chosen]);
    if (list.dataset.shape === shape) return;
    list.dataset.shape = shape;
    const hadFocus = list.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    list.replaceChildren(...tags.map((tag) => this.#row(tag)));
    if (hadFocus) list.querySelector(`[data-focus="${CSS.escape(hadFocus)}"]`)?.focus();
    find("[data-no-boxes]", this.place).hidden = tags.length > 0;
  }

  #row(tag) {
    const choose = () => this.boxes.choose(tag.key === this.boxes.chosen ? null : tag.key);
    return element("li", { class: "box-row" },
      element("button", {
        type: "button", class: "button button-bare", "aria-pressed": tag.key === this.boxes.chosen, "data-focus": tag.key, onclick: choose,
      }, tag.label),
      element("span", { class: "quiet small" }, tag.isSaving ? "saving…" : [tag.author, tag.source === "operator" ? "" : tag.source].filter(Boolean).join(", ")),
      may("annotate") && !tag.isSaving && element("button", {
        type: "button", class: "button button-bare", "aria-label": `Delete the box ${tag.label}`, title: "Delete", onclick: () => this.edits.remove(tag.key),
      }, "×"));
  }
}

const describe = (image) => `Picture ${image.name || image.key}${image.label ? `, labelled ${image.label}` : ""}`;
