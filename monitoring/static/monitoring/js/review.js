// The page of review: a queue by filters, one picture after the other by keys, and many at once.

import { get } from "./api.js";
import { Bulk } from "./bulk.js";
import { Editor } from "./editor.js";
import { find, pageData, setText } from "./dom.js";
import { Filmstrip } from "./filmstrip.js";
import { onKey } from "./keys.js";
import { live } from "./live.js";
import { announce, notifyError, notifyUnread } from "./notice.js";
import { timeElement } from "./times.js";

const PAGE = 60;
const query = new URLSearchParams(pageData("query"));
const editor = new Editor(find("#editor"), { store: query.get("monitor") ?? "review" });
editor.palette.offer("picture", pageData("labels").pictures);
editor.palette.offer("box", pageData("labels").boxes);
const film = new Filmstrip(find("#film"), (key) => pick(key));
const bulk = find("#bulk-sheet") && find(".bulk") ? new Bulk(query, { done: () => load(here) }) : null;
const links = { newer: null, older: null };
const marked = []; // pictures that were marked here, newest last: what `z` goes back to
let here = `/api/v1/images/?${query}&limit=${PAGE}`;

/** Shows the page of the queue at `url`, its first or last picture, or the empty state. */
async function load(url, { fromEnd = false } = {}) {
  const page = await get(url);
  here = url;
  [links.newer, links.older] = [page.previous, page.next];
  for (const [name, address] of Object.entries(links)) find(`#${name}`).hidden = !address;
  film.fill(page.results);
  bulk?.forget(page.results.map((image) => image.key));
  const isEmpty = page.results.length === 0;
  find("#nothing").hidden = !isEmpty;
  find("#queue").hidden = isEmpty;
  if (isEmpty) editor.company.join(null);
  else await pick(page.results.at(fromEnd ? -1 : 0).key);
}

async function pick(key) {
  film.mark(key);
  editor.isLeaving = key !== editor.image?.key;
  try {
    const image = await get(`/api/v1/images/${key}/`);
    if (!(await editor.show(image))) return;
    editor.attend();
    film.mark(key);
    Object.assign(find("#open-image"), { href: `/images/${key}/`, hidden: false });
    find("#picture-time").replaceChildren(timeElement(image.received_at));
    setText(find("#picture-name"), image.name);
    setText(find("#place"), `${film.images.findIndex((each) => each.key === key) + 1} of ${film.images.length}${links.older ? " on this page" : ""}`);
  } catch (refusal) {
    notifyError(refusal);
  } finally {
    editor.isLeaving = false;
  }
}

/** To the next older picture, or to the next page of the queue. */
function step(by) {
  const at = film.images.findIndex((image) => image.key === editor.image?.key) + by;
  if (film.images[at]) film.step(by);
  else if (by > 0 && links.older) load(links.older).catch(notifyError);
  else if (by < 0 && links.newer) load(links.newer, { fromEnd: true }).catch(notifyError);
  else announce(by > 0 ? "The last picture of the queue" : "The first picture of the queue");
}

/** Back to the picture that was marked last, and its mark off again; without one, the last edit of this picture. */
async function undo() {
  const key = marked.pop();
  if (key && key !== editor.image?.key) await pick(key);
  editor.undo();
}

editor.place.addEventListener("review", ({ detail }) => {
  marked.push(editor.image.key);
  if (detail !== "unreviewed") step(1);
});
editor.place.addEventListener("imagechange", ({ detail }) => {
  film.update(detail);
  film.dim(detail.key, detail.review !== query.get("review"));
});
onKey("j", "Older picture", () => step(1));
onKey("k", "Newer picture", () => step(-1));
onKey("ArrowRight", "Older picture", () => step(1));
onKey("ArrowLeft", "Newer picture", () => step(-1));
if (bulk) {
  const select = () => editor.image && film.select(editor.image.key, bulk.toggle(editor.image.key));
  onKey("z", "Undo your last change of this picture", undo);
  onKey("s", "Select the picture for the verbs of many", select);
  find("#select").addEventListener("click", select);
  find("#select-none").addEventListener("click", () => {
    for (const key of bulk.keys) film.select(key, false);
    bulk.forget([]);
  });
}
for (const name of Object.keys(links)) find(`#${name}`).addEventListener("click", () => load(links[name]).catch(notifyError));
const filters = find("#filters");
find("#filters-switch").addEventListener("click", ({ currentTarget }) => {
  currentTarget.setAttribute("aria-expanded", filters.classList.toggle("is-open"));
});
live.subscribe(`fleet:${document.body.dataset.organisation}`, { state: ({ doubtful }) => setText(find("#doubtful-count"), doubtful) });
load(here).catch(notifyUnread);
