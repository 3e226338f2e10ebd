// Runs beside the page in the thread of sound, and hands on what the microphone hears.
class Listener extends AudioWorkletProcessor {
  process(inputs) {
    if (inputs[0].length) this.port.postMessage(inputs[0][0].slice());
    return true;
  }
}
registerProcessor("listener", Listener);
