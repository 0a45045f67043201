// Pin and unpin: a pinned session or picture is never removed by retention. For any [data-pin="sessions/<key>"].

import { post, remove } from "./api.js";
import { findAll, may, setText } from "./dom.js";
import { notify, notifyError } from "./notice.js";

const RIGHTS = { sessions: "control", images: "annotate" };

function show(button, isPinned) {
  button.setAttribute("aria-pressed", String(isPinned));
  setText(button, isPinned ? "Pinned" : "Pin");
  button.title = isPinned ? "No retention removes it; press to let it go again" : "Keep it whatever retention says";
}

async function toggle(button) {
  const isPinned = button.getAttribute("aria-pressed") === "true";
  const address = `/api/v1/${button.dataset.pin}/pin/`;
  button.disabled = true;
  try {
    const now = await (isPinned ? remove(address) : post(address));
    show(button, now.pinned_at !== null);
    notify(now.pinned_at ? "Pinned: retention keeps it" : "No longer pinned");
  } catch (refusal) {
    notifyError(refusal);
  } finally {
    button.disabled = false;
  }
}

for (const button of findAll("[data-pin]")) {
  show(button, button.dataset.pinned === "yes");
  button.disabled = !may(RIGHTS[button.dataset.pin.split("/")[0]]);
  button.addEventListener("click", () => toggle(button));
}
