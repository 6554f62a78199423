"""Who is trained on and who is tested on."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError

Protocol = Literal["shuffled", "session", "speaker", "corpus", "official"]
PROTOCOLS: tuple[str, ...] = get_args(Protocol)
MANY_SESSIONS = 50
TESTED = ("test", "dev", "validation")
"""Official splits that are tested on: the first of them that a corpus has."""
VALIDATION_MOST = 400
"""Of a corpus that is left out, so many utterances of a label are validated on; they are answered for, not learned."""

Rows = NDArray[np.intp]
NOBODY: Rows = np.zeros(0, np.intp)


@dataclass(frozen=True)
class Fold:
    """One division of a corpus: which utterances are trained on, validated on, and tested on.

    Attributes:
        name: says who is tested on.
        train: rows to train on.
        validation: rows kept out of both, on which choices are made and temperatures fitted; none in
            cross-validation.
        test: rows to test on.
        unlabelled: rows without a class that are not trained on either: what is answered to them is not measured here,
            and fusion learns from it.
    """

    name: str
    train: Rows
    validation: Rows
    test: Rows
    unlabelled: Rows = field(default_factory=lambda: np.zeros(0, np.intp))


def plan(
    utterances: Sequence[Utterance],
    protocol: str,
    *,
    folds: int | None = None,
    seed: int = 0,
    validation_percent: int = 0,
) -> list[Fold]:
    """Return the folds of a protocol.

    Args:
        utterances: the corpus.
        protocol: "shuffled": utterances dealt at random (the paper's section 5.3: 10 folds, a fixed seed; the
            same speakers are in training and test); "session": one session left out at a time; "speaker": one
            speaker left out at a time, or as many as make ``folds`` parts; "corpus": one of several corpora left out
            at a time, and tested on by its official test part, if it has one, which is never learned from; "official":
            the corpus' own split.
        folds: how many, for "shuffled" (10 by default) and "speaker".
        seed: of the shuffling.
        validation_percent: share of the official training part that is kept apart.

    Raises:
        CorpusError: the corpus cannot be divided so.
    """
    if protocol not in PROTOCOLS:
        raise CorpusError(f"no protocol called {protocol!r}; use one of {', '.join(PROTOCOLS)}")
    if protocol == "official":
        return [_official(utterances, validation_percent)]
    everything = np.arange(len(utterances))
    if protocol == "shuffled":
        count = folds or 10
        if not 2 <= count <= len(utterances):
            raise CorpusError(f"{len(utterances)} utterances cannot be dealt to {count} folds")
        parts = [test for _, test in KFold(count, shuffle=True, random_state=seed).split(everything)]
        names = [f"part {i + 1} of {count}" for i in range(count)]
    else:
        several = len({u.corpus for u in utterances}) > 1
        if protocol == "corpus" and not several:
            raise CorpusError("the protocol corpus leaves out one of several corpora, and there is one; use speaker")
        if protocol == "corpus":
            return _left_out(utterances)
        groups = np.array([_group(u, protocol, several) for u in utterances])
        parts, names = _groups(groups, protocol, folds if protocol == "speaker" else None)
    return [Fold(name, np.setdiff1d(everything, test), NOBODY, test) for name, test in zip(names, parts, strict=True)]


def _group(utterance: Utterance, protocol: str, several: bool) -> str:
    """Return the name of what is left out together; speakers of ``several`` corpora may share a name."""
    name = utterance.session if protocol == "session" else utterance.speaker
    return f"{utterance.corpus} {name}" if name and several else name


def _official(utterances: Sequence[Utterance], validation_percent: int) -> Fold:
    splits = np.array([u.split for u in utterances])
    test = tested_split(utterances)
    if test is None or not (splits == "train").any():
        found = ", ".join(sorted(set(splits) - {""})) or "none"
        raise CorpusError(
            f"an official protocol needs utterances of the splits train and test (or dev); found: {found}; "
            "use another protocol, such as speaker"
        )
    sessions = {u.session for u in utterances}
    groups = [u.session if len(sessions) >= MANY_SESSIONS else u.id for u in utterances]
    train = splits == "train"
    apart = np.array([held_out(g, validation_percent) for g in groups]) & train
    return Fold(test, np.flatnonzero(train & ~apart), np.flatnonzero(apart), np.flatnonzero(splits == test))


def tested_split(utterances: Sequence[Utterance]) -> str | None:
    """Return the name of the official split of a corpus that is tested on, None where it has none."""
    splits = {u.split for u in utterances}
    return next((split for split in TESTED if split in splits), None)


def _left_out(utterances: Sequence[Utterance]) -> list[Fold]:
    """Return a fold for each corpus that is left out."""
    corpora = np.array([u.corpus for u in utterances])
    names = sorted(set(corpora))
    apart = np.zeros(len(utterances), bool)
    for name in names:
        own = np.flatnonzero(corpora == name)
        tested = tested_split([utterances[row] for row in own.tolist()])
        apart[own] = [tested is not None and utterances[row].split == tested for row in own.tolist()]
    folds = []
    for name in names:
        mine = corpora == name
        train, test = np.flatnonzero(~apart & ~mine), np.flatnonzero(apart & mine)
        known = np.flatnonzero(~apart & mine)
        official = len(test) > 0
        folds.append(Fold(name, train, _some(utterances, known) if official else NOBODY, test if official else known))
    return folds


def _some(utterances: Sequence[Utterance], rows: Rows) -> Rows:
    """Return at most ``VALIDATION_MOST`` rows of each label: always the same ones."""
    groups: dict[str, list[int]] = {}
    for row in sorted(rows.tolist(), key=lambda row: zlib.crc32(utterances[row].id.encode())):
        groups.setdefault(utterances[row].label, []).append(row)
    return np.sort(np.array([row for group in groups.values() for row in group[:VALIDATION_MOST]], np.intp))


def _groups(groups: NDArray[np.str_], protocol: str, folds: int | None) -> tuple[list[Rows], list[str]]:
    if (groups == "").any():
        raise CorpusError(
            f"{(groups == '').sum()} utterances name no {protocol}, so they cannot be divided by it; "
            "fill it in, or use the protocol shuffled"
        )
    names = sorted(set(groups))
    count = folds or len(names)
    if not 2 <= count <= len(names):
        raise CorpusError(f"{len(names)} {protocol}s cannot be dealt to {count} folds")
    dealt = [names[i::count] for i in range(count)]
    return [np.flatnonzero(np.isin(groups, part)) for part in dealt], [", ".join(part) for part in dealt]


def held_out(session: str, percent: int) -> bool:
    """Whether a session (a dialogue, say) belongs to the part held out of training: always the same part."""
    return zlib.crc32(session.encode()) % 100 < percent


def session_fold(session: str, folds: int) -> int:
    """Return the fold of a session: always the same one."""
    return zlib.crc32(f"fold {session}".encode()) % folds
