// Samples without labels: those are shown first that would teach the network most.

import { sendAll } from "./api.js";
import { tell } from "./data.js";
import { sampleAddress } from "./data_classes.js";
import { button, chooser, count, h, trying } from "./dom.js";

const COUNT = 20;

export async function labelNext(context) {
  const { api, project } = context;
  const sound = project.kind === "sounds";
  const done = project.runs.find((one) => one.state === "done");
  const place = h("div", { class: "next-samples" });
  const send = (files) => trying(async () => {
    tell(await sendAll(project.id, files, "?aside=1"), sound ? "recordings" : "pictures");
    context.again();
  });
  const look = button("Show which to label next", () => trying(async () => {
    place.replaceChildren(h("p", { class: "quiet" }, "Asking the network …"));
    try {
      const found = await api.post(`runs/${done.run}/label-next`, { count: COUNT });
      show(place, found.suggestions, context, sound);
    } catch (error) {
      place.replaceChildren();
      throw error;
    }
  }, look), "primary");
  look.disabled = !done || !project.unlabelled;
  return h("section", { class: "panel", "aria-labelledby": "next" }, h("h2", { id: "next", class: "section" }, "What to label next"),
    h("p", { class: "quiet" }, project.unlabelled ? `${count(project.unlabelled, "sample")} without a label.` : "Add samples without labels; once a network is trained, it says which of them would teach it most."),
    h("div", { class: "actions" }, chooser("Add without labels", sound ? "audio/*" : "image/*", send), look), place);
}

function show(place, suggestions, context, sound) {
  const { api, project } = context;
  const classes = Object.keys(project.classes);
  const waiting = [...suggestions];
  const turn = () => {
    const one = waiting.shift();
    if (!one) {
      place.replaceChildren(h("p", {}, "All of them are labelled. Train again to use them."));
      context.changed();
      return;
    }
    const address = `${sampleAddress(project, one.id)}&aside=1`;
    const guess = one.answer?.label;
    const choose = (label) => trying(async () => {
      await api.post(`projects/${project.id}/samples/move`, { ids: [one.id], label, aside: true });
      turn();
    });
    place.replaceChildren(
      sound ? h("audio", { controls: true, src: address, "aria-label": one.id }) : h("img", { class: "large", src: address, alt: one.id }),
      h("p", { class: "quiet" }, `${waiting.length + 1} left. ${one.reason}`),
      h("div", { class: "actions", role: "group", "aria-label": "Its class" },
        classes.map((label) => button(label === guess ? `${label} (its guess)` : label, () => choose(label), label === guess ? "primary" : "")),
        button("Skip", turn, "quiet-button")));
    place.querySelector(".actions button").focus();
  };
  turn();
}
