// Elements, and arrays as pictures. Everything goes through the DOM's own properties, so that a page whose policy
// allows neither inline styles nor data: addresses shows it all the same.

// Viridis, as in the report.
const STOPS = ["#440154", "#482878", "#3e4a89", "#31688e", "#26838f", "#1f9e89", "#35b779", "#6dcd59", "#b4de2c",
  "#fde725"].map((one) => [1, 3, 5].map((at) => parseInt(one.slice(at, at + 2), 16)));
const SVG = "http://www.w3.org/2000/svg";

// Classes that the evidence page's style sheet knows; all others begin with `in-` in the page.
const SHARED = new Set(["inside", "soft", "lead", "number"]);

/** An element; `text`, `on…`, `value` and `hidden` are set as properties, and a `class` of this view gets its `in-`. */
export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An element of SVG. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") node.textContent = value;
    else if (key === "class") node.setAttribute("class", value.split(" ").map((one) => (SHARED.has(one) || !one ? one : `in-${one}`)).join(" "));
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "hidden" || key === "disabled" || key === "checked" || key === "open") node[key] = true;
    else if (key === "value") node.value = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A number with three digits, and with the minus sign that is one. */
export function plain(value) {
  if (value === null || value === undefined || !Number.isFinite(Number(value))) return "–";
  const number = Number(value);
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size >= 1e5 || size < 1e-3) {
    const [digits, power] = number.toExponential(1).split("e");
    return `${Number(digits)}e${Number(power)}`.replaceAll("-", "−");
  }
  return String(Number(number.toPrecision(3))).replace("-", "−");
}

/** A count with thin spaces between thousands. */
export function counted(value) {
  return Number(value).toLocaleString("en-US");
}

function bytes(text) {
  const binary = atob(text);
  return Uint8Array.from(binary, (sign) => sign.charCodeAt(0));
}

const painted = new Set();

/** A canvas of one pixel a cell. `colours` is "rising" (dark to bright), "signed" (around zero) or "colours" (RGB). */
export function canvas(plane, colours = "rising") {
  const node = h("canvas", { "aria-hidden": "true", class: `plane ${colours}` });
  node.width = plane.columns;
  node.height = plane.rows;
  const cells = bytes(plane.cells);
  paint(node, cells, colours);
  if (colours === "signed") painted.add(new WeakRef(Object.assign(node, { again: () => paint(node, cells, colours) })));
  return node;
}

function paint(node, cells, colours) {
  const context = node.getContext("2d"), size = node.width * node.height;
  const image = context.createImageData(node.width, node.height);
  const table = colours === "signed" ? signedTable() : colours === "rising" ? risingTable() : null;
  for (let cell = 0; cell < size; cell += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      image.data[4 * cell + channel] = table ? table[3 * cells[cell] + channel] : cells[channel * size + cell];
    }
    image.data[4 * cell + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

let rising = null, signed = null;

function risingTable() {
  rising = rising || tableOf(STOPS);
  return rising;
}

function signedTable() {
  signed = signed || tableOf([colourOf("--against"), colourOf("--raised"), colourOf("--for")]);
  return signed;
}

function tableOf(stops) {
  const table = new Uint8Array(3 * 256);
  for (let level = 0; level < 256; level += 1) {
    const place = (level / 255) * (stops.length - 1), first = Math.min(Math.floor(place), stops.length - 2);
    for (let channel = 0; channel < 3; channel += 1) {
      const share = place - first;
      table[3 * level + channel] = Math.round(stops[first][channel] * (1 - share) + stops[first + 1][channel] * share);
    }
  }
  return table;
}

/** The red, green and blue of a custom property, as it is in the theme at hand. */
function colourOf(name) {
  const probe = h("span", { hidden: true });
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color.match(/[\d.]+/g) || [128, 128, 128];
  probe.remove();
  return found.slice(0, 3).map(Number);
}

function paintAgain() {
  signed = null;
  for (const held of painted) {
    const node = held.deref();
    if (node) node.again();
    else painted.delete(held);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paintAgain);
new MutationObserver(paintAgain).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "class"] });

/** A picture out of a data: address, on a canvas. */
export function picture(uri, label) {
  const node = h("canvas", { role: "img", "aria-label": label, class: "picture" });
  const [head, content] = uri.split(",");
  const blob = new Blob([bytes(content)], { type: head.slice(5).split(";")[0] });
  createImageBitmap(blob).then((found) => {
    node.width = found.width;
    node.height = found.height;
    node.getContext("2d").drawImage(found, 0, 0);
  }).catch(() => node.remove());
  return node;
}

/** How a sample looks: its picture, or its text and lines. */
export function drawing(drawn, label, short = false) {
  if (!drawn) return h("div", { class: "drawing" });
  const lines = drawn.lines.slice(1);
  const text = drawn.text || (lines.length === 1 ? lines[0].replace(/^\w+: /, "") : lines.join("\n")); // of one, no name
  return h("div", { class: "drawing" },
    drawn.image ? picture(drawn.image, label) : null,
    drawn.image ? null : h("p", { class: short ? "words short" : "words", dir: "auto", text: text || label }),
    drawn.audio && !short ? h("button", { class: "quiet", type: "button", text: "Play the sound", onclick: () => play(drawn.audio) }) : null);
}

function play(uri) {
  const context = new AudioContext();
  context.decodeAudioData(bytes(uri.split(",")[1]).buffer).then((sound) => {
    const source = context.createBufferSource();
    source.buffer = sound;
    source.connect(context.destination);
    source.onended = () => context.close();
    source.start();
  }).catch(() => context.close());
}

/** Numbers as bars up and down from zero. */
export function bars(values, label) {
  const known = values.map((value) => value ?? 0), top = Math.max(0, ...known), bottom = Math.min(0, ...known);
  const span = top - bottom || 1, width = Math.max(12, values.length);
  const path = (sign) => known.map((value, place) => (value * sign > 0
    ? `M${place + 0.1} ${top}h.8v${-value}h-.8z` : "")).join("");
  return svg("svg", { class: "bars", viewBox: `0 0 ${width} ${span}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("path", { class: "up", d: path(1) }), svg("path", { class: "down", d: path(-1) }),
    svg("path", { class: "zero", d: `M0 ${top}H${width}` }));
}

/** Counts as a histogram with zero in its middle. */
export function histogram(counts, label) {
  const most = Math.max(1, ...counts), path = counts.map((count, place) => `M${place} ${most}v${-count}h1V${most}z`).join("");
  return svg("svg", { class: "histogram", viewBox: `0 0 ${counts.length} ${most}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("path", { class: "up", d: path }), svg("path", { class: "zero", d: `M${counts.length / 2} 0V${most}` }));
}

/** What went wrong, with how to mend it. */
export function problem(error) {
  return h("p", { class: "problem", role: "alert" }, h("strong", { text: error.message || String(error) }),
    error.hint ? ` ${error.hint}` : "");
}
