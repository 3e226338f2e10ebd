// Pictures and sounds in classes: a card for each class, filled by files, the webcam or the microphone.

import { api, dropped, sendAll } from "./api.js";
import { camera } from "./camera.js";
import { acting, classHead, newClass, tell } from "./data.js";
import { button, chooser, h, put, trying } from "./dom.js";
import { recorder } from "./recorder.js";

const SHOWN = 12;
export const ENOUGH = 10;

export async function edit(place, context) {
  const { project } = context;
  const names = Object.keys(project.classes);
  const cards = await Promise.all(names.map((label) => classCard(label, names, context)));
  put(place, h("div", { class: "classes" }, cards.map((card) => card.element)),
    newClass(context), advice(project));
  return () => { for (const card of cards) card.leave(); };
}

export function advice(project) {
  const sizes = Object.entries(project.classes);
  const few = sizes.filter(([, size]) => size < ENOUGH).map(([label]) => label);
  let text = "";
  if (sizes.length < 2) text = "Make two classes or more, and give each at least ten examples; thirty are better.";
  else if (few.length) text = `At least ten examples each are needed; thirty are better. Too few yet: ${few.join(", ")}.`;
  return text ? h("p", { class: "advice" }, text) : null;
}

async function classCard(label, names, context) {
  const { project } = context;
  const sound = project.kind === "sounds";
  const own = new Set();
  const bar = h("div", { class: "actions acting", hidden: true });
  const list = h("ul", { class: sound ? "sounds" : "thumbs" });
  const live = h("div", { class: "live" });
  let leave = () => {};
  const query = `?label=${encodeURIComponent(label)}`;
  const send = (files) => trying(async () => {
    tell(await sendAll(project.id, files, query), sound ? "recordings" : "pictures");
    context.again();
  });
  const choose = (id, on) => {
    if (on) own.add(id); else own.delete(id);
    bar.hidden = !own.size;
    bar.replaceChildren(h("span", {}, `${own.size} chosen`), ...acting(context, names, label, () => [...own], { done: context.again }).filter(Boolean));
  };
  const more = button("", () => fill(1e9), "quiet-button");
  let samples = [];
  const fill = async (most) => {
    while (samples.length < Math.min(most, project.classes[label])) {
      const found = await api.get(`projects/${project.id}/samples${query}&offset=${samples.length}`);
      if (!found.samples.length) break;
      samples = samples.concat(found.samples);
    }
    const shown = samples.slice(0, most);
    list.replaceChildren(...shown.map(({ id }) => (sound ? heard : seen)(project, id, choose, own)));
    more.hidden = shown.length >= project.classes[label];
    more.textContent = `Show all ${project.classes[label]}`;
  };
  await fill(SHOWN);
  const open = button(sound ? "Record" : "Webcam", async () => {
    leave();
    leave = await (sound ? recorder : camera)(live, {
      doing: `into ${label}`,
      taken: async (files) => { await sendAll(project.id, files, query); return fillAgain(); },
      closed: () => { leave = () => {}; context.again(); },
    });
  });
  const fillAgain = async () => {
    const { classes } = await api.get(`projects/${project.id}`);
    project.classes[label] = classes[label] || 0;
    element.querySelector(".class-head .quiet").textContent = project.classes[label].toLocaleString("en");
    samples = [];
    await fill(SHOWN);
    context.changed();
  };
  const element = h("section", { class: "class panel", "aria-label": `Class ${label}` }, classHead(context, label, project.classes[label]),
    h("div", { class: "actions" }, chooser("Add files", sound ? "audio/*,.zip" : "image/*,.zip", send), open), live, list, more, bar);
  element.addEventListener("drop", async (event) => {
    if (event.dataTransfer.types.includes("Files")) send(await dropped(event.dataTransfer));
  });
  return { element, leave: () => leave() };
}

export const sampleAddress = (project, id, small = false) =>
  `/api/projects/${project.id}/sample?id=${encodeURIComponent(id)}${small ? "&small=1" : ""}`;

const last = (id) => id.slice(id.lastIndexOf("/") + 1);

/** A picture that can be chosen. */
function seen(project, id, choose, own) {
  const one = h("button", { type: "button", class: "thumb", "aria-pressed": String(own.has(id)), "aria-label": `Choose ${last(id)}`, title: last(id) },
    h("img", { src: sampleAddress(project, id, true), alt: "", loading: "lazy", decoding: "async" }));
  one.addEventListener("click", () => {
    const on = one.getAttribute("aria-pressed") !== "true";
    one.setAttribute("aria-pressed", String(on));
    choose(id, on);
  });
  return h("li", {}, one);
}

/** A recording that can be heard and chosen. */
function heard(project, id, choose, own) {
  const box = h("input", { type: "checkbox", checked: own.has(id), "aria-label": `Choose ${last(id)}`, onchange: () => choose(id, box.checked) });
  return h("li", {}, box, h("audio", { controls: true, preload: "none", src: sampleAddress(project, id), "aria-label": last(id) }));
}

