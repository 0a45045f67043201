// One live topic: keeps the newest state, hands out events in order and heals holes through REST.
//
// A push is a hint. Whatever frame is lost, `revision` and `seq` say so, and the feed asks again.

const EVENTS_PER_PAGE = 200;

/** Where REST gives the same state that the socket sends. */
export function stateAddress(topic) {
  const [prefix, name] = [topic.slice(0, topic.indexOf(":")), encodeURIComponent(topic.slice(topic.indexOf(":") + 1))];
  if (prefix === "fleet") return `/api/v1/fleet/?organisation=${name}`;
  if (prefix === "monitor") return `/api/v1/monitors/${name}/state/`;
  if (prefix === "session") return `/api/v1/sessions/${name}/`;
  if (prefix === "image") return `/api/v1/images/${name}/`;
  if (prefix === "rig") return `/api/v1/rigs/${name}/state/`;
  return null;
}

const eventsAddress = (topic, after) =>
  `/api/v1/sessions/${encodeURIComponent(topic.slice("session:".length))}/events/?after=${after}&limit=${EVENTS_PER_PAGE}`;

export class Feed {
  /** request(url) -> parsed JSON. changed() is called when `isCaughtUp` may have changed. */
  constructor(topic, { request, changed, after = null }) {
    this.topic = topic;
    this.request = request;
    this.changed = changed;
    this.listeners = new Set();
    this.revision = -1;
    this.seq = after; // the last event handed out; null: begin with the next one
    this.data = null;
    this.isRefused = false;
    this.isPolled = false;
    this.waiting = []; // event frames that arrived ahead of a hole
    this.healing = null;
    this.hasAnswer = false; // since the last (re)subscribe
  }

  get hasEvents() {
    return this.topic.startsWith("session:");
  }

  get isCaughtUp() {
    return this.isRefused || (this.hasAnswer && !this.healing);
  }

  /** What to send when the socket opens: with `after`, so that no event is lost between two sockets. */
  subscription() {
    this.hasAnswer = false;
    this.isRefused = false;
    const message = { type: "subscribe", topic: this.topic };
    if (this.hasEvents && this.seq !== null) message.after = this.seq;
    return message;
  }

  take(frame) {
    if (frame.type === "snapshot") this.#snapshot(frame);
    else if (frame.type === "state") this.#state(frame);
    else if (frame.type === "event") this.#event(frame);
    else if (frame.type === "gap") this.#gap(frame);
    else if (frame.type === "error") this.#refused(frame);
  }

  /** Whether a heartbeat's numbers are newer than ours. */
  isBehind([revision, seq]) {
    if (revision > this.revision) return true;
    return this.hasEvents && seq !== null && this.seq !== null && !this.healing && seq > this.#newestSeq();
  }

  /** Asks REST for what the socket would have said; used while no socket can be had. */
  async poll() {
    const data = await this.request(stateAddress(this.topic));
    // The picture's own revision is less than its topic's, which counts its editors too.
    if (this.topic.startsWith("image:")) this.#tell("state", data);
    else this.#keep({ revision: data.revision, data });
    if (this.hasEvents) {
      if (this.seq === null) this.seq = data.last_seq;
      else if (data.last_seq > this.seq) await this.#heal(data.last_seq);
    }
    this.hasAnswer = true;
  }

  #newestSeq() {
    return this.waiting.reduce((newest, frame) => Math.max(newest, frame.seq), this.seq);
  }

  #snapshot(frame) {
    this.#keep(frame);
    if (this.hasEvents && this.seq === null) this.seq = frame.seq;
    this.hasAnswer = true;
    this.changed();
  }

  #state(frame) {
    this.#keep(frame);
  }

  #keep({ revision, data }) {
    if (revision < this.revision || (revision === this.revision && this.data !== null)) return;
    this.revision = revision;
    this.data = data;
    this.#tell("state", data);
  }

  #event(frame) {
    if (this.seq !== null && frame.seq <= this.seq) return;
    this.waiting.push(frame);
    if (this.healing) return;
    this.#deliver();
    if (this.waiting.length) this.#heal(this.waiting[0].seq - 1);
  }

  /** Hands out what is in sequence. */
  #deliver() {
    this.waiting.sort((one, other) => one.seq - other.seq);
    while (this.waiting.length) {
      const frame = this.waiting[0];
      if (this.seq !== null && frame.seq > this.seq + 1) return;
      this.waiting.shift();
      if (this.seq !== null && frame.seq <= this.seq) continue;
      this.seq = frame.seq;
      this.#tell("event", frame.event);
    }
  }

  #gap(frame) {
    if (!this.hasEvents) return;
    if (this.seq === null) this.seq = frame.after;
    this.#heal(frame.upto).then(({ from, to }) => this.#tell("gap", { ...frame, from, to }));
  }

  /** Fetches the events after ours until `upto`, hands them out before anything newer, gives their { from, to }. */
  #heal(upto) {
    this.healing ??= this.#fetchUntil(upto).finally(() => {
      this.healing = null;
      this.changed();
      this.#deliver();
      if (this.waiting.length) this.#heal(this.waiting[0].seq - 1);
    });
    this.changed();
    return this.healing;
  }

  async #fetchUntil(upto) {
    const fetched = [];
    while (this.seq < upto) {
      let page;
      try {
        page = await this.request(eventsAddress(this.topic, this.seq));
      } catch {
        this.waiting = []; // the next heartbeat or reconnect asks again from our seq
        break;
      }
      const fresh = page.results.filter((event) => event.seq > this.seq);
      if (!fresh.length) break;
      for (const event of fresh) {
        this.seq = event.seq;
        this.#tell("event", event);
      }
      fetched.push(fresh[0].at, fresh.at(-1).at);
    }
    return { from: fetched[0], to: fetched.at(-1) };
  }

  #refused(frame) {
    this.isRefused = true;
    this.#tell("error", frame);
    this.changed();
  }

  #tell(kind, value) {
    for (const listener of [...this.listeners]) listener[kind]?.(value);
  }
}
