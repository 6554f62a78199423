"""XLNet's encoder as matrix products, which quantise; transformers' own is made of Einsum, which does not."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import XLNetModel


class XLNetEncoder(nn.Module):
    """The content stream of an XLNet (Yang et al. 2019): token ids → states, without memories or permutations.

    The very weights of a transformers ``XLNetModel``; for fine-tuning and inference the other stream is not needed.
    """

    def __init__(self, model: XLNetModel) -> None:
        """Take the weights of ``model``, which attends in both directions.

        Raises:
            ValueError: it attends to the left alone, or joins both reading directions in a batch.
        """
        super().__init__()
        config = model.config
        if config.attn_type != "bi" or config.bi_data:
            raise ValueError('an XLNet with attn_type "bi" and without bi_data is needed, which all published ones are')
        self.config = config
        self.word_embedding = model.word_embedding
        self.layers = nn.ModuleList(_Layer(layer, config) for layer in model.layer)
        self.clamp: int = config.clamp_len
        step = torch.arange(0, config.d_model, 2.0, dtype=torch.float64) / config.d_model
        self.register_buffer("frequency", (1 / 10_000**step).float(), persistent=False)
        self.frequency: Tensor

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return ``last_hidden_state`` (batch, tokens, width).

        Args:
            input_ids: (batch, tokens).
            attention_mask: 1 where there is a token, 0 on padding, same shape.
            token_type_ids: segments, same shape; None where there is only one.
        """
        x = self.word_embedding(input_ids)
        tokens = x.shape[1]
        distance = tokens - torch.arange(2 * tokens, device=x.device).to(x.dtype)
        if self.clamp > 0:
            distance = distance.clamp(-self.clamp, self.clamp)
        angle = distance[:, None] * self.frequency
        position = torch.cat([angle.sin(), angle.cos()], dim=1)
        # Finite, so that a row of padding alone, or half precision, gives numbers.
        mask = (1.0 - attention_mask[:, None, None].to(x.dtype)) * -1e4
        same = None
        if token_type_ids is not None:
            same = (token_type_ids[:, None, :, None] == token_type_ids[:, None, None, :]).to(x.dtype)
        for layer in self.layers:
            x = layer(x, position, mask, same)
        return {"last_hidden_state": x}


class _Layer(nn.Module):
    def __init__(self, layer: Any, config: Any) -> None:
        super().__init__()
        attention = layer.rel_attn
        self.heads: int = config.n_head
        self.query, self.key, self.value, self.place = (
            _projection(getattr(attention, name)) for name in ("q", "k", "v", "r")
        )
        self.out = nn.Linear(self.heads * config.d_head, config.d_model, bias=False)
        self.out.weight.data = attention.o.detach().flatten(1).clone()
        for name in ("r_w_bias", "r_r_bias", "r_s_bias"):
            setattr(self, name, nn.Parameter(getattr(attention, name).detach()[:, None].clone()))
        self.segments = nn.Parameter(attention.seg_embed.detach().clone())
        self.norm, self.feed_forward = attention.layer_norm, layer.ff
        self.r_w_bias: Tensor
        self.r_r_bias: Tensor
        self.r_s_bias: Tensor

    def forward(self, x: Tensor, position: Tensor, mask: Tensor, same: Tensor | None) -> Tensor:
        query, key, value = (self._split(p(x)) for p in (self.query, self.key, self.value))
        place = self._split(self.place(position[None]))
        scores = (query + self.r_w_bias) @ key.transpose(2, 3)
        scores = scores + _shifted((query + self.r_r_bias) @ place.transpose(2, 3))
        if same is not None:
            alike, other = ((query + self.r_s_bias) @ s[..., None] for s in self.segments)
            scores = scores + same * alike + (1.0 - same) * other
        share = (scores / math.sqrt(query.shape[-1]) + mask).softmax(-1)
        mixed = (share @ value).transpose(1, 2).flatten(2)
        result: Tensor = self.feed_forward(self.norm(self.out(mixed) + x))
        return result

    def _split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


def _projection(weight: Tensor) -> nn.Linear:
    """Return a weight (width, heads, width of a head) as a layer."""
    layer = nn.Linear(weight.shape[0], weight.shape[1] * weight.shape[2], bias=False)
    layer.weight.data = weight.detach().flatten(1).t().contiguous()
    return layer


def _shifted(x: Tensor) -> Tensor:
    """Return, of scores (batch, heads, tokens, 2 x tokens) by distance, those of the tokens: row i moves i to the left.

    Distance j of row i belongs to token i + j - tokens.
    """
    batch, heads, tokens, distances = x.shape
    x = x.reshape(batch, heads, distances, tokens)[:, :, 1:]
    return x.reshape(batch, heads, tokens, distances - 1)[..., :tokens]
