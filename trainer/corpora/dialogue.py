"""What was said before an utterance, in a corpus of dialogues."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from edge_runtime.inference.text_tokens import Turn
from trainer.corpora.utterance import Utterance

TURNS = 8
"""So many of the last turns are kept; more than fill the tokens that a network reads of them."""


def with_context(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Return the utterances, each with the turns before it in its dialogue.

    A dialogue is a ``session`` of one ``split`` of a corpus; an utterance without a session has no context. A turn
    without a transcript is passed over. Of a turn, or an utterance, without a speaker it is not known who said it.

    Args:
        utterances: in the order in which they were said, those of labels that are not learned as well.
    """
    said: dict[tuple[str, str, str], list[Utterance]] = defaultdict(list)
    result = []
    for utterance in utterances:
        dialogue = said[utterance.corpus, utterance.split, utterance.session]
        before = dialogue[-TURNS:] if utterance.session else ()
        result.append(replace(utterance, context=tuple(_turn(earlier, utterance) for earlier in before)))
        if utterance.transcript:
            dialogue.append(utterance)
    return result


def _turn(earlier: Utterance, utterance: Utterance) -> Turn:
    text = earlier.transcript or ""
    if not (earlier.speaker and utterance.speaker):
        return Turn(text)
    return Turn(text, "same" if earlier.speaker == utterance.speaker else "other")
