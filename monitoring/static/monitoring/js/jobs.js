// Jobs as a list that moves by itself: how far each is, its file, and what can be done with it.

import { get, post, remove } from "./api.js";
import { element, find, may, setText } from "./dom.js";
import { holdToConfirm } from "./hold.js";
import { live } from "./live.js";
import { notify, notifyError } from "./notice.js";
import { showReport } from "./importreport.js";
import { formatTime, timeElement } from "./times.js";
import { watchJob } from "./watchjobs.js";

const OPEN = new Set(["uploading", "queued", "running", "ready"]);
const WORDS = {
  uploading: "archive incomplete", queued: "waiting", running: "running", ready: "checked, waiting for you",
  done: "done", failed: "failed", cancelled: "cancelled",
};
const KINDS = { export: "Export", import: "Import", relabel: "Labels" };

export const isOpen = (job) => OPEN.has(job.state);

/** 1 234 567 -> "1.2 MB": decimal units, as on the rest of the pages. */
export function inBytes(size) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = size;
  while (value >= 1000 && units.length > 1) { value /= 1000; units.shift(); }
  return `${value >= 100 || units[0] === "B" ? value.toFixed(0) : value.toFixed(1)} ${units[0]}`;
}

async function copyLink(job) {
  const { url, expires_at: until } = await post(`/api/v1/jobs/${job.key}/link/`);
  const words = `Whoever has this link gets the file until ${formatTime(new Date(until))}`;
  try {
    await navigator.clipboard.writeText(url);
    notify(`Link copied. ${words}.`);
  } catch {
    prompt(words, url); // no clipboard over plain http
  }
}

function button(words, run, { hold = false, kind = "" } = {}) {
  const node = element("button", { type: "button", class: `button ${kind}` }, words);
  const act = async () => {
    node.disabled = true;
    try { await run(); } catch (error) { notifyError(error); }
    node.disabled = false;
  };
  if (hold) holdToConfirm(node, act);
  else node.addEventListener("click", act);
  return node;
}

export class JobList {
  /** list: the <ul>; query: which jobs, as in the address of the list. changed(job): a job was seen to end. */
  constructor(list, query, { changed = () => {} } = {}) {
    this.list = list;
    this.query = query;
    this.changed = changed;
    this.rows = new Map();
  }

  async load() {
    const { results } = await get(`/api/v1/jobs/?${this.query}&limit=50`);
    for (const job of results.reverse()) this.show(job);
    this.#tellEmpty();
  }

  /** The job stands on top of the list, or where it stood before, and follows its topic while it is open. */
  show(job) {
    let row = this.rows.get(job.key);
    if (!row) {
      row = { node: element("li", { class: "job" }), job: null };
      this.rows.set(job.key, row);
      this.list.prepend(row.node);
    }
    if (row.job && row.job.revision > job.revision) return;
    const wasOpen = row.job && isOpen(row.job);
    const isNew = !row.job || row.job.state !== job.state;
    row.job = job;
    if (isNew) this.#draw(row);
    this.#move(row);
    if (isOpen(job) && !row.stop) {
      row.stop = () => {}; // subscribing may hand out a state at once, which comes through here
      const stop = live.subscribe(`job:${job.key}`, { state: (state) => this.show(state), error: () => this.#gone(job.key) });
      if (isOpen(row.job)) row.stop = stop;
      else stop();
    }
    if (!isOpen(job)) { row.stop?.(); row.stop = null; }
    if (wasOpen && row.job.state !== "cancelled" && !isOpen(job)) this.changed(job);
    this.#tellEmpty();
  }

  #gone(key) {
    const row = this.rows.get(key);
    row?.stop?.();
    row?.node.remove();
    this.rows.delete(key);
    this.#tellEmpty();
  }

  #draw(row) {
    const { job } = row;
    row.words = element("span");
    const asked = element("span", { class: "quiet" }, ` · ${job.created_by}, `, timeElement(job.created_at));
    row.fill = element("div", { class: "meter-fill" });
    row.meter = element("div", { class: "meter", role: "progressbar", "aria-label": job.title, "aria-valuemin": 0, "aria-valuemax": 100 }, row.fill);
    row.node.replaceChildren(
      element("div", {}, element("p", { class: "job-title" }, `${KINDS[job.kind]}: ${job.title}`), element("p", { class: "job-words" }, row.words, asked)),
      element("div", { class: "job-actions" }, ...this.#actions(job)),
      row.meter,
    );
  }

  #move({ job, words, fill, meter }) {
    const percent = Math.round(job.progress_frac * 100);
    const size = job.file_url ? ` · ${inBytes(job.size_bytes)}` : "";
    setText(words, `${WORDS[job.state]}${job.state === "running" ? ` ${percent} %` : ""}${job.message ? ` · ${job.message}` : ""}${size}`);
    meter.hidden = !["running", "uploading", "queued"].includes(job.state);
    meter.setAttribute("aria-valuenow", percent);
    fill.style.width = `${percent}%`;
  }

  #actions(job) {
    const url = `/api/v1/jobs/${job.key}/`;
    const isMine = job.created_by === document.body.dataset.user || may("annotate");
    return [
      job.file_url && element("a", { class: "button button-main", href: job.file_url, download: true }, "Download"),
      job.file_url && isMine && button("Copy link", () => copyLink(job)),
      job.kind === "import" && job.result.plan && button(job.state === "ready" ? "Look and import" : "Report", () => showReport(job, (next) => { this.show(next); watchJob(next); }), { kind: job.state === "ready" ? "button-main" : "" }),
      job.kind === "relabel" && !isOpen(job) && may("annotate") && button("Undo", async () => { const undo = await post(`${url}undo/`); this.show(undo); watchJob(undo); }),
      isOpen(job) && isMine && button("Cancel", async () => this.show(await post(`${url}cancel/`))),
      !isOpen(job) && isMine && button("Remove", async () => { await remove(url); this.#gone(job.key); }, { hold: true }),
    ].filter(Boolean);
  }

  #tellEmpty() {
    find("#no-jobs").hidden = this.rows.size > 0;
  }
}
