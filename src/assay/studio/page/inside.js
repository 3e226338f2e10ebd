// The view "Inside": a network as layers, a sample on its way through them, weights, gradients, and settings to turn.

import { counted, drawing, h, problem } from "./inside_draw.js";
import { flowView, playThrough } from "./inside_flow.js";
import { knobsView } from "./inside_knobs.js";
import { weightsView } from "./inside_weights.js";

const AT_ONCE = 12;

/** Fill an element with the view of a run, and give what ends it; `api` has `get(path)` and `post(path, body)`. */
export async function mountInside(element, runId, api) {
  const path = `runs/${encodeURIComponent(runId)}/inside`;
  const root = h("div", { class: "inside" }, h("p", { class: "soft", role: "status", text: "Opening the network …" }));
  element.replaceChildren(root);
  try {
    const about = await api.get(`${path}/about`);
    const view = { path, api, about, asked: null, sample: null };
    root.replaceChildren(head(about), ...await sections(view));
  } catch (error) {
    root.replaceChildren(problem(error));
  }
  return () => root.remove();
}

function head(about) {
  const finding = about.finding;
  return h("header", {}, h("h2", { text: "Inside the network" }),
    h("p", { class: "lead", text: finding ? finding.verdict : `${about.network.name}: ${counted(about.network.parameters)} parameters.` }),
    finding && finding.next ? h("p", { class: "next", text: finding.next }) : null);
}

async function sections(view) {
  const flow = h("div", {}), parts = [
    section("flow", "A sample on its way through the layers", picker(view, flow), flow),
    later("weights", "Weights", async () => weightsView(await view.api.get(`${view.path}/weights`))),
    later("gradients", "Gradients over the training", async () => gradients(await view.api.get(`${view.path}/gradients`))),
    later("settings", "Turn the knobs", async () => knobsView(await view.api.get(`${view.path}/settings`), view.path, view.api),
      "Move a slider: the network is trained anew for a few seconds, once as the run was and once with your change."),
  ];
  return parts;
}

function section(name, title, ...content) {
  return h("section", { class: `part ${name}`, "aria-labelledby": `inside-${name}` }, h("h3", { id: `inside-${name}`, text: title }), ...content);
}

/** A section whose content is asked for once it comes near the window. */
function later(name, title, make, lead = "") {
  const place = h("div", { class: "later" }, h("p", { class: "soft", text: "…" }));
  const watcher = new IntersectionObserver(async (entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    try {
      place.replaceChildren(await make());
    } catch (error) {
      place.replaceChildren(problem(error));
    }
  }, { rootMargin: "400px" });
  watcher.observe(place);
  return section(name, title, lead ? h("p", { class: "soft", text: lead }) : null, place);
}

function gradients(told) {
  const place = h("div", {});
  place.innerHTML = told.figure;
  if (!told.figure) place.append(h("p", { class: "soft", text: "The training of this run noted no gradients." }));
  const said = told.finding ? Object.entries(told.finding.numbers).find(([name]) => name.startsWith("gradients of first")) : null;
  if (said && said[1].value) place.prepend(h("p", { class: "soft", text: `Each row is a layer, from the input down to the answer. The first and the last layers' gradients differ ${Number(said[1].value.toPrecision(2))}-fold; a thousandfold would be too much.` }));
  return place;
}

/** Samples of the test side to choose from, and what somebody brings along. */
function picker(view, flow) {
  const cards = h("ul", { class: "samples" }), status = h("p", { class: "status soft", role: "status" });
  const state = { first: 0, of: 0, order: "source" };
  const back = h("button", { type: "button", class: "quiet", text: "Back", onclick: () => turn(-AT_ONCE) });
  const on = h("button", { type: "button", class: "quiet", text: "More", onclick: () => turn(AT_ONCE) });
  const order = h("select", { id: "inside-order", onchange: () => { state.order = order.value; state.first = 0; turn(0); } },
    h("option", { value: "source", text: "as they came" }), h("option", { value: "worst", text: "worst answers first" }));

  async function turn(by) {
    state.first = Math.max(0, state.first + by);
    try {
      const found = await view.api.get(`${view.path}/samples?first=${state.first}&count=${AT_ONCE}&order=${state.order}`);
      state.of = found.of;
      cards.replaceChildren(...found.samples.map((one) => card(one)));
      status.textContent = found.of ? `${found.side} samples ${counted(state.first + 1)} to ${counted(state.first + found.samples.length)} of ${counted(found.of)}` : "This run has no samples to show.";
      if (!view.sample && found.samples.length) await choose({ id: found.samples[0].id }, cards.querySelector("button"));
    } catch (error) {
      status.replaceChildren(problem(error));
    }
    back.hidden = on.hidden = state.of <= AT_ONCE;
    back.disabled = state.first === 0;
    on.disabled = state.first + AT_ONCE >= state.of;
  }

  function card(one) {
    const right = one.answer === one.target;
    const told = one.target ? (right ? one.target : `${one.answer} · is ${one.target}`) : one.answer;
    const node = h("button", { type: "button", class: "card", "aria-pressed": String(view.sample?.id === one.id), title: one.id },
      drawing(one.drawing, one.id, true), h("span", { class: right || !one.target ? "said" : "said wrong", dir: "auto", text: told }));
    node.addEventListener("click", () => choose({ id: one.id }, node));
    return h("li", {}, node);
  }

  async function choose(sample, node) {
    view.sample = sample;
    cards.querySelectorAll("button").forEach((other) => other.setAttribute("aria-pressed", String(other === node)));
    await show(view, flow);
  }

  turn(0);
  return h("div", { class: "picker" },
    h("div", { class: "actions" }, h("label", { for: "inside-order", text: "Samples" }), order, back, on, status), cards,
    bring(view, (inputs) => choose({ inputs }, null)));
}

async function show(view, place) {
  const sample = view.sample;
  place.setAttribute("aria-busy", "true");
  try {
    const flow = await view.api.post(`${view.path}/flow`, sample);
    if (view.sample !== sample) return;
    const list = flowView(flow, async (layer) => (await view.api.post(`${view.path}/flow`, { ...sample, layer })).layer);
    const play = h("button", { type: "button", class: "strong", text: "Play" });
    let stop = null;
    play.addEventListener("click", () => {
      if (stop) return stop();
      play.textContent = "Stop";
      stop = playThrough(list, () => { stop = null; play.textContent = "Play"; });
      return null;
    });
    place.replaceChildren(h("div", { class: "actions play" }, play,
      h("span", { class: "soft" }, `${counted(flow.layers.length)} layers; dark is a layer's least value, bright its greatest`, h("span", { class: "ramp rising", "aria-hidden": "true" }))), list);
  } catch (error) {
    place.replaceChildren(problem(error));
  }
  place.removeAttribute("aria-busy");
}

/** A sample of one's own: a file, a text, a row, or a question. */
function bring(view, use) {
  const { value, columns, endings } = view.about;
  const form = h("form", { class: "bring" });
  const fields = [];
  const field = (name, label, many = false) => {
    const input = h(many ? "textarea" : "input", { id: `inside-own-${fields.length}`, ...(many ? { rows: 2 } : { type: "text" }) });
    fields.push([name, input]);
    form.append(h("div", { class: "field" }, h("label", { for: input.id, text: label }), input));
  };
  if (value === "text") field("text", "A text of your own", true);
  if (value === "question") [["question", "Question"], ["context", "Text that holds the answer"]].forEach(([name, label]) => field(name, label, name === "context"));
  if (value === "row") columns.forEach((name) => field(name, name));
  let file = null;
  if (!value) {
    file = h("input", { type: "file", id: "inside-own-file", accept: endings.join(",") });
    form.append(h("div", { class: "field" }, h("label", { for: "inside-own-file", text: "A file of your own" }), file));
    file.addEventListener("change", () => form.requestSubmit());
  } else form.append(h("button", { type: "submit", class: "quiet", text: "Send it through" }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (file) {
      if (file.files.length) use([{ name: file.files[0].name, base64: await inBase64(file.files[0]) }]);
      return;
    }
    const given = Object.fromEntries(fields.map(([name, input]) => [name, input.value]));
    use([value === "text" ? given.text : given]);
  });
  return value === "row" ? h("details", {}, h("summary", { text: "A row of your own" }), form) : form;
}

function inBase64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1] || "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
