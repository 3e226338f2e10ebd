// The frame of the page: which view stands in it, and what is being trained.

import { api } from "./api.js";
import { h, icon, notice, poll, sentence } from "./dom.js";

const STEPS = [["data", "Data"], ["train", "Train"], ["evidence", "Evidence"], ["try", "Try"], ["inside", "Inside"], ["export", "Export"]];
const VIEWS = {
  data: () => import("./data.js"),
  train: () => import("./train.js"),
  evidence: () => import("./evidence.js"),
  try: () => import("./try.js"),
  inside: () => import("./inside_tab.js"),
  export: () => import("./export.js"),
};

const main = document.getElementById("main");
let leave = () => {};
let turn = 0;

export const link = (project, step, run = "") => `#/p/${project}/${step}${run ? `/${encodeURIComponent(run)}` : ""}`;

export function go(address) {
  if (location.hash === address) show();
  else location.hash = address;
}

/** The view that the address names. A slow one that was left meanwhile is not shown. */
async function show(focus = true) {
  const mine = (turn += 1);
  leave();
  leave = () => {};
  const [, name, project, step = "data", run = ""] = location.hash.split("/");
  try {
    const view = name === "p" ? await projectView(project, step, decodeURIComponent(run)) : await homeView();
    if (mine !== turn) {
      view.leave();
      return;
    }
    leave = view.leave;
    const before = focus ? null : named(document.activeElement);
    main.replaceChildren(...view.parts);
    if (before) [...main.querySelectorAll("button, input, select, textarea, a")].find((one) => named(one) === before)?.focus({ preventScroll: true });
    lookAgain();
    document.title = view.title;
  } catch (error) {
    if (mine !== turn) return;
    main.replaceChildren(h("div", { class: "empty" }, h("h1", {}, sentence(error.message)),
      h("p", { class: "lead" }, error.hint || ""), h("p", {}, h("a", { href: "#/" }, "All projects"))));
  }
  if (focus) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

/** What tells a control from others, so that one that is drawn anew keeps the focus. */
const named = (one) => (main.contains(one) ? `${one.tagName} ${one.closest("section")?.getAttribute("aria-label") || ""} ${one.getAttribute("aria-label") || one.textContent}` : null);

async function homeView() {
  const { home } = await import("./home.js");
  return { title: "Assay studio", ...(await home({ api, go, link })) };
}

async function projectView(id, step, run) {
  const [project, module] = await Promise.all([api.get(`projects/${id}`), (VIEWS[step] || VIEWS.data)()]);
  const place = h("div", { class: "view" });
  const context = { api, go, link, project, run, place, again: () => show(false) };
  const ended = (await module.view(context)) || (() => {});
  const head = h("div", { class: "head" },
    h("p", { class: "crumb" }, h("a", { href: "#/" }, "All projects")),
    h("h1", {}, icon(project.kind, "kind"), project.name),
    h("nav", { "aria-label": "Steps" }, h("ol", { class: "steps" }, STEPS.map(([name, text]) =>
      h("li", {}, h("a", { href: link(id, name), "aria-current": name === step ? "page" : null }, text))))));
  const title = STEPS.find(([name]) => name === step)?.[1] || "Data";
  return { title: `${title} · ${project.name} · Assay studio`, parts: [head, place], leave: ended };
}

let lookAgain = () => {};

/** Says in the head what is being trained. */
function watchBusy() {
  const place = document.getElementById("busy");
  let before = "";
  const look = async () => {
    const { busy } = await api.get("busy");
    const text = busy ? `${busy.work === "train" ? "Training" : "Exporting"} ${busy.project}` : "";
    if (text !== before) {
      const project = busy?.run.slice(0, busy.run.lastIndexOf("~"));
      place.replaceChildren(text ? h("a", { href: link(project, busy.work === "train" ? "train" : "export", busy.run) }, text) : "");
      before = text;
    }
  };
  lookAgain = () => look().catch(() => {});
  poll(look, 3000);
}

document.querySelector("a.skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", () => show());
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  notice(sentence(event.reason?.message || "something went wrong"), event.reason?.hint || "Load the page again.", true);
});
// A file that misses its place would otherwise replace the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
show(false);
watchBusy();
