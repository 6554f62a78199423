"""Recordings of any length → utterances short enough for the models, and where in each somebody speaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio import SAMPLE_RATE
from edge_runtime.vad import WINDOW, Bool, VoiceActivity, spoken_part

LONGEST_S = 15.0
"""The paper's longest utterance (section 5.3)."""
EARLIEST_CUT_S = 5.0
SHORTEST_REST_S = 1.0
PAUSE_WINDOWS = 6
"""A cut is sought where the mean probability of speech over about 0.2 s is least."""


@dataclass(frozen=True)
class Utterance:
    """A piece of a recording.

    Attributes:
        start_s: where it begins.
        waveform: (samples,) at 16 kHz.
        spoken: for each 20 ms, whether it lies between the first and the last sound of a voice.
    """

    start_s: float
    waveform: NDArray[np.float32]
    spoken: Bool

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return self.start_s + len(self.waveform) / SAMPLE_RATE


def utterances(blocks: Iterable[NDArray[np.float32]], vad: VoiceActivity) -> Iterator[Utterance]:
    """Cut what comes in ``blocks`` into utterances of at most 15 s, at the quietest places.

    What is at most 15 s long is one utterance. Memory is bounded by the blocks and one utterance.
    """
    longest, least_rest = int(LONGEST_S * SAMPLE_RATE), int(SHORTEST_REST_S * SAMPLE_RATE)
    waiting, start = np.zeros(0, np.float32), 0

    def utterance(end: int) -> Utterance:
        piece = waiting[:end]
        return Utterance(start / SAMPLE_RATE, piece, spoken_part(vad, piece))

    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= longest + least_rest:
            end = _quietest(vad.probabilities(waiting[:longest]))
            yield utterance(end)
            waiting, start = waiting[end:], start + end
    if len(waiting) > longest:
        end = _quietest(vad.probabilities(waiting[: len(waiting) - least_rest]))
        yield utterance(end)
        waiting, start = waiting[end:], start + end
    if len(waiting):
        yield utterance(len(waiting))


def _quietest(probabilities: NDArray[np.float32]) -> int:
    """Return the sample to cut at: the middle of the calmest stretch after the first 5 s."""
    first = int(EARLIEST_CUT_S * SAMPLE_RATE) // WINDOW
    calm = np.convolve(probabilities, np.full(PAUSE_WINDOWS, 1 / PAUSE_WINDOWS), mode="valid")[first:]
    latest_least = len(calm) - 1 - int(np.argmin(calm[::-1]))
    return (first + latest_least + PAUSE_WINDOWS // 2) * WINDOW
