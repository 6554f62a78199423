"""Two bundles on the same recordings, in turns: how fast, and how alike their answers are."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from edge_runtime import IEmoNet
from edge_runtime.bundle.bundle import SLOTS
from edge_runtime.errors import AudioError, AudioNotFoundError
from edge_runtime.prediction import Scores
from export.evaluation.recordings import Sample
from trainer.metrics import unweighted_accuracy, weighted_accuracy
from trainer.text.wer import normalize, word_error_rate

BRANCHES = ("fused", "voice", "words")
PAIR = ("a", "b")


@dataclass(frozen=True)
class Answer:
    """What a bundle says of a sample: whether it was heard, its answer by branch (None for none), the transcript."""

    heard: bool
    by_branch: dict[str, Scores | None]
    transcript: str | None


@dataclass
class Comparison:
    """How two bundles, a and b, compare.

    Attributes:
        names: of the bundles.
        labels: of the bundles.
        bytes: by slot, of a and of b; None where one has no such slot.
        heard: recordings that both were asked about.
        read: words without a recording, or for a bundle that hears nothing, that both were asked about.
        latency_ms: by slot, medians of a and of b; "total" too.
        agreement: by branch: ``n``, the share of the ``same_label``, the mean and largest ``difference`` of a score.
        transcripts: ``n``, how many are the ``same`` but for case and punctuation, and ``wer``: words of b that
            differ, over the words of a.
        accuracy: ``n`` samples with a label that both know; ``wa`` and ``ua`` of a and of b.
        skipped: samples that could not be used, and why.
        notes: what could not be compared.
    """

    names: tuple[str, str]
    labels: tuple[tuple[str, ...], tuple[str, ...]]
    bytes: dict[str, tuple[int | None, int | None]]
    heard: int = 0
    read: int = 0
    latency_ms: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    agreement: dict[str, dict[str, Any]] = field(default_factory=dict)
    transcripts: dict[str, Any] | None = None
    accuracy: dict[str, Any] | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON; of two values the first is a's."""
        return asdict(self)


def side_by_side(
    models: tuple[IEmoNet, IEmoNet],
    samples: Sequence[Sample],
    *,
    repeats: int,
    progress: Callable[[Iterable[Sample]], Iterable[Sample]] = iter,
) -> Comparison:
    """Ask both models about every sample, ``repeats`` times, in turns: a, b, a, b.

    Args:
        models: the two.
        samples: what to ask about.
        repeats: for steadier times; answers are taken once, they do not change.
        progress: wraps the samples, to show how far it is.
    """
    found = _beside(models)
    ask = _way(models)
    times: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    answers: list[tuple[Sample, tuple[Answer, Answer]]] = []
    warm = False
    for sample in progress(samples):
        try:
            if not warm:
                _ = [ask(model, sample) for model in models]  # the first call of a session takes memory, later do not
                warm = True
            for turn in range(repeats):
                a, b = (ask(model, sample) for model in models)
                for slots, which in ((a[1], 0), (b[1], 1)):
                    for slot, ms in slots.items():
                        times[slot][which].append(ms)
                if turn == 0:
                    answers.append((sample, (a[0], b[0])))
        except (AudioError, AudioNotFoundError) as error:
            found.skipped[sample.name] = str(error)
    found.heard = sum(answer.heard for _, (answer, _) in answers)
    found.read = len(answers) - found.heard
    order = ["read", *SLOTS, "total"]
    found.latency_ms = {s: (_median(times[s][0]), _median(times[s][1])) for s in sorted(times, key=order.index)}
    _agree(found, [pair for _, pair in answers])
    found.accuracy = _accuracy(found, answers)
    return found


def _beside(models: tuple[IEmoNet, IEmoNet]) -> Comparison:
    a, b = (model.bundle for model in models)
    sizes = [{slot: entry.path.stat().st_size for slot, entry in bundle.slots.items()} for bundle in (a, b)]
    for bundle, size in zip((a, b), sizes, strict=True):
        size["all files"] = sum(f.stat().st_size for f in bundle.folder.iterdir() if f.is_file())
    found = Comparison(
        names=(a.name, b.name),
        labels=(a.labels, b.labels),
        bytes={slot: (sizes[0].get(slot), sizes[1].get(slot)) for slot in {**sizes[0], **sizes[1]}},
    )
    if set(a.labels) != set(b.labels):
        found.notes.append(
            f"the labels differ ({', '.join(a.labels)}; {', '.join(b.labels)}): answers and scores are not compared"
        )
    return found


Ask = Callable[[IEmoNet, Sample], tuple[Answer, dict[str, float]]]


def _way(models: tuple[IEmoNet, IEmoNet]) -> Ask:
    """Return how both are asked alike: about a recording if both hear, else about its words if both read."""
    hear, read = (all(slot in model.bundle.slots for model in models) for slot in ("vad", "text_emotion"))

    def ask(model: IEmoNet, sample: Sample) -> tuple[Answer, dict[str, float]]:
        if hear and sample.audio is not None:
            said = model(sample.audio)
            scores = Scores(said.label, said.scores) if said.label else None
            by_branch = {"fused": scores, "voice": said.speech, "words": said.text}
            return Answer(True, by_branch, said.transcript), dict(said.timings_ms)
        if read and (sample.words or "").strip():
            return Answer(False, {"fused": model.classify_text(sample.words or "")}, None), {}
        raise AudioError("there is no recording that both could hear, nor words that both could read")

    return ask


def _median(values: list[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


def _agree(found: Comparison, answers: list[tuple[Answer, Answer]]) -> None:
    a, b = found.labels
    for branch in BRANCHES if set(a) == set(b) else ():
        pairs = [(x.by_branch.get(branch), y.by_branch.get(branch)) for x, y in answers]
        both = [(x, y) for x, y in pairs if x is not None and y is not None]
        if both:
            differences = np.array([[abs(x.scores[label] - y.scores[label]) for label in a] for x, y in both])
            found.agreement[branch] = {
                "n": len(both),
                "same_label": float(np.mean([x.label == y.label for x, y in both])),
                "mean_difference": float(differences.mean()),
                "largest_difference": float(differences.max()),
            }
        one_sided = len([pair for pair in pairs if (pair[0] is None) != (pair[1] is None)])
        if one_sided:
            found.notes.append(f"{branch}: only one of the two answers for {one_sided} of {len(pairs)}")
    heard = [(x.transcript or "", y.transcript or "") for x, y in answers if x.heard]
    if any(x for x, _ in heard) and any(y for _, y in heard):
        found.transcripts = {
            "n": len(heard),
            "same": sum(normalize(x) == normalize(y) for x, y in heard),
            "wer": word_error_rate([x for x, _ in heard], [y for _, y in heard]),
        }


def _accuracy(found: Comparison, answers: list[tuple[Sample, tuple[Answer, Answer]]]) -> dict[str, Any] | None:
    """Return WA and UA of both where the label is known to both; no answer is a wrong one."""
    known = sorted(set(found.labels[0]) & set(found.labels[1]))
    labelled = [(sample.label, pair) for sample, pair in answers if sample.label is not None]
    usable = [(known.index(label), pair) for label, pair in labelled if label in known]
    if len(usable) < len(labelled):
        found.notes.append(
            f"accuracy: {len(labelled) - len(usable)} of {len(labelled)} have a label that not both bundles know"
        )
    if not usable:
        return None
    truth = np.array([label for label, _ in usable])
    result: dict[str, Any] = {"n": len(usable)}
    for which, name in enumerate(PAIR):
        said = [pair[which].by_branch["fused"] for _, pair in usable]
        guess = np.array([known.index(s.label) if s is not None and s.label in known else -1 for s in said])
        result[name] = {"wa": weighted_accuracy(truth, guess), "ua": unweighted_accuracy(truth, guess)}
    return result
