// One button; curves, stage and time left while it runs; stop and resume; all trainings of the project.

import { api } from "./api.js";
import { curves } from "./curves.js";
import { advice } from "./data_classes.js";
import { button, confirmed, duration, field, h, icon, poll, put, select, sentence, trying, unique } from "./dom.js";
import { metric, standing } from "./home.js";

const BUDGETS = [["20s", "20 seconds"], ["1m", "1 minute"], ["5m", "5 minutes"], ["15m", "15 minutes"], ["1h", "1 hour"]];
const EVIDENCE = [["quick", "Quick: how good it is, within seconds"], ["full", "Full: why, and how far it can be trusted; takes up to twice the time again"]];

export async function view(context) {
  const { project, place, run } = context;
  const live = h("div", { class: "live-run" });
  // A training that has just begun is not among the runs yet: its folder is made once the data is read.
  const busy = project.busy;
  const own = busy?.work === "train" && busy.run.slice(0, busy.run.lastIndexOf("~")) === project.id ? busy.run : "";
  const shown = run || own || project.runs[0]?.run;
  put(place, starting(context), live, past(context, shown));
  const ends = [shown ? following(live, shown, context) : null, busy && busy.run !== shown ? waiting(context) : null];
  return () => ends.forEach((end) => end?.());
}

/** Draws the view anew once this machine is free. */
function waiting({ api: asked, again }) {
  return poll(async () => {
    const { busy } = await asked.get("busy");
    if (!busy) again();
    return !busy;
  }, 2000);
}

function starting(context) {
  const { project, go, link } = context;
  const busy = project.busy;
  const choices = h("fieldset", { class: "choices" }, h("legend", {}, "How long may it learn?"), BUDGETS.map(([value, text]) => {
    const id = unique("budget");
    return h("span", { class: "choice" }, h("input", { type: "radio", name: "budget", value, id, checked: value === "1m" }), h("label", { for: id }, text));
  }));
  const evidence = select(EVIDENCE, "quick");
  const start = button(project.runs.length ? "Train again" : "Train", () => trying(async () => {
    const budget = choices.querySelector("input:checked").value;
    const { run } = await api.post(`projects/${project.id}/train`, { budget, evidence: evidence.value });
    go(link(project.id, "train", run));
  }, start), "primary large");
  if (busy || !project.total) start.disabled = true;
  const why = busy ? `${busy.project} is being ${busy.work === "train" ? "trained" : "exported"}; this machine does one at a time.` : project.total ? "" : "Add samples first.";
  return h("section", { class: "panel", "aria-labelledby": "start" }, h("h2", { id: "start", class: "section" }, "Train a network"),
    ["pictures", "sounds", "texts"].includes(project.kind) ? advice(project) : null,
    choices, field("Evidence afterwards", evidence), h("div", { class: "actions" }, start, why ? h("span", { class: "quiet" }, why) : null));
}

/** What becomes of a run, until it ends. */
function following(place, run, context) {
  const { go, link, project } = context;
  const head = h("p", { class: "stage", role: "status" });
  const far = h("progress", { max: 1, "aria-label": "How far the training is" });
  const left = h("p", { class: "quiet" });
  const chart = h("div");
  const actions = h("div", { class: "actions" });
  place.replaceChildren(h("section", { class: "panel", "aria-label": "The training" }, head, far, left, chart, actions));
  let before = "";
  let points = -1;
  return poll(async () => {
    const found = await api.get(`runs/${run}`);
    const total = found.curves.train.length + found.curves.validation.length;
    if (total !== points) chart.replaceChildren(curves(found.curves, found.left ? seconds(found.budget) : 0));
    points = total;
    told(found, head, far, left);
    if (found.state !== before) {
      if (before === "running") context.again();
      before = found.state;
      actions.replaceChildren(...buttons(found, run, { go, link, project, again: context.again }));
    }
    return found.state !== "running";
  });
}

const seconds = (text) => Number.parseFloat(text) * ({ s: 1, m: 60, h: 3600 }[text.at(-1)] || 1);

function told(found, head, far, left) {
  far.hidden = found.state !== "running";
  left.textContent = "";
  if (found.state === "running") {
    const remains = found.left;
    const training = remains && remains.training > 0;
    head.textContent = found.stage || "Starting …";
    if (training && found.curves.train.length) far.value = 1 - remains.training / seconds(found.budget);
    else if (found.share !== null) far.value = found.share / 100;
    else far.removeAttribute("value");
    if (training) left.textContent = `About ${duration(remains.training)} of learning left, then at most ${duration(remains.evidence)} for the evidence. You may close this page: the training goes on.`;
    else if (remains) left.textContent = `It has learned; the evidence takes at most ${duration(remains.evidence)}.`;
  } else if (found.state === "done") {
    head.replaceChildren(h("strong", {}, "Done. "), found.metric ? sentence(metric(found.metric)) : "");
  } else if (found.state === "stopped") {
    head.replaceChildren(h("strong", {}, "Stopped. "), "What it learned so far is kept; it can go on from there.");
  } else {
    head.replaceChildren(icon("act"), h("strong", {}, ` ${sentence(found.failure?.error || "it did not begin")} `), found.failure?.hint || "");
  }
}

function buttons(found, run, { go, link, project, again }) {
  const ask = (path) => trying(async () => { await api.post(`runs/${run}/${path}`); again(); });
  if (found.state === "running") return [button("Stop", (event) => { event.target.disabled = true; ask("stop"); })];
  if (found.state === "stopped") return [button("Resume", () => ask("resume"), "primary")];
  if (found.state === "done") {
    return [h("a", { class: "button primary", href: link(project.id, "evidence", run) }, "See the evidence"), h("a", { class: "button", href: link(project.id, "try", run) }, "Try it")];
  }
  return [h("a", { class: "button", href: link(project.id, "data") }, "To the data")];
}

function past({ project, link, again }, shown) {
  if (!project.runs.length) return null;
  const remove = async (one) => {
    if (await confirmed(`Delete training ${one.number} with what was exported of it?`)) {
      await trying(async () => { await api.post(`runs/${one.run}/delete`); again(); });
    }
  };
  return h("section", { class: "panel", "aria-labelledby": "past" }, h("h2", { id: "past", class: "section" }, "Trainings"),
    h("ul", { class: "rows" }, project.runs.map((one) => h("li", { class: one.run === shown ? "on" : null },
      h("a", { href: link(project.id, "train", one.run), "aria-current": one.run === shown ? "true" : null }, `Training ${one.number}`),
      h("span", { class: "quiet" }, standing(one), one.budget ? `, ${BUDGETS.find(([value]) => value === one.budget)?.[1] || one.budget}` : ""),
      one.state === "running" ? null : h("button", { type: "button", class: "close", "aria-label": `Delete training ${one.number}`, onclick: () => remove(one) }, "×")))));
}
