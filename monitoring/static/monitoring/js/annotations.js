// The list of open annotation sessions: starts a new one.

import { post } from "./api.js";
import { find } from "./dom.js";
import { notifyError } from "./notice.js";

find("#start")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = find("#start-name").value.trim();
  try {
    const session = await post("/api/v1/sessions/", { kind: "annotation", organisation: document.body.dataset.organisation, name });
    location.assign(`/annotate/${session.key}/`);
  } catch (refusal) {
    notifyError(refusal);
  }
});
