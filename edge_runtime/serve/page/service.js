// Talks to the service that this page came from.
const PROTOCOL = "edge-iemonet";
const KEPT = "edge-iemonet-token"; // for this tab, until it is closed

export class ServiceError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export function keepToken(token) {
  sessionStorage.setItem(KEPT, token);
}

const token = () => sessionStorage.getItem(KEPT) ?? "";

async function ask(path, options = {}) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  const response = await fetch(path, { ...options, headers });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ServiceError(answer.error?.message ?? `the service answered ${response.status}`, response.status);
  return answer;
}

export const model = async () => (await ask("/v1/models")).data[0];

/** Returns the utterances of a file, and its length. */
export async function transcribe(file) {
  const form = new FormData();
  form.append("file", file);
  form.append("response_format", "verbose_json");
  const answer = await ask("/v1/audio/transcriptions", { method: "POST", body: form });
  return { duration: answer.duration, notes: answer.notes, segments: answer.segments.map(fromTranscription) };
}

const fromTranscription = (segment) => ({
  start: segment.start,
  end: segment.end,
  emotion: segment.emotion,
  confidence: segment.confidence,
  scores: segment.scores,
  uncertain: segment.uncertain,
  baseline: segment.baseline_s,
  language: segment.language,
  text: segment.text,
});

const fromEvent = (segment) => ({
  start: segment.start_s,
  end: segment.end_s,
  emotion: segment.label,
  confidence: segment.confidence,
  scores: segment.fused?.scores ?? {},
  uncertain: segment.uncertain,
  baseline: segment.baseline_s,
  language: segment.language,
  text: segment.transcript ?? "",
});

/**
 * Opens a live stream.
 * heard(segment, final) is called for each answer; over(problem) once, with an error or null.
 * Returns send(samples), which says whether the service keeps up, and end().
 */
export async function openStream(rate, provisional, { heard, over }) {
  const address = new URL("/v1/stream", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.search = new URLSearchParams({ sample_rate: rate, provisional_s: provisional });
  const socket = new WebSocket(address, token() ? [PROTOCOL, `bearer.${token()}`] : [PROTOCOL]);
  socket.binaryType = "arraybuffer";
  await new Promise((opened, refused) => {
    socket.onopen = opened;
    socket.onerror = () => refused(new ServiceError("the service cannot be reached", 0));
  });
  let problem = null;
  socket.onerror = null;
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.error) problem = new ServiceError(message.error.message, 0);
    else heard(fromEvent(message.segment), message.final);
  };
  socket.onclose = ({ code }) => {
    const words = code === 1012 ? "the service is ending" : "the connection broke";
    over(problem ?? (code === 1000 ? null : new ServiceError(words, 0)));
  };
  return {
    send(samples) {
      if (socket.readyState === WebSocket.OPEN) socket.send(samples);
      return socket.bufferedAmount < 1 << 20;
    },
    end() {
      if (socket.readyState === WebSocket.OPEN) socket.send("end");
    },
  };
}
