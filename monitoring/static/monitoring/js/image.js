// The page of one picture: the same editor as on the monitor page, its neighbours, its facts, its history.

import { post, remove } from "./api.js";
import { Editor } from "./editor.js";
import { find, findAll, pageData, setText } from "./dom.js";
import { EditHistory } from "./edithistory.js";
import { onKey } from "./keys.js";
import { notify, notifyError } from "./notice.js";

const image = pageData("image");
const known = pageData("labels");
const editor = new Editor(find("#editor"), { store: image.monitor ?? "pictures" });
const history = new EditHistory(find("#edit-history"), image.key);

editor.palette.offer("picture", known.pictures);
editor.palette.offer("box", known.boxes);
editor.place.addEventListener("imagechange", ({ detail }) => {
  setText(find("#image-label"), detail.label || "–");
  setText(find("#image-review"), detail.review + (detail.reviewed_by ? ` by ${detail.reviewed_by}` : ""));
  find("#deleted").hidden = !detail.deleted_at;
  if (find("#delete")) find("#delete").hidden = Boolean(detail.deleted_at);
  history.changed(editor.edits.base.revision, editor.whyNot);
});
editor.show(image).then(() => editor.attend());

/** Out of sight, or back: what comes of it arrives with the picture's topic; a deletion can be taken back here. */
async function setDeleted(isDeleted) {
  try {
    if (isDeleted) await remove(`/api/v1/images/${image.key}/`);
    else await post(`/api/v1/images/${image.key}/restore/`);
    await editor.edits.refresh();
    if (isDeleted) notify("The picture is deleted", { action: { label: "Undo", run: () => setDeleted(false) } });
  } catch (refusal) {
    notifyError(refusal);
  }
}
find("#delete")?.addEventListener("click", () => setDeleted(true));
find("#restore")?.addEventListener("click", () => setDeleted(false));

const leaf = (rel) => () => find(`a[rel="${rel}"]`)?.click();
onKey("j", "Older picture", leaf("prev"));
onKey("ArrowRight", "Older picture", leaf("prev"));
onKey("k", "Newer picture", leaf("next"));
onKey("ArrowLeft", "Newer picture", leaf("next"));
for (const link of findAll("#neighbours a")) link.addEventListener("keydown", (event) => event.stopPropagation());
