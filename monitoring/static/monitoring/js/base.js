// What every page does: bar, link badge, times, keys, and the fleet's counts.

import { startBar, countChips, showDisk } from "./bar.js";
import { showLink } from "./badge.js";
import { CommandBox } from "./command.js";
import { find, findAll, pageData } from "./dom.js";
import { onKey, showKeys } from "./keys.js";
import { live } from "./live.js";
import { announce } from "./notice.js";
import { renderTimes } from "./times.js";
import { watchJobs } from "./watchjobs.js";

const organisation = document.body.dataset.organisation;
let fleet = pageData("fleet");
const statuses = new Map();

function showFleet(state) {
  fleet = state;
  const chosen = document.body.dataset.page === "wall" ? new URLSearchParams(location.search).get("state") ?? "" : "";
  for (const place of findAll("#counts, #page-counts")) place.replaceChildren(...countChips(state.counts, chosen));
  showDisk(state.disk);
}

/** Says in words what changed, for those who do not see the chips. */
function announceChanges(state) {
  for (const monitor of state.monitors) {
    const before = statuses.get(monitor.slug);
    if (before && before !== monitor.status) announce(`${monitor.name} is ${monitor.status}`);
    statuses.set(monitor.slug, monitor.status);
  }
}

startBar();
renderTimes();
if (organisation) {
  const box = new CommandBox(() => fleet);
  showLink(live);
  live.subscribe(`fleet:${organisation}`, { state: (state) => { showFleet(state); announceChanges(state); } });
  if (fleet) showFleet(fleet);
  onKey("/", "Go to a monitor, page or session", () => box.open());
  onKey("?", "Show the keys of this page", showKeys);
  for (const [keys, words, path] of [
    ["g l", "Go to the live wall", "/"],
    ["g h", "Go to the history", "/sessions/"],
    ["g e", "Go to the events", "/events/"],
    ["g d", "Go to the datasets", "/datasets/"],
    ["g r", "Go to the review", "/review/"],
  ]) onKey(keys, words, () => location.assign(path));
  const openers = { "command-box": () => box.open(), "key-sheet": showKeys, "more-sheet": () => find("#more-sheet").showModal() };
  for (const button of findAll("[data-open]")) {
    button.addEventListener("click", () => {
      find("#more-sheet").close();
      for (const menu of findAll("details.menu[open]")) menu.open = false;
      openers[button.dataset.open]();
    });
  }
  watchJobs();
  live.start();
}
