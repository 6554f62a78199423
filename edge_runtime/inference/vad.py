"""Where somebody speaks: Silero's voice activity detector, and what follows from it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.session import Session

WINDOW = 512
"""Samples for each probability: 32 ms at 16 kHz."""
LOOK_BACK = 64
"""Samples of the window before that the network also sees."""
STATE = 320
"""Samples for each state of the speech encoder: 20 ms."""
THRESHOLD = 0.5
LEAST_WINDOWS = 3
"""Fewer windows of speech than this (96 ms) are a click, not a voice."""
PEAK, QUIETEST_PEAK = 0.5, 1e-3
"""Audio is brought to one level first, as the speech encoder does; see ``trainer.pretrained.whisper``."""
SHOUT_PEAK, SHOUT_THRESHOLD = 0.05, 0.3
"""Silero takes a scream for no voice; played softly, most are heard. Noise stays under 0.1 at either level."""

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


class VoiceActivity:
    """Silero VAD over a whole recording in one call."""

    def __init__(self, session: Session) -> None:
        """Use the graph in ``session``: windows (n, 576) and an LSTM's state → probabilities (n,)."""
        self._session = session

    def probabilities(self, waveform: Float, peak: float = PEAK) -> Float:
        """Return the probability of speech in each 32 ms of ``waveform`` (samples,) at 16 kHz, played at ``peak``."""
        count = math.ceil(len(waveform) / WINDOW)
        windows = np.zeros((count, LOOK_BACK + WINDOW), np.float32)
        padded = np.zeros(LOOK_BACK + count * WINDOW, np.float32)
        padded[LOOK_BACK : LOOK_BACK + len(waveform)] = waveform * (
            peak / max(float(np.abs(waveform).max(initial=0.0)), QUIETEST_PEAK)
        )
        for i in range(count):
            windows[i] = padded[i * WINDOW : i * WINDOW + LOOK_BACK + WINDOW]
        state = np.zeros((1, 1, 128), np.float32)
        return self._session(input=windows, h=state, c=state)["speech_probs"]


def spoken_part(vad: VoiceActivity, waveform: Float) -> Bool:
    """Return which encoder states (20 ms each) of ``waveform`` lie between the first and last sound of a voice."""
    states = spoken_states(vad.probabilities(waveform), len(waveform))
    if not states.any():
        softly = vad.probabilities(waveform, SHOUT_PEAK)
        states = spoken_states(softly, len(waveform), SHOUT_THRESHOLD)
    return states


def spoken_states(probabilities: Float, samples: int, threshold: float = THRESHOLD) -> Bool:
    """Return which encoder states (20 ms each) lie between the first and the last window of speech.

    Pauses inside count as spoken: their length tells of emotion too. All are False where nobody speaks.
    """
    states = np.zeros(math.ceil(samples / STATE), np.bool_)
    speech = np.flatnonzero(probabilities >= threshold)
    if len(speech) >= LEAST_WINDOWS:
        begin, end = speech[0] * WINDOW, (speech[-1] + 1) * WINDOW
        states[begin // STATE : math.ceil(end / STATE)] = True
    return states
