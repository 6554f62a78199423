"""The very voice and words branches and fusion, in torch, as a user of torch would run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from trainer.fusion.network import FusionEmotion
from trainer.speech.network import SpeechEmotion, pool
from trainer.text.network import TextEmotion

PEAK, QUIETEST_PEAK = 0.5, 1e-3
STATE = 320


class Branches:
    """Speech emotion on an encoder's states, text emotion on a transcript, and both fused."""

    def __init__(self, checkpoints: Path) -> None:
        """Load what `trainer fit` wrote."""
        speech, fusion, encoder = (
            json.loads((checkpoints / name).read_text(encoding="utf-8"))
            for name in ("speech/config.json", "fusion/config.json", "text/encoder.json")
        )
        self.labels: list[str] = speech["labels"]
        count = len(self.labels)
        self.speech = SpeechEmotion(count, width=speech["width"])
        self.text = TextEmotion(AutoModel.from_config(AutoConfig.for_model(**encoder), add_pooling_layer=False), count)
        self.fusion = FusionEmotion(count, speech=fusion["speech_width"], text=fusion["text_width"])
        networks = {"speech": self.speech, "text": self.text, "fusion": self.fusion}
        for part, network in networks.items():
            network.load_state_dict(safetensors.torch.load_file(checkpoints / part / "weights.safetensors"))
            network.eval()
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(checkpoints / "text" / "tokenizer.json"))

    def __call__(self, states: tuple[Tensor, ...], samples: int, transcript: str) -> str:
        """Return the fused label.

        Args:
            states: of every encoder layer but the last norm, each (1, states, width).
            samples: length of the waveform; what the encoder was padded with is not pooled.
            transcript: what was recognised.
        """
        hidden = torch.stack(states, 1)[:, :, : -(-samples // STATE)]
        _, voice = self.speech(pool(hidden, torch.ones(1, hidden.shape[2])))
        words = self.tokenizer(transcript, return_tensors="pt")
        return self.fuse(voice, self.text(words["input_ids"], words["attention_mask"])[1], bool(transcript))

    def fuse(self, voice: Tensor, words: Tensor, has_words: bool) -> str:
        """Return the label of both second-to-last layers."""
        logits, _ = self.fusion(voice, words, torch.tensor([[1.0, float(has_words)]]))
        return self.labels[int(logits.argmax())]


def level(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a waveform to the peak that speech emotion was trained at."""
    return waveform * (PEAK / max(float(np.abs(waveform).max(initial=0.0)), QUIETEST_PEAK))


def encoder_states(encoded: Any) -> tuple[Tensor, ...]:
    """Return the states that speech emotion reads, of a transformers encoder's output.

    The last of them went through the encoder's final norm there; the branch does not read that layer.
    """
    states: tuple[Tensor, ...] = encoded.hidden_states
    return states
