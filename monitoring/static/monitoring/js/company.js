// Who else has the picture open to edit it: says that we do, shows the others, and brings what they change at once.

import { post, request } from "./api.js";
import { may } from "./dom.js";
import { live } from "./live.js";
import { client } from "./outbox.js";
import { everySecond, serverNow } from "./times.js";

const RENEW_MS = 10_000;
const GONE_MS = 30_000; // a page that said nothing for this long is gone

export class Company {
  /** changed(image) brings the newer picture; others(list) the names and boxes of those who edit it, without us. */
  constructor({ changed, others }) {
    this.changed = changed;
    this.others = others;
    this.key = null;
    this.tag = "";
    this.editors = [];
    everySecond(() => this.#tick());
    addEventListener("pagehide", () => this.#say("DELETE"));
    document.addEventListener("visibilitychange", () => this.#say(document.hidden ? "DELETE" : "POST"));
  }

  /** From now on it is about the picture `key`; null for none. */
  join(key) {
    if (key === this.key) return;
    this.#say("DELETE");
    this.leave?.();
    this.leave = null;
    this.key = key;
    this.tag = "";
    this.#show([]);
    if (!key) return;
    this.leave = live.subscribe(`image:${key}`, {
      state: ({ editors = [], ...image }) => {
        this.#show(editors);
        this.changed(image);
      },
    });
    this.#say("POST");
  }

  /** The box that is chosen here, null for none. */
  choose(tag) {
    if (this.tag === (tag ?? "")) return;
    this.tag = tag ?? "";
    this.#say("POST");
  }

  /** Nobody is told twice in a row of the same; what cannot be told now is told with the next renewal. */
  #say(method) {
    if (!this.key || !may("annotate")) return;
    this.saidAt = Date.now();
    const url = `/api/v1/images/${this.key}/editors/`;
    const body = { client, tag: this.tag };
    const said = method === "POST" ? post(url, body) : request("DELETE", url, { body, keepalive: true });
    said.catch(() => {}); // the link badge says that the server is away
  }

  #show(editors) {
    this.editors = editors;
    this.#tell();
  }

  #tell() {
    const now = serverNow();
    const here = this.editors.filter((editor) => editor.client !== client && now - Date.parse(editor.renewed_at) < GONE_MS);
    const shape = JSON.stringify(here.map(({ name, tag }) => [name, tag]));
    if (shape === this.shape) return;
    this.shape = shape;
    this.others(here);
  }

  #tick() {
    this.#tell();
    if (!document.hidden && this.key && Date.now() - this.saidAt >= RENEW_MS) this.#say("POST");
  }
}
