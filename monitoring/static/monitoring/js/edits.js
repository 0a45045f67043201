// The changes of one picture: its boxes, its label, its review. Each goes to the server at once, in order.
//
// `base` is what the server is known to have, `ops` what the person did since; shown is the one with the others on it.
// A change waits in the browser (outbox.js) until the server takes or refuses it; while it cannot be reached, it is
// tried again. A refusal with 412 shows both sides and asks.

import { ApiError, get, patch, post, remove } from "./api.js";
import { askWhich, askWhichPicture } from "./conflict.js";
import { many } from "./dom.js";
import { keep, newTagKey } from "./outbox.js";

const SIDES = ["x", "y", "w", "h"];
const NUDGE_MS = 350; // steps by key within this time are one change
const ON_PICTURE = new Set(["image", "verb"]); // their revision is the picture's, not a box's
const RETRY_MS = [1_000, 2_000, 4_000, 8_000];
const pick = (names, from) => Object.fromEntries(names.map((name) => [name, from[name]]));
const isSame = (one, other, names) => names.every((name) => one[name] === other[name]);
const isAway = ({ status }) => status === 0 || status === 401 || status === 429 || status >= 500; // the change itself was not refused
const user = () => document.body.dataset.user;
let made = 0;

export class Edits {
  /** changed() is called whenever `image` or `status` is another. ops: left over from a page before. */
  constructor(image, changed, ops = []) {
    this.base = image;
    this.floor = 0; // what is older than this revision lacks a change of ours
    this.changed = changed;
    this.ops = ops;
    this.dropped = []; // changes taken back before they left, for `redo`
    this.sending = null;
    this.tries = 0;
    this.status = { word: "", text: "" }; // word: "" | "saving" | "saved" | "refused" | "kept"
    this.#render();
    if (ops.length) this.#run();
  }

  /** The same picture as read from the server; what is older than what is known here is ignored. */
  take(image) {
    if (image.revision < Math.max(this.base.revision, this.floor)) return;
    const { editors, ...plain } = image;
    this.base = plain;
    this.#render();
  }

  async refresh() {
    this.take(await get(this.#address()));
  }

  tag(key) {
    return this.image.tags.find((tag) => tag.key === key);
  }

  /** Draws a box; returns its key. */
  add(label, box) {
    const key = newTagKey();
    this.#push({ kind: "add", key, label, box });
    return key;
  }

  /**
   * fields: `label`, or the sides of the box. isStep: one of several small moves, which go as one.
   * seen: the box as it was when the person began; what came in between is a clash.
   */
  change(key, fields, { isStep = false, seen = this.tag(key) } = {}) {
    const tag = this.tag(key);
    if (!tag || isSame(tag, fields, Object.keys(fields))) return;
    const last = this.ops.at(-1);
    const wait = isStep ? { notBefore: Date.now() + NUDGE_MS } : {};
    if (last && last !== this.sending && last.kind === "change" && last.key === key && last.notBefore) {
      Object.assign(last, wait, { fields: { ...last.fields, ...fields }, wanted: { ...last.wanted, ...fields } });
      this.#kept();
    } else this.#push({ kind: "change", key, fields, wanted: { ...seen, ...fields }, revision: seen.revision, ...wait });
  }

  remove(key) {
    const tag = this.tag(key);
    if (tag) this.#push({ kind: "remove", key, revision: tag.revision });
  }

  /** fields: `label`, `review`, `review_comment` of the whole picture. */
  changeImage(fields) {
    const names = Object.keys(fields);
    if (isSame(this.image, fields, names)) return;
    this.#push({ kind: "image", fields, seen: pick(names, this.image), revision: this.#revision() });
  }

  reopen() {
    this.#push({ kind: "verb", verb: "reopen" });
  }

  /** Takes the last change back: one that has not left yet here, else by the server. */
  undo() {
    const last = this.ops.at(-1);
    if (last && last !== this.sending) {
      this.dropped.push(this.ops.pop());
      this.#kept();
    } else this.#push({ kind: "verb", verb: "undo", revision: this.#revision() });
  }

  redo() {
    const op = this.dropped.pop();
    if (op) this.#push(op, false);
    else this.#push({ kind: "verb", verb: "redo", revision: this.#revision() });
  }

  #address(rest = "") {
    return `/api/v1/images/${this.base.key}/${rest}`;
  }

  #revision() {
    return Math.max(this.base.revision, this.floor);
  }

  #push(op, isNew = true) {
    if (isNew && op.kind !== "verb") this.dropped = [];
    made += 1;
    this.ops.push({ ...op, id: made });
    this.#kept();
    this.#run();
  }

  #kept() {
    keep(this.base.key, this.ops);
    if (this.status.word === "kept") this.#say("kept", this.#waiting());
    this.#render();
  }

  /** What is shown: the server's picture with everything that waits done to it. */
  #render() {
    const image = { ...this.base, tags: [...this.base.tags] };
    for (const op of this.ops) this.#apply(op, image);
    this.image = image;
    this.changed();
  }

  #apply(op, image) {
    const at = image.tags.findIndex((tag) => tag.key === op.key);
    if (op.kind === "add" && at < 0) {
      image.tags.push({ key: op.key, label: op.label, ...op.box, author: user(), source: "operator", revision: 1, isSaving: true });
    } else if (op.kind === "change" && at >= 0) image.tags[at] = { ...image.tags[at], ...op.fields, isSaving: true };
    else if (op.kind === "remove" && at >= 0) image.tags.splice(at, 1);
    else if (op.kind === "image") Object.assign(image, op.fields);
  }

  async #run() {
    if (this.running) return;
    this.running = true;
    this.refusal = null;
    try {
      while (this.ops.length) {
        if (this.status.word !== "kept") this.#say("saving", "Saving…");
        while (this.ops[0]?.notBefore > Date.now()) await pause(this.ops[0].notBefore - Date.now());
        const op = this.ops[0];
        if (op) await this.#attempt(op);
      }
    } finally {
      this.running = false;
    }
    if (this.refusal) this.#say("refused", `Refused: ${this.refusal.message}`, this.refusal.code); // not covered by what was saved after it
    else if (this.status.word === "saving" || this.status.word === "kept") this.#say("saved", "Saved");
  }

  async #attempt(op) {
    this.sending = op;
    op.tries = (op.tries ?? 0) + 1;
    op.from = this.#revision();
    try {
      await SEND[op.kind].call(this, op);
      this.tries = 0;
      if (this.status.word === "kept") this.#say("saving", "Saving…");
      this.#done(op);
    } catch (refusal) {
      if (!(refusal instanceof ApiError)) throw refusal;
      if (isAway(refusal)) {
        await this.#waitForServer(refusal);
        return;
      }
      this.tries = 0;
      if (refusal.status === 412 || (refusal.status === 404 && op.kind === "change")) await this.#clash(op, refusal.details);
      else this.#refused(op, refusal);
    } finally {
      this.sending = null;
    }
  }

  #done(op) {
    this.ops = this.ops.filter((each) => each !== op);
    this.#kept();
  }

  #waiting() {
    return `Kept here: ${many(this.ops.length, "change waits", "changes wait")} for the server`;
  }

  async #waitForServer(refusal) {
    this.sending = null;
    Object.assign(this.ops[0] ?? {}, { isUnsure: true }); // its answer may be what was lost
    this.#say("kept", this.#waiting());
    keep(this.base.key, this.ops);
    const again = Number(refusal.details.retry_after_s) * 1000 || RETRY_MS[Math.min(this.tries, RETRY_MS.length - 1)];
    this.tries += 1;
    await pause(again, true);
  }

  #refused(op, refusal) {
    if (refusal.status === 404 && op.kind === "remove") return this.#done(op); // gone, as was wanted
    if (refusal.code === "tag_taken") return this.#done(op); // it was there, and somebody deleted it
    this.refusal = refusal;
    this.#say("refused", `Refused: ${refusal.message}`, refusal.code);
    this.#done(op);
    this.refresh().catch(() => {}); // the next state of the picture says it
    return null;
  }

  /** Somebody else was faster. Nothing of either side is lost: the person says what becomes of theirs. */
  async #clash(op, { yours, current }) {
    if (op.kind === "verb" && yours?.act) return this.#again(op, current);
    if (op.kind === "image" || (op.kind === "verb" && current?.tags)) return this.#clashOfPicture(op, yours, current);
    const tag = current ?? null;
    const wanted = this.#wanted(op, yours);
    if (wanted && tag && isSame(wanted, tag, ["label", ...SIDES]) && tag.author === user()) return this.#settle(op, tag);
    const choice = await askWhich({ yours: wanted, theirs: tag });
    this.#settle(op, tag);
    if (choice === "theirs") this.#say("saved", "The other change was kept");
    else if (choice === "both" || (wanted && !tag)) this.add(wanted.label, pick(SIDES, wanted));
    else if (wanted) this.change(tag.key, pick(["label", ...SIDES], wanted));
    else if (tag) this.remove(tag.key);
    return null;
  }

  /** The box that the person wanted, null for none. */
  #wanted(op, yours) {
    if (op.kind === "verb") return yours?.label ? yours : null;
    return op.wanted ?? null;
  }

  /** The change is off, the other side's box is shown; what else was done to it here starts from there. */
  #settle(op, tag) {
    this.#putTag(op.key ?? tag?.key, tag);
    if (tag) for (const each of this.ops) if (each.key === tag.key) each.revision = tag.revision;
    this.#done(op);
    this.refresh().catch(() => {});
  }

  /** The picture changed elsewhere, what was asked for did not: asked again from there, unless it may be done. */
  async #again(op, current) {
    if (op.tries < 3 && !op.isUnsure) op.revision = current.revision;
    else this.#done(op);
    await this.refresh().catch(() => {});
  }

  async #clashOfPicture(op, yours, current) {
    const fields = op.fields ?? pick(Object.keys(yours).filter((name) => name in current && name !== "revision"), yours);
    if (op.fields && isSame(current, op.fields, Object.keys(op.fields))) return this.#superseded(op, current); // the answer was lost
    const isUntouched = op.seen && isSame(current, op.seen, Object.keys(op.seen));
    const choice = isUntouched ? "yours" : await askWhichPicture({ yours: fields, theirs: current });
    if (isUntouched) op.revision = current.revision;
    else {
      this.#superseded(op, current);
      if (choice === "yours") this.changeImage(fields);
      else this.#say("saved", "The other change was kept");
    }
    return null;
  }

  /** The change is off, and the picture is shown as the server has it. */
  #superseded(op, current) {
    this.#done(op);
    this.take({ ...this.base, ...pick(["label", "review", "review_comment", "revision", "tags"], current) });
  }

  /** `tag` is what the server has under `key`, null for nothing. */
  #putTag(key, tag) {
    const tags = this.base.tags.filter((each) => each.key !== key);
    const at = this.base.tags.findIndex((each) => each.key === key);
    if (tag) tags.splice(at < 0 ? tags.length : at, 0, tag);
    this.base = { ...this.base, tags };
  }

  /** The server has `tag` for `op`; what waits behind it starts from there. */
  saved(op, tag) {
    this.#putTag(op.key, tag);
    if (tag) for (const each of this.ops) if (each !== op && each.key === tag.key) each.revision = tag.revision;
  }

  /** The server has `op` in the picture's `revision`. Was nobody in between, what waits behind it starts from there. */
  reached(op, revision) {
    this.floor = Math.max(this.floor, revision);
    if (revision !== op.from + 1) return;
    for (const each of this.ops) if (ON_PICTURE.has(each.kind) && each.revision === op.from) each.revision = revision;
  }

  answered(op) {
    return (headers) => this.reached(op, Number(headers.get("Image-Revision")) || 0);
  }

  /** The same for an answer that is the whole picture. */
  savedPicture(op, image) {
    this.reached(op, image.revision);
    this.take(image);
  }

  #say(word, text, code = "") {
    this.status = { word, text, code };
    this.changed();
  }
}

const SEND = {
  async add(op) {
    this.saved(op, await post(`/api/v1/images/${this.base.key}/tags/`, { key: op.key, label: op.label, ...op.box }, { headers: this.answered(op) }));
  },
  async change(op) {
    this.saved(op, await patch(`/api/v1/tags/${op.key}/`, op.fields, { revision: op.revision, headers: this.answered(op) }));
  },
  async remove(op) {
    await remove(`/api/v1/tags/${op.key}/`, { revision: op.revision, headers: this.answered(op) });
    this.saved(op, null);
  },
  async image(op) {
    this.savedPicture(op, await patch(`/api/v1/images/${this.base.key}/`, op.fields, { revision: op.revision }));
  },
  async verb(op) {
    this.savedPicture(op, await post(`/api/v1/images/${this.base.key}/${op.verb}/`, {}, { revision: op.revision }));
  },
};

/** isWaking: ends at once when the network is back. */
function pause(ms, isWaking = false) {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    if (isWaking) addEventListener("online", end);
    function end() {
      clearTimeout(timer);
      removeEventListener("online", end);
      resolve();
    }
  });
}
