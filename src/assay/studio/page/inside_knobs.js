// Sliders for the settings of a run: each change trains anew for a few seconds, beside a training with the run's own.

import { h, plain, problem } from "./inside_draw.js";

const GROUPS = [["learning", "Learning"], ["regularisation", "Regularisation"], ["size", "Size of the network"]];
const WAIT_MS = 700, LOOK_MS = 500;

/** The sliders and both curves; `told` is what the server says of the run's settings. */
export function knobsView(told, path, api) {
  const state = { set: {}, seconds: 5, unchanged: {}, tried: [], busy: false, again: false, timer: null, trial: null };
  const status = h("p", { class: "status soft", role: "status" });
  const curves = h("div", { class: "curves" }), ends = h("div", { class: "ends-table" }), tried = h("ol", { class: "tried" });
  const stop = h("button", { type: "button", class: "quiet", text: "Stop", hidden: true, onclick: () => state.trial && api.post(`${path}/trials/${state.trial}/stop`, {}) });
  const reset = h("button", { type: "button", class: "quiet", text: "As the run was", disabled: true, onclick: () => restore({}) });
  const go = h("button", { type: "button", class: "strong", text: "Train for a few seconds", onclick: () => begin() });
  const inputs = new Map();

  function restore(set) {
    state.set = { ...set };
    for (const [name, control] of inputs) control.show(set[name]);
    schedule();
  }

  function changed(name, value, slider) {
    if (same(value, slider.value)) delete state.set[name];
    else state.set[name] = value;
    schedule();
  }

  function schedule() {
    reset.disabled = !Object.keys(state.set).length;
    clearTimeout(state.timer);
    state.timer = setTimeout(begin, WAIT_MS);
  }

  async function begin() {
    clearTimeout(state.timer);
    if (state.busy) {
      state.again = true;
      return;
    }
    state.busy = true;
    stop.hidden = false;
    go.disabled = true;
    try {
      do {
        state.again = false;
        await once({ ...state.set }, state.seconds);
      } while (state.again && document.contains(status));
    } catch (error) {
      status.replaceChildren(problem(error));
    }
    state.busy = false;
    stop.hidden = true;
    go.disabled = false;
  }

  async function once(set, seconds) {
    if (!state.unchanged[seconds]) {
      const found = await train({}, seconds, null, "Training for a few seconds with the run's own settings, to compare with …");
      if (!found) return;
      state.unchanged[seconds] = found;
    }
    if (!Object.keys(set).length) {
      await train({}, seconds, null, "");
      return;
    }
    const found = await train(set, seconds, state.unchanged[seconds], `Training with ${words(set)} …`);
    if (found) remember(set, seconds, found);
  }

  /** One side training until its end; its name, or null where it was stopped or has failed. */
  async function train(set, seconds, beside, said) {
    status.textContent = said;
    const { trial } = await api.post(`${path}/trials`, { set, seconds });
    state.trial = trial;
    for (;;) {
      const found = await api.get(`${path}/trials/${trial}${beside ? `?beside=${beside.trial}` : ""}`);
      draw(found);
      if (found.state === "done") {
        status.textContent = said ? `Done: ${plain(found.epochs)} pass${found.epochs === 1 ? "" : "es"} over the training samples.` : "";
        return { trial, ends: found.ends };
      }
      if (found.state === "failed") throw Object.assign(new Error(found.error), { hint: found.hint });
      if (found.state === "stopped" || !document.contains(status)) {
        status.textContent = "Stopped.";
        return null;
      }
      await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
    }
  }

  function draw(found) {
    for (const side of ["train", "validation"]) curves.children[side === "train" ? 0 : 1].innerHTML = found.figures[side];
    ends.replaceChildren(endsTable(found.ends));
  }

  function remember(set, seconds, found) {
    const key = JSON.stringify([set, seconds]);
    state.tried = [{ key, set, loss: found.ends.changed?.validation, own: found.ends.unchanged?.validation },
      ...state.tried.filter((one) => one.key !== key)].slice(0, 8);
    tried.replaceChildren(...state.tried.map((one) => h("li", {}, h("button", { type: "button", class: "quiet", text: words(one.set), onclick: () => restore(one.set) }),
      h("span", { class: "soft", text: ` validation loss ${plain(one.loss)}${one.loss < one.own ? ", lower" : one.loss > one.own ? ", higher" : ""}` }))));
  }

  for (const side of ["train", "validation"]) {
    curves.append(h("div", {}));
    curves.lastChild.innerHTML = told.figures[side];
  }
  ends.append(endsTable(told.ends));
  const seconds = h("select", { id: "inside-seconds", onchange: () => { state.seconds = Number(seconds.value); schedule(); } },
    [3, 5, 10, 30].map((value) => h("option", { value, text: `about ${value} s` })));
  seconds.value = "5";
  return h("div", { class: "knobs" },
    h("div", { class: "sliders" }, GROUPS.map(([group, title]) => {
      const own = told.sliders.filter((one) => one.group === group);
      return own.length ? h("fieldset", {}, h("legend", { text: title }), own.map((one) => {
        const control = one.choices.length ? choice(one, changed) : slider(one, changed);
        inputs.set(one.name, control);
        return control.node;
      })) : null;
    })),
    h("div", { class: "effects" },
      h("div", { class: "actions" }, go, h("label", { for: "inside-seconds", class: "visually-hidden", text: "How long each training takes" }), seconds, reset, stop),
      status, curves, ends,
      h("p", { class: "soft", text: "Each is one short training whose learning rate runs down to its end, so that it ends better than the run did after as many steps. A small difference may be chance. The test samples are left out: settings chosen by them would make them look better than they are." }),
      tried));
}

function endsTable(ends) {
  const rows = [["this run", "run"], ["unchanged, short", "unchanged"], ["changed, short", "changed"]].filter(([, key]) => ends[key]);
  if (!rows.length) return h("p", { class: "soft", text: "The run noted no losses on validation samples." });
  const best = Math.min(...rows.filter(([, key]) => key !== "run").map(([, key]) => ends[key].validation ?? Infinity));
  return h("table", {}, h("thead", {}, h("tr", {}, ["", "steps", "training", "validation", "gap"].map((text) => h("th", { scope: "col", class: text ? "number" : "", text })))),
    h("tbody", {}, rows.map(([label, key]) => {
      const { step, train, validation } = ends[key];
      return h("tr", {}, h("th", { scope: "row", text: label }), h("td", { class: "number", text: step.toLocaleString("en-US") }),
        h("td", { class: "number", text: plain(train) }), h("td", { class: key !== "run" && rows.length > 2 && validation === best ? "number better" : "number", text: plain(validation) }),
        h("td", { class: "number", text: plain(validation - train) }));
    })));
}

function same(one, other) {
  return typeof other === "number" ? Math.abs(one - other) <= 1e-9 + 0.002 * Math.abs(other) : String(one) === String(other);
}

function words(set) {
  return Object.entries(set).map(([name, value]) => `${readable(name)} ${typeof value === "number" ? plain(value) : value}`).join(", ");
}

function readable(name) {
  return name.replace("augment.", "augment: ").replaceAll("_", " ");
}

function labelled(one, input, output) {
  const id = `inside-${one.name.replaceAll(/[^\w]/g, "-")}`;
  input.id = id;
  if (one.meaning) input.setAttribute("aria-describedby", `${id}-meaning`);
  return h("div", { class: "knob" }, h("label", { for: id }, readable(one.name)), output, input,
    one.meaning ? h("p", { id: `${id}-meaning`, class: "meaning soft", text: one.meaning }) : null);
}

function choice(one, changed) {
  const input = h("select", { onchange: () => changed(one.name, one.choices[input.selectedIndex], one) }, one.choices.map((value) => h("option", { text: String(value) })));
  const show = (value) => { input.selectedIndex = Math.max(0, one.choices.indexOf(value ?? one.value)); };
  show();
  return { node: labelled(one, input, null), show };
}

/** A range whose places are hundredths of the way, or of the way of the logarithms; whole numbers are what they are. */
function slider(one, changed) {
  const places = one.step ? Math.round((one.high - one.low) / one.step) : 100, least = one.off ? -1 : 0;
  const valueAt = (place) => {
    if (place < 0) return 0;
    if (one.step) return one.low + place * one.step;
    const share = place / places;
    const value = one.log ? one.low * (one.high / one.low) ** share : one.low + share * (one.high - one.low);
    return Number(value.toPrecision(3));
  };
  const placeOf = (value) => {
    if (one.off && value < one.low) return least;
    if (one.step) return Math.round((value - one.low) / one.step);
    return Math.round(places * (one.log ? Math.log(value / one.low) / Math.log(one.high / one.low) : (value - one.low) / (one.high - one.low)));
  };
  const output = h("output", {}), input = h("input", { type: "range", min: least, max: places, step: 1 });
  let own = placeOf(one.value);
  const valueNow = () => (Number(input.value) === own ? one.value : valueAt(Number(input.value)));
  const tell = () => {
    const value = valueNow();
    output.textContent = one.off && value === 0 ? "off" : plain(value);
    input.setAttribute("aria-valuetext", output.textContent);
    output.classList.toggle("in-moved", !same(value, one.value));
  };
  const show = (value) => {
    input.value = placeOf(value ?? one.value);
    tell();
  };
  input.addEventListener("input", tell);
  input.addEventListener("change", () => changed(one.name, valueNow(), one));
  show();
  own = Number(input.value);
  tell();
  return { node: labelled(one, input, output), show };
}
