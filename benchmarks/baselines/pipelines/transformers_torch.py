"""Whisper by transformers on torch; the encoder runs once, for the transcript and for the voice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import soundfile
import torch
from transformers import AutoProcessor, WhisperForConditionalGeneration

from benchmarks.baselines.pipelines.emotion_heads import Branches, encoder_states, level


class Pipeline:
    """Transcript, voice, words and fusion, on torch."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load Whisper from ``folder``/whisper-tiny.en and the branches from ``folder``/checkpoints."""
        torch.set_num_threads(threads)
        whisper = folder / "whisper-tiny.en"
        self._processor = AutoProcessor.from_pretrained(whisper)
        self._whisper = WhisperForConditionalGeneration.from_pretrained(whisper).eval()
        self._branches = Branches(folder / "checkpoints")

    @torch.inference_mode()
    def __call__(self, path: str) -> dict[str, Any]:
        """Classify the recording at ``path``."""
        waveform = level(soundfile.read(path, dtype="float32")[0])
        features = self._processor(waveform, sampling_rate=16_000, return_tensors="pt").input_features
        encoded = self._whisper.model.encoder(features, output_hidden_states=True)
        ids = self._whisper.generate(encoder_outputs=encoded)
        transcript = self._processor.batch_decode(ids, skip_special_tokens=True)[0].strip()
        label = self._branches(encoder_states(encoded), len(waveform), transcript)
        return {"transcript": transcript, "label": label}
