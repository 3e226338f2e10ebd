// All projects, and a new one.

import { button, count, field, h, icon, trying } from "./dom.js";

export const KINDS = {
  pictures: ["Sort pictures", "Photos or drawings in classes, such as ripe and unripe."],
  sounds: ["Tell sounds apart", "Short recordings in classes: words, claps, a machine that rattles."],
  texts: ["Sort texts", "Messages, reviews or notes in classes."],
  boxes: ["Find things in pictures", "Draw boxes around what is to be found."],
  files: ["A table, or other data", "CSV, medical scans, sentence pairs, drives: all that Assay reads."],
};

export async function home({ api, go, link }) {
  const { projects } = await api.get("projects");
  const parts = [
    h("div", { class: "head" }, h("h1", {}, "Teach a network, and see what it is worth"),
      h("p", { class: "lead" }, "Give it examples, press one button, and test what it learned. No code.")),
  ];
  if (projects.length) {
    parts.push(h("section", { "aria-labelledby": "projects" }, h("h2", { id: "projects", class: "section" }, "Your projects"),
      h("ul", { class: "cards" }, projects.map((one) => card(one, link)))));
  }
  parts.push(making({ api, go, link }));
  return { parts, leave: () => {} };
}

function card(project, link) {
  const newest = project.newest;
  const classes = Object.keys(project.classes).length;
  const facts = [count(project.total, "sample"), classes ? count(classes, "class", "classes") : ""].filter(Boolean).join(", ");
  return h("li", { class: "card" }, icon(project.kind, "kind"),
    h("div", {}, h("a", { class: "card-link", href: link(project.id, newest?.state === "done" ? "evidence" : newest ? "train" : "data") }, project.name),
      h("p", { class: "quiet" }, facts), newest ? h("p", { class: "quiet" }, standing(newest)) : null));
}

export function standing(run) {
  if (run.state === "running") return "being trained";
  if (run.state === "stopped") return "training stopped; it can be resumed";
  if (run.state === "failed") return "the last training failed";
  return run.metric ? metric(run.metric) : "trained";
}

/** A metric with its interval, as the report writes it. */
export function metric(one) {
  const percent = one.unit === "%";
  const shown = (value) => (value === null || value === undefined ? "?" : percent ? (100 * value).toFixed(1) : Number(value).toPrecision(3));
  const name = one.name.replaceAll("_", " ");
  return `${name} ${shown(one.value)}${percent ? " %" : ""} [${shown(one.low)}, ${shown(one.high)}]`;
}

function making({ api, go, link }) {
  const name = h("input", { type: "text", maxlength: 60, required: true, autocomplete: "off" });
  const kinds = h("fieldset", { class: "kinds" }, h("legend", {}, "What shall it learn?"),
    Object.entries(KINDS).map(([kind, [title, about]], index) =>
      h("label", { class: "kind-choice" },
        h("input", { type: "radio", name: "kind", value: kind, checked: index === 0 }), icon(kind, "kind"),
        h("span", {}, h("strong", {}, title), h("span", { class: "hint" }, about)))));
  const make = button("Create project", null, "primary", { type: "submit" });
  return h("form", {
    class: "panel", "aria-labelledby": "new-project",
    onsubmit: (event) => {
      event.preventDefault();
      const kind = kinds.querySelector("input:checked").value;
      trying(async () => go(link((await api.post("projects", { name: name.value, kind })).id, "data")), make);
    },
  }, h("h2", { id: "new-project", class: "section" }, "New project"), kinds, field("Its name", name), h("div", { class: "actions" }, make));
}
