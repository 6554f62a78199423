"""Sound as it comes → each utterance and its emotion, as soon as the utterance is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.audio.resample import Resampler
from edge_runtime.audio.validation import SupportsArray, check_format, to_array, to_float32, to_sample_rate
from edge_runtime.inference.segmenter import Segmenter, Utterance
from edge_runtime.inference.session import Session
from edge_runtime.prediction import Segment


@dataclass(frozen=True)
class Event:
    """An utterance that is over, or is still being spoken.

    Attributes:
        segment: where the utterance is, and its answers.
        final: False while it is still being spoken; a later event covers more of the same utterance.
        latency_s: seconds from the end of speech to this answer: the pause that ended the utterance, and the time
            that the models took. At the end of a stream there is no such pause.
    """

    segment: Segment
    final: bool
    latency_s: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts and lists, ready for JSON."""
        return {"segment": self.segment.to_dict(), "final": self.final, "latency_s": self.latency_s}


class Stream:
    """Takes audio in portions of any size, on which the answers do not depend. For one thread at a time.

    An utterance is compared with the finished ones before it; an answer that was given is not changed later.
    """

    def __init__(
        self, vad: Session, classify: Callable[[Utterance], Segment], sample_rate: float, *, provisional_s: float | None
    ) -> None:
        """Begin; ``IEmoNet.stream`` is the usual way to get here."""
        self._rate = to_sample_rate(sample_rate, name="stream")
        check_format("stream", self._rate, 1)
        if provisional_s is not None and not provisional_s > 0:
            raise ValueError(f"provisional_s={provisional_s}: give a number of seconds above 0, or None")
        self._received, self._closed = 0, False
        self._resample = Resampler(self._rate, SAMPLE_RATE, name="stream")
        self._segmenter = Segmenter(vad, provisional_s=provisional_s)
        self._classify = classify

    @property
    def duration_s(self) -> float:
        """Seconds received so far."""
        return self._received / self._rate

    def feed(self, samples: NDArray[Any] | SupportsArray, *, arrived: float | None = None) -> list[Event]:
        """Take more audio.

        Args:
            samples: (n,) or (n, channels), which are mixed; floats, or integers of 8, 16 or 32 bits; any n.
            arrived: when the last of them came, by ``time.perf_counter``, if they had to wait: for the latency.

        Raises:
            AudioError: of an unusable shape or type, or a sample is not a number or infinite. The stream can go on
                with other samples.
            ValueError: the stream was closed.
        """
        now = time.perf_counter() if arrived is None else arrived
        if self._closed:
            raise ValueError("the stream was closed; begin another one")
        array = to_array(samples, name="stream")
        check_format("stream", self._rate, 1 if array.ndim == 1 else array.shape[1])
        ready = self._resample(to_float32(array))
        self._received += len(array)
        return self._events(self._segmenter.feed(ready), now)

    def close(self) -> list[Event]:
        """End the stream and answer the utterance that was still being spoken."""
        now = time.perf_counter()
        if self._closed:
            return []
        self._closed = True
        rest = self._events(self._segmenter.feed(self._resample.flush()), now)
        return rest + self._events(self._segmenter.flush(), now)

    def _events(self, utterances: Iterable[Utterance], now: float) -> list[Event]:
        events = []
        for utterance in utterances:
            segment = self._classify(utterance)
            waited = self.duration_s - utterance.speech_end_s
            latency_s = max(0.0, waited) + time.perf_counter() - now
            events.append(Event(segment, utterance.finished, round(latency_s, 4)))
        return events
