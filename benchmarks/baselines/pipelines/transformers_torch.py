"""Whisper by transformers on torch; the encoder runs once, for the transcript and for speech emotion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoProcessor, WhisperForConditionalGeneration

from benchmarks.baselines.pipelines.emotion_heads import SAMPLE_RATE, EmotionHeads, levelled


class Pipeline:
    """Transcript, speech emotion, text emotion and fusion, on torch."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load Whisper from ``folder``/whisper-tiny.en and the emotion's networks from ``folder``/checkpoints."""
        torch.set_num_threads(threads)
        whisper = folder / "whisper-tiny.en"
        self._processor = AutoProcessor.from_pretrained(whisper)
        self._whisper = WhisperForConditionalGeneration.from_pretrained(whisper).eval()
        self._heads = EmotionHeads(folder / "checkpoints")

    @torch.inference_mode()
    def __call__(self, path: str) -> dict[str, Any]:
        """Classify the recording at ``path``."""
        waveform = levelled(path)
        features = self._processor(waveform, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
        encoded = self._whisper.model.encoder(features, output_hidden_states=True)
        ids = self._whisper.generate(encoder_outputs=encoded)
        transcript = self._processor.batch_decode(ids, skip_special_tokens=True)[0].strip()
        label = self._heads(encoded, len(waveform), transcript)
        return {"transcript": transcript, "label": label}
