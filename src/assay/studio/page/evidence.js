// What was found out about a network: each finding in a sentence, and the whole page.

import { api } from "./api.js";
import { h, icon, prose, put, sentence, status } from "./dom.js";
import { metric } from "./home.js";
import { chosenRun } from "./runs.js";

const ORDER = ["act", "watch", "good", "unknown"];

export async function view(context) {
  const { place } = context;
  const run = chosenRun(context, "evidence", "There is no evidence yet");
  if (!run) return undefined;
  const { findings, summary } = await api.get(`runs/${run}/evidence`);
  const known = findings.filter((one) => one.status !== "unknown").sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
  const unknown = findings.filter((one) => one.status === "unknown");
  const address = `/api/runs/${run}/report`;
  put(place,
    h("p", { class: "lead wide" }, `${sentence(metric(summary.metric)).slice(0, -1)} on ${summary.samples.test.toLocaleString("en")} samples that it never saw, after learning from ${summary.samples.train.toLocaleString("en")}.`),
    known.length ? h("ol", { class: "findings" }, known.map(card)) : h("p", {}, "No evidence was asked for. Train again with quick or full evidence."),
    unknown.length ? h("details", { class: "panel" }, h("summary", {}, `${unknown.length} questions were not answered`),
      h("ol", { class: "findings" }, unknown.map(card))) : null,
    whole(address));
  return undefined;
}

function card(one) {
  return h("li", { class: "finding-card" }, h("p", { class: "eyebrow" }, h("span", {}, one.name), status(one.status)),
    h("h2", {}, one.question), h("p", {}, prose(one.verdict)),
    one.next ? h("p", { class: "next" }, h("strong", {}, "What to do"), " ", prose(here(one.next))) : null);
}

/** What findings say in the words of the command line, in those of this page. */
function here(text) {
  return text.replace(/Train (again )?with --evidence full\.?/, "Train again with full evidence.")
    .replace(/`?assay label-next[^.;,]*/, "What to label next, on the page Data,");
}

/** The page with all figures, in a frame that reaches nothing of the studio. */
function whole(address) {
  const box = h("details", { class: "panel whole" }, h("summary", {}, "All figures and numbers"));
  box.addEventListener("toggle", () => {
    if (box.open && !box.querySelector("iframe")) {
      box.append(h("p", { class: "actions" }, h("a", { href: address, target: "_blank", rel: "noopener" }, icon("files"), " Open it as a page of its own")),
        h("iframe", { src: address, title: "The evidence page", sandbox: "allow-scripts" }));
    }
  });
  return box;
}
