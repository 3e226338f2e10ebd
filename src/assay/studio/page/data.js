// What is learned from: the samples, what was found in them, what to label next.

import { api, dropped, sendAll } from "./api.js";
import { button, chooser, confirmed, count, h, icon, notice, poll, put, select, sentence, trying } from "./dom.js";

const EDITORS = {
  pictures: () => import("./data_classes.js"),
  sounds: () => import("./data_classes.js"),
  texts: () => import("./data_texts.js"),
  boxes: () => import("./data_boxes.js"),
  files: () => import("./data_files.js"),
};

export async function view(context) {
  const { project, place, go } = context;
  const looked = h("section", { class: "panel", "aria-labelledby": "found" });
  const editor = h("div", { class: "editor" });
  const endings = [];
  let look = () => {};
  /** What is to be done when the data has changed. */
  context.changed = () => look();
  place.append(dropZone(context), editor, looked);
  endings.push(await (await EDITORS[project.kind]()).edit(editor, context));
  if (["pictures", "sounds"].includes(project.kind)) {
    put(place, await (await import("./doubts.js")).doubts(context), await (await import("./label_next.js")).labelNext(context));
  }
  place.append(h("div", { class: "ending" },
    h("a", { class: "button primary", href: context.link(project.id, "train") }, "On to the training"),
    button("Delete this project", async () => {
      if (await confirmed(`Delete ${project.name} with all its samples and trainings? This cannot be undone.`)) {
        await trying(async () => { await api.post(`projects/${project.id}/delete`); go("#/"); });
      }
    }, "quiet-button")));
  let stop = () => {};
  look = () => { stop(); stop = inspecting(looked, context); };
  look();
  return () => { stop(); for (const end of endings) end?.(); };
}

const WHAT = {
  pictures: ["pictures", "image/*,.zip", "Drop pictures, a folder with a folder for each class, or a zip of it here."],
  sounds: ["recordings", "audio/*,.zip", "Drop recordings, a folder with a folder for each class, or a zip of it here."],
  texts: ["texts", ".txt,.md,.csv,.tsv", "Drop a table with the columns text and label, or a folder of text files for each class here."],
  boxes: ["pictures", "image/*,.xml,.zip", "Drop pictures here, with Pascal VOC files of their boxes if there are some."],
  files: ["files", "", "Drop a table, a folder, or a zip here."],
};

/** Where files are dropped or chosen. */
function dropZone(context) {
  const { project } = context;
  const [what, accept, about] = WHAT[project.kind];
  const far = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
  const send = (files) => trying(async () => {
    far.hidden = false;
    try {
      tell(await sendAll(project.id, files, "", (done, of) => { far.max = of; far.value = done; }), what);
    } finally {
      far.hidden = true;
      context.again();
    }
  });
  const zone = h("div", { class: "drop" }, h("p", {}, about),
    h("div", { class: "actions" }, chooser(`Choose ${what}`, accept, send), chooser("Choose a folder", accept, send, { folder: true })), far);
  zone.addEventListener("dragover", () => zone.classList.add("over"));
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", async (event) => {
    zone.classList.remove("over");
    send(await dropped(event.dataTransfer));
  });
  return zone;
}

export function tell(taken, what) {
  const parts = [`${taken.added.toLocaleString("en")} of the ${what} added`];
  if (taken.there) parts.push(`${taken.there.toLocaleString("en")} there already`);
  if (taken.skipped) parts.push(`${taken.skipped.toLocaleString("en")} left out, such as ${taken.left[0]}`);
  const hint = taken.skipped && !taken.added ? ` Put ${what} into a class, or send folders named after classes.` : "";
  notice(`${sentence(parts.join(", "))}`, hint, taken.skipped > 0 && taken.added === 0);
}

/** What `assay inspect` finds, once it is done. */
function inspecting(place, { project }) {
  const body = h("div", { "aria-live": "polite" }, h("p", { class: "quiet" }, "Looking at the data …"));
  place.replaceChildren(h("h2", { id: "found", class: "section" }, "What is in the data"), body);
  let again = false;
  return poll(async () => {
    const look = await api.post(`projects/${project.id}/inspect`, { again });
    again = false;
    if (look.state === "running") return false;
    if (look.state === "failed") {
      body.replaceChildren(h("p", { class: "problem" }, icon("act"), h("span", {}, h("strong", {}, sentence(look.failure.error)), ` ${look.failure.hint}`)));
    } else {
      body.replaceChildren(...found(look.found));
    }
    return true;
  }, 1500);
}

function found(look) {
  const { split, counts, problems } = look;
  const parts = [h("dl", { class: "numbers" },
    number("samples", split.train + split.validation + split.test),
    number("to learn from", split.train), number("to watch the training", split.validation), number("to test it", split.test))];
  parts.push(h("p", { class: "quiet" }, `${look.task}: ${look.why}.`));
  const copies = counts.near_duplicate_groups;
  if (copies) parts.push(h("p", { class: "problem" }, icon("watch"), h("span", {}, `${count(copies, "group")} of near-duplicates: they stay on one side, so that the test is honest.`)));
  if (!problems.length) parts.push(h("p", { class: "problem good" }, icon("good"), h("span", {}, "No problem was found.")));
  else {
    parts.push(h("ul", { class: "problems" }, problems.map((one) => h("li", { class: "problem" },
      icon(one.action === "kept" ? "watch" : "act"),
      h("span", {}, `${one.kind.replaceAll("-", " ")}: ${one.count.toLocaleString("en")} ${one.action}`,
        h("span", { class: "hint" }, one.examples.slice(0, 3).map((place) => place.row === null ? place.file : `${place.file}, row ${place.row}`).join(", ")))))));
  }
  return parts;
}

const number = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value.toLocaleString("en")));

/** The bar that acts on chosen samples; `chosen` gives their ids. */
export function acting(context, classes, own, chosen, { aside = false, done }) {
  const others = classes.filter((one) => one !== own);
  const target = select(others, others[0]);
  target.setAttribute("aria-label", "Class");
  return [
    others.length ? h("span", { class: "joined" }, button("Move to", () => trying(async () => {
      await api.post(`projects/${context.project.id}/samples/move`, { ids: chosen(), label: target.value, aside });
      done();
    })), target) : null,
    button("Delete", () => trying(async () => {
      await api.post(`projects/${context.project.id}/samples/delete`, { ids: chosen(), aside });
      done();
    }), "danger"),
  ];
}

/** A form that adds a class. */
export function newClass(context) {
  const name = h("input", { type: "text", maxlength: 60, required: true, placeholder: "Name of a class", "aria-label": "Name of a new class", autocomplete: "off" });
  const add = button("Add class", null, "", { type: "submit" });
  return h("form", { class: "joined new-class", onsubmit: (event) => {
    event.preventDefault();
    trying(async () => {
      await api.post(`projects/${context.project.id}/classes`, { label: name.value });
      context.again();
    }, add);
  } }, name, add);
}

/** The head of a class: its name, how many it has, and what can be done with it as a whole. */
export function classHead(context, label, total) {
  const path = `projects/${context.project.id}/classes`;
  const name = h("input", { type: "text", value: label, maxlength: 60, "aria-label": `Name of the class ${label}`, class: "class-name" });
  name.addEventListener("change", () => trying(async () => {
    await api.post(`${path}/rename`, { label, to: name.value });
    context.again();
  }));
  return h("div", { class: "class-head" }, h("h2", { class: "only-heard" }, label), name, h("span", { class: "quiet" }, total.toLocaleString("en")),
    h("button", { type: "button", class: "close", "aria-label": `Delete the class ${label}`, onclick: async () => {
      if (total && !(await confirmed(`Delete ${label} with its ${count(total, "sample")}?`))) return;
      trying(async () => { await api.post(`${path}/delete`, { label }); context.again(); });
    } }, "×"));
}
