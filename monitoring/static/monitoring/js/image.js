// The page of one picture: the same editor as on the monitor page, its neighbours, its facts.

import { get } from "./api.js";
import { Editor } from "./editor.js";
import { find, findAll, pageData, setText } from "./dom.js";
import { onKey } from "./keys.js";
import { live } from "./live.js";
import { notifyUnread } from "./notice.js";

const image = pageData("image");
const known = pageData("labels");
const editor = new Editor(find("#editor"), { store: image.monitor ?? "pictures" });

editor.palette.offer("picture", known.pictures);
editor.palette.offer("box", known.boxes);
editor.place.addEventListener("imagechange", ({ detail }) => {
  setText(find("#image-label"), detail.label || "–");
  setText(find("#image-review"), detail.review);
});
editor.show(image);

const leaf = (rel) => () => find(`a[rel="${rel}"]`)?.click();
onKey("j", "Older picture", leaf("prev"));
onKey("ArrowRight", "Older picture", leaf("prev"));
onKey("k", "Newer picture", leaf("next"));
onKey("ArrowLeft", "Newer picture", leaf("next"));
for (const link of findAll("#neighbours a")) link.addEventListener("keydown", (event) => event.stopPropagation());

// Somebody else's change of this picture arrives with its session's journal.
if (image.session) {
  live.subscribe(`session:${image.session}`, {
    event: ({ detail, kind }) => {
      if (detail.image !== image.key) return;
      if (kind === "image_deleted") find("#deleted").hidden = false;
      else get(`/api/v1/images/${image.key}/`).then((newer) => editor.show(newer), notifyUnread);
    },
  });
}
