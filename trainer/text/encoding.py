"""Sentences → token ids, padded in batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerFast

from edge_runtime.inference.text_tokens import TextTokens, Turn
from edge_runtime.inference.tokenizer_file import text_tokenizer
from trainer.errors import ConfigError
from trainer.training_loop import Example

LENGTH = "input_ids"
"""The input of varying length: sentences of like length share a batch."""


class Texts:
    """One tokenizer, and the length that sentences are cut at."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_tokens: int, context_tokens: int = 0) -> None:
        """Cut sentences at ``max_tokens``, and what was said before them at ``context_tokens``; 0 reads none of it.

        Raises:
            ConfigError: this tokenizer cannot put a context behind a sentence.
        """
        self.tokenizer, self.context_tokens = tokenizer, context_tokens
        # As the runtime will read it; its export has the very same content.
        own = text_tokenizer(tokenizer.backend_tokenizer.to_str())
        try:
            self._encode = TextTokens(own, max_tokens=max_tokens, context_tokens=context_tokens)
        except ValueError as error:
            raise ConfigError(f"text.context_tokens = {context_tokens}: {error}; use 0, or another encoder") from error

    def encode(self, sentences: Sequence[str], contexts: Sequence[Sequence[Turn]] | None = None) -> list[Example]:
        """Return token ids and masks, unpadded; with token types where a context can be read.

        Args:
            sentences: what is said.
            contexts: the turns before each, the oldest first; None of none.
        """
        before = [()] * len(sentences) if contexts is None else contexts
        return [self._example(*self._encode(s, context)) for s, context in zip(sentences, before, strict=True)]

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Pad to the longest and join."""
        fill = {"input_ids": self.tokenizer.pad_token_id, "attention_mask": 0, "token_type_ids": 0}
        return {
            key: pad_sequence(
                [torch.tensor(e[key], dtype=torch.int64) for e in examples], batch_first=True, padding_value=fill[key]
            )
            for key in examples[0]
        }

    def _example(self, ids: list[int], types: list[int]) -> Example:
        example: Example = {"input_ids": ids, "attention_mask": [1] * len(ids)}
        return example | {"token_type_ids": types} if self.context_tokens else example
