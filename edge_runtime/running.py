"""The utterances of one channel, one after the other, each after those before it."""

from __future__ import annotations

from edge_runtime.baseline import Baseline
from edge_runtime.classifier import Heard, UtteranceClassifier
from edge_runtime.conversation import Conversation
from edge_runtime.inference.asr import Transcript
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.prediction import Segment


class RunningClassifier:
    """Classifies the utterances of a channel in turn. For one thread at a time.

    The baseline of an utterance is what was given at the start, and every finished utterance before it on the same
    channel; never itself, and never one that is still being spoken. So an answer depends on the sound before it, and
    not on the portions in which it came. The words' context, if the conversation remembers any, is what was over when
    the utterance began, on any channel. With a bundle that takes no baseline and reads no context each utterance stands
    alone.
    """

    def __init__(
        self,
        classify: UtteranceClassifier,
        baseline: Baseline | bool,
        conversation: Conversation,
        channel: int | None = None,
    ) -> None:
        """Begin.

        Args:
            classify: the classifier of one utterance.
            baseline: True begins with none, a baseline with that, which fits; False never has one.
            conversation: what all channels say, which grows by this one.
            channel: the number of the channel, from 1; None where channels are mixed.
        """
        self._classify, self._conversation, self._channel = classify, conversation, channel
        self._grows = baseline is not False
        self._baseline = baseline if isinstance(baseline, Baseline) else None

    def __call__(self, utterance: Utterance) -> Segment:
        """Classify ``utterance``, and let it count for the next ones if it is finished."""
        heard = self.hear(utterance)
        return self.judge(heard, self._classify.recognise(heard))

    def hear(self, utterance: Utterance) -> Heard:
        """Hear ``utterance``, and let it count for the next ones if it is finished; its words are recognised later."""
        heard = self._classify.hear(utterance, baseline=self._baseline)
        if self._grows and utterance.finished and heard.pooled is not None:
            self._baseline = heard.pooled if self._baseline is None else self._baseline + heard.pooled
        return heard

    def judge(self, heard: Heard, words: Transcript) -> Segment:
        """Return the answer, and let the ``words`` count for the next ones; in the order in which all were heard."""
        context = self._conversation.before(heard.utterance.start_s, self._channel)
        segment = self._classify.judge(heard, words, context)
        if heard.utterance.finished:
            self._conversation.add(segment, self._channel)
        return segment
