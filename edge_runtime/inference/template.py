"""The special tokens that a tokenizer puts around one text, and around two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Template:
    """Where special tokens stand.

    Attributes:
        single: their ids before and behind a text alone.
        pair: their ids before the first of two texts, between the two, and behind the second; None where the second
            comes first, or one of them twice.
    """

    single: tuple[Ids, Ids] = ((), ())
    pair: tuple[Ids, Ids, Ids] | None = ((), (), ())

    @classmethod
    def read(cls, stated: Mapping[str, Any] | None) -> Template:
        """Read the ``post_processor`` of a ``tokenizer.json``.

        Raises:
            KeyError, TypeError, ValueError: it is not what it should be, or puts a text twice.
        """
        kind = None if stated is None else stated["type"]
        if stated is None or kind == "ByteLevel":  # the latter changes offsets alone
            return cls()
        if kind == "Sequence":
            templates = [found for part in stated["processors"] if (found := cls.read(part)) != cls()]
            if len(templates) > 1:
                raise ValueError("two post-processors that add tokens")
            return templates[0] if templates else cls()
        if kind in {"BertProcessing", "RobertaProcessing"}:
            begin, end = _ids([stated["cls"][1]]), _ids([stated["sep"][1]])
            return cls((begin, end), (begin, end if kind == "BertProcessing" else end + end, end))
        if kind != "TemplateProcessing":
            raise ValueError(f"a post-processor of the unknown kind {kind!r}")
        special = {name: _ids(entry["ids"]) for name, entry in stated["special_tokens"].items()}
        names, parts = _parts(stated["single"], special)
        if names != ["A"]:
            raise ValueError("the post-processor does not put a text once")
        both, parts_of_both = _parts(stated["pair"], special)
        first, last = parts
        if both != ["A", "B"]:
            return cls((first, last), None)
        before, between, behind = parts_of_both
        return cls((first, last), (before, between, behind))

    @property
    def keeps_first(self) -> bool:
        """Whether a second text and its special tokens only follow what stands for the first alone."""
        begin, end = self.single
        return self.pair is not None and self.pair[0] == begin and self.pair[1][: len(end)] == end

    def around(self, text: Sequence[int]) -> list[int]:
        """Return ``text`` with the special tokens of a text alone."""
        begin, end = self.single
        return [*begin, *text, *end]

    def around_both(self, first: Sequence[int], second: Sequence[int]) -> list[int]:
        """Return ``first`` and ``second`` with the special tokens of two texts; ``keeps_first`` has to hold."""
        assert self.pair is not None
        begin, between, end = self.pair
        return [*begin, *first, *between, *second, *end]


def _parts(pieces: Sequence[Mapping[str, Any]], special: Mapping[str, Ids]) -> tuple[list[str], list[Ids]]:
    """Return the names of the texts in their order, and the ids before, between and behind them."""
    names: list[str] = []
    parts: list[Ids] = [()]
    for piece in pieces:
        if "Sequence" in piece:
            names.append(piece["Sequence"]["id"])
            parts.append(())
        else:
            parts[-1] += special[piece["SpecialToken"]["id"]]
    return names, parts


def _ids(values: Sequence[Any]) -> Ids:
    if not all(type(value) is int and value >= 0 for value in values):
        raise TypeError(f"{values!r} where token ids are expected")
    return tuple(values)
