// Tokens: create one (the secret is shown once), revoke one.

import { post } from "./api.js";
import { element, find, findAll, pageData, setText } from "./dom.js";
import { copyButton, onSubmit, showProblem } from "./forms.js";
import { holdToConfirm } from "./hold.js";
import { notifyError } from "./notice.js";
import { serverNow, timeElement } from "./times.js";

const { organisation, user } = document.body.dataset;
const DAY_MS = 24 * 3600 * 1000;
const form = find("#new-token");
const rightsOf = pageData("roles");

/** Only what the chosen role holds can be ticked. */
function offerScopes() {
  for (const box of findAll("[name=scopes]", form)) {
    box.disabled = !rightsOf[form.elements.role.value]?.includes(box.value);
    if (box.disabled) box.checked = false;
  }
}

async function create({ name, role, days, owner = user }) {
  if (!name.trim()) {
    showProblem(form, "name", "Name what will use it, e.g. camera of line 3");
    form.elements.name.focus();
    return;
  }
  const body = { organisation, name: name.trim(), role, scopes: findAll("[name=scopes]:checked", form).map((box) => box.value) };
  if (days) body.expires_at = new Date(serverNow() + Number(days) * DAY_MS).toISOString();
  if (owner) body.owner = owner;
  const token = await post("/api/v1/tokens/", body);
  find("#secret").hidden = false;
  setText(find("#secret code"), token.secret);
  find("#secret").focus();
  const list = find(`[data-list="${token.owner === user ? "own" : "others"}"]`);
  find("tbody", list).prepend(row(token));
  find("table", list).hidden = false;
  find(".empty", list).hidden = true;
  form.reset();
  offerScopes();
}

function row(token) {
  const place = element("span", { "data-revoke": token.key, "data-name": token.name });
  const cell = (word, content, more = "") => element("td", { "data-word": word, class: more }, content);
  const added = element("tr", {}, element("td", { class: "first grow" }, token.name), cell("Begins with", `${token.prefix}…`, "mono"),
    cell("Role", token.role), cell("Only to", token.scopes.join(", ") || "–", "grow small"), cell("Created", timeElement(token.created_at)),
    cell("Good until", token.expires_at ? timeElement(token.expires_at) : "no end"), cell("Last used", "never"), element("td", { class: "n" }, place));
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
form.elements.role.addEventListener("change", offerScopes);
offerScopes();
onSubmit(form, create);
