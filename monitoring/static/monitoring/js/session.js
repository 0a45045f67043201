// The page of one session: what happened, live while it runs. Pictures and journal in pages, newest first.

import { get, patch } from "./api.js";
import { formatBytes } from "./bar.js";
import { element, find, findAll, many, may, pageData, setText } from "./dom.js";
import { eventItem } from "./events.js";
import { showGap } from "./gaps.js";
import { showLabels } from "./labels.js";
import { onKey } from "./keys.js";
import { live } from "./live.js";
import { MarkForm } from "./markform.js";
import { labelColour, sessionChip } from "./marks.js";
import { notifyUnread } from "./notice.js";
import { Notes } from "./notes.js";
import { SessionPictures } from "./sessionpictures.js";
import { SessionTimeline } from "./sessiontimeline.js";
import { everySecond, formatElapsed, serverNow, timeElement } from "./times.js";
import { ViewState } from "./viewstate.js";

const EVENTS_PER_PAGE = 100;
const LABEL_CHIPS = 12;
let session = pageData("session");
const { key } = session;
const list = find("#journal");
let nextEvents = `/api/v1/events/?session=${key}&limit=${EVENTS_PER_PAGE}`;

const isOpen = () => ["created", "active", "recording", "error"].includes(session.state);
const view = new ViewState(isOpen);
const timeline = new SessionTimeline(find("#timeline"), key, view, showEvent);
const pictures = new SessionPictures(find("#pictures"), key, view);
const marks = new MarkForm(key, () => timeline.markPlace);
const notes = new Notes(find("#notes"), () => key);

function show(newer) {
  if (newer.revision < session.revision) return;
  session = newer;
  setText(find("#session-name"), session.name || session.monitor_name || session.key);
  find("#session-chip").replaceChildren(sessionChip(session.state));
  find("#stopped").replaceChildren(...(session.stopped_at ? [timeElement(session.stopped_at, "full")] : ["still running"]));
  setText(find("#reason"), session.end_reason || "–");
  setText(find("#total"), session.total_counter.toLocaleString("en"));
  setText(find("#kept"), `${many(session.image_count, "picture")}, ${formatBytes(session.size_bytes)}`);
  showLabels(find("#labels"), session.labels);
  showLabels(find("#tag-counts"), session.tag_counts);
  find("#no-labels").hidden = Object.keys(session.labels).length > 0;
  find("#no-tags").hidden = Object.keys(session.tag_counts).length > 0;
  notes.show(session, may("control"));
  showLabelFilter();
}

function tick() {
  const end = session.stopped_at ? Date.parse(session.stopped_at) : serverNow();
  setText(find("#duration"), formatElapsed(end - Date.parse(session.started_at)));
}

function entry(event) {
  const item = eventItem(event, null);
  item.id = `event-${event.seq}`;
  item.dataset.seq = event.seq;
  item.prepend(element("span", { class: "seq quiet" }, String(event.seq)));
  return item;
}

/** The next page of the journal, older entries; the arrival of each picture is told by the grid. */
async function loadEvents() {
  const page = await get(nextEvents);
  for (const event of page.results) if (!known(event.seq)) list.append(entry(event));
  nextEvents = page.next;
  find("#more-events").hidden = !nextEvents;
}

const known = (seq) => document.getElementById(`event-${seq}`);

/** Loads until the entry named in the address is there. */
async function loadUntilTarget(isFirst = true) {
  const target = Number((location.hash.match(/^#event-(\d+)$/) ?? [])[1] ?? 0);
  if (isFirst) await loadEvents();
  while (target && nextEvents && !known(target) && Number(list.lastElementChild?.dataset.seq ?? 0) > target) await loadEvents();
  known(target)?.classList.add("is-target"); // :target is only for what is there when the page opens
  known(target)?.scrollIntoView({ block: "center" });
}

function follow(event) {
  const { image, images = [], count } = event.detail;
  timeline.noteNews();
  if (event.kind === "images_added") {
    pictures.add(images, count);
    return;
  }
  if (!known(event.seq)) list.prepend(entry(event));
  if (event.kind === "image_deleted") pictures.remove(image);
  else if (image) pictures.renew(image).catch(notifyUnread);
}

/** Scrolls to an entry of the journal, reading as far back as it needs. */
async function showEvent(seq) {
  history.replaceState(null, "", `${location.pathname}${location.search}#event-${seq}`);
  for (const item of findAll(".is-target", list)) item.classList.remove("is-target");
  await loadUntilTarget(false).catch(notifyUnread);
}

/** A chip per label: pressed, only its pictures are listed. */
function showLabelFilter() {
  const labels = Object.keys(session.labels);
  const shape = JSON.stringify([labels, view.label]);
  const place = find("#label-filter");
  if (place.dataset.shape === shape) return;
  place.dataset.shape = shape;
  place.replaceChildren(...labels.slice(0, LABEL_CHIPS).map((label) => element("button", {
    type: "button", class: "filter-chip", "aria-pressed": String(view.label === label),
    onclick: () => view.change({ label: view.label === label ? null : label, picture: null }, { isStep: true }),
  }, element("i", { class: `swatch label-fill-${labelColour(label)}`, "aria-hidden": "true" }), label)));
}

function startTimeline() {
  const place = find("#timeline");
  const on = (name, run) => find(`[data-${name}]`, place).addEventListener("click", run);
  on("live", () => (view.isFollowing ? timeline.hold() : view.follow()));
  on("whole", () => timeline.showWhole());
  on("zoom-in", () => timeline.zoom(0.5));
  on("zoom-out", () => timeline.zoom(2));
  on("zoom-range", () => timeline.zoomToRange());
  on("clear", () => timeline.clear());
  on("mark", () => marks.open());
  find("[data-mark]", place).hidden = !may("control");
  onKey("l", "Return to live", () => view.follow());
  onKey("[", "Gap before", () => timeline.toGap(-1));
  onKey("]", "Next gap", () => timeline.toGap(1));
  for (const [keys, words, direction] of [["j", "Older picture", 1], ["ArrowRight", "Older picture", 1], ["k", "Newer picture", -1], ["ArrowLeft", "Newer picture", -1]]) {
    onKey(keys, words, () => { pictures.step(direction).catch(notifyUnread); });
  }
  onKey("t", "Go to the timeline: arrows move, Shift + arrows brush, + and - zoom, Enter zooms to the range", () => find(".tl-plot").focus());
  if (may("control")) onKey("e", "Mark the range, the moment or now", () => marks.open());
  view.addEventListener("change", showLabelFilter);
}

function startName() {
  const form = find("#rename");
  if (!may("control")) return;
  const dialog = find("#rename-sheet");
  find("#rename-open").hidden = false;
  find("#rename-open").addEventListener("click", () => { find("input", form).value = session.name; dialog.showModal(); });
  form.addEventListener("submit", async (event) => {
    if (event.submitter?.value === "cancel") return;
    event.preventDefault();
    try {
      show(await patch(`/api/v1/sessions/${key}/`, { name: find("input", form).value.trim() }));
      dialog.close();
    } catch (refusal) {
      find(".problem", form).hidden = false;
      setText(find(".problem", form), refusal.message);
    }
  });
}

find("#more-events").addEventListener("click", () => loadEvents().catch(notifyUnread));
startTimeline();
startName();
show(session);
live.subscribe(`session:${key}`, {
  state: show, event: follow, gap: (gap) => showGap(find("#gaps"), gap, ""),
}, { after: session.last_seq });
loadUntilTarget().catch(notifyUnread);
everySecond(tick);
