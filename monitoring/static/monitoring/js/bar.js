// The top bar: counts by state, room on the disk, theme, time zone, menus.

import { element, find, findAll, setText } from "./dom.js";
import { mark, MONITOR_STATES } from "./marks.js";
import { chooseTheme, chosenTheme } from "./theme.js";
import { shortZone, switchZone, zoneName } from "./times.js";

const WORDS = { ok: "", low: "low", full: "full" };

/** The word for a number of bytes: "1.2 GB". */
export function formatBytes(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function formatDaysLeft({ days_left: days, free_bytes: free, status }) {
  if (status === "full") return "Disk full";
  if (days === null) return `${formatBytes(free)} free`;
  if (days > 999) return "Disk > 999 days";
  return `Disk ${days < 10 ? days.toFixed(1) : Math.round(days)} days`;
}

/** Chips "3 running": links to the wall, where they filter. The counts of zero are left out, but for running. */
export function countChips(counts, chosen = "") {
  return MONITOR_STATES.filter((state) => counts[state] || state === "running" || state === chosen).map((state) => {
    const isChosen = state === chosen;
    return element("li", {}, element("a", {
      class: `filter-chip chip-${state}`, href: isChosen ? "/" : `/?state=${state}`, "data-state": state,
      "aria-current": isChosen ? "true" : null, title: isChosen ? "Show all monitors" : `Show only monitors that are ${state}`,
    }, mark(state), element("span", {}, String(counts[state])), element("span", { class: "word" }, state)));
  });
}

export function showDisk(disk) {
  const place = find("#disk");
  if (!place) return;
  place.dataset.status = disk.status;
  setText(place, [formatDaysLeft(disk), WORDS[disk.status] && disk.status !== "full" ? `(${WORDS[disk.status]})` : ""].join(" ").trim());
  place.title = `${formatBytes(disk.free_bytes)} of ${formatBytes(disk.total_bytes)} free, ${formatBytes(disk.reserve_bytes)} kept in reserve`;
}

function showZone() {
  const button = find("#zone-switch");
  if (!button) return;
  setText(button, shortZone());
  button.setAttribute("aria-label", `Times are in ${zoneName()}. Switch between UTC and local time`);
  button.title = `Times are in ${zoneName()}`;
}

function showTheme() {
  setText(find("#theme-menu .word"), chosenTheme());
  for (const button of findAll("[data-theme-choice]")) {
    const isChosen = button.dataset.themeChoice === chosenTheme();
    button.setAttribute("aria-pressed", isChosen);
    button.toggleAttribute("aria-current", isChosen);
    if (isChosen) button.setAttribute("aria-current", "true");
  }
}

function closeMenus(except = null) {
  for (const menu of findAll("details.menu[open]")) if (menu !== except) menu.open = false;
}

export function startBar() {
  findAll("[data-theme-choice]").forEach((button) => button.addEventListener("click", () => {
    chooseTheme(button.dataset.themeChoice);
    closeMenus();
  }));
  find("#zone-switch")?.addEventListener("click", switchZone);
  document.addEventListener("zonechange", showZone);
  document.addEventListener("themechange", showTheme);
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = find("details.menu[open]");
    closeMenus();
    if (open) find("summary", open).focus();
  });
  for (const dialog of findAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // a click on the veil
  }
  showZone();
  showTheme();
}
