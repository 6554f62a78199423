"""A recording of any length → its utterances one after the other, in constant memory."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Literal

from edge_runtime.audio.recording import Recording
from edge_runtime.classifier import Heard
from edge_runtime.errors import AudioError
from edge_runtime.inference.segmenter import Segmenter, Utterance
from edge_runtime.inference.session import Session
from edge_runtime.prediction import Segment, notes_of
from edge_runtime.running import RunningClassifier
from edge_runtime.together import Together

Channels = Literal["mix", "split"]
NewClassifier = Callable[["int | None"], RunningClassifier]
"""Makes the classifier of a channel, of its number, or of None where channels are mixed."""


class Timeline(Iterator[Segment]):
    """The utterances of a recording in the order of their beginnings; so many at a time as are decoded together.

    It is read once: an utterance is compared with those before it on its channel, its words may be read after those
    that were said before on any channel, and no answer is changed later.

    Attributes:
        name: of the recording, for messages.
    """

    def __init__(
        self, recording: Recording, vad: Session, new_classifier: NewClassifier, together: Together, *, split: bool
    ) -> None:
        """Begin, with a classifier for each channel; ``IEmoNet.timeline`` is the usual way to get here."""
        self.name = recording.name
        self._recording, self._together = recording, together
        self._count, self._noted = 0, Counter[str]()
        self._segments = self._by_channel(vad, new_classifier) if split else self._mixed(vad, new_classifier)

    def __next__(self) -> Segment:
        """Return the next utterance.

        Raises:
            AudioError: the recording holds samples that are no numbers, or could not be decoded.
        """
        segment = next(self._segments)
        self._count += 1
        self._noted.update(segment.notes)
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
        return (*self._recording.notes, *notes_of(self._noted, self._count))

    def _mixed(self, vad: Session, new_classifier: NewClassifier) -> Iterator[Segment]:
        segmenter, classify = Segmenter(vad), new_classifier(None)

        def heard() -> Iterator[tuple[None, Heard]]:
            for block in self._recording.blocks():
                yield from ((None, classify.hear(utterance)) for utterance in segmenter.feed(block))
            yield from ((None, classify.hear(utterance)) for utterance in segmenter.flush())

        for _, one, words in self._together(heard()):
            yield classify.judge(one, words)

    def _by_channel(self, vad: Session, new_classifier: NewClassifier) -> Iterator[Segment]:
        segmenters = {number: Segmenter(vad) for number in range(1, self._recording.channels + 1)}
        classifiers = {number: new_classifier(number) for number in segmenters}

        def heard() -> Iterator[tuple[tuple[int, float], Heard]]:
            watermark_s = 0.0
            for block in self._recording.blocks(split=True):
                over = [(u, number) for number, each in segmenters.items() for u in each.feed(block[:, number - 1])]
                yield from take(over, watermark_s)
                watermark_s = min(each.watermark_s for each in segmenters.values())
            yield from take([(u, number) for number, each in segmenters.items() for u in each.flush()], watermark_s)

        def take(over: list[tuple[Utterance, int]], watermark_s: float) -> Iterator[tuple[tuple[int, float], Heard]]:
            # In the order of their ends: what was over when an utterance began is then known, whatever came at once.
            for utterance, number in sorted(over, key=lambda pair: (pair[0].end_s, pair[1])):
                yield (number, watermark_s), classifiers[number].hear(utterance)

        # Of utterances that are over, those are held back that another channel could still go before.
        pending: list[tuple[float, int, Segment]] = []
        error = None
        try:
            for (number, watermark_s), one, words in self._together(heard()):
                while pending and pending[0][0] < watermark_s:
                    yield heapq.heappop(pending)[-1]
                segment = replace(classifiers[number].judge(one, words), channel=number)
                heapq.heappush(pending, (one.utterance.start_s, number, segment))
        except AudioError as reason:
            error = reason
        while pending:
            yield heapq.heappop(pending)[-1]
        if error is not None:
            raise error
