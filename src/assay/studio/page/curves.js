// The losses while a network learns: one chart, redrawn as points arrive.

import { h, s } from "./dom.js";

const SIZE = [640, 260];
const ROOM = { left: 52, right: 14, top: 12, bottom: 34 };
const NAMES = { train: "what it learns from", validation: "what it has not seen" };

/** A chart of {train: [[seconds, loss]], validation: …}. */
export function curves(data, until = 0) {
  const all = [...data.train, ...data.validation];
  if (!all.length) return h("p", { class: "quiet" }, "The curves begin with the first steps.");
  const [width, height] = SIZE;
  const last = Math.max(until, ...all.map(([seconds]) => seconds), 1e-3);
  const sorted = all.map(([, loss]) => loss).sort((a, b) => a - b);
  const top = nice(Math.max(sorted[Math.floor(0.98 * (sorted.length - 1))], 1e-6) * 1.1);
  const low = sorted[0] < 0 ? sorted[0] : 0;
  const x = (seconds) => ROOM.left + ((width - ROOM.left - ROOM.right) * seconds) / last;
  const y = (loss) => height - ROOM.bottom - ((height - ROOM.top - ROOM.bottom) * (Math.min(loss, top) - low)) / (top - low || 1);
  const ticks = [0, 0.5, 1].map((share) => low + share * (top - low));
  const drawing = s("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words(data) },
    ticks.map((loss) => [s("path", { class: "grid", d: `M${ROOM.left} ${y(loss)}H${width - ROOM.right}` }),
      s("text", { class: "tick", x: ROOM.left - 8, y: y(loss) + 4, "text-anchor": "end" }, String(Number(loss.toPrecision(2))))]),
    [0, 0.5, 1].map((share) => s("text", { class: "tick", x: x(share * last), y: height - ROOM.bottom + 18, "text-anchor": share === 1 ? "end" : share ? "middle" : "start" }, `${Number((share * last).toPrecision(2))} s`)),
    ["train", "validation"].map((name, index) => line(data[name], x, y, `s${index}`)));
  const legend = h("ul", { class: "legend" }, ["train", "validation"].filter((name) => data[name].length).map((name) =>
    h("li", { class: `series s${name === "train" ? 0 : 1}` }, h("span", { class: "swatch" }), `${NAMES[name]}: ${value(data[name])}`)));
  return h("figure", { class: "curves" }, h("figcaption", {}, "The loss: how wrong it is. Lower is better."), drawing, legend);
}

const value = (points) => Number(points[points.length - 1][1].toPrecision(3)).toString();

function words(data) {
  const part = (name) => (data[name].length ? `on ${NAMES[name]} it went from ${Number(data[name][0][1].toPrecision(3))} to ${value(data[name])}` : "");
  return `The loss over time: ${[part("train"), part("validation")].filter(Boolean).join("; ")}.`;
}

function line(points, x, y, series) {
  if (!points.length) return null;
  if (points.length === 1) return s("circle", { class: `mark ${series}`, cx: x(points[0][0]), cy: y(points[0][1]), r: 4 });
  const d = points.map(([seconds, loss], index) => `${index ? "L" : "M"}${x(seconds).toFixed(1)} ${y(loss).toFixed(1)}`).join("");
  return s("g", { class: series }, s("path", { class: "line", d }), s("circle", { class: "mark", cx: x(points.at(-1)[0]), cy: y(points.at(-1)[1]), r: 3.5 }));
}

function nice(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 7.5, 10].map((one) => one * power).find((one) => one >= most) || most;
}
