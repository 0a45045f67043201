// The event feed: the newest entries of the journals in words, by severity, with a pause.

import { element, find, findAll, many } from "./dom.js";
import { severityMark } from "./marks.js";
import { timeElement } from "./times.js";

const MOST = 200;
const LEVELS = { all: 0, warning: 1, error: 2 };
const SEVERITY = { info: 0, warning: 1, error: 2 };


/** "box scratch added by ann", or "3 boxes changed by ann". */
function boxWords({ changes = [], count: number, by, act }) {
  const [first] = changes;
  const one = first && changes.length === 1 ? `box ${(first.after ?? first.before).label} ${first.verb}` : null;
  return `${one ?? `${many(number ?? changes.length, "box", "boxes")} changed`}${act ? ` (${act})` : ""}${by ? ` by ${by}` : ""}`;
}

/** What became of a picture: its mark, else its label, else only that it changed. */
const pictureWords = ({ review, label }) => review ?? (label === undefined ? "changed" : label ? `labelled ${label}` : "has no label any more");

/** What a camera says of its own pictures, part by part, is no news on a wall; the session's page has it. */
const isNews = (event) => event.kind !== "device_tags_changed";

// What each kind of entry says. An unknown kind is shown by its own name, so nothing is hidden.
const WORDS = {
  started: ({ by }) => `started${by ? ` by ${by}` : ""}`,
  stopped: ({ total_counter: total, by }) => `stopped${by ? ` by ${by}` : ""}${total === undefined ? "" : ` at ${many(total, "picture")}`}`,
  expired: ({ idle_s: idle }) => `ended: nobody looked${idle === undefined ? "" : ` for ${Math.round(idle)} s`}`,
  controller_requested: ({ command }) => `asked the controller to ${String(command ?? "act").replaceAll("_", " ")}`,
  controller_acked: () => "controller answered",
  images_added: ({ count: number }) => many(number ?? 1, "picture"),
  late_image_added: ({ name }) => `took a late picture${name ? ` ${name}` : ""}`,
  tags_changed: (detail) => boxWords(detail),
  device_tags_changed: (detail) => boxWords(detail),
  image_changed: ({ after = {}, by, act }) => `picture ${pictureWords(after)}${act ? ` (${act})` : ""}${by ? ` by ${by}` : ""}`,
  images_reviewed: ({ reviews = {}, act, by }) => `${Object.entries(reviews).map(([word, number]) => `${many(number, "picture")} ${word}`).join(", ")}${act ? ` (${act})` : ""}${by ? ` by ${by}` : ""}`,
  image_deleted: ({ by }) => `picture deleted${by ? ` by ${by}` : ""}`,
  image_restored: ({ by }) => `picture restored${by ? ` by ${by}` : ""}`,
  image_pinned: ({ by }) => `picture pinned${by ? ` by ${by}` : ""}`,
  image_unpinned: ({ by }) => `picture no longer pinned${by ? `, by ${by}` : ""}`,
  pinned: ({ by }) => `pinned${by ? ` by ${by}` : ""}`,
  unpinned: ({ by }) => `no longer pinned${by ? `, by ${by}` : ""}`,
  counters_repaired: () => "sums were wrong and are repaired",
  journal_repaired: ({ lost }) => `journal repaired${lost ? `: ${many(lost, "entry", "entries")} lost` : ""}`,
  entry_lost: () => "this entry is lost",
  camera_late: () => "is late",
  camera_lost: () => "is lost",
  camera_back: () => "is back",
  marker: ({ label, by }) => `mark: ${label}${by ? ` by ${by}` : ""}`,
  notes_changed: ({ by }) => `notes changed${by ? ` by ${by}` : ""}`,
  renamed: ({ after, by }) => `renamed to “${after}”${by ? ` by ${by}` : ""}`,
  images_purged: ({ count: number, reason }) => `${many(number ?? 0, "picture")} removed for good${{ retention: ": past their term", deleted: ": deleted long ago" }[reason] ?? ""}`,
  moved: ({ to, by }) => `is ${to === "error" ? "in error" : `now ${to}`}${by ? `, by ${by}` : ""}`,
  server_restarted: () => "went on after a server restart",
  stale: () => "nothing came in for too long",
  recording_started: () => "recording started",
  recording_stopped: () => "recording stopped",
  device_attached: ({ device }) => `device ${device ?? ""} attached`,
};

export const wordsOf = (event) => (WORDS[event.kind] ?? (() => event.kind.replaceAll("_", " ")))(event.detail ?? {});

/** One entry as a list item. names: Map slug -> monitor name; null leaves the monitor out. */
export function eventItem(event, names) {
  const about = names && event.monitor ? names.get(event.monitor) ?? event.monitor : null;
  return element("li", { class: "event", "data-severity": event.severity, "data-id": idOf(event) },
    severityMark(event.severity),
    element("a", { href: `/sessions/${event.session}/#event-${event.seq}`, class: "event-words" },
      about ? [element("b", {}, about), ` ${wordsOf(event)}`] : alone(event)),
    timeElement(event.at));
}

/** Without the monitor's name in front, "is late" says who is. */
const alone = (event) => (event.kind.startsWith("camera_") ? `camera ${wordsOf(event)}` : wordsOf(event));

const idOf = (event) => `${event.session}/${event.seq}`;

export class EventList {
  /** place: an element with [data-severity-filter] buttons, a [data-pause] button and an <ol>. */
  constructor(place, { names = null } = {}) {
    this.place = place;
    this.list = find("ol", place);
    this.names = names;
    this.seen = new Set(findAll(".event", this.list).map((item) => item.dataset.id));
    this.isPaused = false;
    this.held = [];
    this.#wire();
  }

  /** Newest first or any order: what is new goes on top, by time. */
  add(events) {
    const fresh = events.filter((event) => isNews(event) && !this.seen.has(idOf(event)));
    if (!fresh.length) return;
    for (const event of fresh) this.seen.add(idOf(event));
    if (this.isPaused) this.held.push(...fresh);
    else this.#insert(fresh);
    this.#sayHeld();
  }

  #insert(events) {
    const ordered = [...events].sort((one, other) => (one.at < other.at ? 1 : -1));
    this.list.prepend(...ordered.map((event) => eventItem(event, this.names)));
    while (this.list.children.length > MOST) this.list.lastElementChild.remove();
    if (this.seen.size > 5 * MOST) this.seen = new Set([...this.list.children].map((item) => item.dataset.id));
    this.#filter();
  }

  #wire() {
    for (const button of findAll("[data-severity-filter]", this.place)) {
      button.addEventListener("click", () => this.choose(button.dataset.severityFilter));
    }
    this.pause = find("[data-pause]", this.place);
    this.pause?.addEventListener("click", () => this.#switchPause());
    this.choose(this.place.dataset.level ?? "all");
  }

  choose(level) {
    this.level = level;
    this.place.dataset.level = level;
    for (const button of findAll("[data-severity-filter]", this.place)) {
      button.setAttribute("aria-pressed", button.dataset.severityFilter === level);
    }
    this.#filter();
  }

  #filter() {
    let shown = 0;
    for (const item of this.list.children) {
      item.hidden = SEVERITY[item.dataset.severity] < LEVELS[this.level];
      shown += item.hidden ? 0 : 1;
    }
    const none = find("[data-none]", this.place);
    if (!none) return;
    none.hidden = shown > 0;
    none.textContent = this.level === "all" ? "No news yet." : `No ${this.level === "error" ? "errors" : "warnings"} among the newest events.`;
  }

  #switchPause() {
    this.isPaused = !this.isPaused;
    this.pause.setAttribute("aria-pressed", this.isPaused);
    if (!this.isPaused) this.#insert(this.held.splice(0));
    this.#sayHeld();
  }

  #sayHeld() {
    if (!this.pause) return;
    this.pause.textContent = this.isPaused ? (this.held.length ? `Go on (${this.held.length} new)` : "Go on") : "Pause";
  }
}
