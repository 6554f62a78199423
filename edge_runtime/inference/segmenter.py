"""Recordings and streams of any length → utterances short enough for the models."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.inference.session import Session
from edge_runtime.inference.streaming_vad import VoiceStream
from edge_runtime.inference.vad import STATE, THRESHOLD, WINDOW, Bool, Float, VoiceActivity, spoken_part

LONGEST_S = 15.0
SHORTEST_S = 3.0
"""The paper's range (section 5.3)."""
PAUSE_S = 0.5
"""A pause that ends an utterance of 3 s or more."""
LONG_PAUSE_S = 1.0
"""A pause that ends a shorter one."""
MARGIN_S = 0.25
"""What is kept of the silence before and after a voice."""
CALM_WINDOWS = 6
"""What is too long is cut where the mean probability of speech over about 0.2 s is least."""

_SECOND = SAMPLE_RATE / WINDOW
LONGEST, SHORTEST = int(LONGEST_S * _SECOND), int(np.ceil(SHORTEST_S * _SECOND))
PAUSE, LONG_PAUSE, MARGIN = (int(np.ceil(s * _SECOND)) for s in (PAUSE_S, LONG_PAUSE_S, MARGIN_S))


@dataclass(frozen=True)
class Utterance:
    """A piece of a recording.

    Attributes:
        start_s: where it begins.
        waveform: (samples,) at 16 kHz.
        spoken: for each 20 ms, whether it lies between the first and the last sound of a voice.
        finished: False of one that is still being spoken.
    """

    start_s: float
    waveform: NDArray[np.float32]
    spoken: Bool
    finished: bool = True

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return (round(self.start_s * SAMPLE_RATE) + len(self.waveform)) / SAMPLE_RATE

    @property
    def voice_end_s(self) -> float:
        """Where the last sound of a voice ends."""
        return self.start_s + float(np.flatnonzero(self.spoken)[-1] + 1) * STATE / SAMPLE_RATE


class Segmenter:
    """Takes sound as it comes, and gives each utterance when it is over.

    An utterance begins with a voice and ends with a pause: of 0.5 s once it is 3 s long, of 1 s while it is shorter,
    so that short ones are joined to what follows soon and stand alone where nothing does. After 15 s without an end it
    is cut at its calmest place, with at least 3 s on either side. So only what stands before a pause of 1 s, or ends
    the stream, is shorter than 3 s. Silence between utterances belongs to none, but for 0.25 s around each.

    What is given depends on the sound alone, never on the portions that it came in. Memory is that of one utterance.
    """

    def __init__(self, session: Session, *, provisional_s: float | None = None) -> None:
        """Listen by the voice activity graph in ``session``.

        Args:
            session: of the slot ``vad``.
            provisional_s: seconds after which what is being said is given, unfinished, again and again; None: never.
        """
        self._voice, self._vad = VoiceStream(session), VoiceActivity(session)
        self._every = None if provisional_s is None else max(1, round(provisional_s * _SECOND))
        self._rest, self._filled = np.zeros(WINDOW, np.float32), 0
        # Windows that were given to no utterance yet, how likely each speaks, and the number of the first.
        self._kept: list[Float] = []
        self._probabilities: list[float] = []
        self._first = 0
        self._last_voice = -1

    @property
    def settled_s(self) -> float:
        """No utterance that is still to come begins before this time."""
        return self._first * WINDOW / SAMPLE_RATE

    def feed(self, samples: Float) -> Iterator[Utterance]:
        """Take ``samples`` (n,) at 16 kHz, any number, and yield the utterances that are over with them."""
        begin = 0
        while begin < len(samples):
            end = min(len(samples), begin + WINDOW - self._filled)
            self._rest[self._filled : self._filled + end - begin] = samples[begin:end]
            self._filled += end - begin
            begin = end
            if self._filled == WINDOW:
                self._filled = 0
                yield from self._listen(self._rest.copy())

    def flush(self) -> Iterator[Utterance]:
        """Yield what was being said when the stream ended."""
        total = (self._first + len(self._kept)) * WINDOW + self._filled
        self._every = None
        if self._filled:
            self._rest[self._filled :] = 0
            self._filled = 0
            yield from self._listen(self._rest.copy())
        if self._last_voice >= self._first:
            yield from self._given(min(self._length, len(self._kept)), total=total)

    @property
    def _length(self) -> int:
        return self._last_voice + 1 + MARGIN - self._first

    def _listen(self, window: Float) -> Iterator[Utterance]:
        number = self._first + len(self._kept)
        self._kept.append(window)
        self._probabilities.append(self._voice(window))
        if self._probabilities[-1] >= THRESHOLD:
            self._last_voice = number
        if self._last_voice < self._first:
            self._drop_silence()
        elif number - self._last_voice >= (PAUSE if self._length >= SHORTEST else LONG_PAUSE):
            yield from self._given(self._length)
        elif len(self._kept) == LONGEST:
            yield from self._given(self._calmest())
        elif self._every and len(self._kept) % self._every == 0:
            yield from self._utterance(np.concatenate(self._kept), finished=False)

    def _given(self, windows: int, total: int | None = None) -> Iterator[Utterance]:
        waveform = np.concatenate(self._kept[:windows])
        if total is not None:
            waveform = waveform[: total - self._first * WINDOW]
        yield from self._utterance(waveform, finished=True)
        self._drop(windows)
        if self._last_voice < self._first:
            self._drop_silence()

    def _utterance(self, waveform: Float, *, finished: bool) -> Iterator[Utterance]:
        spoken = spoken_part(self._vad, waveform)
        if spoken.any():
            yield Utterance(self.settled_s, waveform, spoken, finished)

    def _drop_silence(self) -> None:
        """Where nobody speaks, the margin before the next voice is enough."""
        self._drop(len(self._kept) - MARGIN)

    def _drop(self, windows: int) -> None:
        if windows > 0:
            del self._kept[:windows], self._probabilities[:windows]
            self._first += windows

    def _calmest(self) -> int:
        """Return how many windows to cut off: up to the middle of the calmest stretch, 3 s from either end."""
        likely = np.array(self._probabilities[SHORTEST - CALM_WINDOWS // 2 : LONGEST - SHORTEST + CALM_WINDOWS // 2])
        calm = np.convolve(likely, np.full(CALM_WINDOWS, 1 / CALM_WINDOWS), mode="valid")
        return SHORTEST + len(calm) - 1 - int(np.argmin(calm[::-1]))


def utterances(blocks: Iterable[Float], session: Session) -> Iterator[Utterance]:
    """Cut a recording that comes in ``blocks`` (samples,) at 16 kHz, by the voice activity graph in ``session``.

    What is at most 15 s long is one utterance, from its first sample to its last, also where nobody speaks. What is
    longer goes through a ``Segmenter``.
    """
    source, begin, samples = iter(blocks), [], 0
    for block in source:
        begin.append(block)
        samples += len(block)
        if samples > LONGEST_S * SAMPLE_RATE:
            break
    else:
        if samples:
            whole = np.concatenate(begin)
            yield Utterance(0.0, whole, spoken_part(VoiceActivity(session), whole))
        return
    segmenter = Segmenter(session)
    for block in itertools.chain(begin, source):
        yield from segmenter.feed(block)
    yield from segmenter.flush()
