"""The utterances of one channel, one after the other, each compared with those before it."""

from __future__ import annotations

from edge_runtime.baseline import Baseline
from edge_runtime.classifier import UtteranceClassifier
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.prediction import Segment


class RunningClassifier:
    """Classifies the utterances of a channel in turn. For one thread at a time.

    The baseline of an utterance is what was given at the start, and every finished utterance before it on the same
    channel; never itself, and never one that is still being spoken. So an answer depends on the sound before it, and
    not on the portions in which it came. With a bundle that takes no baseline each utterance stands alone.
    """

    def __init__(self, classify: UtteranceClassifier, baseline: Baseline | bool) -> None:
        """Begin.

        Args:
            classify: the classifier of one utterance.
            baseline: True begins with none, a baseline with that, which fits; False never has one.
        """
        self._classify = classify
        self._grows = baseline is not False
        self._baseline = baseline if isinstance(baseline, Baseline) else None

    def __call__(self, utterance: Utterance) -> Segment:
        """Classify ``utterance``, and let it count for the next ones if it is finished."""
        segment, pooled = self._classify.classify_and_pool(utterance, baseline=self._baseline)
        if self._grows and utterance.finished and pooled is not None:
            self._baseline = pooled if self._baseline is None else self._baseline + pooled
        return segment
