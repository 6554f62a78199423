"""Whether the runtime, with exact graphs, says what the networks say in torch: the whole way, not graph by graph."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_runtime.inference.segmenter import MAX_SPEECH_DURATION_S
from export.assemble import TRIED, Composition
from export.evaluation.compare import Answers
from export.evaluation.data import Samples
from export.graphs.torch_export import Graph
from trainer.errors import ExportError
from trainer.pretrained.whisper import SAMPLE_RATE

TOLERANCE = 1e-3
"""Of a probability."""


@torch.no_grad()
def check(made: Composition, exact: Answers, tried: Samples) -> float:
    """Return by how much a probability differs at most, of the recordings and sentences that torch ran too.

    Args:
        made: the networks, and the real inputs that torch prepared: its own features, tokens and spoken parts.
        exact: what the runtime says with exact graphs.
        tried: the samples that both saw.

    Raises:
        ExportError: by more than ``TOLERANCE``.
    """
    heard = [row for row, s in enumerate(tried.items) if s.waveform is not None][:TRIED]
    read = [row for row, s in enumerate(tried.items) if s.words][:TRIED]
    worst = 0.0
    for view, rows, slot in (("voice", heard, "speech_emotion"), ("words", read, "text_emotion")):
        if slot not in made.slots:
            continue
        for row, feed in zip(rows, made.feeds[slot], strict=True):
            waveform = tried.items[row].waveform
            whole = view == "words" or (waveform is not None and len(waveform) <= MAX_SPEECH_DURATION_S * SAMPLE_RATE)
            if whole and row in exact.rows[view]:
                expected = _voice(made, feed) if view == "voice" else _words(made, feed)
                found = exact.scores[view][exact.rows[view].index(row)]
                worst = max(worst, float(np.abs(found - expected).max()))
    if not worst <= TOLERANCE:
        raise ExportError(f"the runtime's scores differ by {worst:.1e} from what the trained networks say in torch")
    return worst


def _voice(made: Composition, feed: tuple[Tensor, ...]) -> NDArray[np.float32]:
    logits, _ = _run(made, "speech_emotion", feed)
    return _softmax(logits, made.calibration["speech"])


def _words(made: Composition, feed: tuple[Tensor, ...]) -> NDArray[np.float32]:
    logits, embedding = _run(made, "text_emotion", feed)
    temperature = made.calibration.get("fusion_text_only")
    if temperature is None:
        return _softmax(logits, made.calibration["text"])
    block = made.slots["fusion"]
    assert isinstance(block, Graph)
    voice = torch.zeros_like(block.example[0])
    return _softmax(block.module(voice, embedding, torch.tensor([[0.0, 1.0]])), temperature)


def _run(made: Composition, slot: str, feed: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    graph = made.slots[slot]
    assert isinstance(graph, Graph)
    logits, embedding = graph.module.eval()(*feed)
    return logits, embedding


def _softmax(logits: Tensor, temperature: float) -> NDArray[np.float32]:
    result: NDArray[np.float32] = (logits[0] / temperature).softmax(0).numpy()
    return result
