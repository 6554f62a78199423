"""A ``tokenizer.json`` → what turns text into token ids, or token ids into text.

WordPiece and byte-level tokens are read here; any other kind by the package ``tokenizers``, if that is installed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from edge_runtime.inference.byte_level import ByteLevelText
from edge_runtime.inference.template import Template
from edge_runtime.inference.wordpiece import OtherKindError, WordPiece

if TYPE_CHECKING:
    from edge_runtime.inference.tokenizer_library import LibraryTokenizer


class TextTokenizer(Protocol):
    """What turns text into ids."""

    template: Template

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``, without special tokens but those that it spells."""


class Detokenizer(Protocol):
    """What turns ids into text."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ``ids``, without special tokens."""


def text_tokenizer(file: str) -> TextTokenizer:
    """Return the tokenizer of ``file``, the text of a ``tokenizer.json``.

    Raises:
        MissingExtraError: it is of a kind that needs the extra ``tokenizers``.
        Exception: it is damaged.
    """
    try:
        return WordPiece(json.loads(file))
    except OtherKindError:
        return _library(file)


def detokenizer(file: str) -> Detokenizer:
    """Return what turns the ids of ``file``, the text of a ``tokenizer.json``, into text.

    Raises:
        MissingExtraError: it is of a kind that needs the extra ``tokenizers``.
        Exception: it is damaged.
    """
    try:
        return ByteLevelText(json.loads(file))
    except OtherKindError:
        return _library(file)


def _library(file: str) -> LibraryTokenizer:
    from edge_runtime.inference.tokenizer_library import LibraryTokenizer  # noqa: PLC0415 - an extra

    return LibraryTokenizer(file)
