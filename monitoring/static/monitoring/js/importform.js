// An archive on its way in: sent in pieces, so that a lost connection costs one piece and not the whole.

import { get, post, request } from "./api.js";
import { element, find } from "./dom.js";
import { onSubmit, showProblem } from "./forms.js";

const PIECE_BYTES = 8 * 1024 * 1024;
const TRIES = 6;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The archive is with the server, byte for byte. shown(fraction): how much of it. */
async function send(job, file, shown) {
  let offset = job.received_bytes;
  for (let failed = 0; offset < file.size;) {
    const piece = file.slice(offset, offset + PIECE_BYTES, "application/octet-stream");
    try {
      job = await request("PUT", `/api/v1/jobs/${job.key}/upload/?offset=${offset}`, { body: piece });
      [offset, failed] = [job.received_bytes, 0];
    } catch (error) {
      if (error.code === "upload_moved") offset = error.details.received_bytes;
      else if ((error.status === 0 || error.status >= 500) && ++failed < TRIES) {
        await pause(500 * 2 ** failed);
        offset = (await get(`/api/v1/jobs/${job.key}/`).catch(() => ({ received_bytes: offset }))).received_bytes;
      } else throw error;
    }
    shown(offset / file.size);
  }
  return job;
}

/** begun(job): the archive is there and the dry run waits or runs. */
export function startImports(dataset, begun) {
  const form = find("#import");
  if (!form) return;
  const place = find("#import-progress");
  onSubmit(form, async ({ file, format }) => {
    if (!file.size) {
      showProblem(form, "file", "Choose a zip archive");
      form.elements.file.focus();
      return;
    }
    const fill = element("div", { class: "meter-fill" });
    const words = element("p", { class: "small" }, "Sending…");
    place.replaceChildren(words, element("div", { class: "meter", role: "progressbar", "aria-label": "Archive sent" }, fill));
    try {
      const job = await post(`${dataset.address}import/${dataset.query}`, { format, name: file.name.slice(0, 200), size_bytes: file.size });
      begun(await send(job, file, (fraction) => {
        fill.style.width = `${Math.round(100 * fraction)}%`;
        words.textContent = `Sent ${Math.round(100 * fraction)} %`;
      }));
      form.reset();
    } finally {
      place.replaceChildren();
    }
  });
}
