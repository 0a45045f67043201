// The page of one annotation session: what is heard now, its labels over time, markers, the microphone, the export.

import { get, post } from "./api.js";
import { element, find, findAll, may, pageData, setText } from "./dom.js";
import { onKey } from "./keys.js";
import { labelColour, sessionChip } from "./marks.js";
import { Microphone, whyNot } from "./microphone.js";
import { notify, notifyError } from "./notice.js";
import { Timeline } from "./timeline.js";
import { everySecond, formatElapsed, serverNow } from "./times.js";
import { SessionWatch, isOver } from "./watch.js";

const SHOWN = 100;
const PAGE = 200;
let session = pageData("session");
const { key } = session;
const startedAt = Date.parse(session.started_at);
const timeline = new Timeline(find("#timeline"), find("#legend"));
const list = find("#frames");
let drawing = null;
const button = find("#microphone");

const percent = (fraction) => `${Math.round(fraction * 100)} %`;
const since = (at) => (Date.parse(at) - startedAt) / 1000;

function show(newer) {
  if (newer.revision < session.revision) return;
  session = newer;
  find("#session-chip").replaceChildren(sessionChip(session.state));
  setText(find("#viewers"), session.subscriber_count === 1 ? "1 viewer" : `${session.subscriber_count} viewers`);
}

function row(t_s, ...content) {
  list.prepend(element("li", { class: "frame" }, element("span", { class: "quiet tabular" }, formatElapsed(t_s * 1000)), ...content));
  while (list.children.length > SHOWN) list.lastElementChild.remove();
  find("#no-frames").hidden = true;
}

/** Once for all entries of a moment. */
function drawSoon() {
  drawing ??= requestAnimationFrame(() => { drawing = null; tick(); });
}

function take(event) {
  drawSoon();
  if (event.kind === "frame") {
    const frame = event.detail;
    timeline.add(frame);
    setText(find("#now-label"), frame.label);
    find("#now-swatch").className = `swatch label-fill-${labelColour(frame.label)}`;
    setText(find("#now-confidence"), `confidence ${percent(frame.confidence)}`);
    setText(find("#now-subtext"), frame.subtext);
    row(frame.t_s, element("span", { class: `swatch label-fill-${labelColour(frame.label)}`, "aria-hidden": "true" }),
      element("b", {}, frame.label), element("span", { class: "tabular" }, percent(frame.confidence)));
  } else if (event.kind === "marker") {
    timeline.mark(since(event.at));
    row(since(event.at), element("span", { "aria-hidden": "true" }, "▾"), element("span", {}, `mark: ${event.detail.label}`));
  }
}

function tick() {
  const now = session.stopped_at ? Date.parse(session.stopped_at) : serverNow();
  setText(find("#elapsed"), formatElapsed(now - startedAt));
  timeline.draw((now - startedAt) / 1000);
}

/** Said calmly: nothing has failed. */
function ended(last) {
  if (last) show(last);
  microphone.stop();
  const isIdle = !last || last.end_reason === "idle";
  setText(find("#ended-words"), isIdle
    ? "This session ended because nobody was looking. Everything it heard is kept; you can start a new one."
    : "This session has ended. Everything it heard is kept; you can start a new one.");
  find("#ended").hidden = false;
  for (const each of findAll("[data-while-open]")) each.disabled = true;
  setText(find("#stream-state"), ""); // the chip says it
}

async function startAnew() {
  const { organisation, idle_ttl_s } = session;
  const created = await post("/api/v1/sessions/", { kind: "annotation", organisation, name: session.name, idle_ttl_s, elcor: Boolean(session.data.elcor) });
  location.assign(`/annotate/${created.key}/`);
}

async function mark(label) {
  if (isOver(session)) return;
  const made = await post(`/api/v1/sessions/${key}/events/`, { label });
  setText(find("#marked"), `Marked “${label}” at ${formatElapsed(1000 * since(made.at))}.`);
}

/** All frames and markers of the journal as a file, also of a session that is over. */
async function exportAll() {
  const events = [];
  for (let after = 0, page; page === undefined || page.next; after = page.results.at(-1).seq) {
    page = await get(`/api/v1/sessions/${key}/events/?after=${after}&limit=${PAGE}`);
    events.push(...page.results.filter(({ kind }) => kind === "frame" || kind === "marker"));
    if (!page.results.length) break;
  }
  const file = new Blob([JSON.stringify({ session, events }, null, 1)], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(file), download: `annotation-${key}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const microphone = new Microphone(key, {
  changed: (isOn) => {
    button.setAttribute("aria-pressed", isOn);
    setText(find("#microphone-word"), isOn ? "Stop the microphone" : "Start the microphone");
  },
  waiting: (isWaiting) => setText(find("#microphone-hint"), isWaiting ? "The microphone is on and waits for the network." : ""),
  refused: (text) => notify(text, { kind: "error" }),
});

button.addEventListener("click", () => (microphone.isOn ? microphone.stop() : microphone.start()));
find("#export").addEventListener("click", () => exportAll().catch(notifyError));
find("#start-anew").addEventListener("click", () => startAnew().catch(notifyError));
find("#start-anew").hidden = !may("control");
for (const each of findAll("[data-mark]")) {
  const run = () => { if (may("control")) mark(each.dataset.mark).catch(notifyError); };
  each.addEventListener("click", run);
  onKey(each.dataset.key, `Mark: ${each.dataset.mark}`, run);
}
const reason = may("ingest") ? whyNot() : "Your role may not send sound.";
setText(find("#microphone-hint"), reason);
button.disabled = Boolean(reason);
show(session);
new SessionWatch(key, {
  state: show, event: take, ended,
  connected: (isConnected) => setText(find("#stream-state"), isConnected ? "live" : "reconnecting"),
}).start();
everySecond(tick);
