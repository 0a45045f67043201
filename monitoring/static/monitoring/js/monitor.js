// The page of one monitor: its newest picture or the one picked, number, rate, labels, session, filmstrip, events.

import { get } from "./api.js";
import { RateChart } from "./chart.js";
import { Editor } from "./editor.js";
import { find, may, pageData, setText } from "./dom.js";
import { EventList } from "./events.js";
import { Filmstrip } from "./filmstrip.js";
import { onKey } from "./keys.js";
import { live } from "./live.js";
import { showLabels } from "./labels.js";
import { chip } from "./marks.js";
import { notifyError, notifyUnread } from "./notice.js";
import { Notes } from "./notes.js";
import { RunButton } from "./runbutton.js";
import { showGap } from "./gaps.js";
import { everySecond, formatAge, formatElapsed, serverNow, timeElement } from "./times.js";
import { formatRate } from "./tile.js";

const FILM = 60;
const SOON_MS = 250;
const first = pageData("monitor");
const { slug } = first;
let state = first;
let sessionKey = null;
let leaveSession = null;
let isFollowing = true;
let newest = null; // what is shown next while following
let isOpening = false;
const stale = new Set(); // pictures that changed and are read again soon
let isFilmStale = false;
let reading = null;

const editor = new Editor(find("#editor"), { store: slug });
const film = new Filmstrip(find("#film"), (key) => pick(key));
const events = new EventList(find("#events"));
const chart = new RateChart(find("#chart"), slug);
const run = new RunButton(find("#run"));
events.add(pageData("events"));
editor.palette.offer("picture", pageData("labels").pictures);
editor.palette.offer("box", pageData("labels").boxes);
const notes = new Notes(find("#notes"), () => sessionKey);

function show(newer) {
  if (newer.revision < state.revision) return;
  state = newer;
  document.body.dataset.status = state.status;
  setText(find("#name"), state.name);
  find("#demo-badge").hidden = !state.is_demo;
  find("#chip").replaceChildren(chip(state.status));
  setText(find("#total"), state.total_counter.toLocaleString("en"));
  setText(find("#rate"), formatRate(state.flow.current_flow_rate));
  run.show(state);
  showLabels(find("#labels"), state.labels);
  editor.palette.offer("picture", Object.keys(state.labels));
  chart.take(state.flow, state.expected_interval_s);
  showController();
  showSession();
  if (isFollowing && state.last_image) openNewest(state.last_image);
  if (state.last_image) film.update(state.last_image);
}

function showController() {
  const { request, status: isPending, acked_at: ackedAt } = state.controller;
  const hasController = request && ackedAt; // most monitors have none that would take a request
  for (const part of document.querySelectorAll(".controller")) part.hidden = !hasController;
  if (hasController) setText(find("dd.controller"), `${request.command.replaceAll("_", " ")}: ${isPending ? "for a controller to take" : "taken"}`);
}

/** Follows the journal of the session that runs, or shows the last one. */
function showSession() {
  const session = state.session ?? state.last_session;
  find("#session").hidden = !session;
  find("#never-started").hidden = Boolean(session);
  if (!session) return;
  find("#session-link").href = `/sessions/${session.key}/`;
  setText(find("#session-title"), state.running ? "This session" : "Last session");
  find("#session-start").replaceChildren(timeElement(session.started_at), session.started_by ? ` by ${session.started_by}` : "");
  find("#session-end").replaceChildren(...(session.stopped_at ? [timeElement(session.stopped_at), session.end_reason ? ` (${session.end_reason})` : ""] : ["–"]));
  if (session.key !== sessionKey) {
    notes.forget();
    followSession(session.key);
  }
  notes.show(session, Boolean(state.session) && may("control"));
}

function followSession(key) {
  leaveSession?.();
  const isFirst = sessionKey === null;
  sessionKey = key;
  leaveSession = live.subscribe(`session:${key}`, {
    state: (session) => editor.palette.offer("box", Object.keys(session.tag_counts)),
    event: takeEvent,
    gap: (gap) => showGap(find("#gaps"), gap, `/sessions/${key}/`),
  }, { after: isFirst ? first.session?.last_seq ?? null : 0 });
  if (!isFirst) loadFilm().catch(notifyUnread);
}

function takeEvent(event) {
  if (event.kind === "images_added") takeImages(event);
  else events.add([event]);
  if (event.kind === "images_reviewed") readSoon(() => { isFilmStale = true; });
  const { image } = event.detail;
  if (!image) return;
  if (event.kind === "image_deleted") film.drop(image);
  else readSoon(() => stale.add(image));
}

/** Many events may come at once, after a sleep thousands: what they touch in sight is read once. */
function readSoon(note) {
  note();
  reading ??= setTimeout(() => {
    reading = null;
    const keys = [...stale].filter((key) => key === editor.image?.key || (film.has(key) && !isFilmStale));
    const reads = [...keys.map(refresh), ...(isFilmStale ? [loadFilm()] : [])];
    stale.clear();
    isFilmStale = false;
    Promise.all(reads).catch(notifyUnread);
  }, SOON_MS);
}

/** A long burst names only some of its pictures: then the strip is read again. */
function takeImages(event) {
  const { images = [], count } = event.detail;
  if (images.length < count) readSoon(() => { isFilmStale = true; });
  else film.add(images);
}

async function refresh(key) {
  const image = await get(`/api/v1/images/${key}/`);
  film.update(image);
  if (image.key === editor.image?.key) editor.show(image);
}

async function loadFilm() {
  const page = await get(`/api/v1/monitors/${slug}/images/?limit=${FILM}`);
  film.fill(page.results);
  film.mark(editor.image?.key ?? page.results[0]?.key ?? null);
}

/** One after the other: where pictures come faster than they load, each that was shown was the newest at its begin. */
async function openNewest(image) {
  newest = image;
  if (isOpening) return;
  isOpening = true;
  try {
    while (newest && isFollowing) {
      const next = newest;
      newest = null;
      await open(next);
    }
  } finally {
    isOpening = false;
  }
}

async function open(image) {
  const was = editor.image;
  if (was?.key === image.key && was.revision >= image.revision) return;
  if (!(await editor.show(image))) return;
  if (!isFollowing) editor.attend();
  film.mark(image.key);
  Object.assign(find("#open-image"), { href: `/images/${image.key}/`, hidden: false });
  find("#picture-time").replaceChildren(timeElement(image.taken_at));
  setText(find("#picture-name"), image.name);
}

/** From the first pick on, new pictures no longer replace the shown one. */
async function pick(key) {
  follow(false);
  try {
    await open(await get(`/api/v1/images/${key}/`));
  } catch (refusal) {
    notifyError(refusal);
  }
}

function follow(yes) {
  isFollowing = yes;
  if (yes) editor.company.join(null);
  else editor.attend();
  find("#return-live").hidden = yes;
  find("#following").hidden = !yes;
  if (yes && state.last_image) openNewest(state.last_image);
}

function tick() {
  const { session, running, last_image: image, expected_interval_s: intervalS } = state;
  setText(find("#elapsed"), running ? formatElapsed(serverNow() - Date.parse(session.started_at)) : "");
  const presence = { live: "camera live", late: "camera late", lost: "camera lost" }[state.presence] ?? "";
  const quietMs = state.last_item_at ? serverNow() - Date.parse(state.last_item_at) : null;
  setText(find("#presence"), [running ? presence : "", quietMs === null ? "" : `newest picture ${formatAge(quietMs)} ago`].filter(Boolean).join(", "));
  const isOffline = document.body.dataset.link === "offline";
  const isStale = image && (isOffline || (running && intervalS && quietMs > 4000 * intervalS));
  find("#editor .viewer").classList.toggle("is-stale", Boolean(isStale && isFollowing));
}

onKey("j", "Older picture", () => film.step(1));
onKey("k", "Newer picture", () => film.step(-1));
onKey("ArrowRight", "Older picture", () => film.step(1));
onKey("ArrowLeft", "Newer picture", () => film.step(-1));
onKey("l", "Return to live", () => follow(true));
find("#return-live").addEventListener("click", () => follow(true));
editor.place.addEventListener("imagechange", (event) => film.update(event.detail));
editor.place.addEventListener("engage", () => follow(false));

show(first);
loadFilm().catch(notifyUnread);
chart.load().catch(notifyUnread);
live.subscribe(`monitor:${slug}`, { state: show });
everySecond(tick);
