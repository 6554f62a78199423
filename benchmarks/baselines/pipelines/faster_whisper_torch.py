"""faster-whisper in int8 for the transcript; voice and words on torch.

CTranslate2 keeps the states of its encoder's layers to itself, so the voice needs an encoder pass of torch's too.
Greedy and without time stamps, as everybody here: its own default, a beam of five, is slower.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import soundfile
import torch
from faster_whisper import WhisperModel
from transformers import WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperForConditionalGeneration

from benchmarks.baselines.pipelines.emotion_heads import Branches, encoder_states, level


class Pipeline:
    """Transcript by CTranslate2, the rest on torch."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load ``folder``/faster-whisper, ``folder``/whisper-tiny.en (its encoder alone) and the branches."""
        torch.set_num_threads(threads)
        self._asr = WhisperModel(
            str(folder / "faster-whisper"), device="cpu", compute_type="int8", cpu_threads=threads
        )  # fmt: skip
        whisper = folder / "whisper-tiny.en"
        self._features = WhisperFeatureExtractor.from_pretrained(whisper)
        self._encoder = WhisperForConditionalGeneration.from_pretrained(whisper).eval().model.encoder
        self._branches = Branches(folder / "checkpoints")

    @torch.inference_mode()
    def __call__(self, path: str) -> dict[str, Any]:
        """Classify the recording at ``path``."""
        waveform = level(soundfile.read(path, dtype="float32")[0])
        begin = time.perf_counter()
        pieces, _ = self._asr.transcribe(waveform, language="en", beam_size=1, without_timestamps=True)
        transcript = " ".join(piece.text.strip() for piece in pieces)
        asr_ms = 1000 * (time.perf_counter() - begin)
        features = self._features(waveform, sampling_rate=16_000, return_tensors="pt").input_features
        encoded = self._encoder(features, output_hidden_states=True)
        label = self._branches(encoder_states(encoded), len(waveform), transcript)
        return {"transcript": transcript, "label": label, "asr_ms": asr_ms}
