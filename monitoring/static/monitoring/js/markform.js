// "Mark event": a label for now, for the scrubbed moment or for the brushed range, put into the session's journal.

import { post } from "./api.js";
import { find, findAll, setText } from "./dom.js";
import { notify } from "./notice.js";
import { formatTime } from "./times.js";

export class MarkForm {
  /** place(): {from, to} in ms, to null for a moment; null for now. */
  constructor(key, place) {
    this.key = key;
    this.place = place;
    this.dialog = find("#mark-sheet");
    this.form = find("form", this.dialog);
    this.form.addEventListener("submit", (event) => this.#submit(event));
  }

  open() {
    this.where = this.place();
    const clock = (ms) => formatTime(new Date(ms), "full");
    const words = !this.where ? "Now" : this.where.to ? `From ${clock(this.where.from)} to ${clock(this.where.to)}` : `At ${clock(this.where.from)}`;
    setText(find("[data-mark-where]", this.dialog), words);
    find(".problem", this.form).hidden = true;
    this.form.reset();
    this.dialog.showModal();
    find("input", this.form).focus();
  }

  async #submit(event) {
    if (event.submitter?.value === "cancel") return;
    event.preventDefault();
    const { label, severity } = this.form.elements;
    const body = { label: label.value.trim(), severity: severity.value };
    if (this.where) body.at = new Date(this.where.from).toISOString();
    if (this.where?.to) body.detail = { to: new Date(this.where.to).toISOString() };
    for (const button of findAll("button", this.form)) button.disabled = true;
    try {
      await post(`/api/v1/sessions/${this.key}/events/`, body);
      this.dialog.close();
      notify(`Marked: ${body.label}`);
    } catch (refusal) {
      find(".problem", this.form).hidden = false;
      setText(find(".problem", this.form), body.label ? refusal.message : "Say in some words what happened");
      label.focus();
    } finally {
      for (const button of findAll("button", this.form)) button.disabled = false;
    }
  }
}
