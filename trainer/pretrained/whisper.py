"""Whisper (Radford et al. 2022) cut for the edge: waveform in, one dynamic time axis, no branches.

Two departures from the reference make it several times faster at the same transcripts:

- Only the clip and a second of silence are encoded, not 30 s. The decoder was trained on 30 s and loops on
  less, so the cross-attention keys and values of the missing tail are filled with those of an encoded silence
  ("stitching"). They hardly differ from one position to the next, so ten are kept as one that counts ten
  times: constants of half a megabyte, and a shorter memory to attend to.
- The states of every encoder layer are an output: speech emotion is read from them at no further cost.

Both modules use the very weights of a transformers checkpoint; none is trained here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import librosa
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import WhisperForConditionalGeneration

SAMPLE_RATE = 16_000
FFT, HOP = 400, 160
ENCODER_HOP = 2 * HOP
"""Samples per encoder state: 20 ms."""
CONTEXT = 1500
"""Encoder states of the 30 s that Whisper was trained on."""
TAIL = 50
"""States of silence (1 s) that are encoded after a clip, so that its end sounds like an end."""
POOL = 10
"""So many neighbouring states of stitched silence become one, their mean."""
PEAK = 0.5
QUIETEST_PEAK = 1e-3
"""A recording is brought to the peak ``PEAK``, but never amplified more than ``PEAK / QUIETEST_PEAK`` times."""
SILENT_MEL = -0.7
"""The normalised log-mel of digital silence beside speech at ``PEAK``: 8 decades under its maximum."""


class LogMel(nn.Module):
    """Waveform (batch, samples) at 16 kHz → Whisper's log-mel spectrogram (batch, mels, samples // 160).

    The Fourier transform is a convolution with the windowed basis, so that it exports to any ONNX runtime.
    """

    def __init__(self, mels: int = 80) -> None:
        """Make the constants; there is nothing to learn."""
        super().__init__()
        bins = FFT // 2 + 1
        angle = 2 * torch.pi * torch.arange(bins)[:, None] * torch.arange(FFT)[None].double() / FFT
        window = torch.hann_window(FFT, dtype=torch.float64)
        basis = torch.cat([angle.cos() * window, -angle.sin() * window])
        self.register_buffer("basis", basis.float().unsqueeze(1), persistent=False)
        bank = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=FFT, n_mels=mels)
        self.register_buffer("bank", torch.from_numpy(bank), persistent=False)
        self.basis: Tensor
        self.bank: Tensor
        self.bins = bins

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the log-mel spectrogram, normalised as Whisper expects."""
        padded = F.pad(waveform.unsqueeze(1), (FFT // 2, FFT // 2), mode="reflect")
        parts = F.conv1d(padded, self.basis, stride=HOP)[:, :, :-1]
        power = parts[:, : self.bins].square() + parts[:, self.bins :].square()
        log = (self.bank @ power).clamp_min(1e-10).log10()
        log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8.0)
        return (log + 4.0) / 4.0


def peak_normalize(waveform: Tensor) -> Tensor:
    """Bring each waveform (batch, samples) to the peak that everything is trained at."""
    peak = waveform.abs().amax(dim=1, keepdim=True).clamp_min(QUIETEST_PEAK)
    return waveform * (PEAK / peak)


class SpeechEncoder(nn.Module):
    """Waveform → hidden states of every layer, and the decoder's cross-attention keys and values."""

    silence: Tensor

    def __init__(self, model: WhisperForConditionalGeneration, *, stitched: bool = True) -> None:
        """Take the encoder and the decoder's cross projections of ``model``, a transformers Whisper.

        Args:
            model: a transformers Whisper.
            stitched: encode the clip and a second, and stitch silence on; else pad the waveform to 30 s, as
                Whisper's authors do.
        """
        super().__init__()
        config = model.config
        self.heads: int = config.decoder_attention_heads
        self.width: int = config.d_model
        self.encoder = model.model.encoder
        self.cross = nn.ModuleList([layer.encoder_attn for layer in model.model.decoder.layers])
        self.mel = LogMel(config.num_mel_bins)
        self.stitched = stitched
        with torch.no_grad():
            quiet = torch.full((1, config.num_mel_bins, 2 * CONTEXT), SILENT_MEL)
            final = self.encoder.layer_norm(self._layers(self._embed(quiet))[-1])
            pairs = torch.stack(self._keys_values(final))
        pooled = pairs.reshape(*pairs.shape[:3], CONTEXT // POOL, POOL, pairs.shape[4]).mean(4)
        self.register_buffer("silence", pooled, persistent=False)

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        """Encode waveforms (batch, samples) at 16 kHz, at most 30 s long and each brought to the peak ``PEAK`` here.

        Returns:
            hidden_states: (batch, layers + 1, states, width); state i covers samples 320 i to 320 (i + 1).
            cross_bias: (positions,), added to the scores of the decoder's cross-attention.
            cross_key_0, cross_value_0, …: (batch, heads, positions, width / heads) for each decoder layer.
        """
        hidden, encoded = self.hear(waveform)
        return hidden, *self.remember(encoded, begin=len(self.encoder.layers))

    def hear(self, waveform: Tensor, end: int | None = None) -> tuple[Tensor, Tensor]:
        """Run the first ``end`` layers; None runs all.

        Returns:
            hidden_states: as of ``forward``, (batch, end + 1, states, width).
            encoded: the states of the last of these layers with those of the silence behind, (batch, positions, width).
        """
        states = (waveform.shape[1] + ENCODER_HOP - 1) // ENCODER_HOP
        # Whole pools, so that what follows them is whole pools of silence.
        whole = sym_min((states + TAIL + POOL - 1) // POOL * POOL, CONTEXT)
        encoded = whole if self.stitched else CONTEXT
        mel = self.mel(F.pad(peak_normalize(waveform), (0, encoded * ENCODER_HOP - waveform.shape[1])))
        layers = self._layers(self._embed(mel), end=end)
        return torch.stack(layers, dim=1)[:, :, :states], layers[-1]

    def remember(self, encoded: Tensor, begin: int) -> tuple[Tensor, ...]:
        """Run the layers from ``begin`` on ``encoded``, as ``hear`` returns it: cross_bias, keys and values."""
        final = self.encoder.layer_norm(self._layers(encoded, begin=begin)[-1])
        cross = self._keys_values(final)
        bias = torch.zeros_like(final[0, :, 0])
        if self.stitched:
            silence = self.silence[:, :, :, encoded.shape[1] // POOL :]
            cross = [
                torch.cat([own, quiet.expand(own.shape[0], -1, -1, -1)], dim=2)
                for own, quiet in zip(cross, silence, strict=True)
            ]
            # A pooled position stands for POOL alike ones: softmax counts it so many times.
            bias = torch.cat([bias, torch.full_like(silence[0, 0, 0, :, 0], math.log(POOL))])
        return bias, *cross

    def _embed(self, mel: Tensor) -> Tensor:
        encoder = self.encoder
        x = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).transpose(1, 2)
        embedded: Tensor = x + encoder.embed_positions.weight[: x.shape[1]]
        return embedded

    def _layers(self, x: Tensor, begin: int = 0, end: int | None = None) -> list[Tensor]:
        """Return ``x`` and the states of each layer."""
        cut = self._heads(x)
        layers = [x]
        for layer in self.encoder.layers[begin:end]:
            attention, normed = layer.self_attn, layer.self_attn_layer_norm(x)
            queries = cut.queries(attention.q_proj(normed))
            mixed = cut.attend(queries, cut.split(attention.k_proj(normed)), cut.split(attention.v_proj(normed)))
            x = x + attention.out_proj(mixed)
            x = x + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))
            layers.append(x)
        return layers

    def _keys_values(self, encoded: Tensor) -> list[Tensor]:
        projections = [p for layer in self.cross for p in (layer.k_proj, layer.v_proj)]
        cut = self._heads(encoded)
        return [cut.split(projection(encoded)) for projection in projections]  # type: ignore[operator]

    def _heads(self, x: Tensor) -> Heads:
        return Heads(x.shape[0], x.shape[1], self.heads, self.width // self.heads)


class TranscriptDecoder(nn.Module):
    """Tokens, past and cross-attention keys and values → logits of the next token, and the new past.

    One graph serves the prompt (an empty past) and every later step.
    """

    def __init__(self, model: WhisperForConditionalGeneration) -> None:
        """Take the decoder of ``model``; its embedding is also its projection."""
        super().__init__()
        self.decoder = model.model.decoder
        self.heads: int = model.config.decoder_attention_heads
        self.width: int = model.config.d_model

    def forward(self, tokens: Tensor, cross_bias: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        """Decode one step.

        Args:
            tokens: ids not decoded yet (batch, new).
            cross_bias: as ``SpeechEncoder`` returns it.
            *memory: keys and values, layer by layer: first the past of the tokens before (batch, heads, old,
                width / heads; old may be 0), then the cross ones as ``SpeechEncoder`` returns them.

        Returns:
            logits: of the token that follows (batch, vocabulary).
            present_key_0, present_value_0, …: the past of the next step.
        """
        decoder = self.decoder
        past, cross = memory[: len(memory) // 2], memory[len(memory) // 2 :]
        old = past[0].shape[2]
        cut = Heads(tokens.shape[0], tokens.shape[1], self.heads, self.width // self.heads)
        embedding = decoder.embed_tokens.weight
        position = torch.arange(tokens.shape[1], device=tokens.device) + old
        x = F.embedding(tokens, embedding) + decoder.embed_positions.weight[position]
        key_position = torch.arange(old + tokens.shape[1], device=tokens.device)
        mask = torch.where(key_position[None] <= position[:, None], 0.0, -1e9)
        present = []
        for i, layer in enumerate(decoder.layers):
            own, normed = layer.self_attn, layer.self_attn_layer_norm(x)
            keys = torch.cat([past[2 * i], cut.split(own.k_proj(normed))], dim=2)
            values = torch.cat([past[2 * i + 1], cut.split(own.v_proj(normed))], dim=2)
            present += [keys, values]
            x = x + own.out_proj(cut.attend(cut.queries(own.q_proj(normed)), keys, values, mask))
            other = layer.encoder_attn
            query = cut.queries(other.q_proj(layer.encoder_attn_layer_norm(x)))
            x = x + other.out_proj(cut.attend(query, cross[2 * i], cross[2 * i + 1], cross_bias))
            x = x + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))
        return decoder.layer_norm(x)[:, -1] @ embedding.t(), *present


def sym_min(a: int, b: int) -> int:
    """The smaller of two lengths, also while tracing, where a length is a tensor."""
    return torch.minimum(a, torch.tensor(b)) if isinstance(a, Tensor) else min(a, b)


@dataclass(frozen=True)
class Heads:
    """How states are cut into heads: the same for every layer, so that a graph works out its sizes once.

    Attributes:
        batch: utterances.
        time: states of each.
        heads: parts that a state is cut into.
        width: of a part.
    """

    batch: int
    time: int
    heads: int
    width: int

    def split(self, x: Tensor) -> Tensor:
        """(batch, time, heads * width) → (batch, heads, time, width)."""
        return x.view(self.batch, self.time, self.heads, self.width).transpose(1, 2)

    def queries(self, x: Tensor) -> Tensor:
        """Return ``split`` of the scaled ``x``: onnxruntime's own scaled product is several times slower."""
        return self.split(x * self.width**-0.5)

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Dot-product attention of scaled queries (batch, heads, time, width) → (batch, time, heads * width)."""
        scores = queries @ keys.transpose(2, 3)
        if mask is not None:
            scores = scores + mask
        mixed = scores.softmax(-1) @ values
        return mixed.transpose(1, 2).reshape(self.batch, self.time, self.heads * self.width)
