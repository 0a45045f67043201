// The list of datasets: a new one is made by its name.

import { post } from "./api.js";
import { find } from "./dom.js";
import { onSubmit } from "./forms.js";

const form = find("#new-dataset");
if (form) {
  onSubmit(form, async ({ name }) => {
    const organisation = document.body.dataset.organisation;
    const dataset = await post("/api/v1/datasets/", { name, organisation });
    location.assign(`/datasets/${encodeURIComponent(dataset.key)}/?organisation=${organisation}`);
  });
}
