"""faster-whisper in int8 for the transcript; the emotion on torch.

Greedy and without time stamps, as all pipelines here: its own default, a beam of five, is slower.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel

from benchmarks.baselines.pipelines.emotion_heads import TwoEncoderPasses


class Pipeline(TwoEncoderPasses):
    """Transcript by CTranslate2, the rest on torch."""

    def __init__(self, folder: Path, threads: int) -> None:
        """Load ``folder``/faster-whisper and the networks of the emotion."""
        super().__init__(folder, threads)
        self._asr = WhisperModel(
            str(folder / "faster-whisper"), device="cpu", compute_type="int8", cpu_threads=threads
        )  # fmt: skip

    def transcribe(self, waveform: Any) -> str:
        """Return the words in a waveform."""
        pieces, _ = self._asr.transcribe(waveform, language="en", beam_size=1, without_timestamps=True)
        return " ".join(piece.text.strip() for piece in pieces)
