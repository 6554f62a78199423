"""What two bundles are compared on: recordings, words, and labels where they are known."""

from __future__ import annotations

import random
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.system.paths import refused
from trainer.corpora import manifest, registry
from trainer.errors import CorpusError
from trainer.text.tweets import normalize_tweet

EXAMPLE = Path("examples/jfk.wav")
"""Compared on where nothing else is given, if it is there."""


@dataclass(frozen=True)
class Sample:
    """One recording, or words, or both.

    Attributes:
        name: for messages.
        audio: the recording, or None.
        words: what is said, where a corpus says so.
        label: the emotion, where a corpus says so.
    """

    name: str
    audio: Path | None
    words: str | None = None
    label: str | None = None


def gather(places: Sequence[Path], *, limit: int, seed: int) -> list[Sample]:
    """Return what there is in ``places``: sound files, corpora's folders and manifests.

    Args:
        places: none takes the example, if it is there.
        limit: of each corpus at most so many utterances, drawn at random.
        seed: of the draw.

    Raises:
        AudioNotFoundError: there is no such file.
        AudioError: it cannot be told what is there.
        CorpusError: a folder is no corpus that can be read, or a place is given twice.
    """
    if not places and EXAMPLE.is_file():
        places = [EXAMPLE]
    if len(set(places)) < len(places):
        raise CorpusError(f"{max(places, key=places.count)}: given twice")
    found: list[Sample] = []
    for place in places:
        try:
            is_folder = stat.S_ISDIR(place.stat().st_mode)
        except (OSError, ValueError) as error:
            raise refused(place, error, wanted="file or folder") from error
        if is_folder or place.suffix.lower() in manifest.SUFFIXES:
            found += _drawn(place, limit, seed)
        else:
            found.append(Sample(str(place), place))
    return found


def _drawn(place: Path, limit: int, seed: int) -> list[Sample]:
    corpus = registry.detect(place)
    utterances = registry.read(place, corpus=corpus)
    if len(utterances) > limit:
        chosen = sorted(random.Random(seed).sample(range(len(utterances)), limit))  # noqa: S311 - a sample, no secret
        utterances = [utterances[i] for i in chosen]
    tidy = normalize_tweet if corpus.name == "semeval" else str
    return [
        Sample(f"{u.corpus} {u.id}", u.audio, tidy(u.transcript) if u.transcript else None, u.label) for u in utterances
    ]
