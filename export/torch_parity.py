"""Whether the runtime, with the exact graphs, answers as the networks do in torch; the whole way, not by graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_runtime.inference.segmenter import MAX_SPEECH_DURATION_S
from export.assemble import REFERENCE_INPUTS
from export.evaluation.compare import Answer
from export.evaluation.data import EvaluationSet
from export.graphs.bundle_graphs import BundleGraphs
from export.graphs.torch_export import Graph
from trainer.errors import ExportError
from trainer.pretrained.whisper import SAMPLE_RATE

TOLERANCE = 1e-3
"""Of a probability."""


@torch.no_grad()
def check(graphs: BundleGraphs, exact: Sequence[Answer], evaluation: EvaluationSet) -> float:
    """Return by how much a probability differs at most, of the recordings and sentences that torch ran too.

    Args:
        graphs: the networks, and the real inputs that torch prepared: its own features, tokens and speech masks.
        exact: the runtime's answers with the exact graphs.
        evaluation: the samples that both got.

    Raises:
        ExportError: by more than ``TOLERANCE``.
    """
    samples = evaluation.samples
    # A longer recording is cut into utterances by the runtime, and is one input to torch.
    longest = MAX_SPEECH_DURATION_S * SAMPLE_RATE
    sounds = [row for row, s in enumerate(samples) if s.audio is not None][:REFERENCE_INPUTS]
    texts = [row for row, s in enumerate(samples) if s.transcript][:REFERENCE_INPUTS]
    worst = 0.0
    for output, rows, expected in (("speech", sounds, _speech), ("text", texts, _text)):
        slot = f"{output}_emotion"
        for row, feed in zip(rows, graphs.feeds[slot], strict=True) if slot in graphs.slots else ():
            scores, waveform = exact[row].scores.get(output), samples[row].waveform
            whole = output == "text" or (waveform is not None and len(waveform) <= longest)
            if scores is not None and whole:
                found = np.array(list(scores.scores.values()))
                worst = max(worst, float(np.abs(found - expected(graphs, feed)).max()))
    if not worst <= TOLERANCE:
        raise ExportError(f"the runtime's scores differ by {worst:.1e} from those of the trained networks in torch")
    return worst


def _speech(graphs: BundleGraphs, feed: tuple[Tensor, ...]) -> NDArray[np.float32]:
    logits, _ = _run(graphs, "speech_emotion", feed)
    return _softmax(logits, graphs.temperatures["speech"])


def _text(graphs: BundleGraphs, feed: tuple[Tensor, ...]) -> NDArray[np.float32]:
    logits, embedding = _run(graphs, "text_emotion", feed)
    temperature = graphs.temperatures.get("fusion_text_only")
    if temperature is None:
        return _softmax(logits, graphs.temperatures["text"])
    block = graphs.slots["fusion"]
    assert isinstance(block, Graph)
    no_speech = torch.zeros_like(block.example[0])
    return _softmax(block.module(no_speech, embedding, torch.tensor([[0.0, 1.0]])), temperature)


def _run(graphs: BundleGraphs, slot: str, feed: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    graph = graphs.slots[slot]
    assert isinstance(graph, Graph)
    logits, embedding, *_ = graph.module.eval()(*feed)
    return logits, embedding


def _softmax(logits: Tensor, temperature: float) -> NDArray[np.float32]:
    result: NDArray[np.float32] = (logits[0] / temperature).softmax(0).numpy()
    return result
