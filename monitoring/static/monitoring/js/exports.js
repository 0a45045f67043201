// One's own exports and imports.

import { find } from "./dom.js";
import { JobList } from "./jobs.js";
import { notifyUnread } from "./notice.js";

new JobList(find("#jobs"), new URLSearchParams({ mine: "true" })).load().catch(notifyUnread);
