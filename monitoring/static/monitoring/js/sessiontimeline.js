// The timeline of a session: drawn, brushed and scrubbed by mouse, touch and keys; it follows the live edge until then.

import { get } from "./api.js";
import { element, find, many, setText } from "./dom.js";
import { notifyUnread } from "./notice.js";
import { bucketOf, bucketsBetween, countIn, momentAt, placeOf, zoomed } from "./timescale.js";
import { formatAge, formatElapsed, formatTime, serverNow } from "./times.js";
import { drawOver, drawTimeline } from "./timelinedraw.js";

const PX_PER_BUCKET = 4;
const LEAST_PAUSE_MS = 2_000; // between two reads while pictures arrive
const IDLE_PAUSE_MS = 10_000; // while nothing does: the edge moves on
const DRAG_PX = 5;
const EDGE_PX = { mouse: 6, touch: 22 };
const WAIT_MS = 150; // for further keys and zoom steps

export class SessionTimeline {
  /** place: #timeline of session.html; view: a ViewState; openEvent(seq) shows an entry of the journal. */
  constructor(place, key, view, openEvent) {
    this.place = place;
    this.plot = find("svg.tl-plot", place);
    this.key = key;
    this.view = view;
    this.openEvent = openEvent;
    this.data = null;
    this.pauseMs = LEAST_PAUSE_MS;
    this.drag = null;
    view.addEventListener("change", () => this.#viewChanged());
    document.addEventListener("themechange", () => this.draw());
    document.addEventListener("zonechange", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.plot.parentElement);
    this.#point();
    this.plot.addEventListener("keydown", (event) => this.#press(event));
    setInterval(() => this.#follow(), 1_000);
    this.load();
  }

  get width() {
    return Math.max(100, this.plot.clientWidth);
  }

  /** The stretch that is asked for; null: the whole session, as long as it is now. */
  #asked() {
    if (this.view.window) return this.view.window;
    if (this.view.lastS && this.view.isFollowing) return { from: serverNow() - 1000 * this.view.lastS, to: serverNow() };
    return null;
  }

  async load() {
    const began = performance.now();
    const number = (this.loads = (this.loads ?? 0) + 1);
    const query = new URLSearchParams({ buckets: Math.min(500, Math.max(10, Math.floor(this.width / PX_PER_BUCKET))) });
    const asked = this.#asked();
    if (asked) query.set("from", new Date(asked.from).toISOString());
    if (asked) query.set("to", new Date(asked.to).toISOString());
    this.loadedFor = JSON.stringify([this.view.window, this.view.lastS]);
    this.isLoading = true;
    try {
      const data = await get(`/api/v1/sessions/${this.key}/timeline/?${query}`);
      if (number !== this.loads) return; // another view was asked for meanwhile
      this.#take(data);
      this.place.removeAttribute("data-unread");
    } catch (refusal) {
      this.place.setAttribute("data-unread", "");
      notifyUnread(refusal);
    } finally {
      if (number === this.loads) {
        this.isLoading = false;
        this.isStale = false;
        this.loadedAt = performance.now();
        this.pauseMs = Math.max(LEAST_PAUSE_MS, 10 * (this.loadedAt - began)); // a long one is asked for less often
      }
    }
  }

  #take(data) {
    const ms = (iso) => Date.parse(iso);
    this.data = {
      ...data,
      view: { from: ms(data.from), to: ms(data.to) },
      whole: { from: ms(data.span.from), to: ms(data.span.to) },
      first: ms(data.first_bucket),
      stepMs: Math.round(1000 * data.bucket_s),
      gaps: data.gaps.map((gap) => ({ ...gap, start: ms(gap.from), end: ms(gap.to) })),
      events: data.events.map((event) => ({ ...event, ms: ms(event.at), until: ms(event.detail?.detail?.to) || null })),
    };
    this.draw();
  }

  draw() {
    if (!this.data || !this.plot.clientWidth) return;
    drawTimeline(this.plot, this.data, this.width);
    const row = (text, kind) => element("span", { class: `tl-name tl-name-${kind}`, title: text }, text);
    find(".tl-names", this.place).replaceChildren(
      row("Events", "events"), row("Pictures", "density"), ...this.data.labels.map(({ label }) => row(label, "label")));
    this.#over();
    this.#summary();
  }

  #over() {
    if (!this.data) return;
    const range = this.drag?.range ?? this.view.range;
    drawOver(this.plot, this.data, this.width, { range, at: this.view.at });
    this.#say();
  }

  #summary() {
    const { counts, gaps, gap_count: count, gap_total_s: total, bucket_s: step, expected_interval_s: expected, other_labels: others } = this.data;
    const most = Math.max(0, ...counts);
    const unit = step >= 60 ? formatAge(1000 * step) : `${step} s`;
    const parts = [`at most ${many(most, "picture")} in ${unit}`,
      count ? `${count === 1 ? "one gap" : `${count} gaps`} of ${formatAge(1000 * this.data.shortest_gap_s)} or more, together ${formatAge(1000 * total)}` : "no gaps",
      expected ? `a picture is expected every ${expected} s` : "no interval is expected"];
    if (others) parts.push(`${many(others, "rarer label")} not shown`);
    if (this.data.more_events) parts.push("only the newest events are shown");
    if (gaps.length < count) parts.push("only the longest gaps are shown");
    setText(find("[data-timeline-summary]", this.place), `${parts.join("; ")}.`);
  }

  /** What the cursor or the range covers, in words, also for those who do not see it. */
  #say() {
    const { first, stepMs, counts } = this.data;
    const range = this.drag?.range ?? this.view.range;
    const { at } = this.view;
    const clock = (ms) => formatTime(new Date(ms), "clock");
    let words = "";
    if (range) {
      const { sum, isExact } = countIn(counts, first, stepMs, range);
      words = `${clock(range.from)} to ${clock(range.to)}, ${formatElapsed(range.to - range.from)}: ${isExact ? "" : "about "}${many(sum, "picture")}`;
    } else if (at !== null) words = `${formatTime(new Date(at), "full")}: ${this.wordsAt(at)}`;
    else words = this.view.isFollowing ? "Following the live edge" : "The whole session";
    setText(find("[data-timeline-words]", this.place), words);
    this.plot.setAttribute("aria-valuemin", Math.round(this.data.view.from / 1000));
    this.plot.setAttribute("aria-valuemax", Math.round(this.data.view.to / 1000));
    this.plot.setAttribute("aria-valuenow", Math.round((range?.to ?? at ?? this.data.view.to) / 1000));
    this.plot.setAttribute("aria-valuetext", words);
    for (const node of this.place.querySelectorAll("[data-needs-range]")) node.disabled = !range;
    find("[data-live]", this.place).hidden = !this.view.isOpen();
    find("[data-live]", this.place).setAttribute("aria-pressed", this.view.isFollowing);
    find("[data-whole]", this.place).disabled = !this.view.window && !this.view.lastS;
    find("[data-clear]", this.place).disabled = !range && at === null;
  }

  /** "31 pictures, dent 2" of the bucket that holds the moment; the gap, where it lies in one. */
  wordsAt(at) {
    const { first, stepMs, counts, labels, gaps } = this.data;
    const index = Math.floor((at - first) / stepMs);
    const count = counts[index] ?? 0;
    const gap = gaps.find((each) => each.start <= at && at < each.end);
    const found = labels.filter((line) => line.counts[index]).map((line) => `${line.label} ${line.counts[index]}`);
    const silent = gap ? [`no picture for ${formatAge(gap.end - gap.start)}${gap.cause === "server" ? ", the server restarted" : ""}`] : [];
    return [`${count} ${count === 1 ? "picture" : "pictures"}`, ...found, ...silent].join(", ");
  }

  #viewChanged() {
    if (this.loadedFor !== JSON.stringify([this.view.window, this.view.lastS])) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.load(), WAIT_MS);
    }
    this.#over();
  }

  /** Something came: read again soon, unless the page looks at the past. */
  noteNews() {
    this.isStale = true;
  }

  #follow() {
    if (document.hidden || this.isLoading || !this.view.isOpen()) return;
    const isDue = performance.now() - (this.loadedAt ?? 0) > (this.isStale ? this.pauseMs : IDLE_PAUSE_MS);
    if (isDue && (this.view.isFollowing || this.isStale)) this.load();
  }

  // -- moving about ------------------------------------------------------------------------------------------------

  /** What is shown now as a fixed window, so that nothing moves under the hand. */
  #held() {
    return this.view.isFollowing && this.data ? { window: this.view.window ?? this.data.view, lastS: null } : {};
  }

  /** The last ms of the bucket that holds `ms`: the pictures up to there are those that one points at. */
  #lastOf(ms) {
    return bucketOf(ms, this.data.first, this.data.stepMs) + this.data.stepMs - 1;
  }

  scrub(at, options) {
    const { whole } = this.data;
    this.view.change({ ...this.#held(), at: Math.min(Math.max(at, whole.from), whole.to), range: null, picture: null }, options);
    this.#keepInSight(this.view.at);
  }

  select(range, options) {
    this.view.change({ ...this.#held(), range, at: null, picture: null }, options);
  }

  #keepInSight(ms) {
    const { view, whole } = this.data;
    if (!this.view.window || (ms >= view.from && ms <= view.to)) return;
    const half = (view.to - view.from) / 2;
    this.view.change({ window: zoomed({ from: ms - half, to: ms + half }, 1, ms, whole) });
  }

  zoom(factor) {
    const { view, whole } = this.data;
    if (this.view.isFollowing) {
      const length = Math.max(10, ((view.to - view.from) * factor) / 1000);
      return this.view.change({ lastS: length >= (whole.to - whole.from) / 1000 ? null : length });
    }
    const centre = this.view.range ? (this.view.range.from + this.view.range.to) / 2 : this.view.at ?? (view.from + view.to) / 2;
    const window = zoomed(this.view.window ?? view, factor, centre, whole);
    return this.view.change({ window: window.to - window.from >= whole.to - whole.from ? null : window });
  }

  zoomToRange() {
    if (this.view.range) this.view.change({ window: this.view.range }, { isStep: true });
  }

  /** Stays with what is shown now. */
  hold() {
    if (this.data) this.view.change({ window: this.data.view, lastS: null }, { isStep: true });
  }

  showWhole() {
    this.view.change({ window: null, lastS: null }, { isStep: true });
  }

  clear() {
    this.view.change({ range: null, at: null, picture: null });
  }

  /** The next gap (1) or the one before (-1) becomes the range. False when there is none. */
  toGap(direction) {
    if (!this.data) return false;
    const here = this.view.range?.from ?? this.view.at ?? (direction > 0 ? -Infinity : Infinity);
    const ahead = this.data.gaps.filter((gap) => (direction > 0 ? gap.start > here : gap.start < here));
    const gap = direction > 0 ? ahead[0] : ahead.at(-1);
    if (!gap) return false;
    this.select({ from: gap.start, to: gap.end });
    return true;
  }

  /** Where a new mark belongs: the range, the scrubbed moment, or null for now. */
  get markPlace() {
    if (this.view.range) return this.view.range;
    return this.view.at === null ? null : { from: this.view.at, to: null };
  }

  // -- mouse and touch ---------------------------------------------------------------------------------------------

  #moment(event) {
    return momentAt(event.clientX - this.plot.getBoundingClientRect().left, this.data.view, this.width);
  }

  /** The far edge of the range when the pointer takes hold of the other one; null when it holds none. */
  #heldEdge(event) {
    const { range } = this.view;
    if (!range) return null;
    const x = event.clientX - this.plot.getBoundingClientRect().left;
    const reach = EDGE_PX[event.pointerType] ?? EDGE_PX.mouse;
    const near = (ms) => Math.abs(placeOf(ms, this.data.view, this.width) - x) <= reach;
    if (near(range.from)) return range.to;
    return near(range.to) ? range.from : null;
  }

  #point() {
    const { plot } = this;
    plot.addEventListener("pointerdown", (event) => {
      if (!this.data || !event.isPrimary || event.button !== 0) return;
      plot.setPointerCapture(event.pointerId);
      const edge = this.#heldEdge(event);
      this.drag = { x: event.clientX, anchor: edge ?? this.#moment(event), isHeld: edge !== null, range: null, target: event.target };
    });
    plot.addEventListener("pointermove", (event) => {
      if (!this.data) return;
      if (!this.drag) return this.#hover(event);
      if (!this.drag.range && !this.drag.isHeld && Math.abs(event.clientX - this.drag.x) < DRAG_PX) return undefined;
      this.drag.range = bucketsBetween(this.drag.anchor, this.#moment(event), this.data.first, this.data.stepMs);
      return this.#over();
    });
    plot.addEventListener("pointerup", (event) => {
      const { drag } = this;
      this.drag = null;
      if (!drag) return;
      const seq = drag.target.closest?.("[data-seq]")?.dataset.seq;
      if (drag.range) this.select(drag.range, { isStep: true });
      else if (seq) this.openEvent(Number(seq));
      else this.scrub(this.#lastOf(this.#moment(event)), { isStep: true });
    });
    plot.addEventListener("pointercancel", () => { this.drag = null; this.#over(); });
    plot.addEventListener("pointerleave", () => setText(find("[data-timeline-hover]", this.place), ""));
    plot.addEventListener("wheel", (event) => {
      if (!this.data || !event.ctrlKey) return; // without Ctrl the page scrolls
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8);
    }, { passive: false });
  }

  #hover(event) {
    if (event.pointerType !== "mouse") return;
    const at = this.#moment(event);
    setText(find("[data-timeline-hover]", this.place), `${formatTime(new Date(at), "clock")}: ${this.wordsAt(at)}`);
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  #press(event) {
    if (!this.data || event.ctrlKey || event.metaKey || event.altKey) return;
    const { first, stepMs, view } = this.data;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    const run = {
      Home: () => this.scrub(view.from),
      End: () => this.scrub(this.#lastOf(view.to - 1)),
      Enter: () => this.zoomToRange(),
      Escape: () => this.clear(),
      "+": () => this.zoom(0.5),
      "-": () => this.zoom(2),
    }[event.key];
    if (!steps && !run) return;
    event.preventDefault();
    event.stopPropagation();
    if (run) return run();
    if (event.shiftKey) return this.#extend(steps);
    this.anchor = null;
    const from = this.view.range ? (steps > 0 ? this.view.range.to - stepMs : this.view.range.from) : this.view.at ?? bucketOf(view.to - 1, first, stepMs);
    return this.scrub(this.#lastOf(from) + steps * stepMs);
  }

  /** Shift + arrows: the range grows from where the cursor was. */
  #extend(steps) {
    const { first, stepMs, view } = this.data;
    const { range } = this.view;
    if (!range || this.anchor === null || this.anchor === undefined) {
      this.anchor = range ? (steps > 0 ? range.from : range.to) : bucketOf(this.view.at ?? view.to - 1, first, stepMs);
      this.moving = range ? (steps > 0 ? range.to : range.from) : this.anchor;
    }
    this.moving = Math.min(Math.max(this.moving + steps * stepMs, this.data.whole.from), this.data.whole.to + stepMs);
    this.select(bucketsBetween(this.anchor, this.moving, first, stepMs));
  }
}
