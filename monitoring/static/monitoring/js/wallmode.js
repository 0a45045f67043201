// Wall mode: no bars, tiles fill the screen, the screen stays awake, the cursor hides.

import { notify } from "./notice.js";

const CURSOR_MS = 3_000;
const RATIO = 4 / 3; // of most pictures
const WORDS_PX = 40; // the line under a picture
const GAP_PX = 8;
const LEAST_PX = 170; // narrower tiles cannot be read: the wall scrolls instead
const NARROW_PX = 300; // below this there is no room for the rate

export class WallMode {
  constructor(grid) {
    this.grid = grid;
    this.isOn = false;
    addEventListener("resize", () => this.fit());
    addEventListener("mousemove", () => this.isOn && this.#showCursor());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.isOn && this.#leave());
    document.addEventListener("fullscreenchange", () => !document.fullscreenElement && this.isOn && this.#leave());
    document.addEventListener("visibilitychange", () => this.isOn && !document.hidden && this.#stayAwake());
  }

  switch() {
    if (this.isOn) this.#leave();
    else this.#enter();
  }

  #enter() {
    this.isOn = true;
    document.body.classList.add("wall-mode");
    document.documentElement.requestFullscreen?.().catch(() => {}); // refused: the window is filled instead
    this.#stayAwake();
    this.#showCursor();
    this.fit();
  }

  #leave() {
    this.isOn = false;
    document.body.classList.remove("wall-mode", "no-cursor");
    clearTimeout(this.cursor);
    this.lock?.release();
    this.lock = null;
    if (document.fullscreenElement) document.exitFullscreen();
    this.grid.style.removeProperty("--columns");
    this.grid.style.removeProperty("--rows");
  }

  /** As many columns as make the pictures largest without scrolling, where that is possible. */
  fit() {
    if (!this.isOn) return;
    const count = Number(this.grid.dataset.count) || 1;
    const most = Math.min(count, Math.max(1, Math.floor(innerWidth / LEAST_PX)));
    let best = { columns: most, rows: Math.ceil(count / most), shown: 0 };
    for (let columns = 1; columns <= most; columns += 1) {
      const rows = Math.ceil(count / columns);
      const width = innerWidth / columns - GAP_PX;
      const height = innerHeight / rows - GAP_PX - WORDS_PX;
      const shown = Math.min(width, height * RATIO);
      if (shown > best.shown) best = { columns, rows, shown };
    }
    this.grid.style.setProperty("--columns", best.columns);
    this.grid.style.setProperty("--rows", best.rows);
    this.grid.classList.toggle("is-narrow", best.shown < NARROW_PX);
  }

  async #stayAwake() {
    if (!navigator.wakeLock) {
      notify("This browser keeps the screen awake only over https: set the screen's own timeout.");
      return;
    }
    try {
      this.lock = await navigator.wakeLock.request("screen");
    } catch {
      notify("The screen may go to sleep: the browser did not allow to keep it awake.");
    }
  }

  #showCursor() {
    document.body.classList.remove("no-cursor");
    clearTimeout(this.cursor);
    this.cursor = setTimeout(() => document.body.classList.add("no-cursor"), CURSOR_MS);
  }
}
