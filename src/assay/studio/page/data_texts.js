// Texts in classes: written here, or out of files.

import { api } from "./api.js";
import { advice } from "./data_classes.js";
import { acting, classHead, newClass, tell } from "./data.js";
import { button, field, h, put, trying, unique } from "./dom.js";

const SHOWN = 6;

export async function edit(place, context) {
  const names = Object.keys(context.project.classes);
  const cards = await Promise.all(names.map((label) => classCard(label, names, context)));
  put(place, h("div", { class: "classes" }, cards), newClass(context), advice(context.project));
  return () => {};
}

async function classCard(label, names, context) {
  const { project } = context;
  const query = `?label=${encodeURIComponent(label)}`;
  const own = new Set();
  const bar = h("div", { class: "actions acting", hidden: true });
  const list = h("ul", { class: "texts" });
  const more = button("", () => fill(1e9), "quiet-button");
  let samples = [];
  const choose = (id, on) => {
    if (on) own.add(id); else own.delete(id);
    bar.hidden = !own.size;
    bar.replaceChildren(h("span", {}, `${own.size} chosen`), ...acting(context, names, label, () => [...own], { done: context.again }).filter(Boolean));
  };
  const fill = async (most) => {
    while (samples.length < Math.min(most, project.classes[label])) {
      const found = await api.get(`projects/${project.id}/samples${query}&offset=${samples.length}`);
      if (!found.samples.length) break;
      samples = samples.concat(found.samples);
    }
    list.replaceChildren(...samples.slice(0, most).map(({ id, text }) => {
      const box = h("input", { type: "checkbox", checked: own.has(id), id: unique("text"), onchange: () => choose(id, box.checked) });
      return h("li", {}, box, h("label", { for: box.id }, text));
    }));
    more.hidden = most >= project.classes[label];
    more.textContent = `Show all ${project.classes[label]}`;
  };
  await fill(SHOWN);
  const area = h("textarea", { rows: 3, required: true });
  const add = button("Add", null, "", { type: "submit" });
  const form = h("form", { onsubmit: (event) => {
    event.preventDefault();
    const texts = area.value.split(/\n\s*\n|\n/).map((line) => line.trim()).filter(Boolean);
    trying(async () => {
      tell(await api.post(`projects/${project.id}/texts`, { label, texts }), "texts");
      context.again();
    }, add);
  } }, field("New examples", area, "One on each line."), h("div", { class: "actions" }, add));
  return h("section", { class: "class panel", "aria-label": `Class ${label}` }, classHead(context, label, project.classes[label]), form, list, more, bar);
}
