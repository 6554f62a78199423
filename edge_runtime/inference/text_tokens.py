"""A text, and what was said before it → the token ids that text emotion reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge_runtime.audio.validation import check_text
from edge_runtime.inference.tokenizer_file import TextTokenizer

Speaker = Literal["same", "other"]
SPEAKERS = ("same", "other", None)


@dataclass(frozen=True)
class Turn:
    """What was said before an utterance, by one speaker.

    Attributes:
        text: the words.
        speaker: "same" who says the utterance, "other" somebody else; None where that is not known.
    """

    text: str
    speaker: Speaker | None = None

    def __post_init__(self) -> None:
        """Check what is given.

        Raises:
            TypeError: the text is none.
            ValueError: another speaker than these.
        """
        check_text(self.text, name="the text of a turn")
        if self.speaker not in SPEAKERS:
            raise ValueError(f"speaker {self.speaker!r}: use 'same', 'other', or None where it is not known")

    @property
    def marked(self) -> str:
        """The text as a network reads it: ``same:`` or ``other:`` before it, if the speaker is known."""
        return self.text if self.speaker is None else f"{self.speaker}: {self.text}"


def to_turns(context: Sequence[str | Turn]) -> list[Turn]:
    """Return what was said before as turns; of a bare text it is not known who said it.

    Raises:
        TypeError: it is no list, or something in it is no text and no turn.
    """
    if isinstance(context, str | bytes | Turn) or not isinstance(context, Sequence):
        raise TypeError(f"context is of type {type(context).__name__}; give a list of texts or turns, the oldest first")
    return [turn if isinstance(turn, Turn) else Turn(turn) for turn in context]


class TextTokens:
    """The way from words to token ids, which training and the runtime share; safe to call from several threads."""

    def __init__(self, tokenizer: TextTokenizer, *, max_tokens: int, context_tokens: int = 0) -> None:
        """Encode by ``tokenizer``.

        Args:
            tokenizer: of the text network.
            max_tokens: longer texts are cut; special tokens count.
            context_tokens: so many tokens of the context are read at most; 0 reads none.

        Raises:
            ValueError: a context is to be read, and this tokenizer does not put it behind the text.
        """
        self._tokenizer, self._template = tokenizer, tokenizer.template
        self._context_tokens = context_tokens
        self._room = max(0, max_tokens - len(self._template.around([])))
        if context_tokens and not self._template.keeps_first:
            raise ValueError("the tokenizer puts a token behind two texts that it puts behind the first alone")

    def __call__(self, text: str, context: Sequence[Turn] = ()) -> tuple[list[int], list[int]]:
        """Return the token ids, and the type of each: 0 of the text and its special tokens, 1 of the context.

        Without a context the ids are those of the text alone.

        Args:
            text: what is said.
            context: the turns before it, the oldest first; of all their tokens the last count.
        """
        own = self._tokenizer.encode(text)[: self._room]
        alone = self._template.around(own)
        words = " ".join(turn.marked for turn in context).split() if self._context_tokens else []
        # No token is longer than a word: more than these words would cost time alone.
        earlier = self._tokenizer.encode(" ".join(words[-self._context_tokens :])) if words else []
        if not earlier:
            return alone, [0] * len(alone)
        ids = self._template.around_both(own, earlier[-self._context_tokens :])
        return ids, [0] * len(alone) + [1] * (len(ids) - len(alone))
