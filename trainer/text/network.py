"""A pretrained encoder with the paper's classification layers (section 5.1)."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, normalizers
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerFast


class TextEmotion(nn.Module):
    """Encoder → mean over tokens → fully connected layer (768, ReLU, dropout 0.2, L2 0.03) → logits."""

    def __init__(self, encoder: nn.Module, labels: int, *, hidden: int = 768, dropout: float = 0.2,
                 l2: float = 0.03, context_tokens: int = 0) -> None:  # fmt: skip
        """Put freshly initialised layers on ``encoder``, any Hugging Face model with ``last_hidden_state``.

        With ``context_tokens`` above 0 it reads what was said before, as ``token_type_ids`` mark it.
        """
        super().__init__()
        self.encoder, self.context_tokens = encoder, context_tokens
        self._has_segments = _has_segments(encoder)
        width: int = encoder.config.hidden_size  # type: ignore[union-attr,assignment]
        self.hidden = nn.Linear(width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, labels)
        self.l2 = l2

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the 768-unit layer (batch, hidden).

        Args:
            input_ids: token ids (batch, tokens).
            attention_mask: 1 where there is a token, 0 on padding, same shape.
            token_type_ids: 0 on the utterance, 1 on what was said before it, same shape; None where there is no
                such context. The mean leaves the context out, which is heard through attention alone.
        """
        segments = {"token_type_ids": token_type_ids} if token_type_ids is not None and self._has_segments else {}
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **segments)["last_hidden_state"]
        own = attention_mask if token_type_ids is None else attention_mask * (1 - token_type_ids)
        mask = own.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1).clamp_min(1.0)
        embedding = self.dropout(torch.relu(self.hidden(mean)))
        return self.classifier(embedding), embedding

    def freeze(self, layers: int) -> None:
        """Leave the embeddings and the first ``layers`` blocks of the encoder as they are; 0 trains everything.

        The lowest blocks change least in fine-tuning; with half of them frozen a step costs a third less.

        Raises:
            ValueError: the encoder has fewer blocks, or none that could be told apart.
        """
        if not layers:
            return
        lists = [m for m in self.encoder.modules() if isinstance(m, nn.ModuleList)]
        blocks = max((list(m) for m in lists), key=len, default=[])
        if not 0 < layers <= len(blocks):
            raise ValueError(f"cannot freeze {layers} of the encoder's {len(blocks)} blocks")
        self.encoder.requires_grad_(False)
        for block in blocks[layers:]:
            block.requires_grad_(True)

    def penalty(self) -> Tensor:
        """Return the L2 term on the added layer's weights (as Keras' kernel regulariser counts it)."""
        return self.l2 * self.hidden.weight.square().sum()


def _has_segments(encoder: nn.Module) -> bool:
    """Whether ``encoder`` learned what sets the second of two texts apart, as BERT did and MPNet did not."""
    takes = "token_type_ids" in inspect.signature(encoder.forward).parameters
    return takes and getattr(encoder.config, "type_vocab_size", 0) > 1


def load_encoder(weights: str | Path) -> nn.Module:
    """Return the pretrained encoder in the folder, or of the hub id, ``weights``."""
    config = AutoConfig.from_pretrained(str(weights))
    encoder: nn.Module = AutoModel.from_pretrained(str(weights), config=config, **encoder_options(config))
    return encoder


def encoder_options(config: PretrainedConfig) -> dict[str, Any]:
    """Return how an encoder of this kind is built here: without a pooler, which would ship for nothing."""
    return {"attn_implementation": "eager"} | (
        {"add_pooling_layer": False} if config.model_type in {"bert", "roberta", "mpnet"} else {}
    )


def load_tokenizer(weights: str | Path) -> PreTrainedTokenizerFast:
    """Return the tokenizer of ``weights``, taught that typographic quotes and dashes are the plain ones.

    Television subtitles write them, speech recognisers do not, and a model must not tell them apart by that.
    """
    tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(str(weights))
    backend = tokenizer.backend_tokenizer
    plain = [
        normalizers.Replace(Regex("[\u2018\u2019\u0092]"), "'"),
        normalizers.Replace(Regex("[\u201c\u201d\u0093\u0094]"), '"'),
        normalizers.Replace(Regex("[\u2013\u2014\u0096\u0097]"), "-"),
        normalizers.Replace(Regex("[\u2026\u0085]"), "..."),
    ]
    backend.normalizer = normalizers.Sequence([*plain, *([backend.normalizer] if backend.normalizer else [])])
    return tokenizer
