"""Where somebody speaks, as it is heard: Silero's detector, window by window, its memory carried on."""

from __future__ import annotations

import numpy as np

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.inference.session import Session
from edge_runtime.inference.vad import (
    LOOK_BACK,
    PEAK,
    QUIETEST_PEAK,
    SHOUT_PEAK,
    SHOUT_THRESHOLD,
    THRESHOLD,
    WINDOW,
    Float,
)

RELEASE_S = 2.0
"""The loudest that was heard counts half as much so many seconds later, so that a quiet answer to a loud question is
heard as well. From 1 s to 5 s hardly differ; slower loses quiet voices, faster lifts what is between two."""
SOFTER_BY_A_WINDOW = 0.5 ** (WINDOW / SAMPLE_RATE / RELEASE_S)
_EARS = ((PEAK, 1.0), (SHOUT_PEAK, THRESHOLD / SHOUT_THRESHOLD))


class VoiceStream:
    """Probability of speech in each window of 512 samples, from that window and those before it alone.

    ``VoiceActivity`` levels a recording to its peak. A stream does not know what is to come: here the peak is that of
    the loudest so far, slowly forgotten. What a scream needs, a softer look, is had beside the usual one each time.
    """

    def __init__(self, session: Session) -> None:
        """Use the graph in ``session``: windows (n, 576) and an LSTM's state → probabilities (n,), the next state."""
        self._session = session
        self._memory = [(np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)) for _ in _EARS]
        self._heard = np.zeros(LOOK_BACK + WINDOW, np.float32)
        self._peak = QUIETEST_PEAK

    def __call__(self, window: Float) -> float:
        """Return the probability of speech in ``window`` (512,) at 16 kHz, which follows the one before.

        One window a call, whatever comes at once: sums in another order would round otherwise.
        """
        self._heard = np.concatenate([self._heard[-LOOK_BACK:], window])
        self._peak = max(float(np.abs(window).max()), self._peak * SOFTER_BY_A_WINDOW, QUIETEST_PEAK)
        found = 0.0
        for ear, (peak, weight) in enumerate(_EARS):
            h, c = self._memory[ear]
            levelled = self._heard * np.float32(peak / self._peak)
            values = self._session(input=levelled[None], h=h, c=c)
            self._memory[ear] = values["hn"], values["cn"]
            found = max(found, weight * float(values["speech_probs"][0]))
        return min(found, 1.0)
