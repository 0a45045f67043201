// The printable report of a rig's night.

import { printInLight } from "./printing.js";

printInLight();
