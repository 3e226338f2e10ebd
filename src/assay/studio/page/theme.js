"use strict";
// Before anything is drawn: the theme that was chosen, if one was. The evidence page knows the same key.
(() => {
  const root = document.documentElement;
  const key = "assay-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  try {
    const known = localStorage.getItem(key);
    if (known === "light" || known === "dark") root.dataset.theme = known;
  } catch { /* storage is denied: the system decides */ }
  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("button.theme");
    const current = () => root.dataset.theme || (system.matches ? "dark" : "light");
    const label = () => { button.querySelector("span").textContent = current() === "dark" ? "Light" : "Dark"; };
    button.addEventListener("click", () => {
      root.dataset.theme = current() === "dark" ? "light" : "dark";
      try { localStorage.setItem(key, root.dataset.theme); } catch { /* it lasts as long as the page */ }
      label();
    });
    system.addEventListener("change", label);
    button.hidden = false;
    label();
  });
})();
