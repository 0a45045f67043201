// Loaded before the first paint (not a module): the stored theme, else the system's.
(function () {
  var stored = localStorage.getItem("theme");
  var system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = stored || system;
})();
