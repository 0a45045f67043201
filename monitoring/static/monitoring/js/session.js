// The page of one session: what happened, live while it runs. Pictures in pages, the journal entry by entry.

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
let session = pageData("session");
const { key } = session;
const list = find("#journal");
const grid = find("#grid");
let nextImages = null;
let newestSeq = 0;

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
  item.prepend(element("span", { class: "seq quiet" }, String(event.seq)));
  return item;
}

/** Journal entries in order, oldest first. */
async function loadEvents() {
  const page = await get(`/api/v1/sessions/${key}/events/?after=${newestSeq}&limit=${EVENTS_PER_PAGE}`);
  page.results.forEach(takeEvent);
  const isMore = newestSeq < session.last_seq && page.results.length > 0;
  find("#more-events").hidden = !isMore;
  return isMore;
}

/** An entry ahead of what is loaded waits for the button. */
function takeEvent(event) {
  if (event.seq !== newestSeq + 1) return;
  newestSeq = event.seq;
  list.append(entry(event));
}

/** Loads until the entry named in the address is there. */
async function loadUntilTarget() {
  const target = Number((location.hash.match(/^#event-(\d+)$/) ?? [])[1] ?? 0);
  let isMore = await loadEvents();
  while (isMore && newestSeq < target) isMore = await loadEvents();
  if (target) document.getElementById(`event-${target}`)?.scrollIntoView({ block: "center" });
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
  takeEvent(event);
  const { image, images = [] } = event.detail;
  if (event.kind === "images_added") {
    for (const each of images) if (!find(`[data-key="${each.key}"]`, grid)) grid.prepend(cell(each));
    find("#no-images").hidden = grid.children.length > 0;
  } else if (event.kind === "image_deleted") find(`[data-key="${image}"]`, grid)?.remove();
  else if (image) get(`/api/v1/images/${image}/`).then((newer) => find(`[data-key="${image}"]`, grid)?.replaceWith(cell(newer)), notifyUnread);
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
find("#more-images").addEventListener("click", () => loadImages().catch(notifyUnread));
startName();
show(session);
live.subscribe(`session:${key}`, {
  state: show, event: follow, gap: (gap) => showGap(find("#gaps"), gap, ""),
}, { after: session.last_seq });
loadUntilTarget().catch(notifyUnread);
loadImages().catch(notifyUnread);
everySecond(tick);
