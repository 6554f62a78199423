"""Measures what a converted graph loses against the fp32 one, on inputs that are like those it will see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.onnx_runtime import ort
from export.graphs.torch_export import OUTPUTS
from export.quantization.eight_bits import Feed
from trainer.errors import ExportError
from trainer.metrics import unweighted_accuracy, weighted_accuracy


@dataclass(frozen=True, order=True)
class Loss:
    """What was lost; the larger the worse.

    Attributes:
        points: percentage points, of labels that changed or of accuracy; what limits are about.
        distance: by how much a label's share of the softmax moves on average; tells apart what loses the same points.
    """

    points: float
    distance: float


Judge = Callable[[Path], Loss]
Array = NDArray[np.floating[Any]]


class Agreement:
    """A ``Judge``: labels that change, or accuracy that is lost where the truth is known."""

    def __init__(
        self,
        exact: Path,
        feeds: Sequence[Feed],
        *,
        truth: Sequence[int] | None = None,
        margin: float = 0.0,
        output: str = "logits",
        answer: Callable[[Array, Array], Array] | None = None,
    ) -> None:
        """Run the fp32 graph once.

        Args:
            exact: the fp32 graph.
            feeds: named inputs, each of any batch.
            truth: the right label of each row of all feeds, as an index; with it WA and UA count, and the larger loss
                of both; a gain counts as 0.
            margin: without the truth, a label whose two best shares lie closer than this may change for nothing.
            output: the output that holds a score for each label on its last axis.
            answer: makes such scores of a branch's logits and embedding instead, as the bundle will.

        Raises:
            ExportError: there are no feeds, or not as many labels as rows.
        """
        self.feeds, self.output, self.margin, self.answer = feeds, output, margin, answer
        if not feeds:
            raise ExportError(f"{exact}: nothing to measure on")
        self.exact = self.scores(exact)
        self.truth = None if truth is None else np.asarray(truth)
        if self.truth is not None and len(self.truth) != len(self.exact):
            raise ExportError(f"{exact}: {len(self.truth)} labels for {len(self.exact)} rows of inputs")

    def __call__(self, path: Path) -> Loss:
        """Return what the graph at ``path`` loses; one that gives no numbers loses everything."""
        return self.loss(self.scores(path))

    def loss(self, scores: NDArray[np.float64]) -> Loss:
        """Return what scores (rows, labels) lose against the fp32 graph's."""
        if not np.isfinite(scores).all():
            return Loss(100.0, 1.0)
        if self.truth is None:
            changed = self.exact.argmax(-1) != scores.argmax(-1)
            best = np.sort(_softmax(self.exact), axis=-1)
            points = float(np.mean(changed & (best[:, -1] - best[:, -2] >= self.margin)))
        else:
            before, after = accuracy(self.truth, self.exact), accuracy(self.truth, scores)
            points = max(0.0, *(before[name] - after[name] for name in before))
        return Loss(100 * points, float(np.abs(_softmax(scores) - _softmax(self.exact)).mean()))

    def scores(self, path: Path) -> NDArray[np.float64]:
        """Return the scores (rows, labels) that the graph at ``path`` gives."""
        options = ort.SessionOptions()
        options.log_severity_level = 3
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        if self.answer is None:
            found = [session.run([self.output], dict(feed))[0] for feed in self.feeds]
        else:
            found = [self.answer(*session.run(OUTPUTS, dict(feed))) for feed in self.feeds]
        return np.concatenate([np.asarray(f, np.float64).reshape(-1, f.shape[-1]) for f in found])


def accuracy(truth: NDArray[np.intp], scores: NDArray[np.float64]) -> dict[str, float]:
    """Return WA and UA of scores (n, labels)."""
    said = scores.argmax(-1)
    return {"wa": weighted_accuracy(truth, said), "ua": unweighted_accuracy(truth, said)}


def _softmax(x: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(x - x.max(-1, keepdims=True))
    shares: NDArray[np.float64] = e / e.sum(-1, keepdims=True)
    return shares
