// Notes of a session: saved a moment after the last key, never lost, never overwritten while somebody types.

import { find, setText } from "./dom.js";

const PAUSE_MS = 800;

export class Notes {
  /** place: holds a <textarea> and [data-notes-saved]. save(text) resolves when the server has it. */
  constructor(place, save) {
    this.field = find("textarea", place);
    this.said = find("[data-notes-saved]", place);
    this.save = save;
    this.stored = "";
    this.field.addEventListener("input", () => this.#later());
    this.field.addEventListener("blur", () => this.#now());
    addEventListener("pagehide", () => this.#now());
  }

  /** The text as the server has it. */
  show(text, isEditable) {
    this.field.readOnly = !isEditable;
    if (this.field.value === this.stored) this.field.value = text; // nothing unsaved here
    this.stored = text;
  }

  #later() {
    clearTimeout(this.timer);
    setText(this.said, "");
    this.timer = setTimeout(() => this.#now(), PAUSE_MS);
  }

  async #now() {
    clearTimeout(this.timer);
    const text = this.field.value;
    if (text === this.stored || this.field.readOnly) return;
    setText(this.said, "Saving…");
    try {
      await this.save(text);
      this.stored = text;
      setText(this.said, "Saved");
    } catch (refusal) {
      setText(this.said, `Not saved: ${refusal.message}`); // the text stays in the field
    }
  }
}
