// The pictures of a session that fit the view: the brushed range, the scrubbed moment or the window, and a label.

import { get } from "./api.js";
import { element, find, findAll, many, setText } from "./dom.js";
import { notifyUnread } from "./notice.js";
import { timeElement } from "./times.js";

const GRID = 60;
const MOST_LIVE = 300; // pictures that are added by themselves; later ones wait for a click

export class SessionPictures {
  /** place: the panel with #grid. */
  constructor(place, key, view) {
    this.place = place;
    this.grid = find("#grid", place);
    this.key = key;
    this.view = view;
    this.next = null;
    this.waiting = 0; // pictures that have arrived and are not in the grid
    this.shownFor = null;
    find("#newer-images").addEventListener("click", () => this.reload().catch(notifyUnread));
    find("#more-images").addEventListener("click", () => this.#more().catch(notifyUnread));
    find("#drop-filter").addEventListener("click", () => this.view.change({ label: null, range: null, at: null, picture: null }));
    this.grid.addEventListener("click", (event) => this.#click(event));
    view.addEventListener("change", () => this.show());
    this.show();
  }

  /** The list's address for the view, without what only moves the timeline. */
  #query() {
    const { range, at, window, label } = this.view;
    const query = new URLSearchParams({ session: this.key, limit: GRID });
    const span = range ?? (at === null ? window : { from: window?.from ?? null, to: at + 1 });
    if (span?.from) query.set("after", new Date(span.from).toISOString());
    if (span?.to) query.set("before", new Date(span.to).toISOString());
    if (label) query.set("label", label);
    return query.toString();
  }

  /** The downloads are of the pictures that are listed. */
  #showDownloads() {
    const chosen = new URLSearchParams(this.#query());
    for (const link of findAll("#downloads a", this.place)) {
      const url = new URL(link.href);
      for (const name of ["after", "before", "label"]) {
        if (chosen.has(name)) url.searchParams.set(name, chosen.get(name));
        else url.searchParams.delete(name);
      }
      link.setAttribute("href", `${url.pathname}${url.search}`);
    }
  }

  show() {
    const query = this.#query();
    this.#showDownloads();
    if (query !== this.shownFor) this.reload().catch(notifyUnread);
    this.#showSelected();
    find("#drop-filter").hidden = !this.view.label && !this.view.range && this.view.at === null;
  }

  async reload() {
    const query = this.#query();
    [this.waiting, this.shownFor] = [0, query];
    find("#newer-images").hidden = true;
    const page = await get(`/api/v1/images/?${query}`);
    if (query !== this.shownFor) return; // another range was brushed meanwhile
    this.grid.replaceChildren(...page.results.map(cell));
    this.#paged(page);
    this.#showSelected();
  }

  async #more() {
    const [query, next] = [this.shownFor, this.next];
    this.next = null; // a second click while it is read asks for nothing
    if (!next) return;
    const page = await get(next).catch((refusal) => {
      this.next = next;
      throw refusal;
    });
    if (query !== this.shownFor) return;
    this.grid.append(...page.results.map(cell));
    this.#paged(page);
  }

  #paged(page) {
    this.next = page.next;
    find("#more-images").hidden = !page.next;
    find("#no-images").hidden = this.grid.children.length > 0;
    const isNarrowed = this.view.label || this.view.range || this.view.at !== null || this.view.window;
    setText(find("#no-images"), isNarrowed ? "No pictures fit this range and label." : "No pictures in this session.");
  }

  /** New pictures go in front, until the grid is full; a burst names only some of its pictures. */
  add(images, count) {
    if (!this.view.isFollowing) return;
    const fitting = this.view.label ? images.filter((image) => image.label === this.view.label) : images;
    if (this.grid.children.length < MOST_LIVE && !this.waiting && images.length === count) {
      for (const each of fitting) if (!this.#cellOf(each.key)) this.grid.prepend(cell(each));
      find("#no-images").hidden = this.grid.children.length > 0;
      return;
    }
    this.waiting += this.view.label ? fitting.length : count;
    find("#newer-images").hidden = !this.waiting;
    setText(find("#newer-images"), `Show ${many(this.waiting, "newer picture")}`);
  }

  #cellOf(key) {
    return find(`[data-key="${key}"]`, this.grid);
  }

  remove(key) {
    this.#cellOf(key)?.remove();
  }

  /** A picture in sight is read again; of those that are not, thousands may change at once. */
  async renew(key) {
    if (!this.#cellOf(key)) return;
    const newer = await get(`/api/v1/images/${key}/`);
    this.#cellOf(key)?.replaceWith(cell(newer));
    this.#showSelected();
  }

  /** A plain click shows the picture here; the link itself, or a click with a key held, opens its page. */
  #click(event) {
    const item = event.target.closest("li[data-key]");
    if (!item || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.view.change({ picture: item.dataset.key }, { isStep: true });
    find("#shown").scrollIntoView({ block: "nearest" });
  }

  /** The next older (1) or newer (-1) picture of the grid. */
  async step(direction) {
    const cells = [...this.grid.children];
    const here = cells.findIndex((each) => each.dataset.key === this.view.picture);
    if (here === cells.length - 1 && direction > 0 && this.next) await this.#more();
    const there = this.grid.children[here < 0 ? 0 : here + direction];
    if (there) this.view.change({ picture: there.dataset.key });
  }

  async #showSelected() {
    const { picture } = this.view;
    for (const item of this.grid.children) item.classList.toggle("is-chosen", item.dataset.key === picture);
    find("#shown").hidden = !picture;
    if (!picture || find("#shown").dataset.key === picture) return;
    find("#shown").dataset.key = picture;
    try {
      const image = await get(`/api/v1/images/${picture}/`);
      if (this.view.picture === picture) showLarge(image);
    } catch (refusal) {
      notifyUnread(refusal);
    }
  }
}

function showLarge(image) {
  const words = [image.name, image.label || "no label", image.review].filter(Boolean).join(", ");
  find("#shown").replaceChildren(
    element("a", { href: `/images/${image.key}/`, class: "shot" }, element("img", { src: image.file_url, alt: words || "picture" })),
    element("figcaption", { class: "row" }, timeElement(image.taken_at, "full"), element("span", {}, words),
      element("a", { href: `/images/${image.key}/`, class: "push" }, "Open the picture")));
}

function cell(image) {
  const boxes = image.tags?.length ?? 0;
  const words = [image.name, image.label, boxes ? `${boxes} ${boxes === 1 ? "box" : "boxes"}` : ""].filter(Boolean).join(", ");
  return element("li", { "data-key": image.key }, element("a", { href: `/images/${image.key}/`, class: boxes ? "has-boxes" : "", title: words },
    element("img", { src: `/api/v1/images/${image.key}/thumbnail/`, alt: words || "picture", width: 160, height: 120, loading: "lazy", decoding: "async" }),
    element("span", { class: "cell-words" }, timeElement(image.taken_at, "clock"), image.label ? element("b", {}, image.label) : null)));
}
