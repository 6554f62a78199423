// The timeline as a file: the same forms that `edge-iemonet timeline` writes.
function clock(seconds) {
  const whole = Math.round(seconds * 1000);
  const pad = (number, digits) => String(number).padStart(digits, "0");
  const parts = [Math.floor(whole / 3600000), Math.floor(whole / 60000) % 60, Math.floor(whole / 1000) % 60];
  return `${parts.map((part) => pad(part, 2)).join(":")}.${pad(whole % 1000, 3)}`;
}

const oneLine = (text) => text.split(/\s+/).filter(Boolean).join(" ");
const cell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export function csv(segments, labels) {
  const head = ["start_s", "end_s", "channel", "label", "confidence", ...labels, "transcript", "uncertain", "baseline_s", "language"];
  const rows = segments.map((segment) => {
    const scores = [segment.confidence, ...labels.map((label) => segment.scores[label])];
    return [
      segment.start.toFixed(3),
      segment.end.toFixed(3),
      "",
      segment.emotion ?? "",
      ...scores.map((score) => (score == null ? "" : score.toFixed(4))),
      oneLine(segment.text),
      segment.emotion == null ? "" : String(segment.uncertain),
      segment.baseline.toFixed(3),
      segment.language ?? "",
    ];
  });
  return [head, ...rows].map((row) => row.map(cell).join(",") + "\n").join("");
}

export function vtt(segments) {
  const escaped = (text) => oneLine(text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"));
  const cues = segments.map((segment) => {
    const mark = segment.uncertain ? "?" : "";
    const feeling = segment.confidence == null ? "" : `[${segment.emotion}${mark}, ${(100 * segment.confidence).toFixed(0)}%] `;
    return `${clock(segment.start)} --> ${clock(segment.end)}\n${escaped(feeling + segment.text)}\n`;
  });
  return ["WEBVTT\n", ...cues].join("\n");
}

export const json = (segments) => JSON.stringify({ segments }, null, 1) + "\n";

export function save(text, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
