"""Recordings and streams of any length → utterances short enough for the models."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.inference.session import Session
from edge_runtime.inference.vad import (
    ENCODER_HOP,
    THRESHOLD,
    WINDOW,
    Bool,
    Float,
    StreamingVad,
    speech_mask,
)

MAX_SPEECH_DURATION_S = 15.0
MIN_UTTERANCE_S = 3.0
"""The paper's range (section 5.3)."""
MIN_SILENCE_DURATION_S = 0.5
"""A pause that ends an utterance of 3 s or more."""
LONG_SILENCE_DURATION_S = 1.0
"""A pause that ends a shorter one."""
SPEECH_PAD_S = 0.25
"""What is kept of the silence before and after speech."""
SPLIT_WINDOWS = 6
"""What is too long is split where the mean probability of speech over about 0.2 s is least."""

_SECOND = SAMPLE_RATE / WINDOW
MAX_SPEECH, MIN_UTTERANCE = int(MAX_SPEECH_DURATION_S * _SECOND), int(np.ceil(MIN_UTTERANCE_S * _SECOND))
MIN_SILENCE, LONG_SILENCE, SPEECH_PAD = (
    int(np.ceil(seconds * _SECOND)) for seconds in (MIN_SILENCE_DURATION_S, LONG_SILENCE_DURATION_S, SPEECH_PAD_S)
)
"""The same in windows."""


@dataclass(frozen=True)
class Utterance:
    """A piece of a recording.

    Attributes:
        start_s: where it begins.
        waveform: (samples,) at 16 kHz.
        speech_mask: for each 20 ms, whether it lies between the first and the last window of speech.
        finished: False of one that is still being spoken.
    """

    start_s: float
    waveform: Float
    speech_mask: Bool
    finished: bool = True

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return len(self.waveform) / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return (round(self.start_s * SAMPLE_RATE) + len(self.waveform)) / SAMPLE_RATE

    @property
    def speech_end_s(self) -> float:
        """Where its last window of speech ends."""
        return self.start_s + float(np.flatnonzero(self.speech_mask)[-1] + 1) * ENCODER_HOP / SAMPLE_RATE


class Segmenter:
    """Takes sound as it comes, and gives each utterance when it is over.

    An utterance begins with speech and ends with a pause: of 0.5 s once it is 3 s long, of 1 s while it is shorter,
    so that short ones are joined to what follows soon and stand alone where nothing does. After 15 s without an end it
    is split where speech is least likely, with at least 3 s on either side. So only what stands before a pause of 1 s,
    or ends the stream, is shorter than 3 s. Silence between utterances belongs to none, but for 0.25 s around each.

    What is given depends on the sound alone, not on the portions that it came in, but for the last digit of a
    probability of speech. Memory is that of one utterance.
    """

    def __init__(self, session: Session, *, provisional_s: float | None = None) -> None:
        """Find speech by the voice activity graph in ``session``.

        Args:
            session: of the slot ``vad``.
            provisional_s: seconds after which what is being said is given, unfinished, again and again; None: never.
        """
        self._session, self._vad = session, StreamingVad(session)
        self._provisional = None if provisional_s is None else max(1, round(provisional_s * _SECOND))
        self._rest = np.zeros(0, np.float32)
        # Windows that were given to no utterance yet, their probabilities of speech, and the number of the first.
        self._windows: list[Float] = []
        self._probabilities: list[float] = []
        self._first = 0
        self._last_speech = -1

    @property
    def watermark_s(self) -> float:
        """No utterance that is still to come begins before this time."""
        return self._first * WINDOW / SAMPLE_RATE

    def feed(self, samples: Float) -> Iterator[Utterance]:
        """Take ``samples`` (n,) at 16 kHz, any number, and yield the utterances that are over with them."""
        sound = np.concatenate([self._rest, samples])
        whole = len(sound) // WINDOW * WINDOW
        self._rest = sound[whole:].copy()
        yield from self._take(sound[:whole].reshape(-1, WINDOW))

    def flush(self) -> Iterator[Utterance]:
        """Yield what was being said when the stream ended."""
        total = (self._first + len(self._windows)) * WINDOW + len(self._rest)
        self._provisional = None
        if len(self._rest):
            last = np.pad(self._rest, (0, WINDOW - len(self._rest)))
            self._rest = self._rest[:0]
            yield from self._take(last[None])
        if self._last_speech >= self._first:
            yield from self._finish(min(self._length, len(self._windows)), total=total)

    @property
    def _length(self) -> int:
        return self._last_speech + 1 + SPEECH_PAD - self._first

    def _take(self, windows: Float) -> Iterator[Utterance]:
        for window, probability in zip(windows, self._vad(windows), strict=True):
            yield from self._take_one(window, probability)

    def _take_one(self, window: Float, probability: float) -> Iterator[Utterance]:
        number = self._first + len(self._windows)
        self._windows.append(window.copy())  # not a view that keeps all that came with it
        self._probabilities.append(probability)
        if self._probabilities[-1] >= THRESHOLD:
            self._last_speech = number
        if self._last_speech < self._first:
            self._drop_silence()
        elif number - self._last_speech >= (MIN_SILENCE if self._length >= MIN_UTTERANCE else LONG_SILENCE):
            yield from self._finish(self._length)
        elif len(self._windows) == MAX_SPEECH:
            yield from self._finish(self._split_point())
        elif self._provisional and len(self._windows) % self._provisional == 0:
            yield from self._utterance(np.concatenate(self._windows), finished=False)

    def _finish(self, windows: int, total: int | None = None) -> Iterator[Utterance]:
        waveform = np.concatenate(self._windows[:windows])
        if total is not None:
            waveform = waveform[: total - self._first * WINDOW]
        yield from self._utterance(waveform, finished=True)
        self._drop(windows)
        if self._last_speech < self._first:
            self._drop_silence()

    def _utterance(self, waveform: Float, *, finished: bool) -> Iterator[Utterance]:
        # Levelled to the peak of the utterance, as in training: an utterance that is cut out has the same answer alone.
        # The probabilities of the stream, levelled to what came before, would also let twice as much noise pass.
        mask = speech_mask(self._session, waveform)
        if mask.any():
            yield Utterance(self.watermark_s, waveform, mask, finished)

    def _drop_silence(self) -> None:
        """Where nobody speaks, the padding of the next utterance is enough."""
        self._drop(len(self._windows) - SPEECH_PAD)

    def _drop(self, windows: int) -> None:
        if windows > 0:
            del self._windows[:windows], self._probabilities[:windows]
            self._first += windows

    def _split_point(self) -> int:
        """Return how many windows to cut off: up to the middle of the stretch least like speech, 3 s from each end."""
        margin = MIN_UTTERANCE - SPLIT_WINDOWS // 2
        inner = np.array(self._probabilities[margin : MAX_SPEECH - margin])
        means = np.convolve(inner, np.full(SPLIT_WINDOWS, 1 / SPLIT_WINDOWS), mode="valid")
        return MIN_UTTERANCE + len(means) - 1 - int(np.argmin(means[::-1]))


def utterances(blocks: Iterable[Float], session: Session) -> Iterator[Utterance]:
    """Cut a recording that comes in ``blocks`` (samples,) at 16 kHz, by the voice activity graph in ``session``.

    What is at most 15 s long is one utterance, from its first sample to its last, also where nobody speaks. What is
    longer goes through a ``Segmenter``.
    """
    source, begin, samples = iter(blocks), [], 0
    for block in source:
        begin.append(block)
        samples += len(block)
        if samples > MAX_SPEECH_DURATION_S * SAMPLE_RATE:
            break
    else:
        if samples:
            whole = np.concatenate(begin)
            yield Utterance(0.0, whole, speech_mask(session, whole))
        return
    segmenter = Segmenter(session)
    for block in itertools.chain(begin, source):
        yield from segmenter.feed(block)
    yield from segmenter.flush()
