// Which run a view is about.

import { field, h, select } from "./dom.js";
import { standing } from "./home.js";

/** The run that the address names, else the newest that is done; where there is none, the view says what to do. */
export function chosenRun({ project, run, place, go, link }, step, nothing) {
  const done = project.runs.filter((one) => one.state === "done");
  const chosen = done.find((one) => one.run === run) || done[0];
  if (!chosen) {
    const running = project.runs.some((one) => one.state === "running");
    place.append(h("div", { class: "empty" }, h("h2", {}, `${nothing}.`),
      h("p", {}, running ? "The network is being trained. " : "Train a network first. ",
        h("a", { href: link(project.id, "train") }, "To the training"))));
    return null;
  }
  if (done.length > 1) {
    const names = done.map((one) => [one.run, `Training ${one.number}: ${standing(one)}`]);
    place.append(h("div", { class: "which" }, field("Which training", select(names, chosen.run, (value) => go(link(project.id, step, value))))));
  }
  return chosen.run;
}
