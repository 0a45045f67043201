// Forms: errors stand beside their fields in words, the first one gets the focus, nothing typed is lost.

import { element, find, findAll } from "./dom.js";

const WORDS = { slug: "The address name may use a-z, 0-9 and -" };

export function clearProblems(form) {
  for (const problem of findAll(".problem", form)) problem.remove();
  for (const field of findAll("[aria-invalid]", form)) field.removeAttribute("aria-invalid");
}

export function showProblem(form, name, text) {
  const field = form.elements[name];
  const place = field?.closest(".field") ?? find("[data-form-problem]", form);
  const id = `problem-${name}`;
  place.append(element("p", { class: "problem", id, role: "alert" }, text));
  field?.setAttribute("aria-invalid", "true");
  field?.setAttribute("aria-describedby", id);
}

/** Shows a refused request: beside the fields that its details name, else at the end of the form. */
function showRefusal(form, refusal) {
  clearProblems(form);
  const named = Object.entries(refusal.details.fields ?? refusal.details).filter(([name]) => form.elements[name]);
  for (const [name, problems] of named) showProblem(form, name, WORDS[name] && refusal.code === "bad_slug" ? WORDS[name] : [problems].flat().join(" "));
  if (!named.length) showProblem(form, "", refusal.message);
  find('[aria-invalid="true"]', form)?.focus();
}

/** Whether a field holds what its own limits refuse; its `data-takes` then stands beside it. */
function hasRefused(form) {
  const refused = findAll("[data-takes]", form).filter((field) => !field.validity.valid);
  for (const field of refused) showProblem(form, field.name, field.dataset.takes);
  refused[0]?.focus();
  return refused.length > 0;
}

/** Runs `send(values)` when the form is submitted; its button is off meanwhile, and stays off when it returns "once". */
export function onSubmit(form, send) {
  form.noValidate = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearProblems(form);
    if (hasRefused(form)) return;
    const button = find('[type="submit"]', form);
    button.disabled = true;
    let isOver = false;
    try {
      isOver = (await send(Object.fromEntries(new FormData(form)))) === "once";
    } catch (refusal) {
      if (!("status" in refusal)) throw refusal;
      showRefusal(form, refusal);
    } finally {
      button.disabled = isOver;
    }
  });
}

/** Copies with the clipboard where it exists (https, localhost), else by selection: plain http on a LAN works too. */
export function copyButton(block) {
  const button = element("button", { type: "button", class: "button" }, "Copy");
  button.addEventListener("click", async () => {
    const code = find("code", block);
    if (navigator.clipboard) await navigator.clipboard.writeText(code.textContent);
    else {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
      getSelection().removeAllRanges();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2_000);
  });
  block.append(button);
}
