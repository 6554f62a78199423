// The curves of the emotions over time, as SVG.
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 100;
const BREAK_S = 3; // a longer silence interrupts the curves
const SHORTEST_S = 15; // so much time is shown at least
const LIVE_S = 60; // of live sound so much is shown at most
const TICK_PX = 80;
const STEP_S = 0.25; // so far live curves move at a time
const BAND = 3; // height of the coloured band below

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export class Curves {
  constructor(svg, ticks) {
    this.waiting = null;
    this.svg = svg;
    this.ticks = ticks;
    this.labels = [];
    this.clear();
  }

  clear() {
    this.points = []; // {at, scores, breaks}
    this.spans = []; // finished utterances
    this.from = 0;
    this.to = SHORTEST_S;
    this.draw();
  }

  /** Takes an answer; a later one of the same utterance goes on where it was. */
  add(segment, final) {
    if (Object.keys(segment.scores).length) {
      // The end of an utterance is cut off behind its speech: the last provisional answer may reach further.
      while (this.points.length && this.points.at(-1).at >= segment.end) this.points.pop();
      const last = this.points.at(-1);
      if (!last || last.start !== segment.start) {
        const breaks = !last || segment.start - last.at > BREAK_S;
        this.points.push({ start: segment.start, at: segment.start, scores: segment.scores, breaks });
      }
      this.points.push({ start: segment.start, at: segment.end, scores: segment.scores, breaks: false });
      if (final) this.spans.push(segment);
    }
    this.draw();
  }

  /** Shows the whole of a recording. */
  showAll(seconds) {
    this.from = 0;
    this.to = Math.max(seconds, 0.1);
    this.draw();
  }

  /** Shows the last minute of live sound. */
  showLive(seconds) {
    if (seconds > SHORTEST_S && seconds - this.to < STEP_S) return;
    this.to = Math.max(SHORTEST_S, seconds);
    this.from = Math.max(0, this.to - LIVE_S);
    this.draw();
  }

  share(seconds) {
    return (seconds - this.from) / (this.to - this.from);
  }

  /** Draws before the next picture is shown, however many answers come until then. */
  draw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.#drawNow();
    });
  }

  #drawNow() {
    const x = (seconds) => (this.share(seconds) * WIDTH).toFixed(1);
    const y = (score) => ((1 - score) * (HEIGHT - BAND - 1)).toFixed(2);
    const drawn = [element("line", { class: "ground", x1: 0, x2: WIDTH, y1: y(0.5), y2: y(0.5) })];
    for (const span of this.spans) {
      const place = this.labels.indexOf(span.emotion);
      const kind = `span label-${place}${span.uncertain ? " uncertain" : ""}`;
      const width = Math.max(0, x(span.end) - x(span.start));
      drawn.push(element("rect", { class: kind, x: x(span.start), width, y: HEIGHT - BAND, height: BAND }));
    }
    this.labels.forEach((label, place) => {
      const path = this.points
        .map((point) => `${point.breaks ? "M" : "L"}${x(point.at)},${y(point.scores[label])}`)
        .join("");
      if (path) drawn.push(element("path", { class: `curve label-${place}`, d: path }));
    });
    this.svg.replaceChildren(...drawn);
    this.#drawTicks();
  }

  #drawTicks() {
    const length = this.to - this.from;
    const most = Math.max(2, this.ticks.clientWidth / TICK_PX);
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200].find((seconds) => length / seconds <= most) ?? 3600;
    const found = [];
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      const tick = document.createElement("span");
      tick.textContent = `${Math.floor(at / 60)}:${String(Math.floor(at % 60)).padStart(2, "0")}`;
      tick.style.left = `${100 * this.share(at)}%`;
      found.push(tick);
    }
    this.ticks.replaceChildren(...found);
  }
}
