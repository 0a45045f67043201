// One monitor on the live wall.

import { find, fromTemplate, may, setText } from "./dom.js";
import { showLabels } from "./labels.js";
import { chip } from "./marks.js";
import { RunButton } from "./runbutton.js";
import { Shot } from "./shot.js";
import { Sparkline } from "./sparkline.js";
import { formatElapsed, serverNow, timeElement } from "./times.js";

/** "12.4 /min": one decimal below a hundred. */
export const formatRate = (rate) => (rate >= 100 ? Math.round(rate) : rate.toFixed(1));

export class Tile {
  constructor(state) {
    this.root = fromTemplate("tile-template");
    this.root.dataset.slug = state.slug;
    for (const link of this.root.querySelectorAll("[data-link-monitor]")) link.href = `/monitors/${state.slug}/`;
    this.shot = new Shot(find(".shot", this.root));
    this.spark = new Sparkline(find("[data-spark]", this.root));
    this.run = new RunButton(find("[data-run]", this.root));
    this.revision = -1;
    this.show(state);
  }

  /** Shows `state` unless it is older than what is shown. */
  show(state) {
    if (state.revision < this.revision) return;
    this.revision = state.revision;
    this.state = state;
    this.root.dataset.status = state.status;
    this.root.classList.toggle("is-idle", !state.running);
    setText(find("[data-name]", this.root), state.name);
    find("[data-demo]", this.root).hidden = !state.is_demo;
    this.#showChip();
    this.#showNumbers();
    this.shot.describe(state.last_image ? `Newest picture of ${state.name}${words(state.last_image)}` : "");
    this.shot.show(state.last_image);
    setText(this.shot.empty, state.running ? "Waiting for the first picture" : may("control") ? "No picture yet: press Start" : "No picture yet");
    this.run.show(state);
    this.tick();
  }

  #showChip() {
    const place = find("[data-chip]", this.root);
    if (place.dataset.shows === this.state.status) return;
    place.dataset.shows = this.state.status;
    place.replaceChildren(chip(this.state.status));
  }

  #showNumbers() {
    const { state } = this;
    setText(find("[data-total]", this.root), state.total_counter.toLocaleString("en"));
    setText(find("[data-rate]", this.root), formatRate(state.flow.current_flow_rate));
    this.spark.show(state.flow, state.expected_interval_s);
    showLabels(find("[data-labels]", this.root), state.labels);
    this.#showReviews();
    this.#showLast();
  }

  /** How many pictures of the session wait for a person: a way to them. */
  #showReviews() {
    const { unreviewed = 0, doubtful = 0 } = this.state.reviews;
    const place = find("[data-reviews]", this.root);
    const words = [doubtful && `${doubtful.toLocaleString("en")} doubtful`, unreviewed && `${unreviewed.toLocaleString("en")} unreviewed`];
    place.href = `/review/?review=${doubtful ? "doubtful" : "unreviewed"}&monitor=${this.state.slug}`;
    setText(place, words.filter(Boolean).join(", "));
  }

  /** An idle monitor tells of its last session where a running one shows its rate. */
  #showLast() {
    const { last_session: last, running } = this.state;
    const place = find("[data-last]", this.root);
    find("[data-flow]", this.root).hidden = !running;
    place.hidden = running;
    if (running || place.dataset.shows === (last?.key ?? "none")) return;
    place.dataset.shows = last?.key ?? "none";
    if (!last) {
      setText(place, "Never started");
      return;
    }
    const link = document.createElement("a");
    link.href = `/sessions/${last.key}/`;
    link.append("Last session");
    place.replaceChildren(link, document.createElement("br"), "ended ", timeElement(last.stopped_at ?? last.started_at));
  }

  /** Every second: elapsed time and the picture's age. */
  tick() {
    const { session, running, expected_interval_s: intervalS } = this.state;
    const elapsed = find("[data-elapsed]", this.root);
    setText(elapsed, running ? formatElapsed(serverNow() - Date.parse(session.started_at)) : "");
    const isTrusted = document.body.dataset.link !== "offline";
    this.shot.tick({ running, intervalS, isTrusted });
  }
}

function words(image) {
  const boxes = image.tags.length ? `, ${image.tags.length} ${image.tags.length === 1 ? "box" : "boxes"}` : "";
  return `${image.label ? `, ${image.label}` : ""}${boxes}`;
}
