"""A reader of bundles from docs/bundle.md alone: ``minimal_reader.py BUNDLE CLIP.wav`` prints the answer as JSON.

For 16-bit mono recordings at 16 kHz of at most 15 s; it imports nothing of edge-iemonet.
"""

import hashlib
import json
import sys
import wave
from math import ceil
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer


class Reader:
    def __init__(self, folder: Path) -> None:
        self.bundle = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        assert self.bundle["schema"] in {1, 2}
        slots, tokenizers = self.bundle["slots"], self.bundle["tokenizers"]
        for entry in [*slots.values(), *tokenizers.values()]:
            assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        cpu = ["CPUExecutionProvider"]
        self.graphs = {s: ort.InferenceSession(folder / e["file"], providers=cpu) for s, e in slots.items()}
        self.tokenizers = {n: Tokenizer.from_file(str(folder / e["file"])) for n, e in tokenizers.items()}

    def run(self, slot: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        names = [tensor["name"] for tensor in self.bundle["slots"][slot]["outputs"]]
        return dict(zip(names, self.graphs[slot].run(None, inputs), strict=True))

    def inputs(self, slot: str) -> dict[str, list]:
        return {tensor["name"]: tensor["shape"] for tensor in self.bundle["slots"][slot]["inputs"]}

    def spoken(self, waveform: np.ndarray, peak: float, threshold: float) -> np.ndarray:
        count, zeros = ceil(len(waveform) / 512), np.zeros((1, 1, 128), np.float32)
        padded = np.zeros(64 + 512 * count, np.float32)
        padded[64 : 64 + len(waveform)] = waveform * (peak / max(float(np.abs(waveform).max()), 0.001))
        windows = np.stack([padded[512 * i : 512 * i + 576] for i in range(count)])
        voiced = np.flatnonzero(self.run("vad", input=windows, h=zeros, c=zeros)["speech_probs"] >= threshold)
        states = np.zeros((1, ceil(len(waveform) / 320)), np.float32)
        if len(voiced) >= 3:
            states[0, 512 * voiced[0] // 320 : ceil(512 * (voiced[-1] + 1) / 320)] = 1
        return states

    def transcribe(self, memory: dict[str, np.ndarray], seconds: float) -> str:
        how, written = self.bundle["decoding"], []
        shapes = {n: s for n, s in self.inputs("transcript_decoder").items() if n.startswith("past_")}
        past = {name: np.zeros((1, s[1], 0, s[3]), np.float32) for name, s in shapes.items()}
        tokens = how["prompt"]
        while len(written) < min(how["max_tokens"], int(8 + 12 * seconds)):
            found = self.run("transcript_decoder", tokens=np.array([tokens]), **memory, **past)
            logits = found.pop("logits")[0]
            past = {name.replace("present", "past"): value for name, value in found.items()}
            logits[how["suppress"] + ([] if written else how["begin_suppress"])] = -np.inf
            tokens = [int(logits.argmax())]
            if tokens == [how["end"]]:
                break
            written += tokens
            loops = [k for k in range(1, 13) if len(written) >= 4 * k and written[-4 * k :] == 4 * written[-k:]]
            if loops:
                written = written[: -3 * loops[0]]
                break
        return self.tokenizers["transcript"].decode(written, skip_special_tokens=True).strip()

    def scores(self, logits: np.ndarray, temperature: str) -> dict[str, float]:
        odds = np.exp(logits[0].astype(float) / self.bundle["calibration"][temperature])
        return dict(zip(self.bundle["labels"], (odds / odds.sum()).tolist(), strict=True))

    def __call__(self, waveform: np.ndarray) -> dict:
        spoken = self.spoken(waveform, 0.5, 0.5)
        spoken = spoken if spoken.any() else self.spoken(waveform, 0.05, 0.3)
        if not spoken.any():
            return {"label": None, "scores": {}, "transcript": None}
        heard, voice, words, transcript = {}, None, None, ""
        if "speech_encoder" in self.graphs:
            heard = self.run("speech_encoder", waveform=waveform[None])
        given = {"waveform": waveform[None], "hidden_states": heard.pop("hidden_states", None), "spoken": spoken}
        if "speech_emotion" in self.graphs:
            voice = self.run("speech_emotion", **{name: given[name] for name in self.inputs("speech_emotion")})
        if "transcript_encoder" in self.graphs:
            heard = self.run("transcript_encoder", waveform=waveform[None])
            del heard["hidden_states"]
        if "transcript_decoder" in self.graphs:
            transcript = self.transcribe(heard, len(waveform) / 16_000)
        if "text_emotion" in self.graphs and transcript:
            self.tokenizers["text"].enable_truncation(256)
            ids = np.array([self.tokenizers["text"].encode(transcript).ids])
            words = self.run("text_emotion", input_ids=ids, attention_mask=np.ones_like(ids))
        scores = self.join(voice, words)
        return {"label": max(scores, key=scores.get, default=None), "scores": scores, "transcript": transcript or None}

    def join(self, voice: dict | None, words: dict | None) -> dict[str, float]:
        name = "fusion" if voice and words else "fusion_speech_only" if voice else "fusion_text_only"
        if "fusion" in self.graphs and (voice or words) and name in self.bundle["calibration"]:
            given = {"present": np.array([[bool(voice), bool(words)]], np.float32)}
            for branch, found in (("speech", voice), ("text", words)):
                for kind in ("embedding", "logits"):
                    if shape := self.inputs("fusion").get(f"{branch}_{kind}"):
                        given[f"{branch}_{kind}"] = found[kind] if found else np.zeros((1, shape[-1]), np.float32)
            return self.scores(self.run("fusion", **given)["logits"], name)
        return (
            self.scores(voice["logits"], "speech") if voice else self.scores(words["logits"], "text") if words else {}
        )


if __name__ == "__main__":
    with wave.open(sys.argv[2]) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    answer = Reader(Path(sys.argv[1]))(samples.astype(np.float32) / 32_768)
    assert not [name for name in sys.modules if name.split(".")[0] in {"edge_runtime", "trainer", "export"}]
    print(json.dumps(answer))
