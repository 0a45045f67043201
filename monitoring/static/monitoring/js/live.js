// The one client of live data. Every page subscribes to its topics here; see docs/live-messages.md for the frames.

import { ApiError, get, goToLogin } from "./api.js";
import { Feed, stateAddress } from "./feed.js";
import { learnClock } from "./times.js";

const CLOSED_BY_SERVER = new Set([1012, 4012]); // going away: the next server is there in a moment
const NO_CREDENTIAL = 4401;
const LONG_PAUSE = new Set([4403, 4404, 4429]);
const SILENCE_MS = 35_000; // two heartbeats missed
const QUIET_MS = 20_000; // one heartbeat missed: the page says so
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 20_000;
const POLL_MS = 4_000;
const POLL_AFTER_FAILURES = 2;

/** ms to wait before attempt number `attempt` (from 0): doubling, with jitter so that screens do not come at once. */
export function pauseBefore(attempt, code, random = Math.random) {
  if (CLOSED_BY_SERVER.has(code) && attempt === 0) return 200 + 800 * random();
  if (LONG_PAUSE.has(code)) return LONGEST_PAUSE_MS * (1 + random());
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + random());
}

function socketAddress() {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live/`;
}

export class LiveClient extends EventTarget {
  constructor({ openSocket = () => new WebSocket(socketAddress()), request = get } = {}) {
    super();
    this.openSocket = openSocket;
    this.request = request;
    this.feeds = new Map();
    this.socket = null;
    this.attempt = 0;
    this.isPolling = false;
    this.isAnswered = false; // the last poll was
    this.isReached = true; // what is shown is what the server knows; after a loss not before it has caught up
    this.truthAt = null; // ms of the last frame or answered poll
    this.isStarted = false;
  }

  /**
   * Calls listener.state(data), .event(event), .gap(frame), .error(frame) for `topic` from now on.
   * poll: false for a topic that another one covers while the page has to poll.
   * after: hand out the events with a greater seq; null starts with what happens from now on.
   * Returns a function that ends the subscription.
   */
  subscribe(topic, listener, { poll = true, after = null } = {}) {
    let feed = this.feeds.get(topic);
    if (!feed) {
      feed = new Feed(topic, { request: this.request, changed: () => this.#changed(), after });
      this.feeds.set(topic, feed);
      this.#send(feed.subscription());
    }
    feed.isPolled ||= poll;
    feed.listeners.add(listener);
    if (feed.data !== null) listener.state?.(feed.data);
    this.#changed();
    return () => this.#unsubscribe(feed, listener);
  }

  #unsubscribe(feed, listener) {
    feed.listeners.delete(listener);
    if (feed.listeners.size) return;
    this.feeds.delete(feed.topic);
    this.#send({ type: "unsubscribe", topic: feed.topic });
    this.#changed();
  }

  start() {
    this.isStarted = true;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#sleep() : this.#wake()));
    addEventListener("online", () => this.#wake());
    addEventListener("pageshow", (event) => event.persisted && this.#wake());
    setInterval(() => this.#watch(), 1000);
    if (!document.hidden) this.#connect();
  }

  /** { word: "live" | "catching up" | "stale" | "offline", since: ms | null, isPolling } */
  get status() {
    const since = this.truthAt;
    const isOpen = this.socket?.readyState === WebSocket.OPEN;
    const silence = since === null ? Infinity : Date.now() - since;
    const isCaughtUp = [...this.feeds.values()].every((feed) => feed.isCaughtUp);
    if (isOpen && silence > QUIET_MS) return { word: "stale", since, isPolling: false };
    if (isOpen) return { word: isCaughtUp ? "live" : "catching up", since, isPolling: false };
    if (since === null && this.attempt === 0) return { word: "catching up", since, isPolling: false };
    if (silence < 3 * POLL_MS) return { word: "stale", since, isPolling: this.isPolling };
    return { word: "offline", since, isPolling: false };
  }

  #connect() {
    clearTimeout(this.retry);
    this.#drop();
    const socket = this.openSocket();
    this.socket = socket;
    this.openedAt = Date.now();
    socket.onopen = () => socket === this.socket && this.#opened();
    socket.onmessage = (message) => socket === this.socket && this.#take(JSON.parse(message.data));
    socket.onclose = ({ code }) => socket === this.socket && this.#closed(code);
  }

  #opened() {
    this.truthAt = Date.now();
    for (const feed of this.feeds.values()) this.#send(feed.subscription());
    this.#changed();
  }

  #take(frame) {
    this.truthAt = Date.now();
    this.attempt = 0;
    this.#stopPolling();
    if (frame.at) learnClock(frame.at);
    if (frame.type === "heartbeat") this.#compare(frame.topics);
    else this.feeds.get(frame.topic ?? frame.details?.topic)?.take(frame);
    this.#changed();
  }

  /** Numbers newer than ours mean that a push was lost: ask again. */
  #compare(topics) {
    for (const [topic, numbers] of Object.entries(topics)) {
      const feed = this.feeds.get(topic);
      if (feed?.isBehind(numbers)) this.#send(feed.subscription());
    }
  }

  #closed(code) {
    this.socket = null;
    if (code === NO_CREDENTIAL) return goToLogin();
    if (document.hidden) return this.#changed();
    this.retry = setTimeout(() => this.#connect(), pauseBefore(this.attempt, code));
    this.attempt += 1;
    if (this.attempt >= POLL_AFTER_FAILURES) this.#startPolling();
    this.#changed();
  }

  /** Forgets the present socket; its late events no longer count. */
  #drop() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  #send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** A phone that sleeps kills sockets without a word: close on purpose, and catch up on return. */
  #sleep() {
    clearTimeout(this.retry);
    this.#stopPolling();
    this.#drop();
    this.#changed();
  }

  /** Two quick returns to the page open one socket: one that is on its way is left to arrive. */
  #wake() {
    if (!this.isStarted || document.hidden || this.socket?.readyState <= WebSocket.OPEN) return;
    this.attempt = 0;
    this.#connect();
    this.#changed();
  }

  #watch() {
    if (document.hidden) return;
    const quietSince = Math.max(this.truthAt ?? 0, this.openedAt ?? 0);
    if (this.socket && Date.now() - quietSince > SILENCE_MS) {
      this.#drop();
      this.#closed(1006);
    }
    this.#changed();
  }

  #startPolling() {
    if (this.isPolling) return;
    this.isPolling = true;
    this.isAnswered = false;
    this.#poll();
  }

  #stopPolling() {
    this.isPolling = false;
    clearTimeout(this.nextPoll);
  }

  async #poll() {
    let isAnswered = false;
    for (const feed of [...this.feeds.values()].filter((each) => each.isPolled && stateAddress(each.topic))) {
      try {
        await feed.poll();
        this.truthAt = Date.now();
        isAnswered = true;
      } catch (refusal) {
        if (!(refusal instanceof ApiError)) throw refusal; // a mistake of this page, not of the network
      }
    }
    this.isAnswered = isAnswered;
    if (!this.isPolling) return;
    this.nextPoll = setTimeout(() => this.#poll(), POLL_MS);
    this.#changed();
  }

  #changed() {
    const { word, isPolling } = this.status;
    if (word === "live" || (isPolling && this.isAnswered)) this.isReached = true;
    else if (word !== "catching up") this.isReached = false;
    this.dispatchEvent(new Event("status"));
  }
}

export const live = new LiveClient();
