// A large picture with its boxes, labels, review and keys; the monitor, picture and review pages share it.

import { get } from "./api.js";
import { BoxList } from "./boxlist.js";
import { Boxes } from "./boxes.js";
import { Company } from "./company.js";
import { find, findAll, many, may, refuse, setText } from "./dom.js";
import { wireKeys } from "./editorkeys.js";
import { Edits } from "./edits.js";
import { announce, notify } from "./notice.js";
import { keep, takeOver } from "./outbox.js";
import { Palette } from "./palette.js";
import { Picture, zoomButtons } from "./picture.js";

const FIRST_BOX_LABEL = "defect";
const GONE = "The picture is deleted: restore it first";
const LAST = "last-edit"; // what `.` repeats, on the next page too
const SETTLED = ["accepted", "rejected"];

export class Editor {
  /** place holds [data-viewer], [data-draw], [data-saved], [data-palette] and [data-boxes]; store names its labels. */
  constructor(place, { store }) {
    this.place = place;
    this.edits = null; // of the picture that is shown
    this.isLeaving = false; // another picture is on its way: a mark now would be meant for that one
    this.left = takeOver(); // picture -> changes that a page before could not send
    this.touched = new Map(); // picture -> its Edits once it was changed here: they know more than what is read meanwhile
    this.picture = new Picture(find("[data-viewer]", place));
    this.boxes = new Boxes(this.picture, {
      choose: (key) => {
        if (key) this.#engage();
        this.company.choose(key);
        this.#aim();
      },
      draw: (box) => this.#add(box),
      move: (key, box, how) => this.edits.change(key, box, how),
    }, () => this.canEdit);
    this.list = new BoxList(find("[data-boxes]", place), {
      choose: (key) => this.boxes.choose(key === this.boxes.chosen ? null : key),
      remove: (key) => this.edits.remove(key),
    });
    this.palette = new Palette(find("[data-palette]", place), { store, choose: (label) => this.label(label) });
    this.company = new Company({
      changed: (image) => image.key === this.image?.key && this.edits.take(image),
      others: (list) => this.#showOthers(list),
    });
    zoomButtons(place, this.picture);
    wireKeys(this);
    this.#wireButtons();
    this.#sendLeft();
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
    this.edits = this.touched.get(image.key) ?? this.#editsOf(image);
    this.edits.take(image);
    this.#render();
    return true;
  }

  /** Follows the shown picture itself: others see that it is open here, and what they change comes at once. */
  attend() {
    this.company.join(this.image?.key ?? null);
  }

  get image() {
    return this.edits?.image ?? null;
  }

  /** Boxes and label of the picture may be changed: by these rights, and nothing about the picture is against it. */
  get canEdit() {
    return Boolean(this.image) && may("annotate") && !this.whyNot;
  }

  /** Why nobody may change boxes and label of the picture now; empty when nothing is against it. */
  get whyNot() {
    if (this.image.deleted_at) return GONE;
    return SETTLED.includes(this.image.review) ? `The picture was ${this.image.review}: reopen its review first` : "";
  }

  #editsOf(image, ops = this.left.get(image.key) ?? []) {
    this.left.delete(image.key);
    let edits = null; // while it is made it already tells of changes
    edits = new Edits(image, () => edits && this.#changed(edits), ops);
    if (ops.length) this.touched.set(image.key, edits);
    return edits;
  }

  /** What pages before this one could not send, of pictures that are not shown here. */
  async #sendLeft() {
    const count = [...this.left.values()].flat().length;
    if (count) notify(`${many(count, "change")} kept from before: being sent`);
    for (const [key, ops] of [...this.left]) {
      try {
        const image = await get(`/api/v1/images/${key}/`);
        if (this.left.has(key) && key !== this.image?.key) this.#editsOf(image, ops);
      } catch (refusal) {
        if (refusal.status === 404) this.#giveUp(key, ops.length);
        // else it stays in this browser for the next page
      }
    }
  }

  #giveUp(key, count) {
    this.left.delete(key);
    keep(key, []);
    notify(`${many(count, "change")} kept from before cannot be sent: the picture is gone`, { kind: "error" });
  }

  /** A change of a picture that is no longer shown is told of only when it was refused. */
  #changed(edits) {
    if (edits.ops.length) this.touched.set(edits.base.key, edits);
    if (edits === this.edits) this.#render();
    else if (edits.status.word === "refused") notify(`${edits.image.name || "A picture"}: ${edits.status.text}`, { kind: "error" });
  }

  /** Gives `label` to the chosen box, to the next box while drawing, else to the picture. */
  label(label) {
    if (!this.#mayEdit()) return;
    if (this.boxes.isDrawing) {
      this.nextLabel = label;
      this.#aim();
    } else if (this.boxes.chosen) {
      this.edits.change(this.boxes.chosen, { label });
      this.#remember({ boxLabel: label });
    } else {
      const given = label === this.image.label ? "" : label;
      this.edits.changeImage({ label: given });
      this.#remember({ label: given });
    }
  }

  draw() {
    if (!this.#mayEdit()) return;
    if (this.boxes.isDrawing) this.boxes.stopDrawing();
    else this.boxes.startDrawing();
    if (this.boxes.isDrawing) {
      this.#engage();
      announce("Draw a box: drag over the picture, or use the arrow keys and Enter");
    }
    this.#aim();
  }

  review(word) {
    if (!this.image || this.isLeaving || !may("review") || !this.#isKept()) return;
    const given = this.image.review === word ? "unreviewed" : word;
    this.edits.changeImage({ review: given });
    this.#remember({ review: given });
    this.place.dispatchEvent(new CustomEvent("review", { detail: given }));
  }

  reopen() {
    if (this.image && may("review") && this.#isKept()) this.edits.reopen();
  }

  removeChosen() {
    if (!this.boxes.chosen || !this.#mayEdit()) return;
    this.edits.remove(this.boxes.chosen);
  }

  undo() {
    if (this.image && may("annotate") && this.#isKept()) this.edits.undo();
  }

  redo() {
    if (this.image && may("annotate") && this.#isKept()) this.edits.redo();
  }

  /** Does the last thing again, here: the same box, the same label, the same mark. */
  repeat() {
    const last = JSON.parse(sessionStorage.getItem(LAST) ?? "null");
    if (!last || !this.image) {
      announce("There is nothing to repeat yet");
      return;
    }
    if (last.review) {
      if (may("review") && this.#isKept()) this.edits.changeImage({ review: last.review });
    } else if (!this.#mayEdit()) return;
    else if (last.box) this.edits.add(last.box.label, last.box.sides);
    else if (last.boxLabel && this.boxes.chosen) this.edits.change(this.boxes.chosen, { label: last.boxLabel });
    else this.edits.changeImage({ label: last.boxLabel ?? last.label });
  }

  escape() {
    if (this.boxes.cancel()) return;
    if (this.boxes.isDrawing) this.boxes.stopDrawing();
    else this.boxes.choose(null);
    this.#aim();
  }

  #remember(last) {
    sessionStorage.setItem(LAST, JSON.stringify(last));
  }

  /** Whether it may be edited; says why not. */
  #mayEdit() {
    if (!this.image || !may("annotate")) return false;
    if (!this.canEdit) notify(this.whyNot);
    return this.canEdit;
  }

  /** Whether it is not deleted; says so if it is. */
  #isKept() {
    if (this.image.deleted_at) notify(GONE);
    return !this.image.deleted_at;
  }

  /** Somebody works on this very picture: a page that follows the newest one stays here. */
  #engage() {
    this.picture.keep();
    this.place.dispatchEvent(new CustomEvent("engage"));
  }

  #add(box) {
    this.nextLabel = this.#labelOfNext();
    const key = this.edits.add(this.nextLabel, box);
    this.#remember({ box: { label: this.nextLabel, sides: box } });
    this.boxes.choose(key); // a label that is given now is meant for it
  }

  #labelOfNext() {
    return this.nextLabel ?? this.palette.labels("box")[0] ?? FIRST_BOX_LABEL;
  }

  #wireButtons() {
    const wire = (selector, run) => find(selector, this.place)?.addEventListener("click", run);
    wire("[data-draw]", () => this.draw());
    wire("[data-undo]", () => this.undo());
    wire("[data-redo]", () => this.redo());
    wire("[data-reopen]", () => this.reopen());
    for (const button of findAll("[data-review]", this.place)) button.addEventListener("click", () => this.review(button.dataset.review));
    this.comment = find("[data-comment]", this.place);
    this.comment?.addEventListener("focus", () => {
      if (this.image) this.#engage();
      this.commented = this.edits; // also when another picture is shown by the time it is written
    });
    this.comment?.addEventListener("change", () => (this.commented ?? this.edits)?.changeImage({ review_comment: this.comment.value.trim() }));
  }

  #aim() {
    if (!this.image) return;
    const chosen = this.boxes.chosen && this.edits.tag(this.boxes.chosen);
    if (this.boxes.isDrawing) this.palette.aim("box", "the next box", this.#labelOfNext());
    else if (chosen) this.palette.aim("box", "the chosen box", chosen.label);
    else this.palette.aim("picture", "the picture", this.image.label);
    find("[data-draw]", this.place)?.setAttribute("aria-pressed", this.boxes.isDrawing);
    setText(find("[data-hint]", this.place), this.boxes.isDrawing ? `Drag over the picture: ${this.#labelOfNext()}` : "");
    this.list.show(this.image.tags, this.boxes.chosen, this.canEdit);
    find("[data-no-boxes]", this.place).hidden = this.image.tags.length > 0;
  }

  #render() {
    const { image, status } = this.edits;
    if (!this.canEdit && this.boxes.isDrawing) this.boxes.stopDrawing();
    this.boxes.show(image.tags);
    this.palette.offer("box", image.tags.map((tag) => tag.label));
    this.palette.offer("picture", [image.label]);
    this.#aim();
    this.#showReview(image);
    this.#refuse();
    const saved = find("[data-saved]", this.place);
    saved.dataset.word = status.word;
    setText(saved, status.text);
    this.place.dispatchEvent(new CustomEvent("imagechange", { detail: image }));
  }

  #showReview(image) {
    for (const button of findAll("[data-review]", this.place)) {
      button.setAttribute("aria-pressed", button.dataset.review === image.review);
    }
    const hasEnded = SETTLED.includes(image.review);
    const ended = find("[data-ended]", this.place);
    ended.hidden = !hasEnded;
    setText(find("[data-ended-words]", ended), hasEnded ? `${image.review === "accepted" ? "Accepted" : "Rejected"}${image.reviewed_by ? ` by ${image.reviewed_by}` : ""}: read-only.` : "");
    if (this.comment && this.comment !== document.activeElement) this.comment.value = image.review_comment;
    const said = find("[data-comment-read]", this.place);
    if (said) {
      said.hidden = !image.review_comment;
      setText(said, image.review_comment);
    }
  }

  /** What can do nothing to the picture now is off and says why. */
  #refuse() {
    const gone = this.image.deleted_at ? GONE : "";
    for (const part of findAll("[data-draw], .add-label :is(input, button)", this.place)) refuse(part, this.whyNot);
    for (const part of findAll("[data-undo], [data-redo], [data-review], [data-reopen]", this.place)) refuse(part, gone);
    if (this.comment && this.comment !== document.activeElement) refuse(this.comment, gone); // what is being typed is not lost
    this.palette.refuse(this.whyNot);
  }

  #showOthers(others) {
    const names = [...new Set(others.map(({ name }) => name))];
    const place = find("[data-others]", this.place);
    place.hidden = names.length === 0;
    setText(place, names.length ? `${names.join(", ")} ${names.length === 1 ? "is" : "are"} here too` : "");
    this.boxes.mark(new Map(others.filter(({ tag }) => tag).map(({ name, tag }) => [tag, name])));
  }
}

const describe = (image) => `Picture ${image.name || image.key}${image.label ? `, labelled ${image.label}` : ""}`;
