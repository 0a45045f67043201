// Start and stop of one monitor, always in the same place: start by a click, stop by holding.

import { post } from "./api.js";
import { element, many, may } from "./dom.js";
import { holdToConfirm } from "./hold.js";
import { notify, notifyError } from "./notice.js";

export class RunButton {
  /** Fills `place` with the verb that fits the monitor's state. */
  constructor(place) {
    this.place = place;
    this.shows = null;
  }

  show({ slug, name, running }) {
    const verb = running ? "stop" : "start";
    if (this.shows === verb || !may("control")) return;
    const hadFocus = this.place.contains(document.activeElement);
    this.shows = verb;
    this.button = running ? this.#stopButton(slug, name) : this.#startButton(slug, name);
    this.place.replaceChildren(this.button);
    if (hadFocus) this.button.focus();
  }

  #startButton(slug, name) {
    return element("button", {
      type: "button", class: "button button-start", "aria-label": `Start ${name}`,
      onclick: () => this.#call(slug, "start", "Starting…"),
    }, "Start");
  }

  #stopButton(slug, name) {
    const button = element("button", { type: "button", class: "button button-stop", "aria-label": `Stop ${name}` }, "Stop");
    holdToConfirm(button, () => this.#call(slug, "stop", "Stopping…"));
    return button;
  }

  /** The live state that follows shows the other verb; a refusal puts this one back. */
  async #call(slug, verb, meanwhile) {
    const { button } = this;
    if (button.getAttribute("aria-disabled") === "true") return;
    const word = button.lastChild.textContent;
    button.setAttribute("aria-disabled", "true"); // not `disabled`: that would take the focus away
    button.lastChild.textContent = meanwhile;
    try {
      const session = await post(`/api/v1/monitors/${slug}/${verb}/`);
      if (verb === "stop") notify(`Stopped at ${many(session.total_counter, "picture")}`, openSession(session.key));
    } catch (refusal) {
      notifyError(refusal);
    } finally {
      button.removeAttribute("aria-disabled");
      button.lastChild.textContent = word;
    }
  }
}

const openSession = (key) => ({ action: { label: "Open the session", run: () => location.assign(`/sessions/${key}/`) } });
