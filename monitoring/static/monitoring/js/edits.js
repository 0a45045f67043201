// The changes of one picture: its boxes, its label, its review mark. Each goes to the server at once.
//
// What a person does is shown at once and put back if the server refuses. Changes leave one after the other, each
// made from the revision that the one before it left behind. A refusal with 412 shows both sides and asks.

import { ApiError, get, patch, post, remove } from "./api.js";
import { askWhich } from "./conflict.js";

const SIDES = ["x", "y", "w", "h"];
const pick = (names, from) => Object.fromEntries(names.map((name) => [name, from[name]]));
const isDraft = (tag) => tag.key.startsWith("new-");
let drafts = 0;

class KeptTheirs extends Error {}

export class Edits {
  /** changed() is called whenever `image` or `status` is another. */
  constructor(image, changed) {
    this.image = { ...image, tags: [...image.tags] };
    this.changed = changed;
    this.status = { word: "", text: "" }; // word: "" | "saving" | "saved" | "refused"
    this.revisions = new Map(image.tags.map((tag) => [tag.key, tag.revision])); // what the server has, as far as is known
    this.gone = new Set(); // keys of boxes deleted here
    this.undone = []; // what `undo` does, newest last
    this.queue = Promise.resolve();
    this.pending = 0;
    this.isBehind = false; // something newer came while a change of ours was under way
  }

  /** The same picture as read from the server; what is older than what is known here is ignored. */
  take(image) {
    if (this.pending) {
      this.isBehind = true;
      return;
    }
    if (image.revision < this.image.revision) return;
    this.image = { ...image, tags: this.#newest(image.tags) };
    for (const tag of this.image.tags) this.revisions.set(tag.key, tag.revision);
    this.changed();
  }

  /** No box older than the one known here: the answer may have crossed a change of ours. */
  #newest(tags) {
    return tags.filter((tag) => !this.gone.has(tag.key)).map((tag) => {
      const here = this.tag(tag.key);
      return here?.revision > tag.revision ? here : tag;
    });
  }

  async refresh() {
    this.take(await get(`/api/v1/images/${this.image.key}/`));
  }

  tag(key) {
    return this.image.tags.find((tag) => tag.key === key);
  }

  add(label, box) {
    drafts += 1;
    const draft = { key: `new-${drafts}`, label, ...box, author: "", source: "operator", isSaving: true };
    this.#put(draft);
    return this.#save(async () => {
      const tag = await post(`/api/v1/images/${this.image.key}/tags/`, { label, ...box });
      this.#put(tag, draft.key);
      this.undone.push(() => this.remove(tag.key));
    }, () => this.#drop(draft.key));
  }

  /** fields: `label`, or the sides of the box. */
  change(key, fields) {
    const tag = this.tag(key);
    if (!tag || isDraft(tag)) return null;
    const before = pick(Object.keys(fields), tag);
    const wanted = { ...tag, ...fields };
    this.#put({ ...wanted, isSaving: true });
    return this.#save(async () => {
      const saved = await this.#withChoice(tag.key, wanted, (revision) => patch(`/api/v1/tags/${key}/`, fields, { revision }));
      if (this.pending === 1) this.#put(saved); // else a later change is shown already
      this.undone.push(() => this.change(key, before));
    }, () => this.#put(tag));
  }

  remove(key) {
    const tag = this.tag(key);
    if (!tag || isDraft(tag)) return null;
    this.#drop(key);
    this.gone.add(key);
    return this.#save(async () => {
      await this.#withChoice(key, null, (revision) => remove(`/api/v1/tags/${key}/`, { revision }));
      this.undone.push(() => this.add(tag.label, pick(SIDES, tag)));
    }, () => {
      this.gone.delete(key);
      this.#put(tag);
    });
  }

  /** fields: `label`, `review` of the whole picture. */
  changeImage(fields) {
    const before = pick(Object.keys(fields), this.image);
    Object.assign(this.image, fields);
    return this.#save(async () => {
      await patch(`/api/v1/images/${this.image.key}/`, fields);
      this.undone.push(() => this.changeImage(before));
    }, () => Object.assign(this.image, before));
  }

  /** Takes the newest change back, itself not to be undone. */
  async undo() {
    const action = this.undone.pop();
    if (!action) return;
    const kept = [...this.undone];
    await action();
    this.undone = kept;
  }

  /** Runs `send(revision)`; when somebody was faster, shows both sides and sends again, or keeps theirs. */
  async #withChoice(key, wanted, send) {
    let saved;
    try {
      saved = await send(this.revisions.get(key));
    } catch (refusal) {
      if (!(refusal instanceof ApiError) || refusal.status !== 412) throw refusal;
      const { current } = refusal.details;
      if (await askWhich({ yours: wanted, theirs: current }) === "theirs") {
        this.gone.delete(key);
        throw new KeptTheirs("The other change was kept");
      }
      saved = await send(current.revision);
    }
    if (saved) this.revisions.set(key, saved.revision);
    return saved;
  }

  async #save(work, putBack) {
    this.pending += 1;
    this.#say("saving", "Saving…");
    const change = this.queue.then(work);
    this.queue = change.catch(() => {}); // told of below
    try {
      await change;
      this.image.revision += 1; // at least: what was read before this change is older
      this.#end("saved", this.pending === 1 ? "Saved" : this.status.text);
    } catch (refusal) {
      if (!(refusal instanceof ApiError) && !(refusal instanceof KeptTheirs)) throw refusal;
      this.isBehind ||= refusal instanceof KeptTheirs || refusal.status === 404;
      if (refusal instanceof KeptTheirs) this.#end("saved", refusal.message);
      else {
        putBack();
        this.#end("refused", `Refused: ${refusal.status === 404 ? "somebody has deleted this" : refusal.message}`);
      }
    }
    if (!this.pending && this.isBehind) {
      this.isBehind = false;
      await this.refresh();
    }
  }

  #end(word, text) {
    this.pending -= 1;
    this.#say(this.pending ? "saving" : word, text);
  }

  /** `tag` stands in the list, in place of the box `key` if that is there. */
  #put(tag, key = tag.key) {
    const at = this.image.tags.findIndex((each) => each.key === key);
    if (at < 0) this.image.tags.push(tag);
    else this.image.tags[at] = tag;
    if (tag.revision && !tag.isSaving) this.revisions.set(tag.key, tag.revision);
    this.changed();
  }

  #drop(key) {
    this.image.tags = this.image.tags.filter((tag) => tag.key !== key);
    this.changed();
  }

  #say(word, text) {
    this.status = { word, text };
    this.changed();
  }
}
