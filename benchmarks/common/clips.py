"""Recordings drawn from corpora, synthetic speech, and clips of exactly a wanted length: one way for all commands."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE
from trainer.audio import load_audio
from trainer.corpora import ravdess
from trainer.corpora.utterance import Utterance

Item = TypeVar("Item")
Float = NDArray[np.float32]
QUIET = 0.02
"""Share of the peak below which the ends of a recording are cut off, so that a second of clip is a second of speech."""
PAUSE_S = 0.1
SYNTHETIC_VOICES = ("en-us", "en-gb", "en-us+f3", "en-us+m3")
PACE = ("-s", "140", "-g", "2")
"""Words a minute, and a short silence between words: the recogniser gets most words right with these."""


def draw(items: Sequence[Item], count: int, random: np.random.Generator) -> list[Item]:
    """Return ``count`` different ``items`` (all of them where there are fewer), in the order that they had."""
    return [items[i] for i in sorted(random.choice(len(items), min(count, len(items)), replace=False))]


def audio_files(utterances: Iterable[Utterance]) -> list[Path]:
    """Return the recordings of those ``utterances`` that have one."""
    return [u.audio for u in utterances if u.audio]


def english(data: Path, example: Path) -> tuple[list[Path], str]:
    """Return English recordings and their name: RAVDESS, or the example clip where ``data`` has no RAVDESS."""
    if (data / "ravdess").is_dir():
        return audio_files(ravdess.load(data / "ravdess")), "RAVDESS"
    return [example], example.name


def synthetic(sentences: Sequence[str]) -> list[Float]:
    """Return ``sentences`` as espeak-ng reads them, its voices in turn."""
    return [_speak(text, SYNTHETIC_VOICES[i % len(SYNTHETIC_VOICES)]) for i, text in enumerate(sentences)]


def cut(recordings: Sequence[Path], seconds: float, count: int, *, seed: int, first: Path | None = None) -> list[Float]:
    """Return ``count`` clips of exactly ``seconds``, each of random recordings one after the other.

    Args:
        recordings: the sources; silence at their ends is left out.
        seconds: length of each clip.
        count: number of clips.
        seed: of the choice.
        first: the beginning of every clip that is longer than this file. RAVDESS has two sentences only, and 15 s of
            the same sentence again and again send Whisper into loops.
    """
    random = np.random.default_rng(seed)
    opening: list[Float] = [] if first is None else [_spoken(load_audio(first)), _pause()]
    length = round(seconds * SAMPLE_RATE)
    clips = []
    for _ in range(count):
        parts = [*opening] if sum(map(len, opening)) < length else []
        while sum(map(len, parts)) < length:
            parts += [_spoken(load_audio(recordings[int(random.integers(len(recordings)))])), _pause()]
        clips.append(np.concatenate(parts)[:length])
    return clips


def write(clips: Sequence[Float], folder: Path, name: str) -> list[Path]:
    """Write ``clips`` as 16 bit wav files ``name``-0, ``name``-1, …, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}-{i}.wav" for i in range(len(clips))]
    for path, clip in zip(paths, clips, strict=True):
        soundfile.write(path, clip, SAMPLE_RATE)
    return paths


def _speak(sentence: str, voice: str) -> Float:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "read.wav"
        command = ["espeak-ng", "-v", voice, *PACE, "-w", str(path), "--stdin"]
        subprocess.run(command, input=sentence.encode(), check=True)  # noqa: S603 - the sentence is its input only
        return load_audio(path)


def _spoken(clip: Float) -> Float:
    loud = np.flatnonzero(np.abs(clip) > QUIET * float(np.abs(clip).max(initial=0.0)))
    return clip[loud[0] : loud[-1] + 1] if len(loud) else clip


def _pause() -> Float:
    return np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32)
