"""Two bundles on the same samples, in turns: how fast, and how alike their answers are."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime import IEmoNet
from edge_runtime.bundle.bundle import SLOTS, Bundle
from edge_runtime.errors import AudioError, AudioNotFoundError
from edge_runtime.prediction import Scores
from export.evaluation.agreement import accuracy, label_agreement
from export.evaluation.compare import Answer, pair
from export.evaluation.data import Sample
from trainer.text.wer import normalize, word_error_rate

OUTPUTS = ("fused", "speech", "text")
PAIR = ("a", "b")


@dataclass
class Comparison:
    """How two bundles, a and b, compare.

    Attributes:
        names: of the bundles.
        labels: of the bundles.
        bytes: by slot, of a and of b; None where one has no such slot.
        heard: recordings that both were asked about.
        read: texts without a recording, or for a bundle that reads alone, that both were asked about.
        latency_ms: by slot, medians of a and of b; "total" too.
        agreement: by output: ``n``, the share of the ``same_label``, the mean and largest ``difference`` of a score.
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
    found = _sizes(models)
    sounds, texts = (all(slot in model.bundle.slots for model in models) for slot in ("vad", "text_emotion"))
    times: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    asked: list[Sample] = []
    answers: tuple[list[Answer], list[Answer]] = ([], [])
    for sample in progress(samples):
        try:
            if not asked:  # the first call of a session takes memory, later calls do not
                _ = [_ask(model, sample, sounds=sounds, texts=texts) for model in models]
            for turn in range(repeats):
                both = [_ask(model, sample, sounds=sounds, texts=texts) for model in models]
                for which, answer in enumerate(both):
                    for slot, ms in answer.timings_ms.items():
                        times[slot][which].append(ms)
                if turn == 0:
                    asked.append(sample)
                    for given, answer in zip(answers, both, strict=True):
                        given.append(answer)
        except (AudioError, AudioNotFoundError) as error:
            found.skipped[sample.name] = str(error)
    found.heard = sum(answer.transcript is not None for answer in answers[0])
    found.read = len(asked) - found.heard
    order = ["read", *SLOTS, "total"]
    found.latency_ms = {s: (_median(times[s][0]), _median(times[s][1])) for s in sorted(times, key=order.index)}
    _agree(found, *answers)
    found.accuracy = _accuracy(found, asked, answers)
    return found


def _bytes(bundle: Bundle) -> dict[str, int]:
    """Return the size of each slot; weights that two share count for the first."""
    found: dict[str, int] = {}
    counted: set[Path] = set()
    for slot, entry in bundle.slots.items():
        files = {file for file in (entry.path, entry.weights) if file} - counted
        counted |= files
        found[slot] = sum(file.stat().st_size for file in files)
    return found


def _sizes(models: tuple[IEmoNet, IEmoNet]) -> Comparison:
    a, b = (model.bundle for model in models)
    sizes = [_bytes(bundle) for bundle in (a, b)]
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


def _ask(model: IEmoNet, sample: Sample, *, sounds: bool, texts: bool) -> Answer:
    """Return the answer to a sample's recording if both bundles take ``sounds``, else to its text if both take that."""
    if sounds and sample.audio is not None:
        found = model(sample.audio)
        fused = Scores(found.label, found.scores) if found.label else None
        scores = {"fused": fused, "speech": found.speech, "text": found.text}
        return Answer(scores, found.transcript or "", found.timings_ms)
    if texts and (sample.transcript or "").strip():
        return Answer({"fused": model.classify_text(sample.transcript or "")})
    raise AudioError("there is no recording that both could hear, nor words that both could read")


def _median(values: list[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


def _agree(found: Comparison, before: Sequence[Answer], after: Sequence[Answer]) -> None:
    a, b = found.labels
    for output in OUTPUTS if set(a) == set(b) else ():
        rows, one, other = pair(output, before, after, a)
        if rows:
            agreement = label_agreement(one, other)
            found.agreement[output] = {
                "n": agreement.n,
                "same_label": agreement.same_label,
                "mean_difference": agreement.mean_difference,
                "largest_difference": agreement.max_difference,
            }
        answered = sum(x.scores.get(output) is not None for x in (*before, *after))
        if answered > 2 * len(rows):
            one_sided = answered - 2 * len(rows)
            found.notes.append(f"{output}: only one of the two answers for {one_sided} of {len(before)}")
    pairs = ((x.transcript, y.transcript) for x, y in zip(before, after, strict=True))
    heard = [(x, y) for x, y in pairs if x is not None and y is not None]
    if any(x for x, _ in heard) and any(y for _, y in heard):
        found.transcripts = {
            "n": len(heard),
            "same": sum(normalize(x) == normalize(y) for x, y in heard),
            "wer": word_error_rate([x for x, _ in heard], [y for _, y in heard]),
        }


def _accuracy(
    found: Comparison, samples: Sequence[Sample], answers: tuple[Sequence[Answer], Sequence[Answer]]
) -> dict[str, Any] | None:
    """Return WA and UA of both where the label is known to both; no answer is a wrong one."""
    known = sorted(set(found.labels[0]) & set(found.labels[1]))
    labelled = [(row, sample.label) for row, sample in enumerate(samples) if sample.label is not None]
    usable = [(row, known.index(label)) for row, label in labelled if label in known]
    if len(usable) < len(labelled):
        found.notes.append(
            f"accuracy: {len(labelled) - len(usable)} of {len(labelled)} have a label that not both bundles know"
        )
    if not usable:
        return None
    result: dict[str, Any] = {"n": len(usable)}
    for name, given in zip(PAIR, answers, strict=True):
        fused = [given[row].scores["fused"] for row, _ in usable]
        guesses = np.array([known.index(s.label) if s is not None and s.label in known else -1 for s in fused])
        result[name] = accuracy([label for _, label in usable], guesses)
    return result
