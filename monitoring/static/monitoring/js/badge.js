// The link badge: how true the page is, in words, and since when.

import { find, setText } from "./dom.js";
import { announce } from "./notice.js";
import { everySecond, formatAge, formatTime } from "./times.js";

const MARKS = { live: "running", "catching up": "paused", stale: "late", offline: "lost" };
const DEFINITIONS = {
  live: "Everything on this page is as new as the server's own state.",
  "catching up": "Connected; fetching what was missed.",
  stale: "Nothing was heard for a while; what is shown may have changed.",
  offline: "The server cannot be reached; what is shown is how it was then.",
};

export function textOf({ word, since, isPolling }) {
  if (word === "stale") return `stale ${formatAge(Date.now() - since)}${isPolling ? ", polling" : ""}`;
  if (word === "offline") return since ? `offline since ${formatTime(new Date(since), "minute")}` : "offline";
  return word;
}

export function showLink(live) {
  const badge = find("#link-badge");
  let shown = "";
  let wasOffline = false;
  const show = () => {
    const status = live.status;
    setText(find(".word", badge), textOf(status));
    if (status.word === shown) return;
    if (status.word === "offline" || (status.word === "live" && wasOffline)) announce(`The link is ${status.word}`);
    wasOffline = status.word === "offline" || (wasOffline && status.word !== "live");
    shown = status.word;
    document.body.dataset.link = status.word.replace(" ", "-");
    badge.dataset.mark = MARKS[status.word];
    find("use", badge).setAttribute("href", `#mark-${MARKS[status.word]}`);
    badge.title = status.isPolling ? "No socket can be had: asking every few seconds." : DEFINITIONS[status.word];
  };
  live.addEventListener("status", show);
  everySecond(show);
}
