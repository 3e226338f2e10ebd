// A table, or any other data that Assay reads.

import { api } from "./api.js";
import { acting } from "./data.js";
import { button, field, h, select, trying, unique } from "./dom.js";

const SHOWN = 30;

export async function edit(place, context) {
  const { project } = context;
  const { samples, total } = await api.get(`projects/${project.id}/samples`);
  const own = new Set();
  const bar = h("div", { class: "actions acting", hidden: true });
  const list = h("ul", { class: "file-list" }, samples.slice(0, SHOWN).map(({ id }) => {
    const box = h("input", { type: "checkbox", id: unique("file"), onchange: () => {
      if (box.checked) own.add(id); else own.delete(id);
      bar.hidden = !own.size;
    } });
    return h("li", {}, box, h("label", { for: box.id }, id));
  }));
  bar.append(...acting(context, [], "", () => [...own], { done: context.again }).filter(Boolean));
  if (total) {
    place.append(h("section", { class: "panel", "aria-labelledby": "files" }, h("h2", { id: "files", class: "section" }, "Files"), list,
      total > SHOWN ? h("p", { class: "quiet" }, `and ${total - SHOWN} more`) : null, bar));
  }
  if (total) place.append(await reading(context));
  return () => {};
}

/** What the data is for, and which column is to be predicted. */
async function reading(context) {
  const { project } = context;
  const { tasks } = await api.get("tasks");
  const task = select([["", "Let Assay see for itself"], ...tasks], project.task || "");
  const chosen = select([["", "Let Assay choose"], ...project.columns], project.target || "");
  const keep = button("Use it", () => trying(async () => {
    await api.post(`projects/${project.id}/settings`, { target: chosen.value || null, task: task.value || null });
    context.again();
  }, keep));
  return h("section", { class: "panel", "aria-labelledby": "reading" }, h("h2", { id: "reading", class: "section" }, "How it is read"),
    field("What is it?", task), project.columns.length ? field("What shall be predicted?", chosen, "A column of the table.") : null, h("div", { class: "actions" }, keep));
}
