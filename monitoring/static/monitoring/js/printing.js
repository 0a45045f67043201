// A report is printed in the light theme, whatever the screen shows, with the button `#print` or the browser's own.

import { find } from "./dom.js";

/** isPrinting is given to `redraw`, before and after. Returns whether the page is being printed. */
export function printInLight(redraw = () => {}) {
  const root = document.documentElement;
  let shownTheme = null;
  find("#print").addEventListener("click", () => print());
  addEventListener("beforeprint", () => {
    shownTheme ??= root.dataset.theme;
    root.dataset.theme = "light";
    redraw(true);
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = shownTheme ?? root.dataset.theme;
    shownTheme = null;
    redraw(false);
  });
  return () => shownTheme !== null;
}
