"""Text → token ids by WordPiece, as BERT and MPNet have it: clean, lower, split at punctuation, take longest pieces.

The ids are those of the package ``tokenizers``: ``tests/edge_runtime/inference/test_tokenizer_file.py`` tries every
character. They differ only in some 500 characters of rare scripts, newer than the Unicode tables of that package.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edge_runtime.inference.template import Template

CJK = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B81F), (0x2B920, 0x2CEAF),
       (0x2F800, 0x2FA1F))  # fmt: skip
"""First and last code points of the ideographs that are words of their own; as BERT has them."""
WHITE_CONTROLS = "\t\n\v\f\r\x85"
PLAIN_CLASS = re.compile(r"\[([^\\\[\]^&-]+)\]")
"""A regular expression that is one of several characters, none of which means anything in a class."""
Step = Callable[[str], str]


class OtherKindError(ValueError):
    """A tokenizer that is read by the package ``tokenizers`` alone."""


class WordPiece:
    """A tokenizer; safe to call from several threads.

    Attributes:
        template: the special tokens around a text.
    """

    def __init__(self, stated: Mapping[str, Any]) -> None:
        """Read the content of a ``tokenizer.json``.

        Raises:
            OtherKindError: it is well formed, perhaps, and of another kind.
            KeyError, TypeError, ValueError, AttributeError: it is damaged.
        """
        model, splits = stated["model"], stated.get("pre_tokenizer") or {}
        if (model.get("type"), splits.get("type")) != ("WordPiece", "BertPreTokenizer"):
            raise OtherKindError(f"the model {model.get('type')!r} behind the splitter {splits.get('type')!r}")
        self.template = Template.read(stated.get("post_processor"))
        self._vocabulary, self._prefix = vocabulary(model), str(model["continuing_subword_prefix"])
        self._longest_word = int(model["max_input_chars_per_word"])
        if model["unk_token"] not in self._vocabulary:
            raise OtherKindError("a vocabulary without the unknown token")
        self._unknown = self._vocabulary[model["unk_token"]]
        self._longest_piece = max(map(len, self._vocabulary))
        self._steps = list(_normaliser(stated.get("normalizer")))
        raw: dict[str, int] = {}
        normal: dict[str, int] = {}
        for token in added_tokens(stated):
            if token["single_word"]:
                raise OtherKindError("added tokens that are single words")
            content = self._normal(token["content"]) if token["normalized"] else token["content"]
            (normal if token["normalized"] else raw)[content] = token["id"]
        self._raw, self._normalised = _Splitter(raw), _Splitter(normal)

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``, without special tokens but those that it spells."""
        ids: list[int] = []
        for piece, added in self._raw(text):
            if added is not None:
                ids.append(added)
                continue
            for part, also in self._normalised(self._normal(piece)):
                if also is not None:
                    ids.append(also)
                else:
                    for word in part.translate(_SPACED).split(" "):
                        ids += self._pieces(word)
        return ids

    def _normal(self, text: str) -> str:
        for step in self._steps:
            text = step(text)
        return text

    def _pieces(self, word: str) -> list[int]:
        """Return the ids of the longest pieces of ``word``, from its beginning on."""
        if len(word) > self._longest_word:
            return [self._unknown]
        found: list[int] = []
        start, prefix = 0, ""
        while start < len(word):
            for end in range(min(len(word), start + self._longest_piece), start, -1):
                token = self._vocabulary.get(prefix + word[start:end])
                if token is not None:
                    found.append(token)
                    start, prefix = end, self._prefix
                    break
            else:
                return [self._unknown]
        return found


def vocabulary(model: Mapping[str, Any]) -> dict[str, int]:
    """Return the ids of the tokens in the ``model`` of a ``tokenizer.json``.

    Raises:
        KeyError, TypeError, ValueError: it is damaged.
    """
    words: dict[str, int] = model["vocab"]
    if not isinstance(words, dict) or set(map(type, words.values())) != {int} or min(words.values()) < 0:
        raise TypeError("the vocabulary does not give each token an id")
    "".join(words).encode()  # JSON can hold halves of characters, which are no text
    return words


def added_tokens(stated: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tokens that are added to the model's, in the content of a ``tokenizer.json``.

    Raises:
        KeyError, TypeError, ValueError: they are damaged.
    """
    tokens: list[Mapping[str, Any]] = stated.get("added_tokens", [])
    for token in tokens:
        if not isinstance(token["content"], str) or type(token["id"]) is not int or token["id"] < 0:
            raise TypeError(f"the added token {token!r} has no content or no id")
        token["content"].encode()
    return tokens


class _Splitter:
    """A text → the added tokens in it, and what is between them."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        self._ids = {content: token for content, token in ids.items() if content}
        longest_first = sorted(self._ids, key=len, reverse=True)
        self._pattern = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")") if self._ids else None

    def __call__(self, text: str) -> Iterable[tuple[str, int | None]]:
        """Return each piece, and its id if it is an added token."""
        if self._pattern is None:
            return [(text, None)]
        pieces = self._pattern.split(text)
        return [(piece, self._ids[piece] if i % 2 else None) for i, piece in enumerate(pieces)]


class _Table(dict[int, str]):
    """What each character becomes, for ``str.translate``; found out when it is first seen."""

    def __init__(self, rule: Step) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, code: int) -> str:
        self[code] = found = self._rule(chr(code))
        return found


def _clean(character: str) -> str:
    if character in "\t\n\r":
        return " "
    kind = unicodedata.category(character)
    return "" if kind in {"Cc", "Cf", "Co"} or character == "\ufffd" else " " if kind[0] == "Z" else character


def _apart(character: str) -> str:
    return f" {character} " if any(first <= ord(character) <= last for first, last in CJK) else character


def _without_accent(character: str) -> str:
    return "" if unicodedata.category(character) == "Mn" else character


def _spaced(character: str) -> str:
    kind = unicodedata.category(character)
    if character in WHITE_CONTROLS or kind[0] == "Z":
        return " "
    is_ascii_mark = character.isascii() and character.isprintable() and not character.isalnum()
    return f" {character} " if kind[0] == "P" or is_ascii_mark else character


_CLEAN, _APART, _BARE, _SPACED = (_Table(rule) for rule in (_clean, _apart, _without_accent, _spaced))
_LOWER = _Table(str.lower)
"""Character by character: the end of a word changes nothing, as it would for a sigma in ``str.lower``."""


def _normaliser(stated: Mapping[str, Any] | None) -> Iterable[Step]:
    """Yield the steps of a ``normalizer``, in order."""
    kind = None if stated is None else stated["type"]
    if stated is None:
        return
    if kind == "Sequence":
        for part in stated["normalizers"]:
            yield from _normaliser(part)
    elif kind == "Replace":
        yield _replace(stated["pattern"], stated["content"])
    elif kind == "BertNormalizer":
        strips = stated["strip_accents"]
        if stated["clean_text"]:
            yield lambda text: text.translate(_CLEAN)
        if stated["handle_chinese_chars"]:
            yield lambda text: text.translate(_APART)
        if stated["lowercase"] if strips is None else strips:
            yield lambda text: unicodedata.normalize("NFD", text).translate(_BARE)
        if stated["lowercase"]:
            yield lambda text: text.translate(_LOWER)
    else:
        raise OtherKindError(f"the normaliser {kind!r}")


def _replace(pattern: Mapping[str, str], content: str) -> Step:
    content.encode()
    if text := pattern.get("String"):
        return lambda given: given.replace(text, content)
    one_of = PLAIN_CLASS.fullmatch(pattern.get("Regex", ""))
    if not one_of:
        raise OtherKindError("a normaliser that replaces by a regular expression")
    table = dict.fromkeys(map(ord, one_of[1]), content)
    return lambda given: given.translate(table)
