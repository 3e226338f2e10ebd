// One sample on its way through the layers.

import { bars, canvas, counted, drawing, h, plain } from "./inside_draw.js";

// From so many layers on, blocks are folded up.
const MANY = 24;

/** The layers with what each gives; `enlarge(name)` asks for one layer's larger form. */
export function flowView(flow, enlarge) {
  const blocks = inBlocks(flow.layers), folded = flow.layers.length > MANY;
  const list = h("div", { class: "layers" }, input(flow));
  blocks.forEach((block, place) => {
    const rows = block.layers.map((layer) => row(layer, enlarge));
    if (!folded || block.layers.length === 1) list.append(...rows);
    else list.append(foldedBlock(block, rows, place === 0 || place === blocks.length - 1));
  });
  list.append(output(flow));
  return list;
}

function input(flow) {
  const part = flow.windows > 1 ? `, part ${flow.window + 1} of ${flow.windows}` : "";
  return h("div", { class: "layer end" }, h("div", { class: "facts" }, h("h4", { text: "Input" }),
    h("p", { class: "soft", text: flow.id + part })), h("div", { class: "gives" }, drawing(flow.drawing, flow.id)));
}

function output(flow) {
  return h("div", { class: "layer end" }, h("div", { class: "facts" }, h("h4", { text: "Answer" })),
    h("div", { class: "gives" }, h("p", { class: "answer", dir: "auto", text: flow.answer }),
      flow.truth ? h("p", { class: "soft", dir: "auto", text: `It is labelled ${flow.truth}.` }) : null));
}

function row(layer, enlarge) {
  const facts = h("div", { class: "facts" },
    h("h4", {}, breakable(layer.name), h("span", { class: "kind", text: layer.kind })),
    h("p", { class: "soft" }, layer.shape.join(" × "),
      layer.parameters ? ` · ${counted(layer.parameters)} parameter${layer.parameters === 1 ? "" : "s"}` : ""));
  if (layer.passes) {
    facts.append(h("p", { class: "soft", text: "at work in training alone" }));
    return h("div", { class: "layer passes" }, facts);
  }
  const gives = h("div", { class: "gives" }, given(layer));
  const more = h("div", { class: "more", hidden: true });
  const button = h("button", { type: "button", class: "quiet", "aria-expanded": "false", text: "Larger", "aria-label": `${layer.name} larger` });
  button.addEventListener("click", async () => {
    const open = more.hidden;
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? "Smaller" : "Larger";
    more.hidden = !open;
    gives.hidden = open;
    if (open && !more.childElementCount) more.append(await enlarge(layer.name).then((found) => given(found, true)));
  });
  facts.append(h("p", { class: "range soft" }, `${plain(layer.low)} to ${plain(layer.high)}`,
    layer.zero > 0.005 ? ` · ${Math.round(100 * layer.zero)} % zero` : "", layer.form === "vector" && layer.names?.length ? null : button));
  return h("div", { class: "layer", "data-form": layer.form }, facts, gives, more);
}

/** What a layer gives, by its form. */
function given(layer, large = false) {
  if (layer.form === "vector") return layer.names.length ? namedBars(layer) : vector(layer, large);
  const [shown, of] = [layer.planes.length, layer.of];
  const told = layer.form === "maps"
    ? `${shown === of ? "all" : `the ${shown} liveliest of`} ${counted(of)} channel${of === 1 ? "" : "s"}`
    : `${counted(of)} channels over ${counted(layer.shape.find((size) => size !== of) ?? 1)} places`;
  const pictures = layer.planes.map((plane) => {
    const node = canvas(plane);
    if (plane.unit !== undefined) node.title = `channel ${plane.unit}`;
    return node;
  });
  return h("div", { class: `${layer.form}${large ? " large" : ""}` },
    h("div", { class: "planes", role: "img", "aria-label": `${layer.name}: ${told}` }, pictures),
    h("p", { class: "soft", text: large && layer.form === "sequence" ? `${told}; from left to right the places, downwards the channels` : told }));
}

function vector(layer, large) {
  const each = Math.ceil(layer.of / layer.bars.length);
  const told = each > 1 ? `${counted(layer.of)} numbers, each bar the strongest of ${each}` : `${counted(layer.of)} number${layer.of === 1 ? "" : "s"}`;
  return h("div", { class: large ? "vector large" : "vector" }, bars(layer.bars, `${layer.name}: ${told}`), h("p", { class: "soft", text: told }));
}

function namedBars(layer) {
  const most = Math.max(...layer.bars.map((value) => Math.abs(value ?? 0))) || 1, best = layer.bars.indexOf(Math.max(...layer.bars));
  const order = layer.bars.map((value, place) => place).sort((one, other) => layer.bars[other] - layer.bars[one]).slice(0, 12);
  return h("div", { class: "named" }, h("dl", {}, order.map((place) => {
    const bar = h("span", { class: layer.bars[place] < 0 ? "bar down" : "bar" });
    bar.style.width = `${Math.round((100 * Math.abs(layer.bars[place])) / most)}%`;
    return h("div", { class: place === best ? "best" : "" }, h("dt", { dir: "auto", text: layer.names[place] }),
      h("dd", {}, h("span", { class: "rail", "aria-hidden": "true" }, bar), plain(layer.bars[place])));
  })), layer.names.length > order.length ? h("p", { class: "soft", text: `the ${order.length} strongest of ${layer.names.length}` }) : null);
}

function foldedBlock(block, rows, open) {
  const last = [...block.layers].reverse().find((layer) => !layer.passes);
  const parameters = block.layers.reduce((sum, layer) => sum + layer.parameters, 0);
  const look = last && last.planes ? last.planes.slice(0, 4).map((plane) => canvas(plane)) : [];
  return h("details", { class: "block", open }, h("summary", {}, h("span", { class: "block-name" }, breakable(block.name)),
    h("span", { class: "soft", text: ` ${block.layers.length} layers · ${counted(parameters)} parameters` }),
    h("span", { class: `look ${last ? last.form : ""}`, "aria-hidden": "true" }, look)), rows);
}

/** Layers that follow one another in one block of the network: what a number in their names stands for, or their parent. */
function inBlocks(layers) {
  const blocks = [];
  for (const layer of layers) {
    const parts = layer.name.split("."), number = parts.findIndex((part) => /^\d+$/.test(part));
    const end = number >= 0 && number < parts.length - 1 ? number + 1 : Math.max(1, parts.length - 1);
    const name = parts.length === 1 ? "" : parts.slice(0, end).join(".");
    if (!blocks.length || blocks[blocks.length - 1].name !== name) blocks.push({ name, layers: [] });
    blocks[blocks.length - 1].layers.push(layer);
  }
  return blocks.map((block) => ({ ...block, name: block.name || block.layers[0].name }));
}

/** A name that breaks behind its dots rather than anywhere. */
function breakable(name) {
  return name.split(".").flatMap((part, place) => (place ? [".", h("wbr"), part] : [part]));
}

/** Light up the layers one after the other; gives what stops it. */
export function playThrough(list, done) {
  const rows = [...list.querySelectorAll(".in-layer:not(.in-passes)")].filter((row) => row.offsetParent !== null);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  list.classList.add("in-playing");
  let place = -1;
  const stop = () => {
    clearInterval(timer);
    list.classList.remove("in-playing");
    rows.forEach((row) => row.classList.remove("in-reached", "in-now"));
    done();
  };
  const step = () => {
    rows[place]?.classList.replace("in-now", "in-reached");
    place += 1;
    if (place >= rows.length) return stop();
    rows[place].classList.add("in-now");
    rows[place].scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
    return null;
  };
  const timer = setInterval(step, Math.max(160, Math.min(700, 9000 / rows.length)));
  step();
  return stop;
}
