// "missed 41 events 10:02-10:04": said until dismissed, with a link to the spot.

import { element, many } from "./dom.js";
import { formatTime } from "./times.js";

/** gap: { missed, after, from?, to? } once the events have been fetched after all. */
export function showGap(place, { missed, after, from, to }, path) {
  const clock = (iso) => formatTime(new Date(iso), "minute");
  const when = from && to ? ` ${clock(from)}–${clock(to)}` : "";
  const notice = element("p", { class: "gap" },
    `This page fell behind and missed ${many(missed, "event")}${when}${from ? "; fetched since" : ""}. `,
    element("a", { href: `${path}#event-${after + 1}` }, "Show the spot"),
    element("button", { type: "button", class: "button button-bare", "aria-label": "Dismiss", onclick: () => notice.remove() }, "×"));
  place.append(notice);
}
