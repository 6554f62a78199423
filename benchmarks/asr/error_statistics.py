"""Errors of our own speech recognition by kind, and whether simulated errors come out at the rate asked for.

No corpus here has dialogue with both recordings and words. So espeak-ng reads MELD's sentences: synthetic
speech is a stand-in, harder on the recogniser in places and easier in others than people are. RAVDESS clips
with noise are people, but say two sentences only; they are the check.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.common import results_file
from benchmarks.common.clips import SYNTHETIC_VOICES, audio_files, draw, synthetic
from benchmarks.common.paths import BUNDLE, Data, Seed, Weights
from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.bundle.bundle import Bundle
from trainer.audio import load_audio
from trainer.augment import add_noise
from trainer.corpora import meld, ravdess, semeval
from trainer.text import pronunciation
from trainer.text.recognition_errors import RecognitionErrors
from trainer.text.transcripts import Recogniser
from trainer.text.wer import normalize, word_error_rate

READ_SNR_DB = (math.inf, 25.0)
SPOKEN_SNR_DB = (10.0, 5.0)
PINK = 1.0
RATES = (0.02, 0.06, 0.1, 0.2)
SHARPNESSES = tuple(range(0, 25, 2))
TWEETS = 5000

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Confusion:
    """A word that was taken for another, and the word before it; in lower case."""

    before: str
    said: str
    recognised: str


def measure(
    data: Path, weights: Path, bundle: Path, *, sentences: int = 300, clips: int = 100, seed: int = 0
) -> dict[str, Any]:
    """Return shares of the recogniser's errors, how near in sound its confusions are, and the simulator's rates.

    Args:
        data: folder that holds ``meld``, ``ravdess`` and ``semeval2017-4a``.
        weights: folder that holds ``cmudict``.
        bundle: whose speech recognition.
        sentences: of MELD train, read by espeak-ng in turn by each voice, each without and with noise.
        clips: of RAVDESS, each with two levels of noise.
        seed: of the choice of both, and of the noise.
    """
    random = np.random.default_rng(seed)
    recogniser = Recogniser(Bundle.read(bundle))
    dictionary = pronunciation.read(weights / "cmudict")
    train, dev = ([u.transcript or "" for u in meld.load(data / "meld", split)] for split in ("train", "dev"))
    said = draw(train, sentences, random)
    people = draw(ravdess.load(data / "ravdess"), clips, random)
    read_aloud = _recognise(said, synthetic(said), READ_SNR_DB, recogniser, random)
    spoken = _recognise(
        [u.transcript or "" for u in people],
        [load_audio(f) for f in audio_files(people)],
        SPOKEN_SNR_DB,
        recogniser,
        random,
    )
    tweets = draw([u.transcript or "" for u in semeval.load(data / "semeval2017-4a" / "train")], TWEETS, random)
    return {
        "recogniser": bundle.name,
        "synthetic_speech": {
            "what": f"{sentences} sentences of MELD train read by {_espeak()}, voices {', '.join(SYNTHETIC_VOICES)}",
            **read_aloud[0],
        },
        "people": {"what": f"{clips} clips of RAVDESS (two sentences) with pink noise", **spoken[0]},
        "confusions": _confusions(read_aloud[1], RecognitionErrors(train, rate=0, seed=seed, dictionary=dictionary)),
        "simulated": {
            "MELD dev": _simulated(dev, dev, seed, dictionary),
            "MELD dev, calibrated on MELD train": _simulated(train, dev, seed, dictionary),
            f"{TWEETS} tweets of SemEval train": _simulated(tweets, tweets, seed, dictionary),
        },
    }


def _espeak() -> str:
    done = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True)  # noqa: S607
    return done.stdout.partition("  Data")[0].strip()


def _recognise(
    said: Sequence[str],
    waveforms: Sequence[Float],
    levels: Sequence[float],
    recogniser: Recogniser,
    random: np.random.Generator,
) -> tuple[dict[str, Any], list[Confusion]]:
    """Return the errors at each signal-to-noise ratio and in all, and the words confused."""
    references = [normalize(s) for s in said]
    rows: dict[str, Any] = {}
    everything: tuple[list[str], list[str]] = [], []
    for level in levels:
        recognised = []
        for waveform in track(waveforms, "recognising", transient=True):
            noisy = waveform if math.isinf(level) else add_noise(waveform, random, level, PINK)
            recognised.append(normalize(recogniser(noisy, SAMPLE_RATE)))
        everything[0].extend(references)
        everything[1].extend(recognised)
        name = "as it is" if math.isinf(level) else f"{level:g} dB above pink noise"
        rows[name] = _shares(jiwer.process_words(references, recognised))
    aligned = jiwer.process_words(*everything)
    return rows | {"all": _shares(aligned)}, _confused(aligned)


def _shares(aligned: jiwer.WordOutput) -> dict[str, float]:
    kinds = {k: getattr(aligned, k) for k in ("substitutions", "deletions", "insertions")}
    errors = sum(kinds.values())
    shares = {name: round(count / errors, 3) for name, count in kinds.items()}
    return {"words": aligned.hits + errors - aligned.insertions, "wer": round(aligned.wer, 4), **shares}


def _confused(aligned: jiwer.WordOutput) -> list[Confusion]:
    found = []
    for said, recognised, chunks in zip(aligned.references, aligned.hypotheses, aligned.alignments, strict=True):
        for chunk in chunks:
            if chunk.type == "substitute":
                for i, j in zip(
                    range(chunk.ref_start_idx, chunk.ref_end_idx),
                    range(chunk.hyp_start_idx, chunk.hyp_end_idx),
                    strict=True,
                ):
                    found.append(Confusion(said[i - 1] if i else "", said[i], recognised[j]))
    return found


def _confusions(confusions: Sequence[Confusion], errors: RecognitionErrors) -> dict[str, Any]:
    """Return which sharpness makes what the recogniser confused likeliest under the simulator."""
    within = [c for c in confusions if c.recognised in errors.substitutes(c.said, c.before)[0]]
    likely = {s: float(np.mean([_log_likelihood(c, errors, s) for c in within])) for s in SHARPNESSES}
    best = max(likely, key=likely.__getitem__)
    return {
        "substitutions": len(confusions),
        "among_the_words_considered": len(within),
        "likeliest_sharpness": best,
        "mean_log_likelihood": {str(s): round(v, 3) for s, v in likely.items()},
    }


def _log_likelihood(confusion: Confusion, errors: RecognitionErrors, sharpness: float) -> float:
    words, probabilities = errors.substitutes(confusion.said, confusion.before, sharpness)
    return math.log(max(float(probabilities[list(words).index(confusion.recognised)]), 1e-300))


def _simulated(
    learned: Sequence[str], corrupted: Sequence[str], seed: int, dictionary: pronunciation.Dictionary
) -> dict[str, float]:
    rates = {}
    for rate in RATES:
        errors = RecognitionErrors(learned, rate=rate, seed=seed, dictionary=dictionary)
        rates[str(rate)] = round(word_error_rate(corrupted, errors.corrupt(corrupted)), 4)
    return rates


def command(data: Data = Path("data"), weights: Weights = Path("weights"), seed: Seed = 0) -> None:
    """Recognition errors by kind, and simulated ones."""
    print(results_file.write("error-statistics", measure(data, weights, BUNDLE, seed=seed), seed=seed))
