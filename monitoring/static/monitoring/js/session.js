// The page of one session: what happened, live while it runs. Pictures and journal in pages, newest first.

import { get, patch } from "./api.js";
import { formatBytes } from "./bar.js";
import { element, find, may, pageData, setText } from "./dom.js";
import { eventItem } from "./events.js";
import { showGap } from "./gaps.js";
import { showLabels } from "./labels.js";
import { live } from "./live.js";
import { sessionChip } from "./marks.js";
import { notifyUnread } from "./notice.js";
import { Notes } from "./notes.js";
import { everySecond, formatElapsed, serverNow, timeElement } from "./times.js";

const EVENTS_PER_PAGE = 100;
const GRID = 60;
const MOST_LIVE = 300; // pictures that are added by themselves; later ones wait for a click
let session = pageData("session");
const { key } = session;
const list = find("#journal");
const grid = find("#grid");
let nextImages = null;
let nextEvents = `/api/v1/events/?session=${key}&limit=${EVENTS_PER_PAGE}`;
let waiting = 0; // pictures that have arrived and are not in the grid

const notes = new Notes(find("#notes"), (text) => patch(`/api/v1/sessions/${key}/`, { notes: text }));

function show(newer) {
  if (newer.revision < session.revision) return;
  session = newer;
  setText(find("#session-name"), session.name || session.monitor_name || session.key);
  find("#session-chip").replaceChildren(sessionChip(session.state));
  find("#stopped").replaceChildren(...(session.stopped_at ? [timeElement(session.stopped_at, "full")] : ["still running"]));
  setText(find("#reason"), session.end_reason || "–");
  setText(find("#total"), session.total_counter.toLocaleString("en"));
  setText(find("#kept"), `${session.image_count.toLocaleString("en")} pictures, ${formatBytes(session.size_bytes)}`);
  showLabels(find("#labels"), session.labels);
  showLabels(find("#tag-counts"), session.tag_counts);
  find("#no-labels").hidden = Object.keys(session.labels).length > 0;
  find("#no-tags").hidden = Object.keys(session.tag_counts).length > 0;
  notes.show(session.notes, may("control"));
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
async function loadUntilTarget() {
  const target = Number((location.hash.match(/^#event-(\d+)$/) ?? [])[1] ?? 0);
  await loadEvents();
  while (target && nextEvents && !known(target) && Number(list.lastElementChild?.dataset.seq ?? 0) > target) await loadEvents();
  known(target)?.classList.add("is-target"); // :target is only for what is there when the page opens
  known(target)?.scrollIntoView({ block: "center" });
}

function cell(image) {
  const boxes = image.tags?.length ?? 0;
  const words = [image.name, image.label, boxes ? `${boxes} ${boxes === 1 ? "box" : "boxes"}` : ""].filter(Boolean).join(", ");
  return element("li", { "data-key": image.key }, element("a", { href: `/images/${image.key}/`, class: boxes ? "has-boxes" : "", title: words },
    element("img", { src: `/api/v1/images/${image.key}/thumbnail/`, alt: words || "picture", width: 160, height: 120, loading: "lazy", decoding: "async" }),
    element("span", { class: "cell-words" }, timeElement(image.taken_at, "clock"), image.label ? element("b", {}, image.label) : null)));
}

async function loadImages() {
  const page = await get(nextImages ?? `/api/v1/images/?session=${key}&limit=${GRID}`);
  grid.append(...page.results.map(cell));
  nextImages = page.next;
  find("#more-images").hidden = !nextImages;
  find("#no-images").hidden = grid.children.length > 0;
}

function follow(event) {
  const { image, images = [], count } = event.detail;
  if (event.kind === "images_added") {
    addPictures(images, count);
    return;
  }
  if (!known(event.seq)) list.prepend(entry(event));
  if (event.kind === "image_deleted") find(`[data-key="${image}"]`, grid)?.remove();
  else if (image) get(`/api/v1/images/${image}/`).then((newer) => find(`[data-key="${image}"]`, grid)?.replaceWith(cell(newer)), notifyUnread);
}

/** New pictures go in front, until the grid is full; a burst names only some of its pictures. */
function addPictures(images, count) {
  if (grid.children.length < MOST_LIVE && !waiting && images.length === count) {
    for (const each of images) if (!find(`[data-key="${each.key}"]`, grid)) grid.prepend(cell(each));
    find("#no-images").hidden = true;
    return;
  }
  waiting += count;
  find("#newer-images").hidden = false;
  setText(find("#newer-images"), `Show ${waiting.toLocaleString("en")} newer pictures`);
}

async function showNewest() {
  [waiting, nextImages] = [0, null];
  find("#newer-images").hidden = true;
  grid.replaceChildren();
  await loadImages();
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
find("#newer-images").addEventListener("click", () => showNewest().catch(notifyUnread));
find("#more-images").addEventListener("click", () => loadImages().catch(notifyUnread));
startName();
show(session);
live.subscribe(`session:${key}`, {
  state: show, event: follow, gap: (gap) => showGap(find("#gaps"), gap, ""),
}, { after: session.last_seq });
loadUntilTarget().catch(notifyUnread);
loadImages().catch(notifyUnread);
everySecond(tick);
