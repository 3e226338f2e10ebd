// A sheet to draw on with finger, pen or mouse.

import { stamp } from "./camera.js";
import { button, field, h, select } from "./dom.js";

const SIDE = 280;

/** Puts a sheet into a place; gives what ends it. `taken` gets [{file, path}]. */
export function sketch(place, taken) {
  const canvas = h("canvas", { width: SIDE, height: SIDE, class: "sheet", role: "img", "aria-label": "A sheet to draw on with a pointer" });
  const pen = canvas.getContext("2d");
  const colours = select([["black on white", "Black on white"], ["white on black", "White on black"]], "black on white", () => clear());
  const clear = () => {
    const dark = colours.value === "white on black";
    pen.fillStyle = dark ? "#000" : "#fff";
    pen.fillRect(0, 0, SIDE, SIDE);
    pen.strokeStyle = dark ? "#fff" : "#000";
    pen.lineWidth = SIDE / 14;
    pen.lineCap = pen.lineJoin = "round";
  };
  const at = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [((event.clientX - frame.left) * SIDE) / frame.width, ((event.clientY - frame.top) * SIDE) / frame.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(...at(event));
    pen.lineTo(...at(event));
    pen.stroke();
    const move = (next) => { pen.lineTo(...at(next)); pen.stroke(); };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", () => canvas.removeEventListener("pointermove", move), { once: true });
  });
  const ask = () => canvas.toBlob((file) => taken([{ file, path: `drawing-${stamp()}.png` }]), "image/png");
  clear();
  place.replaceChildren(canvas, field("Pen", colours),
    h("div", { class: "actions" }, button("Ask about the drawing", ask, "primary"), button("Clear", clear), button("Close", () => place.replaceChildren())));
  return () => place.replaceChildren();
}
