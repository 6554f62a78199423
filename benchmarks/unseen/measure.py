"""``python -m benchmarks unseen``: corpora, speakers, plain speech and bursts that no network here learned from."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from scipy.special import softmax

from benchmarks.common import results_file
from benchmarks.common.paths import Cache, Data, Weights
from benchmarks.common.plain_speech import SURE, shares
from benchmarks.unseen import voices as voices_
from benchmarks.unseen.voices import Reader, Voices
from edge_runtime.baseline import MOST_RECORDINGS
from trainer import calibration
from trainer.metrics import calibration_error, confusion, intervals, scores
from trainer.modality import Float
from trainer.speech.baselines import Rows, Speakers

BURSTS = "emogator"
"""The corpus of vocal bursts: it is reported apart from speech."""
PIECE_S = 1.0
"""Length of the shortest baseline, a piece of one recording."""
SECONDS = (3.0, 10.0, 30.0, 60.0)
"""Lengths of the baselines of whole recordings."""
ONE_MOOD_S = 60.0
LEAST_SHARE = 0.5
"""A condition counts for a corpus where at least such a share of its recordings has at least such a share of the
seconds."""
Answers = dict[str, tuple[Rows, Float]]
"""By condition: the rows that were answered, and their logits (n, classes)."""


def measure(voices: Voices, pieces: Mapping[int, Float], seeds: Sequence[int]) -> dict[str, Any]:
    """Return what networks answer to what they never met.

    Args:
        voices: see ``Voices``.
        pieces: pooled states of a second of some recordings of each speaker (layers, 2 x width), by row.
        seeds: one set of networks for each.
    """
    corpora = list(dict.fromkeys(u.corpus for u in voices.dataset.utterances))
    plain = list(dict.fromkeys(u.corpus for u in voices.dataset.unlabelled if u.label == "unlabelled"))
    found: list[dict[str, Answers]] = []
    for seed in seeds:
        answers: dict[str, Answers] = {}
        named = f"without a corpus, seed {seed}"
        for number, corpus in enumerate(track(corpora, named, console=Console(stderr=True), transient=True)):
            # A part of plain speech is left out each time as well, so that all of it is new to some network.
            silent = plain[number % len(plain)]
            reader = Reader(voices, voices.train(voices.left_out([corpus, silent]), seed))
            answers[corpus] = _conditions(voices, reader, _tested(voices, corpus), pieces, seed)
            rows = voices.rows_of(silent)
            answers[f"plain {silent}"] = {"none": (rows, reader.logits(rows, None, seed)[0])}
        answers |= _known_corpora(voices, corpora, seed)
        found.append(answers)
    return _report(voices, corpora, plain, found)


def _tested(voices: Voices, corpus: str) -> Rows:
    rows = voices.rows_of(corpus)
    return rows[rows < len(voices.dataset.utterances)]


def _conditions(voices: Voices, reader: Reader, rows: Rows, pieces: Mapping[int, Float], seed: int) -> Answers:
    """Return the answers without a baseline, with longer and longer ones, and with those of one mood."""
    result: Answers = {"none": (rows, reader.logits(rows, None, seed)[0])}
    found = {f"{PIECE_S:g} s": (PIECE_S, reader.with_pieces(rows, pieces, PIECE_S, seed))}
    drawn: list[tuple[str, float, str | None]] = [(f"{seconds:g} s", seconds, None) for seconds in SECONDS]
    drawn += [(f"all {label}", ONE_MOOD_S, label) for label in voices.dataset.labels]
    for name, seconds, label in drawn:
        baseline = functools.partial(_draw, voices.speakers, seconds, label)
        found[name] = seconds, reader.logits(rows, baseline, seed, longest_s=seconds)
    for name, (seconds, (logits, had)) in found.items():
        kept = had >= LEAST_SHARE * seconds
        if kept.mean() >= LEAST_SHARE:
            result[name] = (rows[kept], logits[kept])
    return result


def _draw(speakers: Speakers, seconds: float, label: str | None, row: int, random: np.random.Generator) -> Rows:
    return speakers.draw(row, seconds, random, label=label, most=MOST_RECORDINGS)


def _known_corpora(voices: Voices, corpora: Sequence[str], seed: int) -> dict[str, Answers]:
    """Return the answers to unknown speakers of corpora that were learned from."""
    answered: dict[str, list[tuple[Rows, Float]]] = {corpus: [] for corpus in corpora}
    folds = voices.speaker_folds()
    for fold in track(folds, f"without speakers, seed {seed}", console=Console(stderr=True), transient=True):
        logits, _ = Reader(voices, voices.train(fold.train, seed)).logits(fold.test, None, seed)
        for corpus in corpora:
            mine = np.array([voices.truth.corpora[row] == corpus for row in fold.test])
            answered[corpus].append((fold.test[mine], logits[mine]))
    return {
        f"known {corpus}": {"none": (np.concatenate([r for r, _ in parts]), np.concatenate([a for _, a in parts]))}
        for corpus, parts in answered.items()
        if sum(len(r) for r, _ in parts)
    }


def _report(
    voices: Voices, corpora: Sequence[str], plain: Sequence[str], found: Sequence[Mapping[str, Answers]]
) -> dict[str, Any]:
    spoken = [corpus for corpus in corpora if corpus != BURSTS]
    fitted = [_temperatures(voices, spoken, answers) for answers in found]
    rows = {corpus: _corpus(voices, corpus, found, fitted) for corpus in corpora}
    both = list(zip(found, fitted, strict=True))
    names = list(dict.fromkeys(name for corpus in spoken for name in rows[corpus]["conditions"]))
    neutral = voices.dataset.labels.index("neutral")
    return {
        "labels": list(voices.dataset.labels),
        "corpora": {corpus: rows[corpus] for corpus in spoken},
        "mean": {name: _mean(rows, spoken, name) for name in names},
        "bursts": rows.get(BURSTS),
        "unknown_speakers": {
            corpus: _scores(voices, [answers[f"known {corpus}"]["none"] for answers in found])
            for corpus in corpora
            if f"known {corpus}" in found[0]
        },
        "plain": {
            name: shares([softmax(a[f"plain {name}"]["none"][1] / t["all"], axis=1) for a, t in both], neutral)
            for name in plain
        },
        "sure": SURE,
    }


def _temperatures(voices: Voices, corpora: Sequence[str], answers: Mapping[str, Answers]) -> dict[str, float]:
    """Return the temperature that fits the answers to all other left-out corpora, by corpus; and to "all"."""
    result = {}
    for corpus in (*corpora, "all"):
        parts = [answers[other]["none"] for other in corpora if other != corpus]
        truth = np.concatenate([voices.truth.labels[rows] for rows, _ in parts])
        result[corpus] = calibration.temperature(truth, np.concatenate([logits for _, logits in parts]))
    return result


def _corpus(
    voices: Voices, corpus: str, found: Sequence[Mapping[str, Answers]], fitted: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    conditions = {}
    for name in found[0][corpus]:
        parts = [answers[corpus][name] for answers in found]
        conditions[name] = _scores(voices, parts, [t.get(corpus, t["all"]) for t in fitted])
        # The same recordings without a baseline: what it gains or costs.
        same = [_among(answers[corpus]["none"], rows) for answers, (rows, _) in zip(found, parts, strict=True)]
        conditions[name]["ua_without"] = _scores(voices, same)["ua"]
    rows = _tested(voices, corpus)
    people = {voices.dataset.utterances[row].speaker for row in rows} - {""}
    return {"n": len(rows), "speakers": len(people), "conditions": conditions}


def _among(answered: tuple[Rows, Float], rows: Rows) -> tuple[Rows, Float]:
    places = np.searchsorted(answered[0], rows)
    return answered[0][places], answered[1][places]


def _scores(
    voices: Voices, parts: Sequence[tuple[Rows, Float]], temperatures: Sequence[float] | None = None
) -> dict[str, Any]:
    """Return WA, UA and its interval over networks, the confusions, and confidence and calibration error if fitted."""
    rows = parts[0][0]
    each = [scores(voices.truth.labels[r], logits.argmax(1)) for r, logits in parts]
    span = None
    if all(np.array_equal(rows, other) for other, _ in parts):  # else other baselines were long enough
        guesses = np.stack([logits.argmax(1) for _, logits in parts])
        span = [round(v, 4) for v in intervals(voices.truth.labels[rows], guesses)["ua"]]
    result: dict[str, Any] = {
        "n": len(rows),
        "wa": round(float(np.mean([s["wa"] for s in each])), 4),
        "ua": round(float(np.mean([s["ua"] for s in each])), 4),
        "ua_by_seed": [round(s["ua"], 4) for s in each],
        "ua_interval": span,
        "confusion": np.sum(
            [confusion(voices.truth.labels[r], logits.argmax(1), len(voices.dataset.labels)) for r, logits in parts],
            axis=0,
        ).tolist(),
    }
    if temperatures is not None:
        calibrated = [softmax(logits / t, axis=1) for (_, logits), t in zip(parts, temperatures, strict=True)]
        errors = [calibration_error(voices.truth.labels[r], p) for (r, _), p in zip(parts, calibrated, strict=True)]
        result["ece"] = round(float(np.mean(errors)), 4)
        result["confidence"] = round(float(np.mean([p.max(1).mean() for p in calibrated])), 4)
    return result


def _mean(rows: Mapping[str, Mapping[str, Any]], corpora: Sequence[str], condition: str) -> dict[str, Any]:
    """Return the mean over the corpora for which a condition counts, and that of the same recordings without it."""
    found = [rows[c]["conditions"][condition] for c in corpora if condition in rows[c]["conditions"]]
    return {
        "corpora": len(found),
        **{key: round(float(np.mean([f[key] for f in found])), 4) for key in ("ua", "ua_without", "ece", "confidence")},
        "least_ua": min(f["ua"] for f in found),
    }


def command(
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    cache: Cache = Path("cache"),
    seeds: Annotated[int, typer.Option(help="Sets of networks.")] = 3,
) -> None:
    """Accuracy on corpora, speakers, plain speech and bursts that were never met, with and without a baseline."""
    voices = voices_.load(data, weights, cache)
    pieces = voices_.pieces(voices, weights, PIECE_S, seed=0)
    print(results_file.write("unseen", measure(voices, pieces, range(seeds))))
