// The page of one rig: what the telescope does now, and its night. Live over the topic rig:<slug>.

import { get, post } from "./api.js";
import { element, find, may, pageData, setText } from "./dom.js";
import { live } from "./live.js";
import { chip } from "./marks.js";
import { showNight } from "./night.js";
import { announce, notify, notifyError, notifyUnread } from "./notice.js";
import { everySecond, formatAge, formatElapsed, serverNow, timeElement } from "./times.js";

const STATES = { idle: "idle", active: "running", paused: "paused", flats: "running", darks: "running" };
const NIGHT_AFTER_MS = 1_000; // several events come together: the night is read once for them
const place = find("#night-place").dataset;
let rig = pageData("rig");
let night = pageData("night");
let reading = null;
let offsetMs = Date.parse(rig.now) - Date.now(); // NINA's clock may differ from ours

const nowAtRig = () => Date.now() + offsetMs;
/** Until when what goes on in the night is drawn: its end, and no longer than anything is known of. */
const knownUntil = () => Math.min(rig.is_listening ? nowAtRig() - ageOfTruth() : Date.parse(rig.unified.lastUpdate ?? night.to), Date.parse(night.to));
const known = (value, unit = "") => (value === null || value === undefined ? "–" : `${value}${unit}`);

function show(newer) {
  const wasSafe = rig.unified.safe.isSafe;
  rig = newer;
  offsetMs = Date.parse(rig.now) - Date.now();
  const state = rig.unified;
  showSafety(state.safe, wasSafe);
  showTarget(state);
  const { subsystem, state: word } = state.activity;
  setText(find("#rig-activity"), [...new Set([subsystem, word?.replaceAll("_", " ")])].filter(Boolean).join(": ") || "nothing");
  setText(find("#rig-filter"), known(state.current_filter));
  setText(find("#rig-guiding"), `${state.guiding_state}${state.guiding_rms === null ? "" : `, ${state.guiding_rms}″ RMS`}`);
  setText(find("#rig-total"), state.total_images);
  setText(find("#rig-exposure"), `${known(state.exposure_time, " s")}, ${formatAge(state.session_stats.total_exposure_time * 1000)} together`);
  setText(find("#rig-temperature"), known(state.camera_temperature, " °C"));
  showLast(state.lastImage);
  showEvents(state.recent_events);
  showSession(rig.session);
  tick();
}

/** ms since this page knew what its server knows; 0 while it reaches it. */
function ageOfTruth() {
  return live.isReached ? 0 : Date.now() - (live.truthAt ?? performance.timeOrigin);
}

/** The connection to NINA as the server last told it; without a further sign of life it lasts until `heard_until`. */
function linkNow() {
  const isSilent = rig.link.status === "connected" && !(serverNow() - ageOfTruth() < Date.parse(rig.link.heard_until));
  return isSilent ? { ...rig.link, status: "disconnected", error: "the listener of this server gives no sign of life" } : rig.link;
}

const isHeard = () => live.isReached && rig.is_listening && linkNow().status === "connected";
const isLost = () => rig.is_listening && !isHeard();

function drawChip() {
  const state = rig.unified.session_state;
  const [mark, word] = isLost() && rig.link.heard_at ? ["lost", `was ${state}`] : [rig.is_listening ? STATES[state] ?? "idle" : "ended", state];
  const place = find("#rig-chip");
  if (place.dataset.shape === `${mark} ${word}`) return;
  place.dataset.shape = `${mark} ${word}`;
  place.replaceChildren(chip(mark, word));
}

function showSafety({ isSafe }, wasSafe) {
  drawSafety();
  if (wasSafe !== isSafe && isSafe === false) {
    notify(`${rig.name} became unsafe.`, { kind: "error" });
    announce(`${rig.name} became unsafe`);
  }
}

/** What was safe when NINA, or the server, was last heard is unknown now; an alarm stays one. */
function drawSafety() {
  const { isSafe, time } = rig.unified.safe;
  const word = isSafe === null || (isSafe && !isHeard()) ? "unknown" : isSafe ? "safe" : "unsafe";
  const banner = find("#rig-safety");
  const then = live.isReached ? " when NINA was last heard" : " when the server was last reached";
  const shape = `${word} ${isSafe} ${time} ${isHeard()} ${then}`;
  if (banner.dataset.shape === shape) return;
  Object.assign(banner.dataset, { safety: word, shape });
  const since = time ? [" since ", timeElement(time)] : [];
  if (isSafe === null) banner.replaceChildren("Safety unknown: the monitor has said nothing yet");
  else if (word === "unknown") banner.replaceChildren("Safety unknown: safe", ...since, then);
  else banner.replaceChildren(isSafe ? "Safe" : "Unsafe", ...since, ...(isHeard() ? [] : [then]));
}

function showTarget({ target, target_coordinates: coordinates }) {
  setText(find("#rig-target"), target ? target.name : "No target");
  setText(find("#rig-coordinates"), [target?.project, coordinates && `${coordinates.ra} ${coordinates.dec}`].filter(Boolean).join(" · "));
  const ends = target?.targetEndTime;
  find("#rig-ends").replaceChildren(...(ends ? [timeElement(ends), target.isExpired ? " (past)" : ""] : ["–"]));
}

function showLast(image) {
  if (!image) return;
  const rows = [
    ["Type", `${known(image.type)} ${image.filter ?? ""}`], ["Exposure", known(image.exposureTime, " s")],
    ["HFR", image.hfr === null ? "–" : `${image.hfr.toFixed(2)} px`], ["Stars", known(image.stars)], ["Guiding", known(image.rms, "″")],
    ["Temperature", known(image.temperature, " °C")], ["Saved", timeElement(image.time)],
  ];
  find("#rig-last").replaceChildren(...rows.flatMap(([word, value]) => [element("dt", {}, word), element("dd", {}, value)]));
}

function showEvents(events) {
  find("#rig-events").replaceChildren(...events.map((event) =>
    element("li", {}, timeElement(event.timestamp, "clock"), element("span", { class: "what" }, event.eventType), element("span", { class: "small quiet" }, detailOf(event.data)))));
}

function detailOf(data) {
  const words = [data.TargetName, data.New?.Name, data.ImageStatistics?.Filter, data.Error];
  if (typeof data.IsSafe === "boolean") words.push(data.IsSafe ? "safe" : "unsafe");
  return words.filter((word) => typeof word === "string" && word).join(" ");
}

function showSession(session) {
  const isNight = session?.kind === "rig";
  for (const [id, path] of [["#rig-session", "/"], ["#rig-report", "/report/"]]) {
    find(id).hidden = !isNight;
    if (isNight) find(id).href = `/sessions/${session.key}${path}`;
  }
}

/** Elapsed time, and what is lost: the connection to NINA, or this page's to its server. */
function tick() {
  const { start_time: start, end_time: ended, lastUpdate: newest } = rig.unified;
  const end = ended ?? (rig.is_listening ? null : newest);
  const until = end ? Date.parse(end) : nowAtRig();
  setText(find("#rig-elapsed"), start ? formatElapsed(until - Date.parse(start)) : "");
  find(".rig").classList.toggle("is-old", isLost());
  setText(find("#rig-link"), linkWords());
  drawChip();
  drawSafety();
  showLost();
  if (wasLost !== isLost() && live.isReached) readNightSoon(); // what is lost is a gap in it
  wasLost = isLost();
}

function linkWords() {
  if (!rig.is_listening) return "not listening";
  if (!live.isReached) return "server not reached";
  return rig.link.since ? `NINA ${linkNow().status}` : "NINA not asked yet";
}

/** What is lost, and how old the truth is; the age ticks in an element that no screen reader repeats. */
function showLost() {
  const { status, since, heard_at: heardAt, error } = linkNow();
  const { isReached } = live;
  find("#rig-lost").hidden = !isLost() || (isReached && !since);
  if (!isLost()) return;
  const nina = heardAt ? "The connection to NINA is lost" : "NINA was not reached yet";
  setText(find("#rig-lost-words"), isReached ? `${nina}${error ? ` (${error})` : ""}.` : "This page does not reach its server.");
  const knownAt = status === "connected" ? serverNow() - ageOfTruth() : Date.parse(heardAt);
  setText(find("#rig-age"), Number.isNaN(knownAt) ? "" : `What is shown is ${formatAge(serverNow() - knownAt)} old.`);
}

function readNightSoon() {
  if (place.newest !== "yes" || reading) return;
  reading = setTimeout(async () => {
    reading = null;
    try {
      night = await get(`/api/v1/rigs/${rig.slug}/nights/${place.evening}/`);
      showNight(night, knownUntil());
    } catch (refusal) {
      notifyUnread(refusal); // the next event reads it again; until then the page shows the older night
    }
  }, NIGHT_AFTER_MS);
}

async function refresh() {
  const button = find("#rig-refresh");
  button.disabled = true;
  try {
    await post(`/api/nina/${rig.slug}/session-state/refresh`);
  } catch (refusal) {
    notifyError(refusal);
  } finally {
    button.disabled = false;
  }
}

find("#rig-refresh").hidden = !may("control") || !rig.is_listening;
find("#rig-refresh").addEventListener("click", refresh);
document.addEventListener("zonechange", () => showNight(night, knownUntil()));
let wasLost = isLost();
show(rig);
showNight(night, knownUntil());
everySecond(tick);
live.addEventListener("status", tick);
live.subscribe(`rig:${rig.slug}`, { state: (state) => { show(state); readNightSoon(); } });
