"""Whether a bundle still is what was exported: its files, its graphs, and a snapshot of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.pipeline import IEmoNet
from edge_runtime.prediction import Scores
from export.evaluation import data
from export.evaluation.agreement import label_agreement
from export.evaluation.compare import OUTPUTS, Answer, classify, pair

DECIMALS = 4
OLD_NAMES = {"speech": "voice", "text": "words"}
"""Of outputs, in the snapshots of bundles that were exported before."""


def snapshot(model: IEmoNet) -> dict[str, Any]:
    """Return the answers of ``model`` to the built-in samples: for each output rows and scores, and the transcripts."""
    answers = classify(model, data.built_in().samples)
    found: dict[str, Any] = {}
    for output in OUTPUTS:
        scores = {row: s for row, answer in enumerate(answers) if (s := answer.scores.get(output)) is not None}
        if scores:
            rounded = [[round(s.scores[label], DECIMALS) for label in model.labels] for s in scores.values()]
            found[output] = {"rows": list(scores), "scores": rounded}
    return {**found, "transcripts": [a.transcript for a in answers if a.transcript is not None]}


def diff(recorded: Mapping[str, Any], model: IEmoNet) -> dict[str, Any]:
    """Return how ``model`` differs now from a snapshot.

    Returns:
        ``largest_score_difference``; ``labels_changed``, of them ``clear_labels_changed`` (the two best scores were 0.1
        apart); ``answers_lost``, and ``transcripts_changed``.
    """
    now = classify(model, data.built_in().samples)
    largest, changed, clear, lost = 0.0, 0, 0, 0
    for output in OUTPUTS:
        then = _restored(recorded, output, model.labels)
        size = max(len(now), *(row + 1 for row in then)) if then else len(now)
        before = [Answer({output: then.get(row)}) for row in range(size)]
        after = [*now, *[Answer({})] * (size - len(now))]
        rows, one, other = pair(output, before, after, model.labels)
        lost += len(then) + sum(a.scores.get(output) is not None for a in now) - 2 * len(rows)
        if rows:
            found = label_agreement(one, other)
            largest = max(largest, found.max_difference)
            changed += found.labels_changed
            clear += found.clear_labels_changed
    heard = [a.transcript for a in now if a.transcript is not None]
    return {
        "largest_score_difference": round(largest, DECIMALS),
        "labels_changed": changed,
        "clear_labels_changed": clear,
        "answers_lost": lost,
        "transcripts_changed": sum(a != b for a, b in zip(recorded["transcripts"], heard, strict=False)),
    }


def verify(folder: Path) -> dict[str, Any]:
    """Check the bundle in ``folder`` again.

    Returns:
        ``bundle``, its name and version; ``files``, how many have the checksum that the manifest states; ``graphs``,
        how many opened; what ``diff`` found, where the manifest holds a snapshot; and ``wrong``, the faults in words.

    Raises:
        BundleNotFoundError, BundleError: it is missing or damaged; the message says where.
    """
    bundle = Bundle.read(folder)
    model = IEmoNet(bundle, device="cpu", threads=1)
    found: dict[str, Any] = {
        "bundle": f"{bundle.name} {bundle.version}",
        "files": len(bundle.slots) + len(bundle.tokenizers),
        "graphs": len(bundle.slots),
    }
    recorded = bundle.manifest.get("verification", {}).get("built_in_answers")
    if recorded is None:
        return found | {"answers": "not recorded when it was made", "wrong": []}
    now = diff(recorded, model)
    wrong = []
    if now["clear_labels_changed"]:
        wrong.append(
            f"{now['clear_labels_changed']} clear labels are others here; was it quantised for another processor?"
        )
    if now["answers_lost"]:
        wrong.append(f"{now['answers_lost']} recordings are answered here or there alone")
    return found | now | {"wrong": wrong}


def _restored(recorded: Mapping[str, Any], output: str, labels: tuple[str, ...]) -> dict[int, Scores]:
    """Return the recorded scores of an output by row."""
    found = recorded.get(output) or recorded.get(OLD_NAMES.get(output, output)) or {"rows": [], "scores": []}
    by_label = (dict(zip(labels, scores, strict=True)) for scores in found["scores"])
    return {row: Scores("", scores) for row, scores in zip(found["rows"], by_label, strict=True)}
