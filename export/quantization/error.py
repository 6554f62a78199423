"""The error of a quantized graph against the fp32 one, on inputs like those that it will get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from edge_runtime.inference.onnx_runtime import ort
from export.evaluation.agreement import accuracy, label_agreement
from export.graphs.torch_export import OUTPUTS
from export.quantization.quantize import NamedFeed
from trainer.errors import ExportError

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, order=True)
class QuantizationError:
    """What was lost; the larger the worse.

    Attributes:
        points: percentage points, of labels that changed or of accuracy; limits are about these.
        distance: by how much a label's probability moves on average; ranks graphs that lose the same points.
    """

    points: float
    distance: float


ErrorMetric = Callable[[Path], QuantizationError]


class GraphError:
    """An ``ErrorMetric``: labels that change, or accuracy that is lost where the truth is known."""

    def __init__(
        self,
        exact: Path,
        feeds: Sequence[NamedFeed],
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
            margin: without the truth, a label whose two best probabilities lie closer than this may change.
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

    def __call__(self, path: Path) -> QuantizationError:
        """Return the error of the graph at ``path``; one that gives no numbers loses everything."""
        return self.error(self.scores(path))

    def error(self, scores: NDArray[np.float64]) -> QuantizationError:
        """Return the error of scores (rows, labels) against the fp32 graph's."""
        if not np.isfinite(scores).all():
            return QuantizationError(100.0, 1.0)
        found = label_agreement(softmax(self.exact, axis=-1), softmax(scores, axis=-1), margin=self.margin)
        if self.truth is None:
            points = found.clear_labels_changed / found.n
        else:
            before, after = (accuracy(self.truth, given.argmax(-1)) for given in (self.exact, scores))
            points = max(0.0, *(before[name] - after[name] for name in before))
        return QuantizationError(100 * points, found.mean_difference)

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
