// Tags of one picture: every change goes to the server at once, says whether it is saved, and can be undone.
//
// The server's revision decides. A refusal with 412 shows both sides and asks which one stays.

import { ApiError, get, patch, post, remove } from "./api.js";
import { askWhich } from "./conflict.js";

const BOX = ["x", "y", "w", "h"];
const boxOf = (tag) => Object.fromEntries(BOX.map((side) => [side, tag[side]]));

export class Tagging extends EventTarget {
  constructor() {
    super();
    this.image = null;
    this.status = { word: "saved", text: "" };
    this.pending = 0;
    this.undone = []; // what `undo` does next, newest last
  }

  /** Works on `image` from now on; an older revision of the same picture is ignored. */
  show(image) {
    if (image.key === this.image?.key && image.revision < this.image.revision) return;
    if (image.key !== this.image?.key) {
      this.undone = [];
      this.status = { word: "saved", text: "" };
    }
    if (this.pending && image.key === this.image?.key) return; // our own change is under way; its answer is newer
    this.image = { ...image, tags: [...image.tags] };
    this.#changed();
  }

  /** Reads the picture again; someone else has changed it. */
  async refresh(key = this.image?.key) {
    const image = await get(`/api/v1/images/${key}/`);
    if (image.key === this.image?.key) this.show(image);
  }

  tag(key) {
    return this.image.tags.find((tag) => tag.key === key);
  }

  async add(label, box) {
    const draft = { key: `new-${Date.now()}`, label, ...box, author: "", isSaving: true };
    const image = this.image;
    this.#put(draft);
    return this.#save(async () => {
      const tag = await post(`/api/v1/images/${image.key}/tags/`, { label, ...box });
      this.#replace(draft.key, tag);
      this.#canUndo(() => this.remove(tag.key));
      return tag;
    }, () => this.#drop(draft.key));
  }

  relabel(key, label) {
    return this.#change(key, { label });
  }

  move(key, box) {
    return this.#change(key, box);
  }

  async remove(key) {
    const tag = this.tag(key);
    if (!tag) return null;
    this.#drop(key);
    return this.#save(async () => {
      await this.#withChoice(tag, null, (revision) => remove(`/api/v1/tags/${key}/`, { revision }));
      this.#canUndo(() => this.add(tag.label, boxOf(tag)));
      return tag;
    }, () => this.#put(tag));
  }

  /** The label, review mark of the whole picture. */
  async changeImage(fields) {
    const before = Object.fromEntries(Object.keys(fields).map((name) => [name, this.image[name]]));
    const image = this.image;
    Object.assign(image, fields);
    this.#changed();
    return this.#save(async () => {
      const saved = await patch(`/api/v1/images/${image.key}/`, fields);
      if (this.image === image) Object.assign(image, saved);
      this.#canUndo(() => this.changeImage(before));
      return saved;
    }, () => Object.assign(image, before));
  }

  /** Takes the newest change of this picture back; false when there is none. */
  undo() {
    const last = this.undone.pop();
    if (!last) return false;
    const kept = [...this.undone];
    Promise.resolve(last()).then(() => { this.undone = kept; });
    return true;
  }

  async #change(key, fields) {
    const tag = this.tag(key);
    if (!tag || tag.isSaving) return null;
    const before = { label: tag.label, ...boxOf(tag) };
    const wanted = { ...tag, ...fields };
    this.#replace(key, { ...wanted, isSaving: true });
    return this.#save(async () => {
      const saved = await this.#withChoice(tag, wanted, (revision) => patch(`/api/v1/tags/${key}/`, fields, { revision }));
      this.#replace(key, saved);
      this.#canUndo(() => this.#change(key, Object.fromEntries(Object.keys(fields).map((name) => [name, before[name]]))));
      return saved;
    }, () => this.#replace(key, tag));
  }

  /** Runs `send(revision)`; when somebody was faster, shows both sides and sends again, or keeps theirs. */
  async #withChoice(tag, wanted, send) {
    try {
      return await send(tag.revision);
    } catch (refusal) {
      if (!(refusal instanceof ApiError) || refusal.status !== 412) throw refusal;
      const current = refusal.details.current;
      const choice = await askWhich({ image: this.image, yours: wanted, theirs: current });
      if (choice === "yours") return send(current.revision);
      this.#replace(tag.key, current);
      throw new KeptTheirs("The other change was kept");
    }
  }

  async #save(work, putBack) {
    this.pending += 1;
    this.#say("saving", "Saving…");
    try {
      const result = await work();
      this.pending -= 1;
      if (!this.pending) this.#say("saved", "Saved");
      return result;
    } catch (refusal) {
      this.pending -= 1;
      if (!(refusal instanceof ApiError) && !(refusal instanceof KeptTheirs)) throw refusal;
      await this.#afterRefusal(refusal, putBack);
      return null;
    }
  }

  async #afterRefusal(refusal, putBack) {
    if (refusal instanceof KeptTheirs) {
      this.#say("saved", refusal.message);
      await this.refresh();
      return;
    }
    putBack();
    const text = refusal.status === 404 ? "Refused: somebody has deleted this" : `Refused: ${refusal.message}`;
    this.#say("refused", text);
    if (refusal.status === 404) await this.refresh();
  }

  #canUndo(action) {
    this.undone.push(action);
  }

  #put(tag) {
    this.image.tags.push(tag);
    this.#changed();
  }

  #drop(key) {
    this.image.tags = this.image.tags.filter((tag) => tag.key !== key);
    this.#changed();
  }

  #replace(key, tag) {
    const at = this.image.tags.findIndex((each) => each.key === key);
    if (at < 0 && tag) this.image.tags.push(tag);
    else if (tag) this.image.tags.splice(at, 1, tag);
    this.#changed();
  }

  #say(word, text) {
    this.status = { word, text };
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

class KeptTheirs extends Error {}
