// Inputs by what a network takes: a picture, a drawing, a sound, a text, a question, a row, a file.

import { dropped } from "./api.js";
import { camera } from "./camera.js";
import { button, chooser, field, h } from "./dom.js";
import { sketch } from "./drawing.js";
import { recorder } from "./recorder.js";

/** The element in which an input is given, and what ends it. `ask` gets {files} or {value}. */
export async function inputFor(asked, ask) {
  const takes = asked.takes;
  if (takes.includes("row")) return fields(asked, ask);
  if (takes.includes("question")) return question(ask);
  if (takes.includes("text")) return typeof asked.example === "object" && asked.example ? fields(asked, ask, true) : text(ask);
  return media(asked, ask);
}

function media(asked, ask) {
  const { takes, endings } = asked;
  const live = h("div", { class: "live" });
  const shown = h("div", { class: "shown" });
  let leave = () => {};
  const give = (files) => {
    const [{ file, path }] = files;
    const address = URL.createObjectURL(file);
    const kind = file.type || "";
    const picture = kind.startsWith("image/") && !kind.includes("tiff");
    if (picture) shown.replaceChildren(h("img", { class: "large", src: address, alt: path }));
    else if (kind.startsWith("audio/")) shown.replaceChildren(h("audio", { controls: true, src: address, "aria-label": path }));
    else if (kind.startsWith("video/")) shown.replaceChildren(h("video", { controls: true, src: address, class: "large", "aria-label": path }));
    else shown.replaceChildren(h("p", { class: "quiet" }, path));
    ask({ files: files.slice(0, 1), picture: picture ? address : null });
  };
  const open = (device, options) => async () => { leave(); leave = await device(live, { ...options, taken: give, closed: () => { leave = () => {}; } }); };
  const what = takes.includes("sound") ? "a recording" : takes.includes("picture") ? (takes.includes("video") ? "a picture or a video" : "a picture") : "a file";
  const buttons = [chooser(`Choose ${what}`, endings.join(","), give, { several: false, kind: "primary" })];
  if (takes.includes("picture") && !takes.includes("scan")) {
    buttons.push(button("Webcam", open(camera, { doing: "and ask", once: true })));
    buttons.push(button("Draw", () => { leave(); leave = sketch(live, (files) => give(files)); }));
  }
  if (takes.includes("sound")) buttons.push(button("Record", open(recorder, { doing: "to ask", once: true })));
  const zone = h("div", { class: "drop" }, h("p", {}, `Drop ${what} here.`), h("div", { class: "actions" }, buttons));
  zone.addEventListener("dragover", () => zone.classList.add("over"));
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", async (event) => {
    zone.classList.remove("over");
    const files = await dropped(event.dataTransfer);
    if (files.length) give(files);
  });
  return { element: h("div", {}, zone, live, shown), leave: () => leave() };
}

function form(parts, ask) {
  const go = button("Ask", null, "primary", { type: "submit" });
  const element = h("form", { onsubmit: (event) => { event.preventDefault(); ask(); } }, parts, h("div", { class: "actions" }, go));
  return { element, leave: () => {} };
}

function text(ask) {
  const area = h("textarea", { rows: 6, required: true });
  return form([field("A text", area)], () => ask({ value: area.value }));
}

function question(ask) {
  const asked = h("input", { type: "text", required: true });
  const context = h("textarea", { rows: 8, required: true });
  return form([field("Question", asked), field("The text that holds the answer", context)], () => ask({ value: { question: asked.value, context: context.value } }));
}

/** A field for each column, filled with an example. */
function fields(asked, ask, long = false) {
  const example = asked.example || {};
  const controls = Object.entries(example).map(([name, value]) => {
    const number = typeof value === "number";
    return [name, number, long ? h("textarea", { rows: 3, value: String(value ?? "") }) : h("input", { type: "text", inputmode: number ? "decimal" : "text", value: String(value ?? "") })];
  });
  return form([h("div", { class: "field-grid" }, controls.map(([name, , control]) => field(name, control)))], () => {
    const row = {};
    for (const [name, number, control] of controls) {
      const text = control.value.trim();
      row[name] = text === "" ? null : number && Number.isFinite(Number(text)) ? Number(text) : text;
    }
    ask({ value: row });
  });
}
