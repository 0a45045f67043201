// light, dark, red, or what the system says. theme-boot.js has set the first value before the first paint.

const STORE = "theme";
export const THEMES = ["auto", "light", "dark", "red"];
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

export const chosenTheme = () => localStorage.getItem(STORE) ?? "auto";

export function chooseTheme(theme) {
  if (theme === "auto") localStorage.removeItem(STORE);
  else localStorage.setItem(STORE, theme);
  apply();
}

function apply() {
  const chosen = chosenTheme();
  const shown = chosen === "auto" ? (systemIsDark.matches ? "dark" : "light") : chosen;
  document.documentElement.dataset.theme = shown;
  keepCalendarsDark(shown);
  document.dispatchEvent(new CustomEvent("themechange", { detail: { chosen, shown } }));
}

/** A browser draws its own calendar in white and blue: at night a date is typed as text. */
function keepCalendarsDark(shown) {
  for (const field of document.querySelectorAll("input[data-date]")) {
    field.type = shown === "red" ? "text" : "date";
  }
}

/** The colour that a token has now; for canvases, which cannot use custom properties. */
export function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

systemIsDark.addEventListener("change", apply);
addEventListener("storage", (event) => event.key === STORE && apply());
apply();
