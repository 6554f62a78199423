"""Any kind of ``tokenizer.json``, by the package ``tokenizers``; needs the extra of that name.

``tokenizer_file`` imports this module for the kinds alone that it does not read itself: the package brings a client of
a hub, an HTTP stack and a progress bar, which an offline runtime has no use for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from edge_runtime.errors import MissingExtraError
from edge_runtime.inference.template import Template

try:
    from tokenizers import Tokenizer
except ImportError as error:
    raise MissingExtraError(
        "this kind of tokenizer needs the package tokenizers: pip install 'edge-iemonet[tokenizers]'"
    ) from error


class LibraryTokenizer:
    """A tokenizer; safe to call from several threads.

    Attributes:
        template: the special tokens around a text.
    """

    def __init__(self, file: str) -> None:
        """Read ``file``, the text of a ``tokenizer.json``; its padding and truncation do not count.

        Raises:
            Exception: it is damaged; the library raises it bare.
        """
        self._tokenizer = Tokenizer.from_str(file)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.template = Template.read(json.loads(file).get("post_processor"))

    def encode(self, text: str) -> list[int]:
        """Return the ids of ``text``, without special tokens but those that it spells."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ``ids``, without special tokens."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text
