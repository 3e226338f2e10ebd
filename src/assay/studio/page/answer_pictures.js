// Answers drawn over the picture that they are about: boxes, areas, cells.

import { h, s } from "./dom.js";

const SERIES = 6;
/** Centres without an outline are drawn as circles of this radius, in pixels of the screen. */
const RADIUS = 5;

/** The boxes of objects with their names and scores. */
export function withBoxes(objects, picture) {
  const labels = [...new Set(objects.map((box) => box.label))];
  return over(picture, "The picture with what was found", null, (unit) => objects.map((box) => s("g", { class: hue(labels.indexOf(box.label)) },
    s("rect", { class: "drawn", x: box.x0, y: box.y0, width: box.x1 - box.x0, height: box.y1 - box.y0 }),
    s("text", { class: "box-label", x: box.x0 + 3 * unit, y: Math.max(box.y0 - 4 * unit, 12 * unit), "font-size": 13 * unit }, `${box.label} ${Math.round(100 * box.score)} %`))));
}

/** The areas of a mask, a hue a class (`MaskAnswer`). */
export function withAreas(answer, picture) {
  return over(picture, "The picture with the mask over it", [answer.width, answer.height], () => answer.areas.map((area) =>
    s("g", { class: hue(area.value) }, s("path", { class: "area", d: areaPath(area.counts, area.size[0]) }))));
}

/** Cells by their outlines, or where these are not known their centres, a hue a class (`CellCount`). */
export function withCells(answer, picture) {
  const kinds = Object.keys(answer.by_class);
  return over(picture, "The picture with its cells", [answer.width, answer.height], (unit) => answer.cells.map((cell) => s("g", { class: hue(kinds.indexOf(cell.kind)) },
    cell.polygon ? s("path", { class: "cell-edge", d: `M${cell.polygon.map(([x, y]) => `${x + 0.5} ${y + 0.5}`).join("L")}Z` })
      : s("circle", { class: "cell-edge", cx: cell.x + 0.5, cy: cell.y + 0.5, r: RADIUS * unit }))));
}

/** What is drawn over a picture; over nothing, where the browser cannot show it and its size is known. */
function over(picture, alt, size, marks) {
  const layer = s("svg", { class: "boxes still", "aria-hidden": "true", preserveAspectRatio: "none" });
  const draw = (width, height, shown) => {
    layer.setAttribute("viewBox", `0 0 ${width} ${height}`);
    layer.replaceChildren(...marks(width / Math.max(1, shown)));
  };
  if (!picture) {
    if (!size) return null;
    draw(...size, Math.min(size[0], 320));
    layer.setAttribute("class", "drawing");
    return h("div", { class: "stage", role: "img", "aria-label": alt }, layer);
  }
  const image = h("img", { src: picture, alt });
  image.addEventListener("load", () => draw(...(size || [image.naturalWidth, image.naturalHeight]), image.clientWidth));
  return h("div", { class: "stage" }, image, layer);
}

/** The class of a hue; what has none, such as a cell of no class, has the first. */
export const hue = (number) => `series s${Math.max(0, number) % SERIES}`;

/** COCO's run lengths (`assay.sources.coco_rle`) of a mask so many pixels high, as a path around each run. */
export function areaPath(counts, height) {
  const parts = [];
  let at = 0;
  for (const [turn, length] of runLengths(counts).entries()) {
    if (turn % 2) parts.push(...runPath(at, length, height));
    at += length;
  }
  return parts.join("");
}

function runPath(at, length, height) {
  const parts = [];
  for (let left = length; left > 0;) {
    const [column, row] = [Math.floor(at / height), at % height];
    const columns = row ? 0 : Math.floor(left / height);
    const high = columns ? height : Math.min(left, height - row);
    parts.push(`M${column} ${row}h${columns || 1}v${high}h-${columns || 1}z`);
    at += (columns || 1) * high;
    left -= (columns || 1) * high;
  }
  return parts;
}

function runLengths(counts) {
  const lengths = [];
  let [number, shift] = [0, 0];
  for (const sign of counts) {
    const digit = sign.charCodeAt(0) - 48;
    number += (digit & 0x1f) * 2 ** shift;
    shift += 5;
    if (digit & 0x20) continue;
    if (digit & 0x10) number -= 2 ** shift;
    lengths.push(lengths.length > 2 ? number + lengths.at(-2) : number);
    [number, shift] = [0, 0];
  }
  return lengths;
}
