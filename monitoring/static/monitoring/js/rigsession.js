// The night of a rig's session on the session's page: what its report tells, at the time the page was opened.

import { element, find, pageData } from "./dom.js";
import { live } from "./live.js";
import { get } from "./api.js";
import { notifyUnread } from "./notice.js";
import { showNight } from "./night.js";
import { formatAge } from "./times.js";

const NIGHT_AFTER_MS = 2_000; // several events come together: the night is read once for them
const { key } = pageData("session");
let night = pageData("night");
let reading = null;

function show() {
  showNight(night, Date.parse(night.to));
  const { mean_arcsec: mean, worst_arcsec: worst, guided_s: guided } = night.guiding;
  const rows = [
    ["Exposure", formatAge(night.total_exposure_s * 1000)],
    ["Guiding", mean === null ? "nothing was guided" : `${mean}″ mean, ${worst}″ worst, over ${formatAge(guided * 1000)}`],
    ["Unsafe", formatAge(night.unsafe_s * 1000)], ["Paused", formatAge(night.paused_s * 1000)],
    ["Flats, darks", `${night.flats}, ${night.darks}`],
    ["Failures", night.failures.length ? night.failures.map((failure) => failure.what).join(", ") : "none"],
  ];
  find("#night-facts").replaceChildren(...rows.flatMap(([word, value]) => [element("dt", {}, word), element("dd", {}, value)]));
}

function readSoon(state) {
  if (reading || state.revision <= pageData("session").revision) return;
  reading = setTimeout(async () => {
    reading = null;
    try {
      night = await get(`/api/v1/sessions/${key}/report/`);
      show();
    } catch (refusal) {
      notifyUnread(refusal); // the next change reads it again; until then the page shows the older night
    }
  }, NIGHT_AFTER_MS);
}

show();
document.addEventListener("zonechange", show);
live.subscribe(`session:${key}`, { state: readSoon });
