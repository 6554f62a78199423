"""Samples of any rate and number of channels → one rate, mixed or channel by channel, in portions of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from edge_runtime.errors import AudioError

Float = NDArray[np.float32]


class Resampler:
    """A stream of samples on its way to another rate; the result does not depend on how it is portioned."""

    def __init__(self, rate: int, target: int, *, name: str, channels: int | None = None) -> None:
        """Begin a stream.

        Args:
            rate: of what comes, in Hz.
            target: the rate wanted.
            name: of the stream, for messages.
            channels: how many channels there are, to be kept apart; None mixes them to one.
        """
        self._rate, self._name, self._channels, self._seen = rate, name, channels, 0
        self._stream = None
        if rate != target:
            self._stream = soxr.ResampleStream(rate, target, channels or 1, dtype="float32")

    def __call__(self, raw: NDArray[Any]) -> Float:
        """Take floats (n,) or (n, channels); return what is ready, (m,) mixed or (m, channels).

        Raises:
            AudioError: a sample is not a number or infinite.
        """
        samples: Float
        if self._channels is not None:
            samples = raw.reshape(len(raw), self._channels)
        else:
            samples = raw.mean(axis=1, dtype=np.float64).astype(np.float32) if raw.ndim == 2 else raw
        if not np.isfinite(samples).all():
            raise AudioError(f"{self._name}: holds NaN or infinite samples near {self._seen / self._rate:.1f} s")
        self._seen += len(raw)
        return samples if self._stream is None else self._stream.resample_chunk(samples)

    def flush(self) -> Float:
        """Return the rest, after the last portion."""
        none: Float = np.zeros((0, self._channels) if self._channels is not None else 0, np.float32)
        return none if self._stream is None else self._stream.resample_chunk(none, last=True)
