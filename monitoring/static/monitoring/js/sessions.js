// The history: filters apply when they change and stand in the address.

import { find, findAll } from "./dom.js";

const form = find("#filters");

form.addEventListener("submit", () => {
  for (const field of findAll("input, select", form)) field.disabled = field.value === ""; // a short address
});
for (const field of findAll("select, input[data-date]", form)) field.addEventListener("change", () => form.requestSubmit());
const button = find("#filters-switch");
button.addEventListener("click", () => button.setAttribute("aria-expanded", form.classList.toggle("is-open")));
addEventListener("pageshow", () => { for (const field of findAll("input, select", form)) field.disabled = false; });

// -- ticks for a comparison: they stand in the address, so that they last from page to page ---------------------------

const MOST = 4;
const compare = find("#compare");

function picks() {
  return [...findAll('input[type="hidden"]', compare), ...findAll('input[form="compare"]:checked')].map((field) => field.value);
}

function withPicks(address, keys) {
  const url = new URL(address, location.href);
  if (keys.length) url.searchParams.set("pick", keys.join(","));
  else url.searchParams.delete("pick");
  return `${url.pathname}${url.search}`;
}

function showPicks() {
  const keys = picks();
  for (const box of findAll('input[form="compare"]')) box.disabled = !box.checked && keys.length >= MOST;
  find("button", compare).disabled = keys.length < 2;
  find("#compare-none").hidden = !keys.length;
  const away = findAll('input[type="hidden"]', compare).length;
  find("#compare-words").textContent = keys.length ? `${keys.length} of at most ${MOST} ticked${away ? `, ${away} on other pages` : ""}.` : "Tick two to four sessions.";
  for (const link of findAll(".pages a[rel]")) link.setAttribute("href", withPicks(link.href, keys));
  history.replaceState(null, "", withPicks(location.href, keys));
}

if (compare) {
  for (const box of findAll('input[form="compare"]')) box.addEventListener("change", showPicks);
  find("#compare-none").addEventListener("click", () => {
    for (const field of findAll('input[type="hidden"]', compare)) field.remove();
    for (const box of findAll('input[form="compare"]')) box.checked = false;
    showPicks();
  });
  addEventListener("pageshow", showPicks);
}
