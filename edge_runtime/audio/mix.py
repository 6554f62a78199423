"""Channels → one, in portions of any size; channels that are opposite do not cancel each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

HOP_S = 0.05
"""Every so many seconds, counted from the beginning, it is decided anew which channels are turned over. In shorter hops
noise looks opposite by chance; longer ones keep live sound waiting."""
HALF_LIFE_S = 1.0
"""In that decision, what was heard so long ago counts half. What is quiet hardly counts, so a pause changes nothing."""
OPPOSITE, NO_LONGER, ALIKE = -0.7, 0.0, 0.7
"""Correlations of two channels. At less than ``OPPOSITE`` one is turned over, until ``NO_LONGER`` is reached: so it
does not flip to and fro. Of two microphones that are a hand's width apart, no voice is opposite."""
SILENT = 1e-12
"""Channels with less energy than this are like no other."""


class Mixer:
    """A stream of samples whose channels are averaged; the result does not depend on how it is portioned.

    A channel that is the opposite of an earlier one (a plug that was wired the wrong way round, a balanced line that
    was recorded as stereo) is multiplied by -1 first: else the voice would cancel itself, and silence or the noise be
    left. Where no channel is opposite, the result is the mean and nothing else. Samples wait for the end of their hop,
    at most ``HOP_S``; those of a single channel do not wait.
    """

    def __init__(self, rate: float, channels: int) -> None:
        """Begin a stream of ``channels`` with ``rate`` samples a second."""
        self._hop = max(1, round(rate * HOP_S))
        self._waiting: Float = np.zeros((0, channels), np.float32)
        self._products = np.zeros((channels, channels))
        self._opposed = np.zeros((channels, channels), np.bool_)

    @property
    def channels(self) -> int:
        """How many are mixed."""
        return int(self._waiting.shape[1])

    def __call__(self, samples: Float) -> Float:
        """Take finite samples (n, channels) and return what is ready, (m,)."""
        if self.channels == 1:
            return samples[:, 0]
        samples = np.ascontiguousarray(np.concatenate([self._waiting, samples]))
        whole = len(samples) // self._hop * self._hop
        self._waiting = samples[whole:]
        hops = samples[:whole].reshape(-1, self._hop, self.channels)
        return np.concatenate([np.zeros(0, np.float32), *map(self._mixed, hops)])

    def flush(self) -> Float:
        """Return the rest, after the last portion."""
        rest, self._waiting = self._waiting, self._waiting[:0]
        return self._mixed(rest) if len(rest) else np.zeros(0, np.float32)

    def _mixed(self, hop: Float) -> Float:
        likeness = self._likeness(hop)
        self._opposed = likeness < np.where(self._opposed, NO_LONGER, OPPOSITE)
        if self._opposed.any():
            hop = hop * self._signs(likeness)
        mixed: Float = hop.mean(axis=1, dtype=np.float64).astype(np.float32)
        return mixed

    def _likeness(self, hop: Float) -> NDArray[np.float64]:
        """Return how each channel correlates with each other one (channels, channels), with ``hop`` heard."""
        centred = hop - hop.mean(axis=0, dtype=np.float64)  # an offset says nothing about the sound
        self._products = self._products * 0.5 ** (HOP_S / HALF_LIFE_S) + centred.T @ centred
        energy = np.diag(self._products)
        scale = np.sqrt(np.outer(energy, energy))
        likeness: NDArray[np.float64] = np.where(scale > SILENT, self._products / np.maximum(scale, SILENT), 0.0)
        return likeness

    def _signs(self, likeness: NDArray[np.float64]) -> Float:
        """Return 1 or -1 for each channel, by the earlier channel that it is most like or most opposite to."""
        signs = np.ones(self.channels, np.float32)
        for channel in range(1, self.channels):
            other = int(np.abs(likeness[channel, :channel]).argmax())
            if self._opposed[channel, other]:
                signs[channel] = -signs[other]
            elif likeness[channel, other] > ALIKE:
                signs[channel] = signs[other]
        return signs
