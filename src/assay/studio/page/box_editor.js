// Boxes over a picture, by pointer and by keyboard: draw, move, size, name, delete. Every change is kept at once.

import { button, h, s, unique } from "./dom.js";

const STEP = 0.01;
const LEAST = 4;
/** Pixels of the page: a smaller picture is enlarged, so that corners can be held. */
const SMALL = 420;

/** The editor of a picture; `keep` gets all boxes after a change. */
export function boxEditor({ address, name, boxes, labels, keep }) {
  const image = h("img", { src: address, alt: name, draggable: "false" });
  const layer = s("svg", { class: "boxes" });
  const stage = h("div", { class: "stage", role: "group", "aria-label": `Boxes on ${name}` }, image, layer);
  const rows = h("ul", { class: "box-rows" });
  const known = h("datalist", { id: unique("labels") });
  const label = h("input", { type: "text", list: known.id, value: labels[0] || "thing", maxlength: 60, "aria-label": "Class of new boxes", class: "short" });
  const own = boxes.map((box) => ({ ...box }));
  let chosen = -1;
  let timer = 0;
  let pending = false;
  const width = () => image.naturalWidth || 1;
  const height = () => image.naturalHeight || 1;

  const save = () => {
    clearTimeout(timer);
    pending = true;
    timer = setTimeout(flush, 400);
  };
  const flush = async () => {
    clearTimeout(timer);
    if (!pending) return;
    pending = false;
    await keep(own.map((box) => ({ ...box })));
  };
  const choose = (index) => { chosen = index; draw(); };
  const remove = (index) => {
    own.splice(index, 1);
    chosen = -1;
    draw(true);
    save();
  };
  const add = (box) => {
    own.push({ label: label.value.trim() || "thing", ...box });
    chosen = own.length - 1;
    if (!labels.includes(own[chosen].label)) labels.push(own[chosen].label);
    draw(true);
    save();
  };
  const fit = (box) => {
    const [w, t] = [Math.min(box.x1 - box.x0, width()), Math.min(box.y1 - box.y0, height())];
    box.x0 = Math.min(Math.max(0, box.x0), width() - w); box.x1 = box.x0 + w;
    box.y0 = Math.min(Math.max(0, box.y0), height() - t); box.y1 = box.y0 + t;
  };
  const onkey = (event, index) => {
    const box = own[index];
    const [dx, dy] = [STEP * width(), STEP * height()];
    const moves = { ArrowLeft: [-dx, 0], ArrowRight: [dx, 0], ArrowUp: [0, -dy], ArrowDown: [0, dy] }[event.key];
    if (event.key === "Delete" || event.key === "Backspace") remove(index);
    else if (moves && event.shiftKey) {
      box.x1 = Math.min(width(), Math.max(box.x0 + LEAST, box.x1 + moves[0]));
      box.y1 = Math.min(height(), Math.max(box.y0 + LEAST, box.y1 + moves[1]));
    } else if (moves) {
      box.x0 += moves[0]; box.x1 += moves[0]; box.y0 += moves[1]; box.y1 += moves[1];
      fit(box);
    } else return;
    event.preventDefault();
    if (moves) { draw(); save(); }
    layer.querySelectorAll(".drawn")[Math.min(chosen, own.length - 1)]?.focus();
  };

  function draw(listToo = false) {
    layer.setAttribute("viewBox", `0 0 ${width()} ${height()}`);
    const unit = width() / Math.max(1, image.clientWidth || 400);
    const held = document.activeElement?.classList?.contains("drawn");
    layer.replaceChildren(...own.map((box, index) => {
      const on = index === chosen;
      const corners = [[box.x0, box.y0, "nw"], [box.x1, box.y0, "ne"], [box.x0, box.y1, "sw"], [box.x1, box.y1, "se"]];
      return s("g", { class: `series s${labels.indexOf(box.label) % 6}` },
        s("rect", { class: on ? "drawn on" : "drawn", x: box.x0, y: box.y0, width: box.x1 - box.x0, height: box.y1 - box.y0, tabindex: 0, role: "button",
          "aria-label": `${box.label}, box ${index + 1}: arrow keys move it, with shift they size it, delete removes it`, "data-box": index, onkeydown: (event) => onkey(event, index),
          onfocus: () => { if (chosen !== index) { chosen = index; draw(); layer.querySelectorAll(".drawn")[index].focus(); } } }),
        s("text", { class: "box-label", x: box.x0 + 3 * unit, y: Math.max(box.y0 - 4 * unit, 12 * unit), "font-size": 13 * unit }, box.label),
        on ? corners.map(([x, y, kind]) => s("circle", { class: "corner", cx: x, cy: y, r: 6 * unit, "data-corner": kind })) : null);
    }));
    if (held && chosen >= 0) layer.querySelectorAll(".drawn")[chosen]?.focus();
    known.replaceChildren(...labels.map((one) => h("option", { value: one })));
    if (listToo || rows.children.length !== own.length) list();
  }
  function list() {
    rows.replaceChildren(...own.map((box, index) => {
      const input = h("input", { type: "text", list: known.id, value: box.label, maxlength: 60, "aria-label": `Class of box ${index + 1}`, class: "short", onfocus: () => choose(index) });
      input.addEventListener("change", () => {
        box.label = input.value.trim() || box.label;
        if (!labels.includes(box.label)) labels.push(box.label);
        draw();
        save();
      });
      return h("li", {}, input, button("Delete", () => remove(index), "quiet-button", { "aria-label": `Delete box ${index + 1}, ${box.label}` }));
    }));
  }

  const at = (event) => {
    const frame = layer.getBoundingClientRect();
    return [
      Math.min(Math.max(0, (event.clientX - frame.left) / frame.width), 1) * width(),
      Math.min(Math.max(0, (event.clientY - frame.top) / frame.height), 1) * height(),
    ];
  };
  layer.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    layer.setPointerCapture(event.pointerId);
    const [x, y] = at(event);
    const corner = event.target.dataset?.corner;
    const hit = event.target.dataset?.box;
    let box;
    let move;
    if (corner) {
      box = own[chosen];
      move = (px, py) => {
        if (corner.endsWith("w")) box.x0 = Math.min(px, box.x1 - LEAST); else box.x1 = Math.max(px, box.x0 + LEAST);
        if (corner.startsWith("n")) box.y0 = Math.min(py, box.y1 - LEAST); else box.y1 = Math.max(py, box.y0 + LEAST);
      };
    } else if (hit !== undefined) {
      choose(Number(hit));
      box = own[chosen];
      const start = { ...box };
      move = (px, py) => {
        Object.assign(box, { x0: start.x0 + px - x, x1: start.x1 + px - x, y0: start.y0 + py - y, y1: start.y1 + py - y });
        fit(box);
      };
    } else {
      box = { label: label.value.trim() || "thing", x0: x, y0: y, x1: x, y1: y };
      if (!labels.includes(box.label)) labels.push(box.label);
      own.push(box);
      chosen = own.length - 1;
      move = (px, py) => Object.assign(box, { x0: Math.min(x, px), x1: Math.max(x, px), y0: Math.min(y, py), y1: Math.max(y, py) });
    }
    const moving = (next) => { move(...at(next)); draw(); };
    const ended = () => {
      layer.removeEventListener("pointermove", moving);
      if (box.x1 - box.x0 < LEAST || box.y1 - box.y0 < LEAST) own.splice(own.indexOf(box), 1);
      chosen = own.indexOf(box);
      draw(true);
      save();
    };
    layer.addEventListener("pointermove", moving);
    layer.addEventListener("pointerup", ended, { once: true });
  });
  image.addEventListener("load", () => {
    if (width() < SMALL) image.style.width = `${SMALL}px`;
    draw(true);
  });
  const middle = () => add({ x0: width() / 4, y0: height() / 4, x1: (3 * width()) / 4, y1: (3 * height()) / 4 });
  const element = h("div", { class: "box-editor" },
    h("div", { class: "actions" }, h("span", { class: "joined" }, h("span", { class: "quiet" }, "Class"), label), known,
      button("Add a box", middle), button("Nothing to be found here", () => { own.length = 0; chosen = -1; draw(true); save(); }, "quiet-button")),
    stage, rows);
  draw(true);
  return { element, leave: flush };
}
