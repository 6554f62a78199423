"""Speech of exactly the wanted length, cut from recordings: the same for everything that is compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE, Recording
from trainer.corpora import ravdess

Float = NDArray[np.float32]
QUIET = 0.02
"""Share of the peak under which the ends of a recording are cut off: a second of clip shall be a second of speech."""
PAUSE_S = 0.1


def read(path: Path) -> Float:
    """Return a recording as the runtime reads it: mono, 16 kHz, float32."""
    return np.concatenate(list(Recording(path).blocks()))


def cut(recordings: Sequence[Path], seconds: float, count: int, *, seed: int, first: Path | None = None) -> list[Float]:
    """Return ``count`` clips of exactly ``seconds``, each of random recordings one after the other.

    Args:
        recordings: what to cut from; silence at their ends is left out.
        seconds: length of each clip.
        count: how many.
        seed: of the choice.
        first: what every clip begins with, if that is shorter: RAVDESS has but two sentences, and said over and
            over for 15 s they send Whisper into loops that no talk would.
    """
    random = np.random.default_rng(seed)
    opening: list[Float] = [] if first is None else [_spoken(read(first)), _pause()]
    length = round(seconds * SAMPLE_RATE)
    clips = []
    for _ in range(count):
        parts = [*opening] if sum(map(len, opening)) < length else []
        while sum(map(len, parts)) < length:
            parts += [_spoken(read(recordings[int(random.integers(len(recordings)))])), _pause()]
        clips.append(np.concatenate(parts)[:length])
    return clips


def write(clips: Sequence[Float], folder: Path, name: str) -> list[Path]:
    """Write ``clips`` as 16 bit wav files ``name``-0, ``name``-1, …, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}-{i}.wav" for i in range(len(clips))]
    for path, clip in zip(paths, clips, strict=True):
        soundfile.write(path, clip, SAMPLE_RATE)
    return paths


def english(data: Path, example: Path) -> tuple[list[Path], str]:
    """Return English recordings, and what they are: RAVDESS, or where it is not at hand the example clip."""
    if (data / "ravdess").is_dir():
        return [u.audio for u in ravdess.load(data / "ravdess") if u.audio], "RAVDESS"
    return [example], example.name


def _spoken(clip: Float) -> Float:
    loud = np.flatnonzero(np.abs(clip) > QUIET * float(np.abs(clip).max(initial=0.0)))
    return clip[loud[0] : loud[-1] + 1] if len(loud) else clip


def _pause() -> Float:
    return np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32)
