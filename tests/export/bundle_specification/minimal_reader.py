"""A reader of bundles from docs/bundle.md alone: ``minimal_reader.py BUNDLE CLIP.wav…`` prints answers as JSON lines.

For 16-bit mono recordings at 16 kHz; it imports nothing of edge-iemonet. ``CONTEXT=TEXT`` before the clips is what was
said before, its turns joined.
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
        assert self.bundle["schema"] in {1, 2, 3, 4}
        self.operating_point = self.bundle.get("operating_point", {"confidence": 0})["confidence"]
        self.about_text = self.bundle.get("text_emotion", {})
        self.context = ""
        slots, tokenizers = self.bundle["slots"], self.bundle["tokenizers"]
        weights = [slot["weights"] for slot in slots.values() if "weights" in slot]
        for entry in [*slots.values(), *weights, *tokenizers.values()]:
            assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        options, cpu = ort.SessionOptions(), ["CPUExecutionProvider"]
        options.intra_op_num_threads = 1  # more would add in another order
        self.graphs = {s: ort.InferenceSession(folder / e["file"], options, providers=cpu) for s, e in slots.items()}
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

    def transcribe(self, memory: dict[str, np.ndarray], seconds: float) -> tuple[str, list[float], dict]:
        """The words, the log-probability of each token that was chosen, and the language if it is told."""
        how, written, likely = self.bundle["decoding"], [], []
        shapes = {n: s for n, s in self.inputs("transcript_decoder").items() if n.startswith("past_")}
        past = {name: np.zeros((1, s[1], 0, s[3]), np.float32) for name, s in shapes.items()}
        tokens, language = how["prompt"], {}
        if "languages" in how:
            tokens, after = tokens[: tokens.index(None)], tokens[tokens.index(None) + 1 :]
            found = self.run("transcript_decoder", tokens=np.array([tokens]), **memory, **past)
            logits = found.pop("logits")[0]
            past = {name.replace("present", "past"): value for name, value in found.items()}
            language = max(how["languages"], key=lambda entry: logits[entry["token"]])
            tokens = [language["token"], *after]
        while len(written) < min(how["max_tokens"], int(8 + 12 * seconds)):
            found = self.run("transcript_decoder", tokens=np.array([tokens]), **memory, **past)
            logits = found.pop("logits")[0]
            past = {name.replace("present", "past"): value for name, value in found.items()}
            logits[how["suppress"] + ([] if written else how["begin_suppress"])] = -np.inf
            tokens = [int(logits.argmax())]
            likely.append(-np.log(np.exp(logits - logits.max(), dtype=float).sum()))
            if tokens == [how["end"]]:
                break
            written += tokens
            loops = [k for k in range(1, 13) if len(written) >= 4 * k and written[-4 * k :] == 4 * written[-k:]]
            if loops:
                written = written[: -3 * loops[0]]
                break
        return self.tokenizers["transcript"].decode(written, skip_special_tokens=True).strip(), likely, language

    def scores(self, logits: np.ndarray, temperature: str) -> dict[str, float]:
        odds = np.exp(logits[0].astype(float) / self.bundle["calibration"][temperature])
        return dict(zip(self.bundle["labels"], (odds / odds.sum()).tolist(), strict=True))

    def likely(self, windows: np.ndarray) -> np.ndarray:
        """The probability of a voice in each of the windows (n, 512) of a long recording."""
        memories = [{name: np.zeros((1, 1, 128), np.float32) for name in "hc"} for _ in range(2)]
        peak, before, found = 0.001, np.zeros(64, np.float32), []
        for window in windows:
            peak = max(float(np.abs(window).max()), peak * 0.5**0.016, 0.001)
            sound, best = np.concatenate([before, window])[None], 0.0
            for memory, level, weight in zip(memories, (0.5, 0.05), (1, 5 / 3), strict=True):
                out = self.run("vad", input=sound * np.float32(level / peak), **memory)
                memory.update(h=out["hn"], c=out["cn"])
                best = max(best, weight * float(out["speech_probs"][0]))
            found.append(min(best, 1))
            before = window[-64:]
        return np.array(found)

    def utterances(self, waveform: np.ndarray) -> list[tuple[int, int]]:
        """Where the utterances of a recording begin and end, in samples."""
        if len(waveform) <= 240_000:
            return [(0, len(waveform))]
        padded = np.pad(waveform, (0, -len(waveform) % 512))
        likely = self.likely(padded.reshape(-1, 512))
        found, first, last = [], 0, -1
        for i in range(len(likely)):
            last = i if likely[i] >= 0.5 else last
            count, length, held = 0, last + 9 - first, i + 1 - first
            if last < first:
                first = max(first, i + 1 - 8)
            elif i - last >= (16 if length >= 94 else 32):
                count = length
            elif held == 468:
                calm = {n: likely[first + n - 3 : first + n + 3].mean() for n in range(94, 375)}
                count = max(n for n in calm if calm[n] == min(calm.values()))
            if count:
                found.append((512 * first, 512 * (first + count)))
                first += count
                if last < first:
                    first = max(first, i + 1 - 8)
        if last >= first:
            found.append((512 * first, min(len(waveform), 512 * (last + 9))))
        return found

    def __call__(self, waveform: np.ndarray) -> dict:
        pieces = []
        for begin, end in self.utterances(waveform):
            weight, answer = self.answer(waveform[begin:end])
            if weight:
                pieces.append({"start_s": begin / 16_000, "end_s": end / 16_000, "weight": weight, **answer})
        counted = [piece for piece in pieces if piece["scores"]]
        total = sum(piece["weight"] for piece in counted)
        scores = {
            label: sum(piece["scores"][label] * piece["weight"] for piece in counted) / total
            for label in (self.bundle["labels"] if counted else [])
        }
        return {
            "label": max(scores, key=scores.get, default=None),
            "uncertain": bool(counted) and max(scores.values()) < self.least(),
            "scores": scores,
            "transcript": " ".join(piece["transcript"] for piece in pieces if piece["transcript"]) or None,
            "segments": pieces,
        }

    def answer(self, waveform: np.ndarray) -> tuple[int, dict]:
        """How many states of an utterance are spoken, and what is said in them."""
        spoken = self.spoken(waveform, 0.5, 0.5)
        spoken = spoken if spoken.any() else self.spoken(waveform, 0.05, 0.3)
        if not spoken.any():
            return 0, {}
        heard, voice, words, transcript, likely, language = {}, None, None, "", [], {}
        if "speech_encoder" in self.graphs:
            heard = self.run("speech_encoder", waveform=waveform[None])
        given = {"waveform": waveform[None], "hidden_states": heard.pop("hidden_states", None), "spoken": spoken}
        if "speech_emotion" in self.graphs:
            width = self.inputs("speech_emotion").get("baseline", [1])[-1]
            given |= {"baseline": np.zeros((1, 1, width), np.float32), "baseline_s": np.zeros((1, 1), np.float32)}
            voice = self.run("speech_emotion", **{name: given[name] for name in self.inputs("speech_emotion")})
        if "transcript_encoder" in self.graphs:
            heard = self.run("transcript_encoder", waveform=waveform[None])
            del heard["hidden_states"]
        if "transcript_memory" in self.graphs:
            heard = self.run("transcript_memory", encoded=heard["encoded"])
        if "transcript_decoder" in self.graphs:
            transcript, likely, language = self.transcribe(heard, len(waveform) / 16_000)
        judged = self.about_text.get("languages")
        if "text_emotion" in self.graphs and transcript and (not judged or language.get("code", judged[0]) in judged):
            words = self.run("text_emotion", **self.tokens(transcript))
        evidence = {
            "mean_log_probability": sum(likely) / (len(likely) + 4),
            "lowest_log_probability": min(likely, default=0),
            "words_per_s": len(transcript.split()) / (spoken.sum() * 0.02),
            "spoken_share": spoken.mean(),
        }
        return int(spoken.sum()), {"scores": self.join(voice, words, evidence), "transcript": transcript or None}

    def tokens(self, transcript: str) -> dict[str, np.ndarray]:
        tokenizer, limit = self.tokenizers["text"], self.about_text.get("context", {}).get("max_tokens", 0)
        tokenizer.no_padding()
        tokenizer.enable_truncation(256)
        ids = tokenizer.encode(transcript).ids
        types = [0] * len(ids)
        if limit and self.context.strip():
            tokenizer.no_truncation()
            own = tokenizer.encode(transcript, add_special_tokens=False)
            own.truncate(256 - tokenizer.num_special_tokens_to_add(False))
            before = tokenizer.encode(" ".join(self.context.split()[-limit:]), add_special_tokens=False)
            before.truncate(limit, direction="left")
            both = tokenizer.post_process(own, before).ids
            ids, types = both, types + [1] * (len(both) - len(ids))
        given = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}
        return given | ({"token_type_ids": np.array([types])} if limit else {})

    def least(self) -> float:
        """The confidence below which an answer is uncertain; words alone may have one of their own."""
        alone = "speech_emotion" not in self.graphs and "operating_point" in self.about_text
        return self.about_text["operating_point"]["confidence"] if alone else self.operating_point

    def join(self, voice: dict | None, words: dict | None, evidence: dict[str, float]) -> dict[str, float]:
        name = "fusion" if voice and words else "fusion_speech_only" if voice else "fusion_text_only"
        if "fusion" in self.graphs and (voice or words) and name in self.bundle["calibration"]:
            given = {"present": np.array([[bool(voice), bool(words)]], np.float32)}
            if "evidence" in self.inputs("fusion"):
                told = [evidence[name] if words else 0 for name in self.bundle["evidence"]]
                given["evidence"] = np.array([told], np.float32)
            for branch, found in (("speech", voice), ("text", words)):
                for kind in ("embedding", "logits"):
                    if shape := self.inputs("fusion").get(f"{branch}_{kind}"):
                        given[f"{branch}_{kind}"] = found[kind] if found else np.zeros((1, shape[-1]), np.float32)
            return self.scores(self.run("fusion", **given)["logits"], name)
        return (
            self.scores(voice["logits"], "speech") if voice else self.scores(words["logits"], "text") if words else {}
        )


if __name__ == "__main__":
    reader = Reader(Path(sys.argv[1]))
    clips = sys.argv[2:]
    if clips and clips[0].startswith("CONTEXT="):
        reader.context = clips.pop(0).removeprefix("CONTEXT=")
    for clip in clips:
        with wave.open(clip) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        print(json.dumps(reader(samples.astype(np.float32) / 32_768)))
    assert not [name for name in sys.modules if name.split(".")[0] in {"edge_runtime", "trainer", "export"}]
