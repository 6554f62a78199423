"""Transcripts that get the note "doubtful": their share in English speech, and in speech of other languages."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.common import results_file
from benchmarks.common.clips import audio_files
from benchmarks.common.paths import BUNDLE, Clips, Data, Seed
from edge_runtime.audio.recording import Recording
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.inference.asr import SURE, Transcript
from edge_runtime.inference.segmenter import utterances
from trainer.corpora import emodb, ravdess

ENGLISH, OTHER, NO_WORDS = "en", "another", "no words"
SHARE = 0.05
"""Share of English transcripts that may be doubtful, in the half of the recordings that chooses the threshold."""
LEAST = 10
"""A corpus with fewer recordings in either half says too little."""


def recordings(data: Path, clips: int, seed: int) -> dict[tuple[str, str], list[Path]]:
    """Return up to ``clips`` recordings of each corpus and language, drawn at random.

    Args:
        data: holds ravdess/ and emodb/, and at any depth folders with a manifest.csv that has the columns audio, label
            and language.
        clips: of each.
        seed: of the draw.
    """
    found: dict[tuple[str, str], list[Path]] = {}
    for name, language, load in (("ravdess", ENGLISH, ravdess.load), ("emodb", OTHER, emodb.load)):
        found[name, language] = audio_files(load(data / name))
    for manifest in sorted(data.rglob("manifest.csv")):
        with manifest.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                if row["label"] != "nospeech" and "/" not in row["language"]:  # of one language, and that known
                    key = (manifest.parent.name, _language(row["language"]))
                    found.setdefault(key, []).append(manifest.parent / row["audio"])
    random = np.random.default_rng(seed)
    drawn = {key: [paths[i] for i in random.permutation(len(paths))[:clips]] for key, paths in found.items()}
    return {key: paths for key, paths in drawn.items() if len(paths) >= 2 * LEAST}


def _language(stated: str) -> str:
    return ENGLISH if stated.startswith(ENGLISH) else OTHER if stated[:2].isalpha() else NO_WORDS


def measure(data: Path, *, clips: int, seed: int) -> dict[str, Any]:
    """Return the share of doubtful transcripts by corpus.

    One half of the recordings chooses the threshold, the share is that of the other half.
    """
    bundle = Bundle.read(BUNDLE)
    vad = bundle.open("vad", device="cpu", threads=1)
    encoder, decoder = bundle.open_recogniser()

    def transcripts(paths: Iterable[Path]) -> list[Transcript]:
        return [
            decoder.transcribe(encoder(piece.waveform)[1], duration_s=piece.end_s - piece.start_s)
            for path in paths
            for piece in utterances(Recording(path).blocks(), vad)
            if piece.speech_mask.any()
        ]

    drawn = recordings(data, clips, seed)
    chosen: dict[tuple[str, str], list[Transcript]] = {}
    corpora = []
    for key in track(list(drawn), "recognising", console=Console(stderr=True), transient=True):
        paths = drawn[key]
        chosen[key], other = (transcripts(half) for half in (paths[::2], paths[1::2]))
        corpora.append(
            {
                "corpus": key[0],
                "language": key[1],
                "utterances": len(other),
                "doubted": round(sum(t.doubtful for t in other) / len(other), 4),
                "log_probability": [round(q, 3) for q in _quartiles(other)],
            }
        )
    english = [said for (_, language), said in chosen.items() if language == ENGLISH]
    return {
        "clips_of_each": clips,
        "threshold": SURE,
        "threshold_of_the_choosing_half": _threshold(english),
        "corpora": corpora,
    }


def _quartiles(said: Sequence[Transcript]) -> list[float]:
    return [float(q) for q in np.quantile([t.log_probability for t in said], (0.25, 0.5, 0.75))]


def _threshold(english: Sequence[Sequence[Transcript]]) -> float:
    """Return the highest threshold, in steps of 0.05, that doubts at most ``SHARE`` of English, a mean of corpora."""
    for threshold in np.arange(-0.3, -3, -0.05):
        doubted = [np.mean([t.log_probability < threshold for t in said]) for said in english]
        if np.mean(doubted) <= SHARE:
            return round(float(threshold), 2)
    raise ValueError("the recogniser is sure of no English here")


def command(data: Data = Path("data"), clips: Clips = 160, seed: Seed = 0) -> None:
    """Share of doubtful transcripts, by language."""
    print(results_file.write("asr-confidence", measure(data, clips=clips, seed=seed), seed=seed))
