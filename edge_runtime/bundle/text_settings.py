"""What a manifest states of words alone: their context, when an answer is uncertain, and the labels' shares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PRIORS_TOLERANCE = 0.01
"""By so much the shares of all labels may differ from 1, as they are rounded."""


@dataclass(frozen=True)
class TextSettings:
    """What a bundle states of ``text_emotion``.

    Attributes:
        context_tokens: so many tokens of what was said before are read; 0 where the graph reads no context.
        operating_point: confidence below which an answer from words alone is uncertain.
        priors: the share of each label in what the words' branch learned from; empty where it is not stated.
        languages: codes (BCP 47) of the languages whose words are judged; empty where it is not stated.
    """

    context_tokens: int = 0
    operating_point: float = 0.0
    priors: Mapping[str, float] = field(default_factory=dict)
    languages: tuple[str, ...] = ()

    @classmethod
    def read(cls, manifest: Mapping[str, Any], labels: Sequence[str]) -> TextSettings:
        """Read the entry ``text_emotion`` of ``manifest``; each part of it may be missing.

        Raises:
            KeyError, TypeError, ValueError: it is not what it should be.
        """
        stated = manifest.get("text_emotion", {})
        if not isinstance(stated, Mapping):
            raise TypeError(f"text_emotion {stated!r} where an object is expected")
        return cls(
            context_tokens=_tokens(stated["context"]["max_tokens"]) if "context" in stated else 0,
            operating_point=operating_point(stated if "operating_point" in stated else manifest),
            priors=_priors(stated["priors"], labels) if "priors" in stated else {},
            languages=_languages(stated["languages"]) if "languages" in stated else (),
        )


def operating_point(stated: Mapping[str, Any]) -> float:
    """Return the confidence below which an answer is uncertain; 0.0 where there is no ``operating_point``.

    Raises:
        KeyError, TypeError, ValueError: it is no confidence.
    """
    if "operating_point" not in stated:
        return 0.0
    return _share(stated["operating_point"]["confidence"], "operating_point", "a confidence")


def _share(value: Any, where: str, what: str) -> float:
    expected = f"{where} {value!r}: {what} is a number above 0, at most 1"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(expected)
    if not 0 < value <= 1:
        raise ValueError(expected)
    return float(value)


def _tokens(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"context {value!r}: max_tokens is a whole number")
    if value < 1:
        raise ValueError(f"context {value!r}: max_tokens is 1 or more")
    return value


def _languages(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(code, str) and code for code in value):
        raise TypeError(f"languages {value!r}: a list of one or more codes")
    return tuple(value)


def _priors(value: Any, labels: Sequence[str]) -> dict[str, float]:
    if value.keys() != set(labels):
        raise ValueError(f"priors of {', '.join(map(str, value))}; expected one of each label")
    shares = {label: _share(value[label], "priors", "a share") for label in labels}
    if not math.isclose(sum(shares.values()), 1, abs_tol=PRIORS_TOLERANCE):
        raise ValueError(f"priors {shares}: all together are 1")
    return shares
