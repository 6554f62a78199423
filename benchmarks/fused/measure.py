"""``python -m benchmarks fused``: fusion against the voice alone, with the words that the recogniser really writes.

Every answer is to a corpus that neither the speech network nor fusion learned from. The text branch was trained on
none of these recordings.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.special import softmax

from benchmarks.common import results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE, Cache, Checkpoints, Data, Weights
from edge_runtime import Bundle, IEmoNet
from trainer import calibration, config
from trainer.config import Data as Corpora
from trainer.corpora import dataset
from trainer.corpora.registry import LoadOptions
from trainer.experiment import branch_data, separate_corpora, stacking
from trainer.experiment.run_dir import RunPaths
from trainer.experiment.stacking import Answers
from trainer.metrics import calibration_error, intervals, scores
from trainer.modality import Float, Int

SURE = 0.8
"""Plain speech that is called an emotion with this confidence is counted apart."""
BURSTS = "emogator"
"""The corpus of vocal bursts: no mean has it."""


def measure(found: dict[str, list[Answers]], labels: Sequence[str]) -> dict[str, Any]:
    """Return how fusion does beside the voice alone.

    Args:
        found: what ``stacking.answers`` returns.
        labels: the classes in order.
    """
    own, pairs = _by_corpus(found["fusion_own_sentence"]), _by_corpus(found["fusion"])
    spoken = [corpus for corpus in own if corpus != BURSTS]
    corpora = {}
    for corpus, (truth, voice, fused) in own.items():
        others = [own[other] for other in spoken if other != corpus]
        corpora[corpus] = {
            "n": len(truth),
            "voice": _scores(truth, voice, [(its, answer) for its, answer, _ in others]),
            "fused": _scores(truth, fused, [(its, answer) for its, _, answer in others]),
        }
        paired_truth, paired_voice, paired = pairs[corpus]
        corpora[corpus]["with_an_agreeing_sentence"] = {
            "n": len(paired_truth),
            "voice": _ua(paired_truth, paired_voice),
            "fused": _ua(paired_truth, paired),
        }
    of_voice = _temperature([own[c][:2] for c in spoken])
    of_fused = _temperature([(own[c][0], own[c][2]) for c in spoken])
    neutral = labels.index("neutral")
    plain = {
        corpus: {
            "n": len(voice),
            "voice": _plain(softmax(voice / of_voice, axis=1), neutral),
            "fused": _plain(softmax(fused / of_fused, axis=1), neutral),
        }
        for corpus, (_, voice, fused) in _by_corpus(found["plain"]).items()
    }
    return {"labels": list(labels), "sure": SURE, "corpora": corpora, "mean": _mean(corpora, spoken), "plain": plain}


def _by_corpus(parts: Sequence[Answers]) -> dict[str, tuple[Int, Float, Float]]:
    """Return labels, logits of the voice and fused logits by corpus."""
    corpora = np.array([corpus for part in parts for corpus in part.rows.corpora])
    labels = np.concatenate([part.rows.labels for part in parts])
    voice = np.concatenate([part.rows.copies[:, 0] for part in parts])
    fused = np.concatenate([part.logits for part in parts])
    return {
        str(corpus): (labels[corpora == corpus], voice[corpora == corpus], fused[corpora == corpus])
        for corpus in dict.fromkeys(corpora)
    }


def _temperature(parts: Sequence[tuple[Int, Float]]) -> float:
    """Return the temperature that fits corpora, each of which counts alike."""
    weights = np.concatenate([np.full(len(truth), 1 / len(truth)) for truth, _ in parts])
    truth, logits = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    return calibration.temperature(truth, logits.astype(np.float64), weights)


def _scores(truth: Int, logits: Float, others: Sequence[tuple[Int, Float]]) -> dict[str, Any]:
    """Return UA and its interval, and confidence and calibration error at the temperature of other corpora."""
    calibrated = softmax(logits / _temperature(others), axis=1)
    span = intervals(truth, logits.argmax(1)[None])["ua"]
    return {
        "ua": _ua(truth, logits),
        "ua_interval": [round(edge, 4) for edge in span],
        "ece": round(calibration_error(truth, calibrated), 4),
        "confidence": round(float(calibrated.max(1).mean()), 4),
    }


def _ua(truth: Int, logits: Float) -> float:
    return round(scores(truth, logits.argmax(1))["ua"], 4)


def _plain(probabilities: Float, neutral: int) -> dict[str, float]:
    emotional = probabilities.argmax(1) != neutral
    sure = emotional & (probabilities.max(1) >= SURE)
    return {"called_emotional": round(float(emotional.mean()), 4), "and_sure": round(float(sure.mean()), 4)}


def _mean(corpora: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the means over corpora, and the least gain of one."""
    result: dict[str, Any] = {
        name: {
            key: round(float(np.mean([corpora[c][name][key] for c in names])), 4) for key in ("ua", "ece", "confidence")
        }
        for name in ("voice", "fused")
    }
    paired = [corpora[c]["with_an_agreeing_sentence"] for c in names]
    result["with_an_agreeing_sentence"] = {
        name: round(float(np.mean([p[name] for p in paired])), 4) for name in ("voice", "fused")
    }
    result["least_gain"] = round(min(corpora[c]["fused"]["ua"] - corpora[c]["voice"]["ua"] for c in names), 4)
    result["least_gain_with_an_agreeing_sentence"] = round(min(p["fused"] - p["voice"] for p in paired), 4)
    return result


def command(
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    cache: Cache = Path("cache"),
    run: Annotated[Path, typer.Option(help="Folder of the bundle's `trainer fit`; what is finished is kept.")] = Path(
        "runs/en-tiny"
    ),
    checkpoints: Checkpoints = Path("checkpoints"),
) -> None:
    """Fusion against the voice alone on corpora that were never met, with the words that are really recognised."""
    experiment = config.read(config.BUNDLE)
    assert experiment.fusion is not None
    paths = replace(RunPaths(run, weights, cache, resume=True, quiet=True), checkpoint_dir=checkpoints)
    read = functools.partial(dataset.load, reading=LoadOptions(), skip_bad=True, quiet=True)

    def load(branch: str, corpora: Corpora) -> dataset.Dataset:
        unlabelled = experiment.learns_unlabelled(branch)
        return branch_data.load(data, branch, corpora, unlabelled=unlabelled, load=read)

    datasets, outcomes = separate_corpora.branches_of(experiment, load, paths)
    learned = separate_corpora.material(datasets, outcomes, experiment.fusion, paths)
    names, seed = datasets["speech"].labels, experiment.seed
    result = measure(stacking.answers(learned, names, experiment.fusion, seed), names)
    answer = IEmoNet.load(BUNDLE, device="cpu", threads=1)(EXAMPLE)
    result["example"] = {
        "file": EXAMPLE.name,
        "bundle_version": Bundle.read(BUNDLE).version,
        "fused": dict(answer.scores),
        "voice": dict(answer.speech.scores) if answer.speech else None,
        "words": dict(answer.text.scores) if answer.text else None,
    }
    print(results_file.write("fused", result, seed=seed))
