"""Sentences → token ids, padded in batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerFast

from trainer.training_loop import TARGET, Example

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
        longest = max(len(e["input_ids"]) for e in examples)
        pad: int = self.tokenizer.pad_token_id

        def padded(key: str, value: int) -> torch.Tensor:
            return torch.tensor([list(e[key]) + [value] * (longest - len(e[key])) for e in examples])

        batch = {"input_ids": padded("input_ids", pad), "attention_mask": padded("attention_mask", 0)}
        if TARGET in examples[0]:
            batch[TARGET] = torch.stack([torch.as_tensor(e[TARGET]) for e in examples])
        return batch
