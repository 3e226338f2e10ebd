// Recordings from a microphone, as WAV with 16 bits and one channel: every reader knows it, without a codec.

import { reason, stamp } from "./camera.js";
import { button, h, notice } from "./dom.js";

const LONGEST_S = 60;

/** Puts a microphone into a place; gives what ends it. `taken` gets [{file, path}]. */
export async function recorder(place, { doing, taken, closed, once = false }) {
  let stream;
  try {
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    stream = await navigator.mediaDevices.getUserMedia({ audio, video: false });
  } catch (error) {
    notice("The microphone cannot be used.", reason(error, "microphone"), true);
    return () => {};
  }
  const sound = new AudioContext();
  await sound.audioWorklet.addModule("/page/recorder_worklet.js");
  const node = new AudioWorkletNode(sound, "listener", { numberOfOutputs: 0 });
  sound.createMediaStreamSource(stream).connect(node);
  const level = h("meter", { min: 0, max: 1, value: 0, "aria-label": "Loudness" });
  const said = h("span", { class: "quiet", role: "status" }, "");
  let blocks = null;
  let wanted = 0;
  let done = () => {};
  node.port.onmessage = ({ data }) => {
    level.value = Math.min(1, 3 * Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length));
    if (!blocks) return;
    blocks.push(data);
    if (blocks.length * data.length >= wanted) done();
  };
  const record = (seconds) => new Promise((given) => {
    blocks = [];
    wanted = seconds * sound.sampleRate;
    said.textContent = "Recording …";
    done = () => {
      const heard = blocks;
      blocks = null;
      done = () => {};
      said.textContent = "";
      given({ file: wav(heard, sound.sampleRate, seconds < LONGEST_S ? wanted : Infinity), path: `recording-${stamp()}.wav` });
    };
  });
  const end = () => {
    done = () => {};
    for (const track of stream.getTracks()) track.stop();
    sound.close().catch(() => {});
    place.replaceChildren();
  };
  const finish = async (file) => {
    await taken([file]);
    if (once) end();
  };
  const short = button("Record 1 second", async () => {
    if (blocks) return;
    short.disabled = long.disabled = true;
    await finish(await record(1));
    short.disabled = long.disabled = false;
    short.focus();
  }, "primary");
  const long = button("Record until stopped", async () => {
    if (blocks) { done(); return; }
    short.disabled = true;
    long.textContent = "Stop";
    const file = await record(LONGEST_S);
    long.textContent = "Record until stopped";
    short.disabled = false;
    await finish(file);
  });
  place.replaceChildren(h("p", { class: "quiet" }, `Recording ${doing}`), level,
    h("div", { class: "actions" }, short, long, button("Close", () => { end(); closed?.(); }), said));
  short.focus();
  return end;
}

/** Blocks of samples from -1 to 1 as a WAV file, cut to `most` samples. */
export function wav(blocks, rate, most = Infinity) {
  const length = Math.min(blocks.reduce((sum, block) => sum + block.length, 0), Math.round(most));
  const view = new DataView(new ArrayBuffer(44 + 2 * length));
  const text = (place, letters) => [...letters].forEach((letter, index) => view.setUint8(place + index, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * length, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * length, true);
  let place = 0;
  for (const block of blocks) {
    for (const value of block) {
      if (place >= length) break;
      view.setInt16(44 + 2 * place, Math.max(-1, Math.min(1, value)) * 32767, true);
      place += 1;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
