// Why an answer is as it is: what weighed, and how far that can be believed.

import { h } from "./dom.js";

const ROWS = 10;

export function explanation(found) {
  const { explanation: told, picture, spans } = found;
  const parts = [h("h3", { class: "section" }, "What weighed")];
  if (picture) {
    parts.push(h("img", { class: "large", src: picture, alt: "The input with what weighed" }),
      h("p", { class: "caption" }, "Orange spoke for the answer, blue against it; the brighter, the more."));
  }
  if (spans.length) {
    const most = Math.max(...spans.map((one) => Math.abs(one.weight ?? 0)), 1e-9);
    parts.push(h("p", { class: "shaded" }, spans.map(({ text, weight }) => {
      const strength = Math.min(5, Math.ceil((5 * Math.abs(weight ?? 0)) / most - 0.05));
      return weight && strength ? h("span", { class: `${weight > 0 ? "for" : "against"} w${strength}` }, text) : text;
    })), h("p", { class: "caption" }, "Lines under what spoke for the answer, dots under what spoke against it; the thicker, the more."));
  }
  if (told.parts?.length && !picture && !spans.length) parts.push(weights(told));
  const worth = told.faithfulness;
  if (worth) parts.push(h("p", { class: "quiet" }, `How far to believe it: this explanation beats ${Math.round(100 * worth.beaten)} % of random ones.`));
  return parts;
}

function weights({ parts, unit }) {
  const rows = parts.slice(0, ROWS);
  const most = Math.max(...rows.map((one) => Math.abs(one.weight)), 1e-9);
  const shown = (weight) => (unit === "%" ? `${(100 * weight).toFixed(1)} %` : Number(weight.toPrecision(3)).toString());
  return h("ul", { class: "bars" }, rows.map(({ name, weight }) => h("li", {}, h("span", { class: "bar-name" }, name),
    h("span", { class: "track" }, h("span", { class: weight > 0 ? "share for" : "share against", vars: { "--share": `${(100 * Math.abs(weight)) / most}%` } })),
    h("span", { class: "bar-value" }, (weight > 0 ? "+" : "") + shown(weight)))));
}
