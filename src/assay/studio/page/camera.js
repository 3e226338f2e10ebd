// Pictures from a webcam: frames drawn on a canvas, kept as PNG.

import { button, h, notice } from "./dom.js";

const LONGEST = 640;
const BURST = 10;

/** Puts a camera into a place; gives what ends it. `taken` gets [{file, path}]. */
export async function camera(place, { doing, taken, closed, once = false }) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } }, audio: false });
  } catch (error) {
    notice("The webcam cannot be used.", reason(error, "camera"), true);
    return () => {};
  }
  const video = h("video", { autoplay: true, playsinline: true, "aria-label": "What the webcam sees" });
  video.muted = true;
  video.srcObject = stream;
  const end = () => {
    for (const track of stream.getTracks()) track.stop();
    place.replaceChildren();
  };
  const take = async (number) => {
    const files = [];
    for (let index = 0; index < number; index += 1) {
      if (index) await new Promise((done) => setTimeout(done, 250));
      files.push(await frame(video));
    }
    await taken(files);
    if (once) end();
  };
  const bar = h("div", { class: "actions" }, button(`Take a picture ${doing}`, () => take(1), "primary"),
    once ? null : button(`Take ${BURST}`, () => take(BURST)), button("Close", () => { end(); closed?.(); }));
  place.replaceChildren(video, bar);
  await video.play().catch(() => {});
  bar.querySelector("button").focus();
  return end;
}

async function frame(video) {
  const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight, 1));
  const canvas = h("canvas", { width: Math.max(1, Math.round(video.videoWidth * scale)), height: Math.max(1, Math.round(video.videoHeight * scale)) });
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  return { file: blob, path: `webcam-${stamp()}.png` };
}

let before = "";
let again = 0;

/** A name by the time of day, different each time. */
export function stamp() {
  const now = new Date().toISOString().replace(/[-:]/g, "").slice(0, 15).replace("T", "-");
  again = now === before ? again + 1 : 0;
  before = now;
  return again ? `${now}-${again}` : now;
}

export function reason(error, what) {
  if (error.name === "NotAllowedError") return `Allow the ${what} for this page in the browser's address bar.`;
  if (error.name === "NotFoundError") return `There is none: plug a ${what} in, or add files instead.`;
  if (!navigator.mediaDevices) return "Open the studio at 127.0.0.1 or localhost.";
  return "Another program may be using it; close that one, or add files instead.";
}
