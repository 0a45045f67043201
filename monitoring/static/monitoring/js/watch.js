// The stream of one watched session: lives while somebody looks, comes back to the same session, and tells its end.
//
// Hidden closes the stream and keeps the session. Visible asks whether the session still lives, then goes on from the
// last seq. A network that fails or falls silent is no end: nothing is said, and it is asked again. See
// docs/watched-sessions.md.

import { get } from "./api.js";

const CLOSED = 2; // EventSource.CLOSED: the browser does not try again by itself
const OVER = new Set(["completed", "expired", "interrupted"]);
const GONE = new Set([403, 404]);
const EVENTS_PER_PAGE = 200;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 20_000;
const SILENCE_MS = 35_000; // two heartbeats missed: the network went without a word
const ANSWER_WITHIN_MS = 10_000; // a question into a dead network is given up, and asked again

export const isOver = (session) => OVER.has(session.state);

/** The screen stays on while it is held. Silent where the browser has no such lock or refuses it. */
export class ScreenLock {
  constructor(wakeLock = navigator.wakeLock) {
    this.wakeLock = wakeLock;
    this.lock = null;
    this.isWanted = false;
    this.asking = null;
  }

  acquire() {
    this.isWanted = true;
    if (!this.wakeLock || this.lock) return;
    this.asking ??= this.#ask().finally(() => { this.asking = null; });
  }

  async #ask() {
    let lock;
    try {
      lock = await this.wakeLock.request("screen");
    } catch {
      return; // hidden, forbidden, or the battery is low
    }
    if (!this.isWanted) {
      lock.release();
      return;
    }
    this.lock = lock;
    lock.addEventListener("release", () => { if (this.lock === lock) this.lock = null; }); // the browser does it when hidden
  }

  release() {
    this.isWanted = false;
    const lock = this.lock;
    this.lock = null;
    lock?.release();
  }
}

export class SessionWatch {
  /**
   * Calls listener.state(session), .event(entry), .connected(bool), and once .ended(session), or .ended(null) for a
   * session that is not there (any more). after: hand out the journal entries with a greater seq.
   */
  constructor(key, listener, { after = 0, openStream = (url) => new EventSource(url), request = get, screen = new ScreenLock() } = {}) {
    this.key = key;
    this.listener = listener;
    this.seq = after;
    this.openStream = openStream;
    this.request = request;
    this.screen = screen;
    this.source = null;
    this.isEnded = false;
    this.checking = null;
    this.attempt = 0;
    this.taking = Promise.resolve(); // frames one after the other, also when a gap has to be fetched first
    this.onVisibility = () => (document.hidden ? this.#hide() : this.#check());
  }

  start() {
    document.addEventListener("visibilitychange", this.onVisibility);
    addEventListener("online", this.onVisibility);
    this.listening = setInterval(() => this.#listen(), 1_000);
    if (!document.hidden) this.#connect();
  }

  /** Nothing is watched any more; the session itself goes on. */
  stop() {
    document.removeEventListener("visibilitychange", this.onVisibility);
    removeEventListener("online", this.onVisibility);
    clearInterval(this.listening);
    this.#drop();
    this.screen.release();
  }

  #connect() {
    this.#drop();
    const source = this.openStream(`/stream/session:${encodeURIComponent(this.key)}?after=${this.seq}`);
    this.source = source;
    this.heardAt = Date.now();
    source.onopen = () => source === this.source && this.#opened();
    source.onmessage = (message) => source === this.source && this.#heard(JSON.parse(message.data));
    source.onerror = () => source === this.source && this.#failed();
    this.screen.acquire();
  }

  /** Forgets the present stream; its late events no longer count. */
  #drop() {
    clearTimeout(this.retry);
    const source = this.source;
    this.source = null;
    source?.close();
    if (source) this.listener.connected?.(false);
  }

  #opened() {
    this.attempt = 0;
    this.heardAt = Date.now();
    this.listener.connected?.(true);
  }

  #failed() {
    this.listener.connected?.(false);
    if (this.source.readyState !== CLOSED || document.hidden) return;
    if (this.attempt === 0) this.#check();
    else this.#askAgain(); // refused twice in a row: not again at once
    this.attempt += 1;
  }

  /** A stream that is open and says nothing, not even a heartbeat, is dead: the phone has changed its network. */
  #listen() {
    if (!this.source || document.hidden || Date.now() - this.heardAt < SILENCE_MS) return;
    this.#drop();
    this.#check();
  }

  #hide() {
    this.#drop(); // the browser lets the screen lock go by itself
  }

  /** One question at a time: two quick returns to the page open one stream. */
  #check() {
    if (this.isEnded || document.hidden) return;
    if (this.source && this.source.readyState !== CLOSED) return;
    this.checking ??= this.#ask().finally(() => { this.checking = null; });
  }

  async #ask() {
    let session;
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
      session = await this.request(`/api/v1/sessions/${encodeURIComponent(this.key)}/`, { signal });
    } catch (refusal) {
      if (GONE.has(refusal.status)) this.#end(null);
      else if (refusal.status === undefined) throw refusal; // a mistake of this page, not of the network
      else {
        this.#askAgain();
        this.attempt += 1;
      }
      return;
    }
    if (isOver(session)) {
      await this.#catchUp(session.last_seq);
      this.#end(session);
    } else if (!document.hidden && !this.isEnded) this.#connect();
  }

  #askAgain() {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.#check(), Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.attempt));
  }

  #heard(frame) {
    this.heardAt = Date.now();
    this.taking = this.taking.then(() => this.#take(frame));
  }

  async #take(frame) {
    if (this.isEnded) return;
    if (frame.type === "event") this.#event(frame.event);
    else if (frame.type === "gap") await this.#catchUp(frame.upto);
    else if (frame.type === "snapshot" || frame.type === "state") {
      this.listener.state?.(frame.data);
      if (!isOver(frame.data)) return;
      await this.#catchUp(frame.data.last_seq);
      this.#end(frame.data);
    }
  }

  #event(event) {
    if (event.seq <= this.seq) return;
    this.seq = event.seq;
    this.listener.event?.(event);
  }

  /** The entries until `upto` through REST; what the network withholds is asked for again from our seq. */
  async #catchUp(upto) {
    while (this.seq < upto) {
      let page;
      try {
        page = await this.request(`/api/v1/sessions/${encodeURIComponent(this.key)}/events/?after=${this.seq}&limit=${EVENTS_PER_PAGE}`);
      } catch {
        return;
      }
      if (!page.results.length) return;
      for (const event of page.results) this.#event(event);
    }
  }

  #end(session) {
    if (this.isEnded) return;
    this.isEnded = true;
    this.stop();
    this.listener.ended?.(session);
  }
}
