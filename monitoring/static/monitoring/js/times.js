// All times on a page: UTC or local, always with the zone's name; ages and elapsed times by the server's clock.

import { element, findAll, setText } from "./dom.js";

const STORE = "zone";
const LOCAL = Intl.DateTimeFormat().resolvedOptions().timeZone;
const SECOND = 1000;
const tickers = new Set();
const offsets = []; // the newest differences server - browser in ms; the largest one travelled fastest

export function isUtc() {
  return localStorage.getItem(STORE) === "utc";
}

const zone = () => (isUtc() ? "UTC" : LOCAL);

/** "UTC", or the local zone as its users write it, e.g. "Europe/Madrid". */
export const zoneName = zone;

/** Short form for narrow places: "UTC", "CET", "GMT+1". */
export function shortZone(date = new Date()) {
  if (isUtc()) return "UTC";
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: LOCAL, timeZoneName: "short" }).formatToParts(date);
  return parts.find((part) => part.type === "timeZoneName").value;
}

export function switchZone() {
  localStorage.setItem(STORE, isUtc() ? "local" : "utc");
  renderTimes();
  document.dispatchEvent(new CustomEvent("zonechange"));
}

/** Learns the difference between the server's clock and this one from a frame's `at`. */
export function learnClock(at) {
  offsets.push(Date.parse(at) - Date.now());
  if (offsets.length > 20) offsets.shift();
}

/** Now in ms by the server's clock. */
export const serverNow = () => Date.now() + (offsets.length ? Math.max(...offsets) : 0);

function parts(date) {
  const formatter = new Intl.DateTimeFormat("sv-SE", {
    timeZone: zone(), dateStyle: "short", timeStyle: "medium", hourCycle: "h23",
  });
  const [day, clock] = formatter.format(date).split(" ");
  return { day, clock };
}

/** as: "clock" 14:02:11, "minute" 14:02, "moment" (date only when it is another day), "full" (with the zone). */
export function formatTime(date, as = "moment") {
  const { day, clock } = parts(date);
  if (as === "clock") return clock;
  if (as === "minute") return clock.slice(0, 5);
  if (as === "full") return `${day} ${clock} ${shortZone(date)}`;
  return day === parts(new Date(serverNow())).day ? clock : `${day} ${clock}`;
}

/** "4 s", "12 min", "3 h 05 min", "2 d 4 h". */
export function formatAge(ms) {
  const s = Math.max(0, Math.floor(ms / SECOND));
  if (s < 60) return `${s} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** "0:07", "12:44", "3:05:09": a running clock. */
export function formatElapsed(ms) {
  const s = Math.max(0, Math.floor(ms / SECOND));
  const [h, m, rest] = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60];
  const tail = String(rest).padStart(2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
}

/** A <time> element that follows the zone switch. */
export function timeElement(iso, as = "moment") {
  const node = element("time", { datetime: iso, "data-as": as });
  renderTime(node);
  return node;
}

function renderTime(node) {
  const date = new Date(node.dateTime);
  if (Number.isNaN(date.getTime())) return;
  const as = node.dataset.as ?? "moment";
  if (as === "age") {
    setText(node, `${formatAge(serverNow() - date)} ago`);
  } else if (as === "elapsed") {
    setText(node, formatElapsed(serverNow() - date));
  } else {
    setText(node, formatTime(date, as));
  }
  node.title = `${formatTime(date, "full")} (${zone()})`;
}

export function renderTimes(root = document) {
  findAll("time[datetime]", root).forEach(renderTime);
}

/** Calls `ticker` now and every second until the returned function is called. */
export function everySecond(ticker) {
  tickers.add(ticker);
  ticker();
  return () => tickers.delete(ticker);
}

setInterval(() => {
  if (document.hidden) return;
  findAll('time[data-as="age"], time[data-as="elapsed"]').forEach(renderTime);
  for (const ticker of tickers) ticker();
}, SECOND);
