// A button for a verb that must not happen by accident: hold it 600 ms, or press Enter twice.

import { svg } from "./dom.js";
import { announce } from "./notice.js";

export const HOLD_MS = 600;
const ARMED_MS = 4_000;
const RADIUS = 9;

/** Makes `button` call `act` after a hold. Its text is put back when it is let go. */
export function holdToConfirm(button, act) {
  const word = button.textContent.trim();
  const label = button.getAttribute("aria-label") ?? word;
  let holding = null;
  let armed = null;

  button.classList.add("hold");
  button.setAttribute("aria-label", `${label}: hold the button, or press Enter twice`);
  button.prepend(ring());

  const say = (text) => { button.lastChild.textContent = text; };
  const disarm = () => { clearTimeout(armed); armed = null; delete button.dataset.armed; say(word); };
  const release = () => {
    if (holding === null) return;
    clearTimeout(holding);
    holding = null;
    delete button.dataset.holding;
    say("Hold to confirm");
    setTimeout(() => holding === null && armed === null && say(word), 1_500);
  };

  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || button.disabled || holding !== null) return;
    button.dataset.holding = "";
    holding = setTimeout(() => {
      holding = null;
      delete button.dataset.holding;
      say(word);
      act();
    }, HOLD_MS);
  });
  for (const name of ["pointerup", "pointerleave", "pointercancel"]) button.addEventListener(name, release);
  button.addEventListener("contextmenu", (event) => event.preventDefault());

  // Enter, Space and screen readers arrive as a click without a pointer. A key held down repeats: that is one press.
  button.addEventListener("keydown", (event) => event.repeat && event.preventDefault());
  button.addEventListener("click", (event) => {
    if (event.detail !== 0) return;
    if (armed !== null) {
      disarm();
      act();
      return;
    }
    button.dataset.armed = "";
    say("Enter again");
    announce(`Press Enter again: ${label}`);
    armed = setTimeout(disarm, ARMED_MS);
  });
  button.addEventListener("blur", () => armed !== null && disarm());
}

function ring() {
  const size = 2 * RADIUS + 6;
  const middle = { cx: size / 2, cy: size / 2, r: RADIUS };
  return svg("svg", { class: "hold-ring", viewBox: `0 0 ${size} ${size}`, "aria-hidden": "true" },
    svg("circle", { ...middle, class: "hold-track" }),
    svg("circle", { ...middle, class: "hold-fill", pathLength: "100" }),
    svg("rect", { x: size / 2 - 4, y: size / 2 - 4, width: 8, height: 8 }));
}
