"""The cost of int8: labels and accuracy of each branch and of fusion, an int8 bundle against an fp32 one."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks.common import results_file
from benchmarks.common.clips import audio_files, draw
from benchmarks.common.paths import BUNDLE, Checkpoints, Clips, Data, Seed, Weights
from edge_runtime import IEmoNet, Prediction, Scores
from export.build import Sources, build
from export.bundle_writer import Options
from export.evaluation.agreement import accuracy
from export.quantization.config import QuantizationConfig
from trainer.corpora import emodb, meld, ravdess
from trainer.corpora.utterance import LABELS


def measure(data: Path, int8: Path, fp32: Path, *, clips: int, seed: int) -> dict[str, Any]:
    """Classify ``clips`` recordings of RAVDESS and EmoDB with both bundles, and MELD dev's sentences.

    The recordings are among those that the speech branch was trained on, so the change counts here, not the level;
    MELD dev is not.
    """
    models = {name: IEmoNet.load(path, device="cpu", threads=1) for name, path in (("fp32", fp32), ("int8", int8))}
    recordings = [u for u in ravdess.load(data / "ravdess") + emodb.load(data / "emodb") if u.label in LABELS]
    picked = draw(recordings, clips, np.random.default_rng(seed))
    answers: dict[str, list[Prediction]] = {name: [] for name in models}
    for file in track(audio_files(picked), "clips", transient=True):
        for name, model in models.items():
            answers[name].append(model(file))
    truth = [u.label for u in picked]
    sentences = [u for u in meld.load(data / "meld", "dev") if u.label in LABELS]
    words = {name: [model.classify_text(u.transcript or "") for u in sentences] for name, model in models.items()}
    same = [
        exact.transcript == quick.transcript
        for utterance, exact, quick in zip(picked, answers["fp32"], answers["int8"], strict=True)
        if utterance.corpus == "ravdess"  # the other is German, which the recogniser does not know
    ]
    return {
        "clips": len(picked),
        "english_clips": len(same),
        "english_clips_with_the_same_transcript": sum(same),
        "speech_emotion": _compared(truth, *[[p.speech for p in answers[n]] for n in ("fp32", "int8")]),
        "words_alone_meld_dev": _compared([u.label for u in sentences], words["fp32"], words["int8"]),
        "fusion": _compared(truth, *[[_fused(p) for p in answers[n]] for n in ("fp32", "int8")]),
    }


def _fused(prediction: Prediction) -> Scores | None:
    return Scores(prediction.label, prediction.scores) if prediction.label else None


def _compared(truth: Sequence[str], fp32: Sequence[Scores | None], int8: Sequence[Scores | None]) -> dict[str, Any]:
    rows = [(t, a.label, b.label) for t, a, b in zip(truth, fp32, int8, strict=True) if a and b]
    true, exact, quick = (np.array([LABELS.index(row[i]) for row in rows]) for i in range(3))
    result: dict[str, Any] = {"n": len(rows), "same_label": round(float(np.mean(exact == quick)), 4)}
    for name, guess in (("fp32", exact), ("int8", quick)):
        result[name] = {score: round(value, 4) for score, value in accuracy(true, guess).items()}
    return result


def command(
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    checkpoints: Checkpoints = Path("checkpoints"),
    clips: Clips = 400,
    seed: Seed = 0,
) -> None:
    """Accuracy of the int8 bundle against fp32, by branch."""
    with tempfile.TemporaryDirectory() as scratch:
        fp32 = Path(scratch) / "fp32"
        build(Sources(weights, checkpoints), fp32, Options(QuantizationConfig("fp32")))
        result = measure(data, BUNDLE, fp32, clips=clips, seed=seed)
    print(results_file.write("int8-accuracy", result, seed=seed))
