"""``python -m benchmarks processors``: the answers of one bundle on several processors, recording by recording.

An int8 product is added up in other ways on other processors, so that scores differ a little. A run on one machine is
compared with the result file of another one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.common import results_file
from benchmarks.common.paths import BUNDLE, Data, Seed
from benchmarks.common.results_file import Result
from edge_runtime import IEmoNet, Prediction
from edge_runtime.bundle.bundle import MANIFEST
from trainer import config
from trainer.corpora import registry
from trainer.corpora.utterance import Utterance
from trainer.errors import ConfigError

CLIPS = 300
BAR = 0.99
"""At least such a share of the labels is to be the same on every processor."""
BRANCHES = ("voice", "words", "fused")
DIGITS = 5
DIGEST = 12
"""Hexadecimal digits that stand for a transcript: it is compared, and some corpora's words may not be passed on."""


def recordings(data: Path, count: int, seed: int) -> list[Utterance]:
    """Return ``count`` recordings of the corpora that the bundle's configuration names, each corpus in turn.

    A corpus that is not below ``data``, or has no more recordings, is passed over.

    Raises:
        CorpusError: one of them cannot be read.
        ConfigError: none of them is there.
    """
    named = config.read(config.BUNDLE).corpora["speech"]
    folders = [data / name for name in (*named.corpora, *named.plain) if (data / name).is_dir()]
    random, shuffled = np.random.default_rng(seed), []
    for folder in folders:
        found = [u for u in registry.detect(folder).load(folder) if u.audio]
        found.sort(key=lambda u: u.id)
        shuffled.append([found[i] for i in random.permutation(len(found))])
    if not folders:
        raise ConfigError(f"{data}: holds none of the corpora {', '.join(named.corpora)}; --data names another folder")
    in_turn = [corpus[i] for i in range(max(map(len, shuffled))) for corpus in shuffled if i < len(corpus)]
    return in_turn[:count]


def measure(model: IEmoNet, utterances: Sequence[Utterance]) -> dict[str, Any]:
    """Return what a bundle answers: scores of each branch, in the order of ``labels``, and a digest of the words.

    A branch that does not answer, as to silence, has no scores (None).
    """
    answers: list[Prediction] = []
    for utterance in track(utterances, "clips", console=Console(stderr=True), transient=True):
        assert utterance.audio is not None
        answers.append(model(utterance.audio))
    labels = list(model.labels)

    def ordered(scores: Mapping[str, float] | None) -> list[float] | None:
        return [round(scores[label], DIGITS) for label in labels] if scores else None

    return {
        "labels": labels,
        "clips": [f"{u.corpus} {u.id}" for u in utterances],
        "transcripts": [_digest(answer.transcript) for answer in answers],
        "voice": [ordered(answer.speech.scores if answer.speech else None) for answer in answers],
        "words": [ordered(answer.text.scores if answer.text else None) for answer in answers],
        "fused": [ordered(answer.scores) for answer in answers],
    }


def _digest(transcript: str | None) -> str | None:
    return None if transcript is None else hashlib.sha256(transcript.encode()).hexdigest()[:DIGEST]


def compare(one: Result, other: Result) -> dict[str, Any]:
    """Return how far two results of ``measure`` agree.

    Returns:
        The share of equal transcripts, and of each branch: clips that either answers, the share of equal labels, and
        the largest difference of a score. A clip that one alone answers counts as another label. The same by corpus,
        and of the words alone where the transcripts are equal.

    Raises:
        ConfigError: they are of other clips, or of another bundle.
    """
    for key, what in (("bundle", "another bundle"), ("labels", "other labels"), ("clips", "other recordings")):
        if one[key] != other[key]:
            raise ConfigError(f"--compare names a result of {what}; measure both with the same bundle, data and seed")
    corpora = np.array([clip.partition(" ")[0] for clip in one["clips"]])
    whole = _agreed(one, other, list(range(len(corpora))))
    return {
        **whole,
        "by_corpus": {
            name: _agreed(one, other, np.flatnonzero(corpora == name).tolist())
            for name in dict.fromkeys(corpora.tolist())
        },
        "bar": BAR,
        "met": all(whole[branch]["same_label"] >= BAR for branch in BRANCHES),
    }


def _agreed(one: Result, other: Result, rows: Sequence[int]) -> dict[str, Any]:
    """Return how far two results agree on some clips."""
    words = [one["transcripts"][row] == other["transcripts"][row] for row in rows]
    same = [row for row, equal in zip(rows, words, strict=True) if equal]
    return {
        "clips": len(rows),
        "same_transcript": round(float(np.mean(words)), 4),
        **{branch: _agreement(one, other, branch, rows) for branch in BRANCHES},
        # Other words are another question: this is what the branch itself adds.
        "words_of_the_same_transcript": _agreement(one, other, "words", same),
    }


def _agreement(one: Result, other: Result, branch: str, rows: Sequence[int]) -> dict[str, Any]:
    pairs = [(one[branch][row], other[branch][row]) for row in rows]
    answered = [(a, b) for a, b in pairs if a or b]
    both = [(np.array(a), np.array(b)) for a, b in answered if a and b]
    return {
        "n": len(answered),
        # Nothing that was answered is nothing that differs.
        "same_label": round(sum(_label(a) == _label(b) for a, b in both) / len(answered), 4) if answered else 1.0,
        "largest_difference": round(max((float(np.abs(a - b).max()) for a, b in both), default=0.0), 4),
    }


def _label(scores: NDArray[np.float64]) -> int:
    return int(scores.argmax())


def read(path: Path) -> Result:
    """Return the result in the file ``path``.

    Raises:
        ConfigError: it is none of this measurement.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: no result of `python -m benchmarks processors` ({error})") from error
    needed = {"bundle", "labels", "clips", "transcripts", "machine", "date", *BRANCHES}
    if not isinstance(found, dict) or not needed <= found.keys():
        raise ConfigError(f"{path}: no result of `python -m benchmarks processors`")
    return found


def command(
    data: Data = Path("data"),
    bundle: Annotated[Path, typer.Option(help="The bundle that answers.")] = BUNDLE,
    clips: Annotated[int, typer.Option(min=1, help="Number of recordings.")] = CLIPS,
    seed: Seed = 0,
    compare_with: Annotated[
        Path | None, typer.Option("--compare", help="The result file of another processor, to compare with.")
    ] = None,
    name: Annotated[str, typer.Option(help="Of the results' file.")] = "processors",
) -> None:
    """Labels of the same recordings by the same bundle on another processor."""
    other = None if compare_with is None else read(compare_with)  # before minutes of work
    model = IEmoNet.load(bundle, device="cpu", threads=1)
    manifest = hashlib.sha256((model.bundle.folder / MANIFEST).read_bytes()).hexdigest()
    facts = {"bundle": {"name": model.bundle.name, "version": model.bundle.version, "sha256": manifest}}
    result = facts | measure(model, recordings(data, clips, seed))
    if other is not None:
        told = {"machine": other["machine"], "date": other["date"]}
        result["compared"] = {**compare(result, other), "with": told}
    print(results_file.write(name, result, seed=seed))
