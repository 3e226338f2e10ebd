// Answers, whatever the task: a class, a number, texts, boxes, areas.

import { h, s } from "./dom.js";

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
  if (one.objects) parts.push(...boxes(one, question));
  if (one.percent) parts.push(bars(Object.fromEntries(Object.entries(one.percent).map(([name, share]) => [name, share / 100]))));
  parts.push(rest(one));
  return parts.filter(Boolean);
}

function bars(shares) {
  const sorted = Object.entries(shares).sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
  return h("ul", { class: "bars" }, sorted.map(([name, share]) => h("li", {}, h("span", { class: "bar-name" }, name),
    h("span", { class: "track" }, h("span", { class: "share", vars: { "--share": `${Math.max(0, Math.min(1, share)) * 100}%` } })),
    h("span", { class: "bar-value" }, `${(100 * share).toFixed(1)} %`))));
}

function boxes(one, question) {
  const labels = [...new Set(one.objects.map((box) => box.label))];
  const parts = [h("p", { class: "answer" }, labels.length ? Object.entries(one.counts).filter(([, number]) => number).map(([name, number]) => `${number} × ${name}`).join(", ") : "Nothing found")];
  if (question.picture) {
    const image = h("img", { src: question.picture, alt: "The picture with what was found" });
    const layer = s("svg", { class: "boxes still", "aria-hidden": "true" });
    image.addEventListener("load", () => {
      const [width, height] = [image.naturalWidth, image.naturalHeight];
      const unit = width / Math.max(1, image.clientWidth);
      layer.setAttribute("viewBox", `0 0 ${width} ${height}`);
      layer.replaceChildren(...one.objects.map((box) => s("g", { class: `series s${labels.indexOf(box.label) % 6}` },
        s("rect", { class: "drawn", x: box.x0, y: box.y0, width: box.x1 - box.x0, height: box.y1 - box.y0 }),
        s("text", { class: "box-label", x: box.x0 + 3 * unit, y: Math.max(box.y0 - 4 * unit, 12 * unit), "font-size": 13 * unit }, `${box.label} ${Math.round(100 * box.score)} %`))));
    });
    parts.push(h("div", { class: "stage" }, image, layer));
  }
  return parts;
}

/** What else an answer says, as far as it is short. */
function rest(one) {
  const rows = Object.entries(one).filter(([name, value]) => !HIDDEN.has(name) && name !== "percent" && (typeof value === "number" || (typeof value === "string" && value.length < 200) || typeof value === "boolean"));
  if (!rows.length) return null;
  return h("dl", { class: "pairs one" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, typeof value === "number" ? String(Number(value.toPrecision(5))) : String(value)))));
}
