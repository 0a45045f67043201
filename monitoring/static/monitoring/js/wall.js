// The live wall: a tile per monitor, filters by state, the newest events, wall mode.

import { post } from "./api.js";
import { formatBytes } from "./bar.js";
import { element, find, many, may, pageData, setText } from "./dom.js";
import { EventList } from "./events.js";
import { holdToConfirm } from "./hold.js";
import { onKey } from "./keys.js";
import { live } from "./live.js";
import { notify, notifyError } from "./notice.js";
import { everySecond } from "./times.js";
import { WallMode } from "./wallmode.js";

import { Tile } from "./tile.js";

const organisation = document.body.dataset.organisation;
const chosenState = new URLSearchParams(location.search).get("state") ?? "";
const grid = find("#tiles");
const tiles = new Map(); // slug -> { tile, leave }
const names = new Map();
const events = new EventList(find("#rail"), { names });

function showFleet(fleet) {
  for (const state of fleet.monitors) {
    names.set(state.slug, state.name);
    if (tiles.has(state.slug)) tiles.get(state.slug).tile.show(state);
    else addTile(state);
  }
  const present = new Set(fleet.monitors.map((state) => state.slug));
  for (const slug of [...tiles.keys()]) if (!present.has(slug)) removeTile(slug);
  events.add(fleet.events);
  find("#doubtful").hidden = !fleet.doubtful;
  setText(find("#doubtful"), `${fleet.doubtful.toLocaleString("en")} doubtful`);
  showDemo(fleet.monitors.filter((state) => state.is_demo));
  arrange();
}

const { compare } = new Intl.Collator("en", { numeric: true });
const inOrder = (one, other) => compare(one.state.name, other.state.name) || compare(one.state.slug, other.state.slug);

/** Tiles stand by name, so that a place on the wall stays the same place. */
function addTile(state) {
  const tile = new Tile(state);
  const next = [...grid.children].find((other) => inOrder(tile, tiles.get(other.dataset.slug).tile) < 0);
  grid.insertBefore(tile.root, next ?? null);
  // While the page has to poll, the fleet's one answer covers all tiles.
  const leave = live.subscribe(`monitor:${state.slug}`, { state: (newer) => { tile.show(newer); arrange(); } }, { poll: false });
  tiles.set(state.slug, { tile, leave });
}

function removeTile(slug) {
  tiles.get(slug).leave();
  tiles.get(slug).tile.root.remove();
  tiles.delete(slug);
}

/** Applies the filter by state and shows the empty state that fits. */
function arrange() {
  let shown = 0;
  for (const { tile } of tiles.values()) {
    tile.root.hidden = chosenState !== "" && tile.state.status !== chosenState;
    shown += tile.root.hidden ? 0 : 1;
  }
  find("#no-monitors").hidden = tiles.size > 0;
  find("#no-match").hidden = tiles.size === 0 || shown > 0;
  find("#no-match [data-state-word]").textContent = chosenState;
  grid.dataset.count = shown;
  wallMode.fit();
}

/** Demo monitors are marked, and go in one step that says what it takes along. */
function showDemo(demo) {
  const banner = find("#demo");
  banner.hidden = demo.length === 0;
  if (!demo.length || !may("admin")) return;
  const pictures = demo.reduce((sum, state) => sum + state.total_counter, 0);
  const what = `${demo.length} simulated ${demo.length === 1 ? "camera" : "cameras"}, ${many(pictures, "picture")} in the newest sessions`;
  find("[data-demo-words]", banner).textContent = what;
}

async function removeDemo(button) {
  button.disabled = true;
  try {
    const gone = await post("/api/v1/monitors/remove_demo/", { organisation });
    notify(`Removed: ${many(gone.monitors, "monitor")}, ${many(gone.sessions, "session")}, ${many(gone.images, "picture")}, ${formatBytes(gone.bytes)}`);
  } catch (refusal) {
    notifyError(refusal);
  } finally {
    button.disabled = false;
  }
}

function startDemoBanner() {
  const place = find("#demo [data-remove]");
  if (!may("admin")) return;
  const button = element("button", { type: "button", class: "button", "aria-label": "Remove demo with all its pictures" }, "Remove demo");
  holdToConfirm(button, () => removeDemo(button));
  place.append(button);
}

const wallMode = new WallMode(grid);
onKey("w", "Wall mode: only the pictures, Esc ends it", () => wallMode.switch());
onKey("e", "Show or hide the events", () => document.body.classList.toggle("rail-hidden"));
find("#wall-mode").addEventListener("click", () => wallMode.switch());
function openRail(isOpen) {
  find("#rail").classList.toggle("is-open", isOpen);
  find("#rail-switch").setAttribute("aria-expanded", isOpen);
}

find("#rail-switch").addEventListener("click", () => openRail(!find("#rail").classList.contains("is-open")));
document.addEventListener("keydown", (event) => event.key === "Escape" && openRail(false));
startDemoBanner();
for (const state of pageData("fleet").monitors) names.set(state.slug, state.name);
events.add(pageData("events"));
showFleet(pageData("fleet"));
live.subscribe(`fleet:${organisation}`, { state: showFleet });
everySecond(() => { for (const { tile } of tiles.values()) tile.tick(); });
