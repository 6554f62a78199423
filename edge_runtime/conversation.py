"""What was said in a recording so far, on all of its channels: the context of the utterances that follow."""

from __future__ import annotations

from collections import deque

from edge_runtime.inference.text_tokens import Turn
from edge_runtime.prediction import Segment

KEPT = 64
"""So many of the last turns are remembered, which is more than any bundle reads."""


class Conversation:
    """The turns of a recording. For one thread at a time."""

    def __init__(self, turns: int = KEPT) -> None:
        """Begin with nothing, and remember so many ``turns``; with 0 each utterance stands alone."""
        self._said: deque[tuple[float, int, str]] = deque(maxlen=turns)

    def add(self, segment: Segment, channel: int | None) -> None:
        """Remember what was said in ``segment``; where there are no words, or a note that they are doubtful or in
        a language that is not judged, there is no turn.

        Args:
            segment: of an utterance that is over.
            channel: where it was said, from 1; None where channels are mixed.
        """
        if segment.transcript and not segment.notes:
            self._said.append((segment.end_s, channel or 0, segment.transcript))

    def before(self, start_s: float, channel: int | None) -> list[Turn]:
        """Return the turns that were over at ``start_s``, the oldest first.

        Args:
            start_s: when an utterance begins.
            channel: where it is said. A turn on the same channel is the same speaker's and one on another channel
                another's; where channels are mixed nobody knows.
        """
        return [
            Turn(text, None if channel is None else "same" if channel == spoke else "other")
            for end_s, spoke, text in sorted(self._said)
            if end_s <= start_s
        ]
