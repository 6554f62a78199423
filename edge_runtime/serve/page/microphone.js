// Runs on the thread of the sound: collects samples, and passes them on as whole numbers of 16 bits.
const PORTION = 2048;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.portion = new Int16Array(PORTION);
    this.filled = 0;
    this.peak = 0;
  }

  process([input]) {
    const samples = input[0] ?? [];
    for (const sample of samples) {
      const value = Math.max(-1, Math.min(1, sample));
      this.peak = Math.max(this.peak, Math.abs(value));
      this.portion[this.filled++] = Math.round(value * 32767);
      if (this.filled === PORTION) {
        this.port.postMessage({ samples: this.portion.buffer, peak: this.peak }, [this.portion.buffer]);
        this.portion = new Int16Array(PORTION);
        this.filled = 0;
        this.peak = 0;
      }
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
