"""Who is trained on and who is tested on."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from trainer.corpora.records import Utterance

FOLDS = 6


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
