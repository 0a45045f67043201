// What the page of a session shows of it, as the address says: a link gives a colleague the same view.
//
// ?from=&to= a fixed window, ?last=600 the last seconds while following, ?sel=FROM~TO a brushed range, ?at= the moment
// that was scrubbed to, ?label= and ?picture=. Without from, sel and at an open session is followed.

const iso = (ms) => new Date(ms).toISOString();

function moment(text) {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? null : ms;
}

function span(from, to) {
  const [start, end] = [moment(from), moment(to)];
  return start !== null && end !== null && end > start ? { from: start, to: end } : null;
}

/** The view that an address asks for; what cannot be meant asks for nothing. Times are ms. */
export function readView(search) {
  const asked = new URLSearchParams(search);
  const last = Number(asked.get("last"));
  return {
    window: span(asked.get("from"), asked.get("to")),
    lastS: last > 0 && last < 1e9 ? last : null,
    range: span(...(asked.get("sel") ?? "").split("~")),
    at: moment(asked.get("at")),
    label: asked.get("label"),
    picture: /^im_[0-9a-z]+$/.test(asked.get("picture") ?? "") ? asked.get("picture") : null,
  };
}

/** The query of a view: empty for the whole session, followed while it runs. */
export function writeView({ window, lastS, range, at, label, picture }) {
  const query = new URLSearchParams();
  if (window) query.set("from", iso(window.from));
  if (window) query.set("to", iso(window.to));
  if (lastS && !window) query.set("last", String(Math.round(lastS)));
  if (range) query.set("sel", `${iso(range.from)}~${iso(range.to)}`);
  if (at !== null) query.set("at", iso(at));
  if (label !== null) query.set("label", label);
  if (picture) query.set("picture", picture);
  const text = query.toString();
  return text ? `?${text}` : "";
}

export class ViewState extends EventTarget {
  /** isOpen(): whether the session still runs. */
  constructor(isOpen) {
    super();
    this.isOpen = isOpen;
    Object.assign(this, readView(location.search));
    addEventListener("popstate", () => {
      Object.assign(this, readView(location.search));
      this.dispatchEvent(new Event("change"));
    });
  }

  get isFollowing() {
    return this.isOpen() && !this.window && !this.range && this.at === null;
  }

  /** isStep: the way back in the browser leads to what was shown before. */
  change(changes, { isStep = false } = {}) {
    Object.assign(this, changes);
    const address = `${location.pathname}${writeView(this)}${location.hash}`;
    if (isStep) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    this.dispatchEvent(new Event("change"));
  }

  /** Back to the live edge; of an ended session: to the whole of it. The label stays. */
  follow() {
    this.change({ window: null, range: null, at: null, picture: null }, { isStep: true });
  }
}
