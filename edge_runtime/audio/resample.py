"""Samples of any rate and number of channels → one rate, mixed or channel by channel, in portions of any size."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from edge_runtime.audio.mix import Mixer
from edge_runtime.errors import AudioError

Float = NDArray[np.float32]


class Resampler:
    """A stream of samples on its way to another rate; the result does not depend on how it is portioned."""

    def __init__(self, rate: float, target: int, *, name: str, channels: int | None = None) -> None:
        """Begin a stream.

        Args:
            rate: of what comes, in Hz.
            target: the rate wanted.
            name: of the stream, for messages.
            channels: how many channels there are, to be kept apart; None mixes them to one (``Mixer``).
        """
        self._rate, self._name, self._channels, self._seen = rate, name, channels, 0
        self._mixer = Mixer(rate, 1)
        self._stream = None
        if rate != target:
            self._stream = soxr.ResampleStream(rate, target, channels or 1, dtype="float32")

    def __call__(self, raw: Float) -> Float:
        """Take floats (n,) or (n, channels); return what is ready, (m,) mixed or (m, channels).

        Raises:
            AudioError: a sample is not a number or infinite.
        """
        if not np.isfinite(raw).all():
            raise AudioError(f"{self._name}: holds NaN or infinite samples near {self._seen / self._rate:.1f} s")
        self._seen += len(raw)
        samples = raw[:, None] if raw.ndim == 1 else raw
        ready = self._mixed(samples) if self._channels is None else samples
        return ready if self._stream is None else self._stream.resample_chunk(ready)

    def flush(self) -> Float:
        """Return the rest, after the last portion."""
        rest: Float = self._mixer.flush() if self._channels is None else np.zeros((0, self._channels), np.float32)
        return rest if self._stream is None else self._stream.resample_chunk(rest, last=True)

    def _mixed(self, samples: Float) -> Float:
        if samples.shape[1] == self._mixer.channels:
            return self._mixer(samples)
        # A live stream may go on with other channels: they are mixed from their beginning.
        rest, self._mixer = self._mixer.flush(), Mixer(self._rate, samples.shape[1])
        return np.concatenate([rest, self._mixer(samples)])
