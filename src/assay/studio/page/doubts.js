// Labels that look wrong, by the newest training with full evidence: a person decides about each.

import { sampleAddress } from "./data_classes.js";
import { button, count, h, trying } from "./dom.js";

/** The panel, or null where no label is doubted. */
export async function doubts(context) {
  const { api, project } = context;
  const run = project.runs.find((one) => one.state === "done" && one.evidence === "full");
  if (!run) return null;
  const found = await api.get(`runs/${run.run}/doubts`).catch(() => ({ doubts: [] }));
  if (!found.doubts.length) return null;
  const sound = project.kind === "sounds";
  const list = h("ul", { class: "doubts" });
  const row = ({ id, label, better }) => {
    const address = sampleAddress(project, id, !sound);
    const item = h("li", {}, sound ? h("audio", { controls: true, preload: "none", src: address, "aria-label": id }) : h("img", { src: address, alt: id }),
      h("p", { class: "quiet" }, `${label}; looks like ${better}`),
      h("div", { class: "actions" },
        button(`It is ${better}`, () => trying(async () => {
          await api.post(`projects/${project.id}/samples/move`, { ids: [id], label: better });
          item.remove();
          context.changed();
        })),
        button(`${label} is right`, () => item.remove(), "quiet-button")));
    return item;
  };
  list.append(...found.doubts.map(row));
  return h("section", { class: "panel", "aria-labelledby": "doubts" }, h("h2", { id: "doubts", class: "section" }, "Labels that look wrong"),
    h("p", { class: "quiet" }, `${count(found.doubts.length, "label")} that networks doubt which had not seen them. A person has to decide.`), list);
}
