// The trained network is asked: the right input for its task, its answer, and why.

import { api } from "./api.js";
import { answer } from "./answers.js";
import { button, h, sentence, trying } from "./dom.js";
import { explanation } from "./explained.js";
import { chosenRun } from "./runs.js";
import { inputFor } from "./try_inputs.js";

export async function view(context) {
  const { place } = context;
  const run = chosenRun(context, "try", "There is nothing to try yet");
  if (!run) return undefined;
  const waiting = h("p", { class: "quiet", role: "status" }, "Loading the network …");
  place.append(waiting);
  let left = false;
  let leave = () => {};
  api.get(`runs/${run}/asked`).then(async (asked) => {
    if (left) return;
    waiting.remove();
    leave = await room(place, run, asked);
  }).catch((error) => { waiting.textContent = `${sentence(error.message)} ${error.hint || ""}`; });
  return () => { left = true; leave(); };
}

async function room(place, run, asked) {
  const said = h("div", { class: "answer-room", "aria-live": "polite" });
  const why = h("div", { class: "why-room" });
  let turn = 0;
  /** Asks about files or values, and shows what is answered. `shown` is the input as a picture, where it is one. */
  const ask = (question) => trying(async () => {
    const mine = (turn += 1);
    said.replaceChildren(h("p", { class: "quiet" }, "Asking the network …"));
    why.replaceChildren();
    let found;
    try {
      found = await send(run, "predict", question);
    } catch (error) {
      if (mine === turn) said.replaceChildren(h("p", { class: "problem" }, h("strong", {}, sentence(error.message)), ` ${error.hint || ""}`));
      return;
    }
    if (mine !== turn) return;
    said.replaceChildren(...answer(found.answers[0], question, asked));
    const explain = button("Why?", () => trying(async () => {
      why.replaceChildren(h("p", { class: "quiet", role: "status" }, "Looking for what weighed; this takes some seconds …"));
      try {
        const found = await send(run, "explain", question);
        if (mine === turn) why.replaceChildren(...explanation(found));
      } catch (error) {
        if (mine === turn) why.replaceChildren(h("p", { class: "problem" }, h("strong", {}, sentence(error.message)), ` ${error.hint || ""}`));
      }
    }, explain));
    why.replaceChildren(h("div", { class: "actions" }, explain));
  });
  const input = await inputFor(asked, ask);
  if (asked.notice) place.append(h("p", { class: "advice" }, asked.notice));
  place.append(h("div", { class: "two try" }, h("section", { class: "panel", "aria-labelledby": "give" }, h("h2", { id: "give", class: "section" }, "Give it something"), input.element),
    h("section", { class: "panel", "aria-labelledby": "says" }, h("h2", { id: "says", class: "section" }, "What it says"), said, why)));
  said.append(h("p", { class: "quiet" }, "Its answer stands here."));
  return input.leave;
}

function send(run, path, question) {
  if (question.files) return api.form(`runs/${run}/${path}`, question.files, { model: run });
  return api.post(`runs/${run}/${path}`, { model: run, inputs: [question.value] });
}
