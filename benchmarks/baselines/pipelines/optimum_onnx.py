"""Whisper exported by optimum and run by its own pipeline on onnxruntime; the emotion on torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime as ort
from optimum.onnxruntime import ORTModelForSpeechSeq2Seq
from transformers import AutoTokenizer, pipeline

from benchmarks.baselines.pipelines.emotion_heads import TwoEncoderPasses


class Pipeline(TwoEncoderPasses):
    """Transcript by optimum, the rest on torch."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load ``folder``/optimum and the networks of the emotion."""
        super().__init__(folder, threads)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._asr = pipeline(
            "automatic-speech-recognition",
            model=ORTModelForSpeechSeq2Seq.from_pretrained(folder / "optimum", session_options=options),
            tokenizer=AutoTokenizer.from_pretrained(folder / "whisper-tiny.en"),
            feature_extractor=self.features,
        )

    def transcribe(self, waveform: Any) -> str:
        """Return the words in a waveform."""
        return str(self._asr(waveform)["text"]).strip()
