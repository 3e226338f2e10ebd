"use strict";
(() => {
  const root = document.documentElement;
  const button = document.querySelector("button.theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const key = "assay-theme";

  // A page opened from a file may be denied storage; the toggle then lasts as long as the page.
  const remember = (theme) => { try { localStorage.setItem(key, theme); } catch { /* denied */ } };
  const remembered = () => { try { return localStorage.getItem(key); } catch { return null; } };

  const current = () => root.dataset.theme || (system.matches ? "dark" : "light");
  const label = () => { button.querySelector("span").textContent = current() === "dark" ? "Light" : "Dark"; };

  if (!root.dataset.theme && ["light", "dark"].includes(remembered())) root.dataset.theme = remembered();
  button.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    remember(root.dataset.theme);
    label();
  });
  system.addEventListener("change", label);
  button.hidden = false;
  button.setAttribute("aria-label", "Switch between light and dark");
  label();

  // Paper cannot be unfolded.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
})();
