"""Ours, as installed from its wheels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_runtime import IEmoNet


class Pipeline:
    """Voice activity, transcript, speech emotion, text emotion and fusion, on onnxruntime."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load the installed bundle; ``folder`` is for pipelines that need weights of their own."""
        self._model = IEmoNet.load(device="cpu", threads=threads)

    def __call__(self, path: str) -> dict[str, Any]:
        """Classify the recording at ``path``."""
        answer = self._model(path)
        slots = answer.timings_ms
        asr = slots.get("speech_encoder", 0.0) + slots.get("transcript_decoder", 0.0)
        return {"transcript": answer.transcript or "", "label": answer.label, "asr_ms": asr}
