// Small helpers to make elements. Text is always text: nothing that comes from outside is read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, handlers (onclick …) and children; null and false children are left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "selected") element[name] = value;
    else if (name === "vars") for (const [key, own] of Object.entries(value)) element.style.setProperty(key, own);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

/** Appends what is there of some parts. */
export function put(place, ...parts) {
  place.append(...parts.flat().filter((one) => one !== null && one !== undefined && one !== false));
}

export function icon(name, kind = "icon") {
  return s("svg", { class: kind, "aria-hidden": "true" }, s("use", { href: `#icon-${name}` }));
}

export function status(word) {
  return h("span", { class: `status ${word}` }, icon(word), word);
}

export const button = (text, onclick, kind = "", more = {}) =>
  h("button", { type: "button", class: `button ${kind}`.trim(), onclick, ...more }, text);

let counter = 0;
export const unique = (stem) => `${stem}-${(counter += 1)}`;

/** A button that opens the choice of files; it can be reached and used by keyboard. */
export function chooser(text, accept, onfiles, { folder = false, several = true, kind = "" } = {}) {
  const input = h("input", { type: "file", accept: folder ? null : accept, multiple: several, class: "hidden-input", tabindex: "-1", "aria-hidden": "true" });
  if (folder) input.setAttribute("webkitdirectory", "");
  input.addEventListener("change", () => {
    const chosen = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
    input.value = "";
    if (chosen.length) onfiles(chosen);
  });
  return h("span", { class: "chooser" }, button(text, () => input.click(), kind), input);
}

/** A labelled field. */
export function field(text, control, hint = "") {
  const id = control.id || (control.id = unique("field"));
  const about = hint ? h("span", { class: "hint", id: `${id}-hint` }, hint) : null;
  if (about) control.setAttribute("aria-describedby", about.id);
  return h("div", { class: "field" }, h("label", { for: id }, text), control, about);
}

export function select(options, chosen, onchange) {
  return h("select", { onchange: (event) => onchange && onchange(event.target.value) },
    options.map((one) => {
      const [value, text] = Array.isArray(one) ? one : [one, one];
      return h("option", { value, selected: value === chosen }, text);
    }));
}

/** Asks before something that cannot be undone. */
export function confirmed(question, doing = "Delete") {
  return new Promise((done) => {
    const title = unique("ask");
    const box = h("dialog", { class: "ask", "aria-labelledby": title },
      h("p", { id: title }, question),
      h("div", { class: "actions" },
        button(doing, () => box.close("yes"), "danger"),
        button("Cancel", () => box.close(""))));
    box.addEventListener("close", () => { box.remove(); done(box.returnValue === "yes"); });
    document.body.append(box);
    box.showModal();
  });
}

/** Says something at the edge of the page: what went well for a while, what did not until it is closed. */
export function notice(text, hint = "", bad = false) {
  const place = document.getElementById("notices");
  const box = h("div", { class: bad ? "notice bad" : "notice" },
    h("p", {}, h("strong", {}, text), hint ? ` ${hint}` : ""),
    h("button", { type: "button", class: "close", "aria-label": "Close this message", onclick: () => box.remove() }, "×"));
  if (bad) for (const old of place.querySelectorAll(".bad")) old.remove();
  place.append(box);
  if (!bad) setTimeout(() => box.remove(), 6000);
}

/** Does something that may be refused, and says why if it is. A button that begins it rests meanwhile. */
export async function trying(work, own = null) {
  if (own) own.disabled = true;
  try {
    return await work();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    notice(sentence(error.message), error.hint || "", true);
    return undefined;
  } finally {
    if (own) own.disabled = false;
  }
}

/** A text in which what stands between backticks is code. */
export const prose = (text) => text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));

export function sentence(text) {
  const tidy = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(tidy) ? tidy : `${tidy}.`;
}

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function bytes(size) {
  return size < 1e6 ? `${Math.max(1, Math.round(size / 1e3))} kB` : `${(size / 1e6).toFixed(1)} MB`;
}

/** Calls again and again until it is told to end, or says so by giving true; gives what ends it. */
export function poll(work, milliseconds = 1000) {
  let timer = 0;
  let ended = false;
  const turn = async () => {
    try {
      if (await work()) ended = true;
    } catch { /* the next turn may work */ }
    if (!ended) timer = setTimeout(turn, document.hidden ? 5 * milliseconds : milliseconds);
  };
  turn();
  return () => { ended = true; clearTimeout(timer); };
}
