"""Voice activity detection by Silero's graph: of a whole recording at once, and of a stream window by window."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.inference.session import Session

WINDOW = 512
"""Samples for each probability: 32 ms at 16 kHz."""
CONTEXT_SAMPLES = 64
"""Samples of the window before that the graph also takes."""
ENCODER_HOP = 320
"""Samples for each state of the speech encoder: 20 ms."""
THRESHOLD = 0.5
MIN_SPEECH_WINDOWS = 3
"""Fewer windows of speech than this (96 ms) are a click, not a voice."""
PEAK, QUIETEST_PEAK = 0.5, 1e-3
"""Audio is brought to one level first, as the speech encoder does; see ``trainer.pretrained.whisper``."""
SHOUT_PEAK, SHOUT_THRESHOLD = 0.05, 0.3
"""Silero takes a scream for no voice; at a low level it finds most. Noise stays under 0.1 at either level."""
_GAIN_PASSES = ((PEAK, THRESHOLD), (SHOUT_PEAK, SHOUT_THRESHOLD))
RELEASE_S = 2.0
"""In a stream the loudest sample so far counts half as much so many seconds later, so that a quiet answer to a loud
question is found as well. From 1 s to 5 s hardly differ; slower loses quiet voices, faster lifts the noise between."""
_PEAK_DECAY = 0.5 ** (WINDOW / SAMPLE_RATE / RELEASE_S)
"""By window."""

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


class Detector:
    """Silero's graph and its memory, carried from window to window of one recording."""

    def __init__(self, session: Session) -> None:
        """Use the graph in ``session``: frames (n, 576) and an LSTM's state → probabilities (n,), the next state."""
        self._session = session
        self._h = self._c = np.zeros((1, 1, 128), np.float32)

    def __call__(self, frames: Float) -> Float:
        """Return the probability of speech in each frame (n, 576): a window of 512 samples behind its context.

        Sums in another order round otherwise: the last digit depends on how many frames come in one call.
        """
        values = self._session(input=frames, h=self._h, c=self._c)
        self._h, self._c = values["hn"], values["cn"]
        return values["speech_probs"]


class StreamingVad:
    """Probability of speech in each window of 512 samples, from that window and those before it alone.

    ``speech_mask`` levels a recording to its peak. A stream does not know what is to come: here the peak is that of
    the loudest so far, slowly forgotten. The softer pass, for screams, runs beside the usual one each time.
    """

    def __init__(self, session: Session) -> None:
        """Use the graph in ``session``."""
        self._passes = [(Detector(session), peak, THRESHOLD / threshold) for peak, threshold in _GAIN_PASSES]
        self._before = np.zeros(CONTEXT_SAMPLES, np.float32)
        self._peak = QUIETEST_PEAK

    def __call__(self, windows: Float) -> list[float]:
        """Return the probability of speech in each of ``windows`` (n, 512) at 16 kHz, which follow those before.

        Many at once take a tenth of the time; see ``Detector`` for the last digit.
        """
        if not len(windows):
            return []
        sound = np.concatenate([self._before, windows.reshape(-1)])
        self._before = sound[-CONTEXT_SAMPLES:]
        frames = sliding_window_view(sound, CONTEXT_SAMPLES + WINDOW)[::WINDOW]
        peaks = np.array([self._loudest(float(peak)) for peak in np.abs(windows).max(1)])
        found = [
            weight * detector(frames * (peak / peaks).astype(np.float32)[:, None]).astype(np.float64)
            for detector, peak, weight in self._passes
        ]
        likely: list[float] = np.minimum(np.maximum(*found), 1.0).tolist()
        return likely

    def _loudest(self, peak: float) -> float:
        """Return the loudest so far, slowly forgotten, with a window of this ``peak``."""
        self._peak = max(peak, self._peak * _PEAK_DECAY, QUIETEST_PEAK)
        return self._peak


def speech_mask(session: Session, waveform: Float) -> Bool:
    """Return which encoder states (20 ms each) of a whole recording lie between its first and last window of speech.

    Args:
        session: of the slot ``vad``.
        waveform: (samples,) at 16 kHz.
    """
    for peak, threshold in _GAIN_PASSES:
        mask = probabilities_to_mask(speech_probabilities(session, waveform, peak), len(waveform), threshold)
        if mask.any():
            break
    return mask


def speech_probabilities(session: Session, waveform: Float, peak: float = PEAK) -> Float:
    """Return the probability of speech in each window of a whole recording, brought to ``peak`` first."""
    padded = np.pad(waveform, (CONTEXT_SAMPLES, -len(waveform) % WINDOW))
    frames = sliding_window_view(padded, CONTEXT_SAMPLES + WINDOW)[::WINDOW]
    loudest = max(float(np.abs(waveform).max(initial=0.0)), QUIETEST_PEAK)
    return Detector(session)(frames * np.float32(peak / loudest))


def probabilities_to_mask(probabilities: Float, samples: int, threshold: float = THRESHOLD) -> Bool:
    """Return which encoder states (20 ms each) lie between the first and the last window of speech.

    Pauses inside count as speech: their length tells of emotion too. All are False where nobody speaks.

    Args:
        probabilities: of speech in each window, (windows,).
        samples: how many there are in all, at 16 kHz.
        threshold: from which a window is speech.
    """
    mask = np.zeros(math.ceil(samples / ENCODER_HOP), np.bool_)
    speech = np.flatnonzero(probabilities >= threshold)
    if len(speech) >= MIN_SPEECH_WINDOWS:
        begin, end = speech[0] * WINDOW, (speech[-1] + 1) * WINDOW
        mask[begin // ENCODER_HOP : math.ceil(end / ENCODER_HOP)] = True
    return mask
