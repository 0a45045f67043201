// Keeps the monitors' list true: the same page is fetched again and its cells put in place of the old ones.
// Ticked boxes, filters and the chosen action stay. The line above the list says how old it is.

const EVERY_MS = 5000;
const LIVE = ["chip", "elapsed", "total", "rate", "last_picture", "last_age", "kept"];
const table = () => document.querySelector("#result_list");
let failedSince = null;

function rowsByKey(root) {
  const rows = new Map();
  for (const row of root.querySelectorAll("#result_list tbody tr")) {
    const box = row.querySelector("input.action-select");
    const key = box ? box.value : row.querySelector("th a")?.getAttribute("href");
    if (key) rows.set(key, row);
  }
  return rows;
}

function replaceCells(fresh) {
  const now = rowsByKey(document);
  for (const [key, row] of rowsByKey(fresh)) {
    for (const name of LIVE) {
      const from = row.querySelector(`.field-${name}`);
      const to = now.get(key)?.querySelector(`.field-${name}`);
      if (from && to && from.innerHTML !== to.innerHTML) to.replaceChildren(...from.childNodes);
    }
  }
}

function tellTruth(fresh) {
  const line = document.querySelector("#truth");
  if (fresh) {
    failedSince = null;
    line.removeAttribute("data-stale");
    line.replaceChildren(...fresh.querySelector("#truth").childNodes);
  } else {
    failedSince ??= new Date();
    line.setAttribute("data-stale", "");
    line.textContent = `offline since ${failedSince.toISOString().slice(11, 19)} UTC`;
  }
}

async function refresh() {
  if (document.hidden || !table()) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    replaceCells(fresh);
    tellTruth(fresh);
  } catch {
    tellTruth(null);
  }
}

addEventListener("DOMContentLoaded", () => {
  if (!document.querySelector("#truth")) return;
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
});
