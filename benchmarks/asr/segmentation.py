"""Whether a stream, which knows no recording's level, finds the speech that is found in each clip alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import results_file
from benchmarks.common.clips import audio_files
from benchmarks.common.paths import BUNDLE, Clips, Data, Seed
from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.inference.segmenter import Segmenter
from edge_runtime.inference.session import Session
from edge_runtime.inference.vad import ENCODER_HOP, speech_mask
from trainer.audio import load_audio
from trainer.corpora import ravdess

PAUSES_S = (0.2, 8.0)

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Condition:
    """How a recording differs from clips one after the other.

    Attributes:
        gain: of everything.
        apart_db: each clip is louder or softer by up to so much.
        noise: standard deviation of white noise over all, after the gain.
    """

    gain: float = 1.0
    apart_db: float = 0.0
    noise: float = 0.0


CONDITIONS = {
    "as recorded": Condition(),
    "quiet, x 0.02": Condition(gain=0.02, noise=1e-5),
    "loud and clipped, x 8": Condition(gain=8),
    "speakers up to 20 dB apart": Condition(apart_db=10),
    "noise of -60 dB": Condition(noise=1e-3),
    "noise of -50 dB, speakers up to 20 dB apart": Condition(apart_db=10, noise=3e-3),
}


def measure(data: Path, *, clips: int, seed: int) -> dict[str, Any]:
    """Return for each condition how many clips were found, alone and in the stream, and how much of them.

    Args:
        data: folder that holds ``ravdess/``.
        clips: how many recordings follow each other in the stream, with pauses of 0.2 to 8 s.
        seed: of their choice, order, loudness and pauses.
    """
    session = Session(BUNDLE / "vad.onnx")
    random = np.random.default_rng(seed)
    files = audio_files(ravdess.load(data / "ravdess"))
    waveforms = [load_audio(files[i]) for i in random.choice(len(files), clips, replace=False)]
    return {"clips": clips, "conditions": {n: _compare(session, waveforms, c, seed) for n, c in CONDITIONS.items()}}


def _compare(session: Session, waveforms: Sequence[Float], condition: Condition, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    parts: list[Float] = []
    for waveform in waveforms:
        louder = condition.gain * 10 ** (random.uniform(-condition.apart_db, condition.apart_db) / 20)
        pause = np.zeros(int(random.uniform(*PAUSES_S) * SAMPLE_RATE) // ENCODER_HOP * ENCODER_HOP, np.float32)
        whole = np.concatenate([waveform * louder, np.zeros(-len(waveform) % ENCODER_HOP), pause])
        whole += random.normal(0, condition.noise, len(whole))
        parts.append(np.clip(whole, -1, 1).astype(np.float32))
    alone = [speech_mask(session, part[: len(w)]) for part, w in zip(parts, waveforms, strict=True)]
    streamed, utterances = _streamed(session, np.concatenate(parts))
    found, covered, begin = 0, 0, 0
    voices = np.zeros_like(streamed)
    for part, spoken in zip(parts, alone, strict=True):
        here = streamed[begin : begin + len(spoken)]
        found += bool(here.any())
        covered += int((here & spoken).sum())
        voices[begin : begin + len(spoken)] = True
        begin += len(part) // ENCODER_HOP
    return {
        "found_alone": sum(bool(spoken.any()) for spoken in alone),
        "found_in_the_stream": found,
        "share_of_spoken_time": round(covered / max(1, sum(int(s.sum()) for s in alone)), 3),
        "seconds_heard_in_pauses": round(float((streamed & ~voices).sum()) * ENCODER_HOP / SAMPLE_RATE, 1),
        "seconds_of_pauses": round(float((~voices).sum()) * ENCODER_HOP / SAMPLE_RATE, 1),
        "utterances": utterances,
    }


def _streamed(session: Session, recording: Float) -> tuple[Bool, int]:
    """Return for each 20 ms whether it lies in the spoken part of an utterance, and how many there are."""
    segmenter = Segmenter(session)
    spoken = np.zeros(-(-len(recording) // ENCODER_HOP), np.bool_)
    utterances = [*segmenter.feed(recording), *segmenter.flush()]
    for utterance in utterances:
        begin = round(utterance.start_s * SAMPLE_RATE / ENCODER_HOP)
        there = utterance.speech_mask[: len(spoken) - begin]
        spoken[begin : begin + len(there)] |= there
    return spoken, len(utterances)


def command(data: Data = Path("data"), clips: Clips = 150, seed: Seed = 0) -> None:
    """Speech found in a stream, and in each clip alone."""
    print(results_file.write("segmentation", measure(data, clips=clips, seed=seed), seed=seed))
