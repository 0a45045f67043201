// The history: filters apply when they change and stand in the address.

import { find, findAll } from "./dom.js";

const form = find("#filters");

form.addEventListener("submit", () => {
  for (const field of findAll("input, select", form)) field.disabled = field.value === ""; // a short address
});
for (const field of findAll("select, input[data-date]", form)) field.addEventListener("change", () => form.requestSubmit());
const button = find("#filters-switch");
button.addEventListener("click", () => button.setAttribute("aria-expanded", form.classList.toggle("is-open")));
addEventListener("pageshow", () => { for (const field of findAll("input, select", form)) field.disabled = false; });
