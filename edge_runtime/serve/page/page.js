// What the page does: a microphone or a file becomes answers, and answers become curves, lines and files.
import { Curves } from "./curves.js";
import * as downloads from "./downloads.js";
import * as service from "./service.js";

const PROVISIONAL_S = 1; // each is work: more often is too much for a small machine
const get = (id) => document.getElementById(id);
const curves = new Curves(get("curves"), get("ticks"));
const player = get("player");
let labels = [];
let segments = [];
let name = "speech";
let live = null; // what is needed to stop the microphone
let busy = false;

const percent = (share) => `${(100 * share).toFixed(0)}%`;
const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;

function say(text, { error = false } = {}) {
  get("status").textContent = text;
  get("status").classList.toggle("error", error);
}

function complain(error) {
  if (error.status === 401) {
    get("token-form").hidden = false;
    get("token").focus();
  }
  say(error.message[0].toUpperCase() + error.message.slice(1) + ".", { error: true });
}

async function meet() {
  try {
    const model = await service.model();
    labels = curves.labels = model.labels;
    get("model").textContent = `Model ${model.id} ${model.version}.`;
    get("legend").replaceChildren(...labels.map(legend));
    get("token-form").hidden = true;
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

function legend(label, place) {
  const item = document.createElement("li");
  item.className = `label-${place}`;
  const share = document.createElement("b");
  share.dataset.label = label;
  item.append(label, share);
  return item;
}

function showScores(scores) {
  for (const share of get("legend").querySelectorAll("b")) {
    const score = scores[share.dataset.label];
    share.textContent = score == null ? "" : percent(score);
  }
}

function reset(title) {
  segments = [];
  name = title;
  curves.clear();
  showScores({});
  get("lines").replaceChildren();
  get("provisional").hidden = true;
  get("empty").hidden = true;
  get("head").hidden = true;
  get("summary").textContent = "";
  get("plot").classList.remove("seekable");
  if (player.src) URL.revokeObjectURL(player.src);
  player.removeAttribute("src");
  player.hidden = true;
  for (const button of get("downloads").children) button.disabled = true;
}

/** Makes a line of the transcript; one that can be played is a button. */
function line(segment, kind) {
  const made = document.createElement(kind);
  const place = labels.indexOf(segment.emotion);
  made.className = `line${place < 0 ? "" : ` label-${place}`}${segment.uncertain ? " uncertain" : ""}`;
  const time = document.createElement("time");
  time.textContent = clock(segment.start);
  const feeling = document.createElement("span");
  feeling.className = "feeling";
  feeling.append(segment.emotion == null ? "no answer" : `${segment.emotion} ${percent(segment.confidence)}`);
  if (segment.uncertain) {
    const doubt = document.createElement("span");
    doubt.className = "doubt";
    doubt.textContent = "uncertain";
    feeling.append(doubt);
  }
  const words = document.createElement("span");
  words.className = "words";
  words.textContent = segment.text || "–";
  made.append(time, feeling, words);
  return made;
}

function addSegment(segment, { playable }) {
  segments.push(segment);
  const made = line(segment, playable ? "button" : "div");
  if (playable) {
    made.type = "button";
    made.addEventListener("click", () => seek(segment.start));
  }
  const item = document.createElement("li");
  item.append(made);
  get("lines").append(item);
  curves.add(segment, true);
  showScores(segment.scores);
  const unsure = segments.filter((one) => one.uncertain).length;
  const many = segments.length === 1 ? "1 utterance" : `${segments.length} utterances`;
  get("summary").textContent = many + (unsure ? `, ${unsure} uncertain` : "");
  describe();
  for (const button of get("downloads").children) button.disabled = false;
}

function describe() {
  const last = segments.at(-1);
  const now = last?.emotion == null ? "" : `; last ${last.emotion}, ${percent(last.confidence)}`;
  get("curves").setAttribute("aria-label", `Curves of ${labels.join(", ")} over ${segments.length} utterances${now}`);
}

// A file.

async function open(file) {
  if (live || busy || !file) return;
  busy = true;
  get("microphone").disabled = true;
  reset(file.name.replace(/\.[^.]*$/, "") || "speech");
  say(`Listening to ${file.name} …`);
  try {
    if (!labels.length && !(await meet())) return;
    const found = await service.transcribe(file);
    player.src = URL.createObjectURL(file);
    player.hidden = false;
    get("plot").classList.add("seekable");
    curves.showAll(found.duration);
    for (const segment of found.segments) addSegment(segment, { playable: true });
    const notes = found.notes.length ? ` (${found.notes.join("; ")})` : "";
    say(found.segments.length ? `${file.name}, ${clock(found.duration)}${notes}` : `Nobody speaks in ${file.name}${notes}.`);
  } catch (error) {
    complain(error);
  } finally {
    busy = false;
    get("microphone").disabled = false;
    get("file").value = "";
  }
}

function seek(seconds) {
  player.currentTime = seconds;
  moveHead();
  player.play().catch(() => {}); // a browser may not know the format; the cursor moves all the same
}

function moveHead() {
  const now = player.currentTime;
  get("head").hidden = false;
  get("head").style.left = `${100 * Math.min(1, curves.share(now))}%`;
  let current = null;
  segments.forEach((segment, place) => {
    const shown = get("lines").children[place].firstChild;
    if (segment.start <= now && now < segment.end) {
      shown.setAttribute("aria-current", "true");
      current = segment;
    } else shown.removeAttribute("aria-current");
  });
  if (current) showScores(current.scores);
  if (!player.paused && !player.ended) requestAnimationFrame(moveHead);
}

player.addEventListener("play", moveHead);
player.addEventListener("seeked", moveHead);
get("plot").addEventListener("click", (event) => {
  if (player.hidden) return;
  const box = get("curves").getBoundingClientRect();
  seek(curves.from + ((event.clientX - box.left) / box.width) * (curves.to - curves.from));
});
get("file").addEventListener("change", (event) => open(event.target.files[0]));
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault(); // a file that misses the zone must not take the page's place
    get("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") open(event.dataTransfer.files[0]);
  });
}

// The microphone.

async function startLive() {
  busy = true;
  get("microphone").disabled = true;
  const opened = {};
  try {
    if (!labels.length && !(await meet())) return;
    say("Waiting for the microphone …");
    const wanted = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    opened.tracks = (await navigator.mediaDevices.getUserMedia({ audio: wanted })).getTracks();
    opened.context = new AudioContext();
    await opened.context.audioWorklet.addModule("/page/microphone.js");
    reset("speech");
    opened.stream = await service.openStream(opened.context.sampleRate, PROVISIONAL_S, { heard, over });
    const source = opened.context.createMediaStreamSource(new MediaStream(opened.tracks));
    const worklet = new AudioWorkletNode(opened.context, "microphone", { numberOfOutputs: 0 });
    let sent = 0;
    worklet.port.onmessage = ({ data }) => {
      if (live !== opened || opened.ending) return;
      sent += data.samples.byteLength / 2;
      get("level").firstElementChild.style.width = percent(Math.sqrt(data.peak));
      curves.showLive(sent / opened.context.sampleRate);
      if (!opened.stream.send(data.samples)) say("This machine is too slow for live sound.", { error: true });
    };
    source.connect(worklet);
    live = opened;
    get("microphone").setAttribute("aria-pressed", "true");
    get("microphone-text").textContent = "Stop";
    get("file").disabled = true;
    say("Listening …");
  } catch (error) {
    release(opened);
    const refused = { NotAllowedError: "the browser was not allowed to use a microphone", NotFoundError: "there is no microphone" };
    const insecure = !window.isSecureContext && "a browser gives a microphone only to pages at localhost, or over https";
    const words = refused[error.name] ?? (error instanceof TypeError && insecure) ?? null;
    complain(words ? new service.ServiceError(words, 0) : error);
  } finally {
    busy = false;
    get("microphone").disabled = false;
  }
}

function heard(segment, final) {
  if (final) {
    get("provisional").hidden = true;
    addSegment(segment, { playable: false });
    return;
  }
  curves.add(segment, false);
  showScores(segment.scores);
  get("provisional").replaceChildren(line(segment, "div"));
  get("provisional").hidden = false;
}

function stopLive() {
  live.ending = true;
  get("microphone").disabled = true;
  say("Answering what was said last …");
  live.stream.end();
}

function over(problem) {
  release(live ?? {});
  live = null;
  get("microphone").disabled = false;
  get("microphone").setAttribute("aria-pressed", "false");
  get("microphone-text").textContent = "Speak";
  get("file").disabled = false;
  get("level").firstElementChild.style.width = 0;
  if (problem) complain(problem);
  else say(segments.length ? "Done." : "No speech was heard.");
}

function release({ tracks = [], context }) {
  for (const track of tracks) track.stop();
  context?.close();
}

get("microphone").addEventListener("click", () => {
  if (live) stopLive();
  else if (!busy) startLive();
});

// Files to keep, and the token.

const FORMS = {
  csv: ["text/csv", () => downloads.csv(segments, labels)],
  vtt: ["text/vtt", () => downloads.vtt(segments)],
  json: ["application/json", () => downloads.json(segments)],
};
get("downloads").addEventListener("click", ({ target }) => {
  const form = target.dataset.form;
  if (!form) return;
  const [type, text] = FORMS[form];
  downloads.save(text(), `${name}.${form}`, type);
});
get("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  service.keepToken(get("token").value.trim());
  if (await meet()) say("The token fits. Press Speak, or choose a recording.");
});
meet();
