"""onnx-asr, from a folder of its own: the transcript alone, in int8.

It knows multilingual Whisper only. The English one answers nothing to that prompt, so its own is put in place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_asr
import onnxruntime as ort
import soundfile

PROMPT = np.array([[50257, 50362]])
LAST = "notimestamps"
"""onnx-asr writes the token of the language asked for into the second place of the prompt."""


class Pipeline:
    """Transcript alone."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load ``folder``/onnx-asr."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._asr = onnx_asr.load_model(
            "whisper", folder / "onnx-asr", quantization="int8", sess_options=options,
            providers=["CPUExecutionProvider"],
        )  # fmt: skip
        self._asr.asr._transcribe_input = PROMPT

    def __call__(self, path: str) -> dict[str, Any]:
        """Transcribe the recording at ``path``."""
        waveform, rate = soundfile.read(path, dtype="float32")
        return {"transcript": self._asr.recognize(waveform, sample_rate=rate, language=LAST).strip(), "label": None}
