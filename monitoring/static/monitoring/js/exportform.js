// What is exported, at once or in the background.

import { post } from "./api.js";
import { find } from "./dom.js";
import { notifyError } from "./notice.js";

/** address: of the export; query: what belongs to its address. begun(job): it runs in the background. */
export function startExports(address, query, begun) {
  const form = find("#export");
  const asked = () => {
    const { format, review, split } = Object.fromEntries(new FormData(form));
    return { format, review, split, pictures: form.elements.pictures.checked };
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { review, split, ...wanted } = asked();
    const all = new URLSearchParams({ ...wanted, ...(review && { review }), ...(split && { split }) });
    for (const [name, value] of new URLSearchParams(query)) all.set(name, value);
    location.assign(`${address}?${all}`); // an attachment: the page stays
  });
  find("#export-job").addEventListener("click", async ({ currentTarget: button }) => {
    const { review, split, ...wanted } = asked();
    button.disabled = true;
    try {
      begun(await post(`${address}${query}`, { ...wanted, ...(review && { review: review.split(",") }), ...(split && { split: [split] }) }));
    } catch (error) { notifyError(error); }
    button.disabled = false;
  });
}
