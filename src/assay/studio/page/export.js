// The network as a file that answers without PyTorch.

import { api } from "./api.js";
import { button, bytes, h, icon, poll, sentence, trying } from "./dom.js";
import { chosenRun } from "./runs.js";

const FORMS = {
  float: ["ONNX", "Answers exactly as the network does, on any machine that runs ONNX."],
  int8: ["ONNX, eight bits", "About a quarter of the size, and quicker; refused where it would answer worse."],
};

export async function view(context) {
  const { place } = context;
  const run = chosenRun(context, "export", "There is nothing to export yet");
  if (!run) return undefined;
  const cards = Object.fromEntries(Object.keys(FORMS).map((form) => [form, h("section", { class: "panel", "aria-label": FORMS[form][0] })]));
  place.append(h("p", { class: "lead" }, "Take the network along: each export is proven on the test samples to answer as the network does."),
    h("div", { class: "two" }, Object.values(cards)),
    h("section", { class: "panel" }, h("h2", { class: "section" }, "The evidence page"), h("p", {}, "One file with all findings, for a colleague or a drawer."),
      h("div", { class: "actions" }, h("a", { class: "button", href: `/api/runs/${run}/report`, download: "report.html" }, "Download the page"))));
  let stop = () => {};
  const follow = () => {
    stop();
    let before = "";
    stop = poll(async () => {
      const found = await api.get(`runs/${run}/exports`);
      const text = JSON.stringify(found);
      if (text !== before) for (const form of Object.keys(FORMS)) draw(cards[form], form, found[form], run, follow);
      before = text;
      return !Object.values(found).some((one) => one.state === "running");
    });
  };
  follow();
  return () => stop();
}

function draw(place, form, found, run, follow) {
  const [title, about] = FORMS[form];
  const parts = [h("h2", { class: "section" }, title), h("p", {}, about)];
  const ask = button("Export", () => trying(async () => {
    await api.post(`runs/${run}/export`, { int8: form === "int8" });
    follow();
  }, ask), "primary");
  if (found.state === "running") parts.push(h("p", { class: "quiet", role: "status" }, found.stage || "Starting …"), h("progress", { "aria-label": "Export" }));
  else if (found.state === "done") parts.push(facts(found, form), h("div", { class: "actions" }, h("a", { class: "button primary", href: `/api/runs/${run}/exports/${form}.zip`, download: "" }, "Download")));
  else {
    if (found.state === "failed") parts.push(h("p", { class: "problem" }, icon("act"), h("span", {}, h("strong", {}, sentence(found.error)), ` ${found.hint}`)));
    parts.push(h("div", { class: "actions" }, ask));
  }
  place.replaceChildren(...parts);
}

function facts(found, form) {
  const told = found.facts || {};
  const parity = told.parity?.[form];
  const speed = told.latency?.[form];
  const rows = [["size", bytes(found.bytes)]];
  if (parity) rows.push(["equal answers", `${(100 * parity.equal).toFixed(2)} %`]);
  if (speed) rows.push(["one answer", `${speed.alone_ms.toFixed(1)} ms`]);
  if (told.latency?.trained) rows.push(["before", `${told.latency.trained.alone_ms.toFixed(1)} ms`]);
  const numbers = h("dl", { class: "numbers" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  return h("div", {}, numbers, left(told.proven_on));
}

/** What is to be known where test samples are gone since the training. */
function left(proven) {
  if (!proven || proven.there === proven.test_samples) return null;
  return h("p", { class: "quiet" }, `The data has changed since the training: proven on the ${proven.there} of ${proven.test_samples} test samples that are left.`);
}
