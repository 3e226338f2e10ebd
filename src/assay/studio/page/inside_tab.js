// The place of the view "Inside", which stands in files of its own.

import { h } from "./dom.js";
import { chosenRun } from "./runs.js";

const SHEET = "/page/inside.css";

export async function view(context) {
  const { api, place } = context;
  const run = chosenRun(context, "inside", "There is nothing to look into yet");
  if (!run) return undefined;
  const { inside } = await api.get("about");
  if (!inside) {
    place.append(h("p", { class: "lead" }, "This installation has no view into the network; the evidence page shows its layers."));
    return undefined;
  }
  if (!document.querySelector(`link[href="${SHEET}"]`)) document.head.append(h("link", { rel: "stylesheet", href: SHEET }));
  const room = h("div", { class: "inside" });
  place.append(room);
  const { mountInside } = await import("./inside.js");
  const ended = await mountInside(room, run, api);
  return typeof ended === "function" ? ended : undefined;
}

