// Notes of a session: saved a moment after the last key, never lost, never overwritten by or over somebody else's.

import { request } from "./api.js";
import { element, find } from "./dom.js";
import { timeElement } from "./times.js";

const PAUSE_MS = 1_000;
const AGAIN_MS = 5_000; // the server was away

export class Notes {
  /** place: holds a <textarea> and [data-notes-saved]. sessionKey(): whose notes they are. */
  constructor(place, sessionKey) {
    this.field = find("textarea", place);
    this.said = find("[data-notes-saved]", place);
    this.sessionKey = sessionKey;
    this.#empty();
    this.field.addEventListener("input", () => this.#later());
    this.field.addEventListener("blur", () => this.#now());
    addEventListener("pagehide", () => this.#now());
    addEventListener("beforeunload", (event) => { if (this.isDirty) event.preventDefault(); });
  }

  /** Another session: what was here belongs to the one before. */
  forget() {
    this.#now();
    this.#empty();
  }

  #empty() {
    clearTimeout(this.timer);
    this.stored = { text: "", revision: -1 };
    this.field.value = "";
  }

  get isDirty() {
    return this.field.value !== this.stored.text;
  }

  /** The notes as the server has them: notes, notes_revision, notes_by, notes_at. */
  show({ notes = "", notes_revision: revision = 0, notes_by: by = "", notes_at: at = null }, isEditable) {
    this.field.readOnly = !isEditable;
    if (revision <= this.stored.revision) return;
    if (this.isDirty) {
      // What is typed stays, with the revision that it was made from: saving it shows both sides.
      this.#say(`${by || "Somebody"} changed the notes meanwhile`);
      return;
    }
    this.#take({ text: notes, revision, by, at });
  }

  #take(newer) {
    const [start, end] = [this.field.selectionStart, this.field.selectionEnd];
    if (this.field.value !== newer.text) this.field.value = newer.text;
    if (document.activeElement === this.field) this.field.setSelectionRange(start, end);
    this.stored = newer;
    this.#say(newer.by ? "Saved" : "");
  }

  /** The state, and who wrote last. */
  #say(words) {
    const { by, at } = this.stored;
    this.said.replaceChildren(element("span", { "data-notes-state": true }, words), ...(by && at ? [" · last by ", by, " at ", timeElement(at)] : []));
  }

  #later() {
    clearTimeout(this.timer);
    this.#say("Not saved yet");
    this.timer = setTimeout(() => this.#now(), PAUSE_MS);
  }

  async #now(revision = this.stored.revision) {
    clearTimeout(this.timer);
    if (!this.isDirty || this.isSaving || this.isAsking) return;
    const [text, key] = [this.field.value, this.sessionKey()];
    this.#say("Saving…");
    this.isSaving = true;
    try {
      const saved = await request("PUT", `/api/v1/sessions/${key}/notes/`, { body: { text }, revision: Math.max(0, revision), keepalive: true });
      if (key !== this.sessionKey()) return undefined; // another session is shown by now
      this.stored = saved;
      this.#say("Saved");
    } catch (refusal) {
      if (!("status" in refusal)) throw refusal;
      if (key !== this.sessionKey()) return undefined;
      if (refusal.status === 412) return this.#clash(refusal.details);
      this.#say(`Not saved: ${refusal.message}`); // the text stays in the field
      if (refusal.status === 0 || refusal.status === 429 || refusal.status >= 500) this.timer = setTimeout(() => this.#now(), AGAIN_MS);
    } finally {
      this.isSaving = false;
    }
    if (this.isDirty && this.field.value !== text) this.#later(); // typed on meanwhile
    return undefined;
  }

  /** Both sides; neither is lost, whatever is chosen: the journal keeps the text before each change. */
  async #clash({ current }) {
    this.isAsking = true;
    this.#say("Changed by somebody else");
    const mine = this.field.value;
    const chosen = await askWhich(mine, current);
    this.isAsking = false;
    if (chosen === "theirs") return this.#take(current);
    if (chosen === "both") this.field.value = `${current.text.trimEnd()}\n\n${mine}`;
    this.stored = current;
    if (chosen === "later") return this.#say("Not saved: changed by somebody else");
    return setTimeout(() => this.#now(current.revision));
  }
}

/** Resolves to "mine", "theirs", "both", or "later" when the sheet is closed. */
function askWhich(mine, current) {
  const choose = (value, words, kind = "") => element("button", { class: `button ${kind}`, value }, words);
  const side = (title, text) => element("section", {}, element("h3", {}, title), element("pre", { class: "notes-side", tabindex: "0" }, text || "(empty)"));
  const dialog = element("dialog", { class: "sheet", "aria-labelledby": "notes-clash" },
    element("h2", { id: "notes-clash" }, "Somebody else changed these notes"),
    element("p", { class: "quiet" }, current.by || "Somebody", current.at ? " at " : "", current.at ? timeElement(current.at) : ""),
    element("div", { class: "two-sides" }, side("Yours", mine), side("Theirs", current.text)),
    element("form", { method: "dialog", class: "actions" }, choose("both", "Keep both", "button-main"), choose("mine", "Save mine"), choose("theirs", "Keep theirs")));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(dialog.returnValue || "later");
  }));
}
