// Answers, whatever the task: a class, a number, texts, boxes, areas.

import { hue, withAreas, withBoxes, withCells } from "./answer_pictures.js";
import { count, h } from "./dom.js";

const HIDDEN = new Set(["id", "label", "confidence", "probabilities", "value", "text", "labels", "objects", "counts", "areas", "segments", "words", "poses", "frames", "answer", "translation"]);
const SHOWN = 6;

/** The parts that show an answer. */
export function answer(one, question, asked) {
  const parts = [];
  const main = one.label ?? (Array.isArray(one.labels) ? one.labels.join(", ") || "none" : undefined) ?? one.value ?? one.text ?? one.answer ?? one.translation;
  if (main !== undefined && main !== null) {
    const text = typeof main === "number" ? Number(main.toPrecision(5)).toString() : String(main);
    parts.push(h("p", { class: text.length > 60 ? "answer long" : "answer" }, text || "(nothing)"));
  }
  if (typeof one.confidence === "number") parts.push(h("p", { class: "quiet" }, `${(100 * one.confidence).toFixed(1)} % sure`));
  if (one.probabilities) parts.push(bars(one.probabilities));
  if (one.objects) parts.push(counted(one.counts), question.picture && withBoxes(one.objects, question.picture));
  if (one.tracks) parts.push(counted(one.counts), h("p", { class: "quiet" }, `Different things in ${count(one.video.frames, "frame")}.`));
  if (one.cells) parts.push(counted(Object.keys(one.by_class).length ? one.by_class : { cells: one.count }), withCells(one, question.picture));
  if (one.areas) {
    parts.push(withAreas(one, question.picture));
    const hues = new Map(one.areas.map((area) => [area.label, hue(area.value)]));
    parts.push(bars(Object.fromEntries(Object.entries(one.percent).map(([name, share]) => [name, share / 100])), hues));
  }
  parts.push(rest(one));
  return parts.filter(Boolean);
}

/** Shares by name, the largest first; names that have a hue in a picture have it here, too. */
function bars(shares, hues = null) {
  const sorted = Object.entries(shares).sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
  return h("ul", { class: hues ? "bars keyed" : "bars" }, sorted.map(([name, share]) => h("li", { class: hues?.get(name) }, h("span", { class: "bar-name" }, name),
    h("span", { class: "track" }, h("span", { class: "share", vars: { "--share": `${Math.max(0, Math.min(1, share)) * 100}%` } })),
    h("span", { class: "bar-value" }, `${(100 * share).toFixed(1)} %`))));
}

/** How many there are of each class. */
function counted(counts) {
  const there = Object.entries(counts).filter(([, number]) => number);
  return h("p", { class: "answer" }, there.map(([name, number]) => `${number} × ${name}`).join(", ") || "Nothing found");
}

/** What else an answer says, as far as it is short. */
function rest(one) {
  const rows = Object.entries(one).filter(([name, value]) => !HIDDEN.has(name) && (typeof value === "number" || (typeof value === "string" && value.length < 200) || typeof value === "boolean"));
  if (!rows.length) return null;
  return h("dl", { class: "pairs one" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, typeof value === "number" ? String(Number(value.toPrecision(5))) : String(value)))));
}
