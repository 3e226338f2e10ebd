// The weights: what the first layer looks for, and how large the weights of each layer are.

import { canvas, counted, h, histogram, plain } from "./inside_draw.js";

const MOST = 60;

export function weightsView(told) {
  const shown = told.layers.slice(0, MOST);
  return h("div", {}, told.filters ? filters(told.filters) : null,
    h("h4", { class: "small", text: "How large the weights of each layer are" }),
    h("p", { class: "soft", text: "Zero is in the middle. Weights that all crowd there say little; a few far out may have learned by heart." }),
    h("ul", { class: "histograms" }, shown.map(one)),
    told.layers.length > MOST ? h("p", { class: "soft", text: `${told.layers.length - MOST} more layers are not shown.` }) : null);
}

function one(layer) {
  const label = `${layer.name}: ${counted(layer.count)} weights, mean ${plain(layer.mean)}, deviation ${plain(layer.deviation)}`;
  return h("li", {}, h("p", { class: "histogram-name", text: layer.name, title: layer.name }), histogram(layer.bins, label),
    h("p", { class: "ends soft" }, h("span", { text: plain(-layer.end) }), h("span", { text: `${counted(layer.count)}` }), h("span", { text: plain(layer.end) })));
}

function filters(found) {
  const colours = found.form === "colours" ? "colours" : "signed", [shown, of] = [found.planes.length, found.of];
  const told = found.form === "matrix" ? `a matrix of ${found.shape.map(counted).join(" × ")}, averaged where it is larger than the picture`
    : `${shown === of ? `all ${counted(of)}` : `${shown} of ${counted(of)}`} filters of ${found.shape.slice(1).join(" × ")}`;
  return h("div", { class: "filters" }, h("h4", { class: "small", text: `What the first layer looks for: ${found.name}` }),
    h("div", { class: `planes ${found.form}`, role: "img", "aria-label": `${found.name}: ${told}` }, found.planes.map((plane) => canvas(plane, colours))),
    h("p", { class: "soft key" }, h("span", { text: told }), colours === "signed"
      ? h("span", { class: "scale" }, h("span", { text: plain(found.low) }), h("span", { class: "ramp", "aria-hidden": "true" }), h("span", { text: plain(found.high) }))
      : h("span", { text: "grey is zero" })));
}
