// The keys of the editor; keys.js lists them for `?`, docs/pages.md for readers.

import { find, may } from "./dom.js";
import { onKey } from "./keys.js";

export function wireKeys(editor) {
  find("[data-viewer]", editor.place).addEventListener("keydown", (event) => viewerKey(editor, event));
  onKey("0", "Fit the picture", () => editor.picture.reset());
  onKey("+", "Zoom in", () => editor.picture.zoomBy(1.25));
  onKey("-", "Zoom out", () => editor.picture.zoomBy(0.8));
  if (!may("annotate")) return;
  onKey("b", "Draw a box: drag, or arrows, Shift + arrows and Enter", () => editor.draw());
  onKey("n", "Choose the next box", () => chooseNext(editor));
  for (let key = 1; key <= 9; key += 1) {
    onKey(String(key), "Label the picture, the chosen box or the next box", () => {
      const label = editor.palette.atKey(key);
      if (label) editor.label(label);
    });
  }
  for (const key of ["Delete", "Backspace"]) onKey(key, key === "Delete" ? "Delete the chosen box" : "", () => editor.removeChosen());
  onKey("z", "Undo your last change of this picture", () => editor.undo());
  onKey("Z", "Redo it", () => editor.redo());
  onKey(".", "Repeat the last box, label or mark", () => editor.repeat());
  onKey("Escape", "Leave drawing, let the box go", () => editor.escape());
  if (!may("review")) return;
  onKey("a", "Accept the picture", () => editor.review("accepted"));
  onKey("x", "Reject the picture", () => editor.review("rejected"));
  onKey("d", "Mark the picture doubtful", () => editor.review("doubtful"));
  onKey("o", "Reopen an ended review", () => editor.reopen());
}

/** The picture takes the focus, so that the arrows move the box at once. */
function chooseNext(editor) {
  editor.boxes.chooseNext();
  if (editor.boxes.chosen) find("[data-viewer]", editor.place).focus({ preventScroll: true });
}

/** With the picture in focus the arrows move the draft or the chosen box. */
function viewerKey(editor, event) {
  if (event.key.startsWith("Arrow") && editor.canEdit && editor.boxes.nudge(event)) {
    event.preventDefault();
    event.stopPropagation();
  } else if (event.key === "Enter" && editor.boxes.isDrawing) {
    event.preventDefault();
    editor.boxes.finish();
  }
}
