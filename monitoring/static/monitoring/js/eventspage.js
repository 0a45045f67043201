// The newest events of all monitors.

import { find, pageData } from "./dom.js";
import { EventList } from "./events.js";
import { live } from "./live.js";

const names = new Map(Object.entries(pageData("names")));
const list = new EventList(find("#events"), { names });
list.add(pageData("events"));
function showFleet(fleet) {
  for (const { slug, name } of fleet.monitors) names.set(slug, name);
  list.add(fleet.events);
}

// An older page stays as it is.
if (!new URLSearchParams(location.search).has("cursor")) {
  live.subscribe(`fleet:${document.body.dataset.organisation}`, { state: showFleet });
}
