// Tokens of the organisation: create one (the secret is shown once), revoke one.

import { post } from "./api.js";
import { element, find, findAll, setText } from "./dom.js";
import { copyButton, onSubmit, showProblem } from "./forms.js";
import { holdToConfirm } from "./hold.js";
import { notifyError } from "./notice.js";
import { timeElement } from "./times.js";

const { organisation } = document.body.dataset;
const form = find("#new-token");

async function create({ name, role }) {
  if (!name.trim()) {
    showProblem(form, "name", "Name what will use it, e.g. camera of line 3");
    form.elements.name.focus();
    return;
  }
  const token = await post("/api/v1/tokens/", { organisation, name: name.trim(), role });
  find("#secret").hidden = false;
  setText(find("#secret code"), token.secret);
  find("#secret").focus();
  find("#tokens tbody").prepend(row(token));
  find("#no-tokens").hidden = true;
  form.reset();
}

function row(token) {
  const place = element("span", { "data-revoke": token.key, "data-name": token.name });
  const added = element("tr", {}, element("td", { class: "grow" }, token.name), element("td", { class: "mono" }, `${token.prefix}…`),
    element("td", {}, token.role), element("td", {}, timeElement(token.created_at)), element("td", {}, "never"), element("td", { class: "n" }, place));
  addRevoke(place);
  return added;
}

function addRevoke(place) {
  const { revoke: key, name } = place.dataset;
  const button = element("button", { type: "button", class: "button button-danger", "aria-label": `Revoke ${name}` }, "Revoke");
  holdToConfirm(button, async () => {
    try {
      await post(`/api/v1/tokens/${key}/revoke/`);
      place.replaceWith("revoked");
    } catch (refusal) {
      notifyError(refusal);
    }
  });
  place.append(button);
}

findAll("[data-revoke]").forEach(addRevoke);
findAll(".copyable").forEach(copyButton);
onSubmit(form, create);
