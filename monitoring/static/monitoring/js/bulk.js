// Verbs over many pictures: what would happen, in numbers, then done, with an undo.

import { post } from "./api.js";
import { element, find, findAll, many, setText } from "./dom.js";
import { notify, notifyError } from "./notice.js";


function table(title, counts) {
  const rows = Object.entries(counts).flatMap(([word, count]) => [element("dt", {}, word || "none"), element("dd", {}, count.toLocaleString("en"))]);
  return element("section", {}, element("h3", {}, title), element("dl", { class: "facts" }, ...rows));
}

export class Bulk {
  /** query: URLSearchParams of the queue. done() is called when marks have changed. */
  constructor(query, { done }) {
    this.query = query;
    this.done = done;
    this.keys = new Set();
    this.sheet = find("#bulk-sheet");
    for (const button of findAll("[data-bulk]")) button.addEventListener("click", () => this.ask(button.dataset.bulk));
  }

  /** The picture is selected, or no more; returns which. */
  toggle(key) {
    if (!this.keys.delete(key)) this.keys.add(key);
    this.#say();
    return this.keys.has(key);
  }

  /** Only those of `present` stay selected. */
  forget(present) {
    this.keys = new Set(present.filter((key) => this.keys.has(key)));
    this.#say();
  }

  #say() {
    const count = this.keys.size;
    setText(find("#bulk-words"), count ? `${many(count, "picture")} selected.` : "All that fit the filters; s selects single ones.");
    find("#select-none").hidden = count === 0;
  }

  /** What the verb takes: the selected pictures, whatever their mark is by now, else all of the queue. */
  #address(rest = "") {
    const query = new URLSearchParams(this.query);
    if (this.keys.size) query.delete("review");
    return `/api/v1/review/${rest}?${query}`;
  }

  async ask(review) {
    const body = { review, ...(this.keys.size ? { keys: [...this.keys] } : {}) };
    try {
      const preview = await post(this.#address("preview/"), body);
      if (!(await this.#confirm(review, preview))) return;
      const comment = find("#bulk-comment").value.trim();
      const made = await post(this.#address(), { ...body, comment, upto: preview.upto });
      this.#tell(review, made);
      this.done();
    } catch (refusal) {
      notifyError(refusal);
    }
  }

  #confirm(review, preview) {
    setText(find("#bulk-sheet-title"), `Mark as ${review}`);
    const same = preview.matched - preview.changes;
    const more = preview.is_too_many ? ` More than ${preview.matched.toLocaleString("en")} fit: narrow the filters first.` : "";
    setText(find("#bulk-effect"), `${many(preview.changes, "picture")} will be ${review}${same ? `, ${same.toLocaleString("en")} are so already` : ""}.${more}`);
    find("#bulk-counts").replaceChildren(table("Now", preview.by_review), table("Label", preview.by_label), table("Monitor", preview.by_monitor));
    const yes = find("#bulk-yes");
    setText(yes, `Mark ${many(preview.changes, "picture")}`);
    yes.disabled = preview.changes === 0 || preview.is_too_many;
    find("#bulk-comment").value = "";
    this.sheet.returnValue = "";
    this.sheet.showModal();
    return new Promise((resolve) => this.sheet.addEventListener("close", () => resolve(this.sheet.returnValue === "yes"), { once: true }));
  }

  #tell(review, { batch, changed, skipped }) {
    const words = `${many(changed, "picture")} marked ${review}${skipped ? `; ${skipped} changed by others meanwhile` : ""}`;
    notify(words, { action: { label: "Undo", run: () => this.#undo(batch) } });
  }

  async #undo(batch) {
    try {
      const { changed, skipped } = await post(`/api/v1/review/${batch}/undo/`);
      notify(`Taken back for ${many(changed, "picture")}${skipped ? `; ${skipped} changed since and left alone` : ""}`);
      this.done();
    } catch (refusal) {
      notifyError(refusal);
    }
  }
}
