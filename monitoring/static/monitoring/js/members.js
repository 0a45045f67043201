// Members: change a role (with an undo), remove somebody, invite by a link that is shown once.

import { patch, post, remove } from "./api.js";
import { element, find, findAll, setText } from "./dom.js";
import { copyButton, onSubmit } from "./forms.js";
import { holdToConfirm } from "./hold.js";
import { announce, notify, notifyError } from "./notice.js";
import { timeElement } from "./times.js";

const { organisation } = document.body.dataset;
const ROUTE = `/api/v1/organisations/${organisation}`;
const form = find("#new-invite");
const memberRoute = (name) => `${ROUTE}/members/${encodeURIComponent(name)}/`;

function followRole(select) {
  const name = select.dataset.roleOf;
  let known = select.value;
  const send = async (role, { canUndo }) => {
    const before = known;
    select.disabled = true;
    try {
      await patch(memberRoute(name), { role });
      known = role;
      const action = canUndo ? { label: "Undo", run: () => send(before, { canUndo: false }) } : null;
      notify(`${name} is ${role} now`, { action });
    } catch (refusal) {
      notifyError(refusal);
    } finally {
      select.value = known;
      select.disabled = false;
    }
  };
  select.addEventListener("change", () => send(select.value, { canUndo: true }));
}

function confirmed(place, word, label, act) {
  const button = element("button", { type: "button", class: "button button-danger", "aria-label": label }, word);
  holdToConfirm(button, async () => {
    try {
      await act();
    } catch (refusal) {
      notifyError(refusal);
    }
  });
  place.append(button);
}

function addRemove(place) {
  const name = place.dataset.remove;
  confirmed(place, "Remove", `Remove ${name}`, async () => {
    await remove(memberRoute(name));
    place.closest("tr").remove();
    announce(`${name} is removed`);
    notify(`${name} is removed; open pages of theirs close within seconds`);
  });
}

function addWithdraw(place) {
  const { withdraw: key, name } = place.dataset;
  confirmed(place, "Withdraw", `Withdraw the invitation for ${name}`, async () => {
    await remove(`${ROUTE}/invites/${key}/`);
    place.closest("tr").remove();
    showWhetherEmpty();
    announce("The invitation is withdrawn");
  });
}

function showWhetherEmpty() {
  const isEmpty = find("#invites tbody").children.length === 0;
  find("#invites").hidden = isEmpty;
  find("#no-invites").hidden = !isEmpty;
}

async function invite({ note, role, days }) {
  const made = await post(`${ROUTE}/invites/`, { note: note.trim(), role, days: Number(days) });
  find("#link").hidden = false;
  setText(find("#link code"), made.link);
  find("#link").focus();
  const place = element("span", { "data-withdraw": made.key, "data-name": made.note || "somebody" });
  find("#invites tbody").prepend(element("tr", {}, element("td", { class: "first" }, made.note || "somebody"),
    element("td", { "data-word": "Role" }, made.role), element("td", { "data-word": "By" }, made.created_by),
    element("td", { "data-word": "Until" }, timeElement(made.expires_at)), element("td", { class: "n" }, place)));
  addWithdraw(place);
  showWhetherEmpty();
  form.reset();
}

findAll("[data-role-of]").forEach(followRole);
findAll("[data-remove]").forEach(addRemove);
findAll("[data-withdraw]").forEach(addWithdraw);
findAll(".copyable").forEach(copyButton);
onSubmit(form, invite);
