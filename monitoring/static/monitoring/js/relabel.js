// A label renamed or merged in the whole dataset: what it would touch is shown before.

import { post } from "./api.js";
import { element, find, many, setText } from "./dom.js";
import { onSubmit } from "./forms.js";
import { notifyError } from "./notice.js";


export function offerLabels(labels) {
  const form = find("#relabel");
  if (!form) return;
  const chosen = form.elements.from.value;
  form.elements.from.replaceChildren(...labels.map((label) => element("option", { value: label }, label)));
  if (labels.includes(chosen)) form.elements.from.value = chosen;
  find("#known-labels").replaceChildren(...labels.map((label) => element("option", { value: label })));
  form.hidden = !labels.length;
}

/** begun(job): the labels are being renamed. */
export function startRelabels(address, query, begun) {
  const form = find("#relabel");
  if (!form) return;
  const sheet = find("#relabel-sheet");
  find("[data-close]", sheet).onclick = () => sheet.close();
  onSubmit(form, async ({ from, to }) => {
    const labels = { [from]: to };
    const shown = await post(`${address}relabel/${query}`, { labels, dry_run: true });
    const [{ becomes, boxes, picture_labels: pictures, is_merge: isMerge }] = shown.labels;
    setText(find("#relabel-title"), isMerge ? `Merge “${from}” into “${becomes}”` : `Rename “${from}” to “${becomes}”`);
    setText(find("#relabel-words"), `${[boxes && many(boxes, "box", "boxes"), pictures && many(pictures, "picture label")].filter(Boolean).join(" and ") || "Nothing"} would change, on ${many(shown.pictures, "picture")}.`);
    const apply = find("#relabel-apply");
    setText(apply, isMerge ? "Merge" : "Rename");
    apply.onclick = async () => {
      apply.disabled = true;
      try {
        begun(await post(`${address}relabel/${query}`, { labels }));
        form.elements.to.value = "";
        sheet.close();
      } catch (error) { notifyError(error); }
      apply.disabled = false;
    };
    sheet.showModal();
  });
}
