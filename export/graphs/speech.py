"""The voice's graphs: hidden states of the speech encoder, or the waveform itself → logits, embedding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.graphs.torch_export import BATCHED, OUTPUTS, Graph
from trainer.pretrained.whisper import SAMPLE_RATE
from trainer.speech.bilstm import AttentionBiLSTM
from trainer.speech.is09 import IS09
from trainer.speech.modality import WINDOWS
from trainer.speech.network import SpeechEmotion, SpeechEmotionGraph


def states_graph(network: SpeechEmotion, layers: int) -> Graph:
    """Return hidden states (of ``layers`` layers and the input), their spoken part, and a baseline → logits, embedding
    and the recording's own row of a baseline."""
    return Graph(
        SpeechEmotionGraph(network),
        (
            torch.randn(1, layers + 1, 90, network.width),
            torch.ones(1, 90),
            torch.randn(1, 3, network.features),
            torch.tensor([[1.0, 2.0, 3.0]]),
        ),
        ["hidden_states", "spoken", "baseline", "baseline_s"],
        [*OUTPUTS, "pooled"],
        {
            "hidden_states": {0: "batch", 2: "states"},
            "spoken": {0: "batch", 1: "states"},
            "baseline": {0: "batch", 1: "recordings"},
            "baseline_s": {0: "batch", 1: "recordings"},
            **BATCHED,
            "pooled": {0: "batch"},
        },
    )


class WaveformEmotion(nn.Module):
    """The paper's speech network with its features in front: waveform → IS09 → TDNN, BiLSTM, attention → logits."""

    def __init__(self, network: AttentionBiLSTM) -> None:
        """Put the features before a trained ``network``."""
        super().__init__()
        self.features, self.network = IS09(max_windows=WINDOWS), network

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, labels) and the second-to-last layer of waveforms (batch, samples) at 16 kHz."""
        windows = self.features(waveform)
        if not self.network.masked:  # trained with padding as sound, as the paper does
            windows = F.pad(windows, (0, 0, 0, WINDOWS - windows.shape[1]))
        logits, embedding = self.network(windows, torch.ones_like(windows[:, :, 0]))
        return logits, embedding


def waveform_graph(network: AttentionBiLSTM) -> Graph:
    """Return waveform → logits, embedding; features and standardisation are inside the graph."""
    return Graph(
        WaveformEmotion(network),
        (0.1 * torch.randn(1, 2 * SAMPLE_RATE + 123),),
        ["waveform"],
        OUTPUTS,
        {"waveform": {0: "batch", 1: "samples"}, **BATCHED},
    )
