"""What a report shows and plays of a recording: its outline, and a small copy of it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_runtime.audio.mix import Mixer
from edge_runtime.audio.recording import SAMPLE_RATE, Recording

STEP_S = 0.05
"""The outline is measured in steps of so many seconds."""
MOST_POINTS = 2_000
"""More than a screen has columns."""


@dataclass(frozen=True)
class AudioPreview:
    """A recording to look at and listen to.

    Attributes:
        outline: the loudest sample of each of some equal parts, for each channel (channels, points), in [0, 1].
        mp3: the recording, mono at 16 kHz, or None.
    """

    outline: NDArray[np.float32]
    mp3: bytes | None


def make_preview(recording: Recording, *, split: bool, keep: bool) -> AudioPreview:
    """Read ``recording`` once, in blocks.

    Args:
        recording: not read yet.
        split: an outline for each channel; else one of the mix.
        keep: encode a copy to embed, about 20 MB an hour.

    Raises:
        AudioError: as in ``Recording.blocks``.
    """
    step, peaks = int(STEP_S * SAMPLE_RATE), []
    channels = recording.channels if split else 1
    rest, mix = np.zeros((0, channels), np.float32), Mixer(SAMPLE_RATE, channels)
    with tempfile.TemporaryFile() as copy:
        out = soundfile.SoundFile(copy, "w", SAMPLE_RATE, 1, format="MP3") if keep else None
        for block in recording.blocks(split=split):
            samples = block if split else block[:, None]
            if out is not None:
                out.write(np.clip(mix(samples), -1, 1))
            rest = np.concatenate([rest, samples])
            whole = len(rest) // step * step
            peaks.append(np.abs(rest[:whole]).reshape(-1, step, rest.shape[1]).max(axis=1))
            rest = rest[whole:]
        if len(rest):
            peaks.append(np.abs(rest).max(axis=0, keepdims=True))
        mp3 = None
        if out is not None:
            out.write(np.clip(mix.flush(), -1, 1))
            out.close()
            copy.seek(0)
            mp3 = copy.read()
    return AudioPreview(_fewer(np.concatenate(peaks)).T, mp3)


def _fewer(peaks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return at most ``MOST_POINTS`` rows, each the largest of its part, brought to a highest of 1."""
    points = min(MOST_POINTS, len(peaks))
    borders = np.arange(points) * len(peaks) // points
    fewer: NDArray[np.float32] = np.maximum.reduceat(peaks, borders, axis=0)
    return fewer / max(float(fewer.max()), 1e-6)
