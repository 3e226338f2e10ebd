// Pictures with boxes: which are labelled, and the one that is being drawn on.

import { api } from "./api.js";
import { boxEditor } from "./box_editor.js";
import { sampleAddress } from "./data_classes.js";
import { button, confirmed, count, h, trying } from "./dom.js";

export async function edit(place, context) {
  const { project } = context;
  const { pictures, labels } = await api.get(`projects/${project.id}/boxes`);
  if (!pictures.length) {
    place.append(h("p", { class: "advice" }, "Add pictures, then draw a box around each thing that is to be found. Some tens of pictures make a beginning."));
    return () => {};
  }
  const room = h("div", { class: "box-room" });
  const strip = h("ul", { class: "thumbs strip-of-pictures", "aria-label": "Pictures" });
  const sum = h("p", { class: "quiet", role: "status" });
  const told = () => {
    const done = pictures.filter((one) => one.boxes !== null).length;
    sum.textContent = `${count(done, "picture")} of ${pictures.length} labelled.`;
  };
  /** How many boxes a picture has, for eyes and for screen readers. */
  const mark = (index) => {
    const { id, boxes } = pictures[index];
    const about = boxes === null ? "new" : count(boxes, "box", "boxes");
    const thumb = strip.children[index].firstChild;
    thumb.querySelector(".tag").textContent = boxes === null ? "new" : String(boxes);
    thumb.setAttribute("aria-label", `${id}: ${about}`);
  };
  let leave = () => {};
  const open = async (index) => {
    await leave();
    const picture = pictures[index];
    for (const [at, item] of [...strip.children].entries()) item.firstChild.setAttribute("aria-pressed", String(at === index));
    const { boxes } = await api.get(`projects/${project.id}/boxes-of?id=${encodeURIComponent(picture.id)}`);
    const editor = boxEditor({
      address: sampleAddress(project, picture.id), name: picture.id, boxes, labels,
      keep: async (kept) => {
        await trying(() => api.post(`projects/${project.id}/boxes-of`, { id: picture.id, boxes: kept }));
        picture.boxes = kept.length;
        mark(index);
        told();
        context.changed();
      },
    });
    leave = editor.leave;
    room.replaceChildren(editor.element, h("div", { class: "actions" },
      button("Previous", () => open((index + pictures.length - 1) % pictures.length)),
      button("Next", () => open((index + 1) % pictures.length), "primary"),
      button("Delete this picture", async () => {
        if (!(await confirmed(`Delete ${picture.id}?`))) return;
        await trying(() => api.post(`projects/${project.id}/samples/delete`, { ids: [picture.id] }));
        context.again();
      }, "quiet-button")));
  };
  strip.append(...pictures.map((picture, index) => h("li", {},
    h("button", { type: "button", class: "thumb", "aria-pressed": "false", onclick: () => open(index) },
      h("img", { src: sampleAddress(project, picture.id, true), alt: "", loading: "lazy" }),
      h("span", { class: "tag" })))));
  place.append(h("section", { class: "panel", "aria-labelledby": "draw" }, h("h2", { id: "draw", class: "section" }, "Draw boxes"), sum, strip, room));
  pictures.forEach((_, index) => mark(index));
  told();
  await open(Math.max(0, pictures.findIndex((one) => one.boxes === null)));
  return () => leave();
}
