"""Who is trained on and who is tested on."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError

FOLDS = 6
Protocol = Literal["shuffled", "session", "speaker", "official"]
PROTOCOLS: tuple[str, ...] = get_args(Protocol)
MANY_SESSIONS = 50

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Fold:
    """One division of a corpus: which utterances are trained on, kept apart, and tested on.

    Attributes:
        name: says who is tested on.
        train: rows to train on.
        held: rows kept out of both, on which choices are made and temperatures fitted; none in cross-validation.
        test: rows to test on.
    """

    name: str
    train: Rows
    held: Rows
    test: Rows


def plan(
    utterances: Sequence[Utterance],
    protocol: str,
    *,
    folds: int | None = None,
    seed: int = 0,
    held_percent: int = 0,
) -> list[Fold]:
    """Return the folds of a protocol.

    Args:
        utterances: the corpus.
        protocol: "shuffled": utterances dealt at random (the paper's section 5.3: 10 folds, a fixed seed; the
            same speakers are in training and test); "session": one session left out at a time; "speaker": one
            speaker left out at a time, or as many as make ``folds`` parts; "official": the corpus' own split.
        folds: how many, for "shuffled" (10 by default) and "speaker".
        seed: of the shuffling.
        held_percent: share of the official training part that is kept apart.

    Raises:
        CorpusError: the corpus cannot be divided so.
    """
    if protocol not in PROTOCOLS:
        raise CorpusError(f"no protocol called {protocol!r}; use one of {', '.join(PROTOCOLS)}")
    if protocol == "official":
        return [_official(utterances, held_percent)]
    everything = np.arange(len(utterances))
    if protocol == "shuffled":
        count = folds or 10
        if not 2 <= count <= len(utterances):
            raise CorpusError(f"{len(utterances)} utterances cannot be dealt to {count} folds")
        parts = [test for _, test in KFold(count, shuffle=True, random_state=seed).split(everything)]
        names = [f"part {i + 1} of {count}" for i in range(count)]
    else:
        groups = np.array([u.session if protocol == "session" else u.speaker for u in utterances])
        parts, names = _groups(groups, protocol, folds if protocol == "speaker" else None)
    return [
        Fold(name, np.setdiff1d(everything, test), np.zeros(0, np.intp), test)
        for name, test in zip(names, parts, strict=True)
    ]


def _official(utterances: Sequence[Utterance], held_percent: int) -> Fold:
    splits = np.array([u.split for u in utterances])
    test = next((s for s in ("test", "dev", "validation") if (splits == s).any()), None)
    if test is None or not (splits == "train").any():
        found = ", ".join(sorted(set(splits) - {""})) or "none"
        raise CorpusError(
            f"an official protocol needs utterances of the splits train and test (or dev); found: {found}; "
            "use another protocol, such as speaker"
        )
    sessions = {u.session for u in utterances}
    groups = [u.session if len(sessions) >= MANY_SESSIONS else u.id for u in utterances]
    held = np.array([held_out(g, held_percent) for g in groups]) & (splits == "train")
    return Fold(test, np.flatnonzero((splits == "train") & ~held), np.flatnonzero(held), np.flatnonzero(splits == test))


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


def speaker_folds(utterances: Sequence[Utterance], folds: int = FOLDS) -> list[int]:
    """Return the fold of each utterance, so that no speaker is in two folds and each corpus is in all.

    Each corpus' speakers are dealt in order, one to each fold in turn.

    Raises:
        ValueError: a corpus has fewer speakers than there are folds.
    """
    dealt: dict[tuple[str, str], int] = {}
    for corpus in sorted({u.corpus for u in utterances}):
        speakers = sorted({u.speaker for u in utterances if u.corpus == corpus})
        if len(speakers) < folds:
            raise ValueError(f"{corpus}: {len(speakers)} speakers cannot be dealt to {folds} folds")
        dealt |= {(corpus, speaker): i % folds for i, speaker in enumerate(speakers)}
    return [dealt[u.corpus, u.speaker] for u in utterances]


def held_out(session: str, percent: int) -> bool:
    """Whether a session (a dialogue, say) belongs to the part held out of training: always the same part."""
    return zlib.crc32(session.encode()) % 100 < percent


def session_fold(session: str, folds: int = FOLDS) -> int:
    """Return the fold of a session: always the same one."""
    return zlib.crc32(f"fold {session}".encode()) % folds
