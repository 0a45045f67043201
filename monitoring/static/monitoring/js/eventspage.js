// The newest events of all monitors.

import { find, pageData } from "./dom.js";
import { EventList } from "./events.js";
import { live } from "./live.js";

const list = new EventList(find("#events"), { names: new Map(Object.entries(pageData("names"))) });
list.add(pageData("events"));
live.subscribe(`fleet:${document.body.dataset.organisation}`, { state: (fleet) => list.add(fleet.events) });
