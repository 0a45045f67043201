// Two people changed one thing: shows both sides and asks what becomes of them. The history keeps both in any case.

import { element } from "./dom.js";
import { timeElement } from "./times.js";

const percent = (fraction) => `${(100 * fraction).toFixed(1)} %`;
const rows = (pairs) => element("dl", { class: "facts" }, ...pairs.flatMap(([word, value]) => [element("dt", {}, word), element("dd", {}, value)]));

function side(title, content) {
  return element("section", { class: "panel" }, element("h3", {}, title), content);
}

function boxFacts(tag) {
  if (!tag) return element("p", {}, "No box: deleted");
  return rows([["Label", tag.label], ["Left, top", `${percent(tag.x)}, ${percent(tag.y)}`], ["Width, height", `${percent(tag.w)}, ${percent(tag.h)}`]]);
}

/** choices: [value, words] of each button. Resolves to a value; Escape is `unsaid`. */
function ask(title, about, sides, choices, unsaid) {
  const buttons = choices.map(([value, words]) => element("button", { class: "button", value }, words));
  const dialog = element("dialog", { class: "sheet", "aria-labelledby": "conflict-title" },
    element("h2", { id: "conflict-title" }, title),
    element("p", { class: "quiet" }, ...about),
    element("div", { class: "two-sides" }, ...sides),
    element("form", { method: "dialog", class: "actions" }, ...buttons));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(choices.some(([value]) => value === dialog.returnValue) ? dialog.returnValue : unsaid);
  }));
}

/** Resolves to "yours", "theirs" or "both". yours, theirs: a tag, or null for a deletion. */
export function askWhich({ yours, theirs }) {
  const who = theirs?.author ? `Changed by ${theirs.author}` : theirs ? "Changed elsewhere" : "Deleted elsewhere";
  const about = [who, theirs?.updated_at ? " at " : "", theirs?.updated_at ? timeElement(theirs.updated_at) : "", ". Both stay in the history."];
  const choices = [["theirs", "Keep theirs"]];
  if (yours && theirs) choices.push(["both", "Keep both"]);
  choices.push(["yours", yours ? (theirs ? "Save yours over it" : "Draw yours again") : "Delete it all the same"]);
  const unsaid = yours ? (theirs ? "both" : "yours") : "theirs"; // nobody's box is lost by Escape
  return ask("Somebody else changed this box", about, [side("Yours", boxFacts(yours)), side("Theirs", boxFacts(theirs))], choices, unsaid);
}

const WORDS = { label: "Label", review: "Review", review_comment: "Comment" };
const pictureFacts = (fields, names) => rows(names.map((name) => [WORDS[name] ?? name, String(fields[name] || "–")]));

/** The same for label or review of a whole picture. Resolves to "yours" or "theirs". */
export function askWhichPicture({ yours, theirs }) {
  const names = Object.keys(yours).filter((name) => name in WORDS);
  return ask("Somebody else changed this picture", ["Both stay in the history."],
    [side("Yours", pictureFacts(yours, names)), side("Theirs", pictureFacts(theirs, names))],
    [["theirs", "Keep theirs"], ["yours", "Save yours over it"]], "theirs");
}
