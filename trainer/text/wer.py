"""The word error rate, and the one way in which texts are normalised before they are compared."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer

_NORMALIZE = jiwer.Compose(
    [jiwer.ToLowerCase(), jiwer.SubstituteRegexes({r"[^\w\s]|_": "", r"\s+": " "}), jiwer.Strip()]
)


def normalize(text: str) -> str:
    """Return the words alone: lower case, no punctuation, single spaces."""
    return str(_NORMALIZE(text))


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Return substitutions, deletions and insertions over the words of ``references``, as jiwer aligns them.

    Case and punctuation do not count. Without a word in ``references`` it is 0.
    """
    spoken = [normalize(text) for text in references]
    return float(jiwer.wer(spoken, [normalize(text) for text in hypotheses])) if any(spoken) else 0.0
