"""Sentences → token ids, padded in batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerFast

from trainer.training_loop import Example

LENGTH = "input_ids"
"""The input of varying length: sentences of like length share a batch."""


class Texts:
    """One tokenizer, and the length that sentences are cut at."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> None:
        """Cut sentences at ``max_tokens``."""
        self.tokenizer, self.max_tokens = tokenizer, max_tokens

    def encode(self, sentences: Sequence[str]) -> list[Example]:
        """Return token ids and masks, unpadded."""
        encoded = self.tokenizer(list(sentences), truncation=True, max_length=self.max_tokens)
        return [
            {"input_ids": i, "attention_mask": m}
            for i, m in zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
        ]

    def collate(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Pad to the longest and join."""
        fill = {"input_ids": self.tokenizer.pad_token_id, "attention_mask": 0}
        return {
            key: pad_sequence([torch.tensor(e[key]) for e in examples], batch_first=True, padding_value=value)
            for key, value in fill.items()
        }
