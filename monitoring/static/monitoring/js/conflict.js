// Two people changed one box: shows both sides and asks which one stays.

import { element } from "./dom.js";
import { timeElement } from "./times.js";

const percent = (fraction) => `${(100 * fraction).toFixed(1)} %`;

function side(title, tag) {
  if (!tag) return element("section", { class: "panel" }, element("h3", {}, title), element("p", {}, "No box: deleted"));
  return element("section", { class: "panel" },
    element("h3", {}, title),
    element("dl", { class: "facts" },
      element("dt", {}, "Label"), element("dd", {}, tag.label),
      element("dt", {}, "Left, top"), element("dd", {}, `${percent(tag.x)}, ${percent(tag.y)}`),
      element("dt", {}, "Width, height"), element("dd", {}, `${percent(tag.w)}, ${percent(tag.h)}`)));
}

/** Resolves to "yours" or "theirs". yours, theirs: a tag, or null for a deletion. */
export function askWhich({ yours, theirs }) {
  const who = theirs?.author ? `Changed by ${theirs.author}` : "Changed elsewhere";
  const choose = (value, words) => element("button", { class: "button", value }, words);
  const dialog = element("dialog", { class: "sheet", "aria-labelledby": "conflict-title" },
    element("h2", { id: "conflict-title" }, "Somebody else changed this box"),
    element("p", { class: "quiet" }, who, theirs?.updated_at ? " at " : "", theirs?.updated_at ? timeElement(theirs.updated_at) : ""),
    element("div", { class: "two-sides" }, side("Yours", yours), side("Theirs", theirs)),
    element("form", { method: "dialog", class: "actions" }, choose("theirs", "Keep theirs"), choose("yours", "Save yours over it")));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(dialog.returnValue === "yours" ? "yours" : "theirs");
  }));
}
