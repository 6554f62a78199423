"""``python -m benchmarks fused``: fusion against the voice alone, with the words that the recogniser really writes.

Each recording is answered to by a speech network and a fusion that did not learn from its corpus; and by a pair that
know the corpus, and not the speaker. The text branch was trained on none of these recordings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.special import softmax

from benchmarks.common import results_file
from benchmarks.common.paths import BUNDLE, EXAMPLE, Cache, Checkpoints, Data, Weights
from benchmarks.common.plain_speech import SURE, shares
from benchmarks.fused import unknown_speakers
from benchmarks.unseen import voices as voices_
from benchmarks.unseen.measure import BURSTS, LEAST_SHARE
from edge_runtime import Bundle, IEmoNet
from trainer import calibration, config
from trainer.config import Data as Corpora
from trainer.corpora import dataset
from trainer.corpora.registry import LoadOptions
from trainer.errors import ConfigError
from trainer.experiment import branch_data, separate_corpora, stacking
from trainer.experiment.run_dir import RunPaths
from trainer.experiment.stacking import Answers, BranchLogits
from trainer.metrics import calibration_error, intervals, scores
from trainer.modality import Float, Int
from trainer.speech.modality import COMPARED_S

Found = Mapping[str, Sequence[Answers]]
"""What ``trainer.experiment.stacking.answers`` returns."""
BRANCHES = ("voice", "fused")
PAIRED, BASELINE = "with_an_agreeing_sentence", "beside_a_baseline"
OWN_WORDS = "fusion_own_sentence"
OVER_ALL = "ece_over_all_recordings"


@dataclass(frozen=True)
class Corpus:
    """What is answered to the recordings of a corpus.

    Attributes:
        truth: their labels (n,).
        voice: logits of the voice alone (n, classes).
        fused: logits of fusion (n, classes).
        rows: their rows in the dataset (n,).
    """

    truth: Int
    voice: Float
    fused: Float
    rows: Int

    def where(self, mask: NDArray[np.bool_]) -> Corpus:
        """Return the recordings where ``mask`` (n,) is true."""
        return Corpus(self.truth[mask], self.voice[mask], self.fused[mask], self.rows[mask])


def measure(unmet: Found, known: Found, labels: Sequence[str], compared_s: Float) -> dict[str, Any]:
    """Return how fusion does beside the voice alone.

    Args:
        unmet: of corpora that were left out.
        known: of unknown speakers of corpora that were learned from.
        labels: the classes in order.
        compared_s: seconds of speech in the baseline of each recording of the dataset (n,).
    """
    spoken = [corpus for name, corpus in _by_corpus(unmet[OWN_WORDS]).items() if name != BURSTS]
    fitted = {branch: _temperature(spoken, branch) for branch in BRANCHES}
    neutral = labels.index("neutral")
    plain = {
        name: {b: shares([softmax(getattr(corpus, b) / fitted[b], axis=1)], neutral) for b in BRANCHES}
        for name, corpus in _by_corpus(unmet["plain"]).items()
    }
    return {
        "labels": list(labels),
        "sure": SURE,
        **_compared(unmet, compared_s),
        "plain": plain,
        "unknown_speakers": _compared(known, compared_s),
    }


def _alone(rows: BranchLogits) -> Float:
    return rows.copies[:, 0]


def _beside(rows: BranchLogits) -> Float:
    assert rows.compared is not None
    return rows.compared


def _by_corpus(parts: Sequence[Answers], voice: Callable[[BranchLogits], Float] = _alone) -> dict[str, Corpus]:
    """Return what is answered to each corpus; ``voice`` takes the logits of the voice."""
    corpora = np.array([corpus for part in parts for corpus in part.rows.corpora])
    whole = Corpus(
        np.concatenate([part.rows.labels for part in parts]),
        np.concatenate([voice(part.rows) for part in parts]),
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.rows.rows_of for part in parts]),
    )
    return {str(name): whole.where(corpora == name) for name in dict.fromkeys(corpora)}


def _compared(found: Found, compared_s: Float) -> dict[str, Any]:
    """Return the scores of voice and fusion on each corpus, and their means without bursts."""
    own, pairs = _by_corpus(found[OWN_WORDS]), _by_corpus(found["fusion"])
    if len(own.keys() - {BURSTS}) < 2:
        raise ConfigError(f"{', '.join(own)}: each corpus takes the temperature of the others; name two or more")
    beside = _enough(_by_corpus(found[stacking.COMPARED_CASE], _beside), compared_s)
    corpora: dict[str, dict[str, Any]] = {}
    for name, corpus in own.items():
        corpora[name] = _both(name, own) | {PAIRED: _uas(pairs[name])}
        if name in beside and len(beside) > 1:
            # The same recordings without a baseline: what it gains.
            same = corpus.where(np.isin(corpus.rows, beside[name].rows))
            corpora[name][BASELINE] = _both(name, beside) | {"without": _uas(same)}
    spoken = [name for name in own if name != BURSTS]
    mean = _mean([corpora[name] for name in spoken]) | {OVER_ALL: _over_all(own)}
    if BASELINE in mean:
        mean[BASELINE][OVER_ALL] = _over_all(beside)
    return {"corpora": corpora, "mean": mean}


def _over_all(corpora: Mapping[str, Corpus]) -> dict[str, float]:
    """Return the calibration error over all recordings at once, each at the temperature of the other corpora.

    A corpus that is harder than the others counts in it with one that is easier, which no temperature can tell.
    """
    spoken = {name: corpus for name, corpus in corpora.items() if name != BURSTS}
    truth = np.concatenate([corpus.truth for corpus in spoken.values()])
    found = {branch: np.concatenate([_calibrated(name, spoken, branch) for name in spoken]) for branch in BRANCHES}
    return {branch: round(calibration_error(truth, scores_), 4) for branch, scores_ in found.items()}


def _enough(corpora: Mapping[str, Corpus], compared_s: Float) -> dict[str, Corpus]:
    """Return the recordings with a long enough baseline, of the corpora of which most recordings have one."""
    result = {}
    for name, corpus in corpora.items():
        kept = compared_s[corpus.rows] >= LEAST_SHARE * COMPARED_S
        if name != BURSTS and kept.mean() >= LEAST_SHARE:
            result[name] = corpus.where(kept)
    return result


def _both(name: str, corpora: Mapping[str, Corpus]) -> dict[str, Any]:
    """Return the scores on a corpus: UA and its interval, and calibration at the temperature of the other corpora."""
    corpus = corpora[name]
    result: dict[str, Any] = {"n": len(corpus.truth)}
    for branch in BRANCHES:
        calibrated = _calibrated(name, corpora, branch)
        span = intervals(corpus.truth, calibrated.argmax(1)[None])["ua"]
        result[branch] = {
            "ua": _ua(corpus, branch),
            "ua_interval": [round(edge, 4) for edge in span],
            "ece": round(calibration_error(corpus.truth, calibrated), 4),
            "confidence": round(float(calibrated.max(1).mean()), 4),
        }
    return result


def _calibrated(name: str, corpora: Mapping[str, Corpus], branch: str) -> NDArray[np.float64]:
    """Return the scores of a branch on a corpus (n, classes), at the temperature of the other ones."""
    others = [other for key, other in corpora.items() if key not in {name, BURSTS}]
    scaled: NDArray[np.float64] = softmax(getattr(corpora[name], branch) / _temperature(others, branch), axis=1)
    return scaled


def _temperature(corpora: Sequence[Corpus], branch: str) -> float:
    """Return the temperature that fits corpora, each of which counts alike."""
    weights = np.concatenate([np.full(len(c.truth), 1 / len(c.truth)) for c in corpora])
    truth = np.concatenate([c.truth for c in corpora])
    logits = np.concatenate([getattr(c, branch) for c in corpora])
    return calibration.temperature(truth, logits.astype(np.float64), weights)


def _uas(corpus: Corpus) -> dict[str, Any]:
    return {"n": len(corpus.truth), **{branch: _ua(corpus, branch) for branch in BRANCHES}}


def _ua(corpus: Corpus, branch: str) -> float:
    return round(scores(corpus.truth, getattr(corpus, branch).argmax(1))["ua"], 4)


def _mean(corpora: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the means over corpora, and the least gain of one."""
    compared = [corpus[BASELINE] for corpus in corpora if BASELINE in corpus]
    paired = [corpus[PAIRED] for corpus in corpora]
    result = {
        **_mean_scores(corpora),
        PAIRED: {**_mean_uas(paired), "least_gain": _least_gain([(p["voice"], p["fused"]) for p in paired])},
    }
    if compared:
        result[BASELINE] = {**_mean_scores(compared), "without": _mean_uas([c["without"] for c in compared])}
    return result


def _mean_scores(corpora: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    means = {
        branch: {
            key: round(float(np.mean([corpus[branch][key] for corpus in corpora])), 4)
            for key in ("ua", "ece", "confidence")
        }
        for branch in BRANCHES
    }
    gains = [(corpus["voice"]["ua"], corpus["fused"]["ua"]) for corpus in corpora]
    return {"corpora": len(corpora), **means, "least_gain": _least_gain(gains)}


def _mean_uas(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {branch: round(float(np.mean([each[branch] for each in found])), 4) for branch in BRANCHES}


def _least_gain(pairs: Sequence[tuple[float, float]]) -> float:
    return round(min(fused - voice for voice, fused in pairs), 4)


def command(
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    cache: Cache = Path("cache"),
    run: Annotated[Path, typer.Option(help="Folder of the bundle's `trainer fit`; what is finished is kept.")] = Path(
        "runs/en-tiny"
    ),
    checkpoints: Checkpoints = Path("checkpoints"),
    speakers: Annotated[
        Path, typer.Option(help="Folder of the networks that know no speaker of a fold; what is finished is kept.")
    ] = Path("runs/unknown-speakers"),
) -> None:
    """Fusion against the voice alone on corpora and speakers never met, with the words that are really recognised."""
    experiment = config.read(config.BUNDLE)
    fusion, seed = experiment.fusion, experiment.seed
    assert fusion is not None
    paths = replace(RunPaths(run, weights, cache, resume=True, quiet=True), checkpoint_dir=checkpoints)
    voices = voices_.load(data, weights, cache)
    read = functools.partial(dataset.load, reading=LoadOptions(), skip_bad=True, quiet=True)

    def load(branch: str, corpora: Corpora) -> dataset.Dataset:
        if branch == "speech":
            return voices.dataset
        unlabelled = experiment.learns_unlabelled(branch)
        return branch_data.load(data, branch, corpora, unlabelled=unlabelled, load=read)

    datasets, outcomes = separate_corpora.branches_of(experiment, load, paths)
    known = unknown_speakers.run(voices, experiment.alone("speech"), speakers)
    labels = voices.dataset.labels
    unmet, unknown = (
        stacking.answers(
            separate_corpora.material(datasets, {**outcomes, "speech": speech}, fusion, paths), labels, fusion, seed
        )
        for speech in (outcomes["speech"], known)
    )
    result = measure(unmet, unknown, labels, voices.compared_s())
    answer = IEmoNet.load(BUNDLE, device="cpu", threads=1)(EXAMPLE)
    result["example"] = {
        "file": EXAMPLE.name,
        "bundle_version": Bundle.read(BUNDLE).version,
        "fused": dict(answer.scores),
        "voice": dict(answer.speech.scores) if answer.speech else None,
        "words": dict(answer.text.scores) if answer.text else None,
    }
    print(results_file.write("fused", result, seed=seed))
