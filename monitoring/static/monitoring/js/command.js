// The command box: type a few letters of a monitor, a page or a theme; anything else searches the sessions.

import { element, find } from "./dom.js";
import { mark } from "./marks.js";
import { chooseTheme, THEMES } from "./theme.js";
import { switchZone } from "./times.js";

const MOST = 9;

function places(fleet) {
  const go = (path) => () => location.assign(path);
  const monitors = (fleet?.monitors ?? []).map((monitor) => ({
    words: `${monitor.name} ${monitor.slug}`, shown: monitor.name, state: monitor.status, run: go(`/monitors/${monitor.slug}/`),
  }));
  const pages = [...document.querySelectorAll(".bar-nav a, .user-menu a")].map((link) => ({
    words: link.textContent, shown: link.textContent, run: () => link.click(),
  }));
  const themes = THEMES.map((theme) => ({ words: `theme ${theme}`, shown: `Theme: ${theme}`, run: () => chooseTheme(theme) }));
  return [...monitors, ...pages, ...themes, { words: "utc local time zone", shown: "Switch UTC and local time", run: switchZone }];
}

const fits = (place, words) => words.every((word) => place.words.toLowerCase().includes(word));

export class CommandBox {
  /** fleet() gives the newest fleet state, or null. */
  constructor(fleet) {
    this.fleet = fleet;
    this.dialog = find("#command-box");
    this.input = find("#command-input");
    this.list = find("#command-list");
    this.input.addEventListener("input", () => this.#fill());
    this.input.addEventListener("keydown", (event) => this.#key(event));
  }

  open() {
    this.input.value = "";
    this.#fill();
    this.dialog.showModal();
    this.input.focus();
  }

  #fill() {
    const text = this.input.value.trim();
    const found = places(this.fleet()).filter((place) => fits(place, text.toLowerCase().split(/\s+/))).slice(0, MOST);
    if (text) {
      const run = () => location.assign(`/sessions/?q=${encodeURIComponent(text)}`);
      found.push({ shown: `Find sessions with “${text}”`, run });
    }
    this.found = found;
    this.list.replaceChildren(...found.map((place, index) => element("li",
      { role: "option", id: `command-${index}`, onclick: () => this.#run(index) },
      place.state ? mark(place.state) : null, place.shown)));
    this.#choose(0);
  }

  #choose(index) {
    this.chosen = Math.max(0, Math.min(index, this.found.length - 1));
    [...this.list.children].forEach((item, at) => item.setAttribute("aria-selected", at === this.chosen));
    this.input.setAttribute("aria-activedescendant", `command-${this.chosen}`);
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#choose(this.chosen + step);
    else if (event.key === "Enter") this.#run(this.chosen);
    else return;
    event.preventDefault();
  }

  #run(index) {
    this.dialog.close();
    this.found[index]?.run();
  }
}
