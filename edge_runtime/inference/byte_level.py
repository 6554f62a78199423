"""Token ids → text, where each token spells bytes, as those of GPT-2 and Whisper do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge_runtime.inference.wordpiece import OtherKindError, added_tokens, vocabulary

PRINTABLE = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
BYTES = {chr(byte): byte for byte in PRINTABLE} | {
    chr(256 + i): byte for i, byte in enumerate(byte for byte in range(256) if byte not in PRINTABLE)
}
"""The byte that each character of a token stands for: itself where it can be printed, else the next one from 256 on."""


class ByteLevelText:
    """What turns ids into text; safe to call from several threads."""

    def __init__(self, stated: Mapping[str, Any]) -> None:
        """Read the content of a ``tokenizer.json``; only its vocabulary counts.

        Raises:
            OtherKindError: it is well formed, perhaps, and of another kind.
            KeyError, TypeError, ValueError, AttributeError: it is damaged.
        """
        model, decoder = stated["model"], stated.get("decoder") or {}
        if (model.get("type"), decoder.get("type")) != ("BPE", "ByteLevel"):
            raise OtherKindError(f"the model {model.get('type')!r} with the decoder {decoder.get('type')!r}")
        self._tokens = {token: text for text, token in vocabulary(model).items()}
        added = added_tokens(stated)
        self._tokens |= {token["id"]: token["content"] for token in added}
        self._special = {token["content"] for token in added if token["special"]}

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ``ids``, without special tokens and unknown ids; bytes that are no text become U+FFFD."""
        spelled = bytearray()
        for token in (self._tokens[i] for i in ids if i in self._tokens):
            if token not in self._special:
                try:
                    spelled += bytes([BYTES[character] for character in token])
                except KeyError:  # an added token that is written as it reads
                    spelled += token.encode()
        return spelled.decode("utf-8", "replace")
