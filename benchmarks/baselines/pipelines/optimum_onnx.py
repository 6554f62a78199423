"""Whisper exported by optimum and run by its own pipeline on onnxruntime; voice and words on torch.

Its export gives the encoder's last states alone, so the voice needs an encoder pass of torch's too.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import onnxruntime as ort
import soundfile
import torch
from optimum.onnxruntime import ORTModelForSpeechSeq2Seq
from transformers import AutoProcessor, WhisperForConditionalGeneration, pipeline

from benchmarks.baselines.pipelines.emotion_heads import Branches, encoder_states, level


class Pipeline:
    """Transcript by optimum, the rest on torch."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load ``folder``/optimum, ``folder``/whisper-tiny.en (its encoder alone) and the branches."""
        torch.set_num_threads(threads)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._processor = AutoProcessor.from_pretrained(folder / "whisper-tiny.en")
        self._asr = pipeline(
            "automatic-speech-recognition",
            model=ORTModelForSpeechSeq2Seq.from_pretrained(folder / "optimum", session_options=options),
            tokenizer=self._processor.tokenizer,
            feature_extractor=self._processor.feature_extractor,
        )
        whisper = WhisperForConditionalGeneration.from_pretrained(folder / "whisper-tiny.en")
        self._encoder = whisper.eval().model.encoder
        self._branches = Branches(folder / "checkpoints")

    @torch.inference_mode()
    def __call__(self, path: str) -> dict[str, Any]:
        """Classify the recording at ``path``."""
        waveform = level(soundfile.read(path, dtype="float32")[0])
        begin = time.perf_counter()
        transcript = str(self._asr(waveform)["text"]).strip()
        asr_ms = 1000 * (time.perf_counter() - begin)
        features = self._processor(waveform, sampling_rate=16_000, return_tensors="pt").input_features
        encoded = self._encoder(features, output_hidden_states=True)
        label = self._branches(encoder_states(encoded), len(waveform), transcript)
        return {"transcript": transcript, "label": label, "asr_ms": asr_ms}
