"""A recording of any length → its utterances one after the other, in constant memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Literal

from edge_runtime.audio.recording import Recording
from edge_runtime.inference.segmenter import Segmenter, Utterance
from edge_runtime.inference.session import Session
from edge_runtime.prediction import DOUBTFUL, Segment, doubt
from edge_runtime.running import RunningClassifier

Channels = Literal["mix", "split"]


class Timeline(Iterator[Segment]):
    """The utterances of a recording in the order of their beginnings; each is classified when it is asked for.

    It is read once: an utterance is compared with those before it on its channel, and no answer is changed later.

    Attributes:
        name: of the recording, for messages.
    """

    def __init__(
        self, recording: Recording, vad: Session, new_classifier: Callable[[], RunningClassifier], *, split: bool
    ) -> None:
        """Begin, with a classifier for each channel; ``IEmoNet.timeline`` is the usual way to get here."""
        self.name = recording.name
        self._recording = recording
        self._count = self._doubtful = 0
        self._segments = self._by_channel(vad, new_classifier) if split else self._mixed(vad, new_classifier())

    def __next__(self) -> Segment:
        """Return the next utterance.

        Raises:
            AudioError: the recording holds samples that are no numbers, or could not be decoded.
        """
        segment = next(self._segments)
        self._count += 1
        self._doubtful += DOUBTFUL in segment.notes
        return segment

    @property
    def duration_s(self) -> float:
        """Seconds read so far; when the last utterance was given, the length of the recording."""
        return self._recording.duration_s

    @property
    def header_duration_s(self) -> float | None:
        """Length as it is known before all is read; None where it is not."""
        return self._recording.header_duration_s

    @property
    def promised_s(self) -> float | None:
        """The old name of ``header_duration_s``, until version 0.3."""
        import_module("edge_runtime.deprecated").warn_renamed("Timeline.promised_s", "header_duration_s")
        return self.header_duration_s

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about the recording, such as that it ends early; complete at the end."""
        return (*self._recording.notes, *doubt(self._doubtful, self._count))

    def _mixed(self, vad: Session, classify: RunningClassifier) -> Iterator[Segment]:
        segmenter = Segmenter(vad)
        for block in self._recording.blocks():
            yield from map(classify, segmenter.feed(block))
        yield from map(classify, segmenter.flush())

    def _by_channel(self, vad: Session, new_classifier: Callable[[], RunningClassifier]) -> Iterator[Segment]:
        segmenters = [Segmenter(vad) for _ in range(self._recording.channels)]
        classifiers = [new_classifier() for _ in segmenters]

        def segment(utterance: Utterance, channel: int) -> Segment:
            return replace(classifiers[channel - 1](utterance), channel=channel)

        # Of utterances that are over, those are held back that another channel could still go before.
        pending: list[tuple[float, int, Segment]] = []
        for block in self._recording.blocks(split=True):
            for channel, segmenter in enumerate(segmenters, start=1):
                for utterance in segmenter.feed(block[:, channel - 1]):
                    heapq.heappush(pending, (utterance.start_s, channel, segment(utterance, channel)))
            watermark_s = min(segmenter.watermark_s for segmenter in segmenters)
            while pending and pending[0][0] < watermark_s:
                yield heapq.heappop(pending)[-1]
        for channel, segmenter in enumerate(segmenters, start=1):
            for utterance in segmenter.flush():
                heapq.heappush(pending, (utterance.start_s, channel, segment(utterance, channel)))
        while pending:
            yield heapq.heappop(pending)[-1]
