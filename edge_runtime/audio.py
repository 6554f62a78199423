"""Any audio → blocks of mono float32 at 16 kHz, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio_file import BLOCK_S, BLOCK_VALUES, AudioFile
from edge_runtime.errors import AudioError
from edge_runtime.resample import Resampler

SAMPLE_RATE = 16_000
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
MOST_CHANNELS = 64

Float = NDArray[np.float32]
Audio = str | os.PathLike[str] | bytes | BinaryIO | NDArray[Any]
"""A path, the bytes of a file, an open binary file, or samples: (n,) or (n, channels)."""


class Recording:
    """Audio being read, once, from beginning to end.

    Attributes:
        name: of the file, for messages.
        samples: at 16 kHz, read so far.
        notes: what the reader had to say, such as that the file ends early; complete at the end.
    """

    def __init__(self, audio: Audio, sample_rate: int | None = None) -> None:
        """Open ``audio``.

        Args:
            audio: a path, the bytes of a wav, flac, ogg, mp3 (or other libsndfile) file, an open binary
                file, or an array: float in [-1, 1] or integers of full scale, (n,) or (n, channels).
            sample_rate: of an array, in Hz; not for anything else, which says so itself.

        Raises:
            AudioNotFoundError: there is no such file.
            AudioError: not audio, empty, or of an unusable rate, shape or type.
        """
        self.samples = 0
        self.notes: list[str] = []
        if isinstance(audio, np.ndarray):
            if sample_rate is None:
                raise AudioError("an array was given without its sample_rate; pass it, in Hz")
            self.name = "array"
            self._file: AudioFile | None = None
            self._array = as_float(audio)
            self._rate, self._channels = sample_rate, 1 if audio.ndim == 1 else audio.shape[1]
        else:
            if sample_rate is not None:
                raise AudioError("sample_rate is for arrays; a file states its own")
            self._file = AudioFile(audio)
            self.name, self.notes = self._file.name, self._file.notes
            self._rate, self._channels = self._file.sample_rate, self._file.channels
        check_form(self.name, self._rate, self._channels)
        if self._file is None and not len(self._array):
            raise AudioError(f"{self.name}: empty, there are no samples in it")

    @property
    def duration_s(self) -> float:
        """Seconds read so far."""
        return self.samples / SAMPLE_RATE

    @property
    def channels(self) -> int:
        """How many there are."""
        return int(self._channels)

    @property
    def promised_s(self) -> float | None:
        """Length in seconds, as it is known before all is read; None where it is not."""
        return len(self._array) / self._rate if self._file is None else self._file.stated_s

    @property
    def damaged(self) -> bool:
        """Whether some of what the file states could not be read; known at the end."""
        return self._file is not None and self._file.damaged

    def blocks(self, *, split: bool = False) -> Iterator[Float]:
        """Yield float32 blocks at 16 kHz, some seconds each: mono (n,), or (n, channels) if they are to be ``split``.

        Raises:
            AudioError: a sample is not a number or infinite, nothing could be decoded, or the number of channels
                changes where files were joined and they are to be split.
        """
        form: tuple[int, int] | None = None
        resample: Resampler | None = None
        for rate, raw in self._raw_blocks():
            if resample is None or form != (rate, raw.shape[1]):
                if resample is not None:
                    yield from self._counted(resample.flush())
                resample, form = self._resampler(rate, raw.shape[1], split=split), (rate, raw.shape[1])
            yield from self._counted(resample(raw))
        if resample is not None:
            yield from self._counted(resample.flush())
        if self.samples == 0:
            raise AudioError(f"{self.name}: damaged, nothing in it could be decoded")

    def _raw_blocks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        if self._file is not None:
            yield from self._file.blocks()
            return
        samples = self._array.reshape(len(self._array), self._channels)
        step = max(1, min(int(BLOCK_S * self._rate), BLOCK_VALUES // self._channels))
        for begin in range(0, len(samples), step):
            yield self._rate, samples[begin : begin + step]

    def _resampler(self, rate: int, channels: int, *, split: bool) -> Resampler:
        check_form(self.name, rate, channels)
        if split and channels != self._channels:
            raise AudioError(
                f"{self.name}: has {self._channels} channels, and {channels} from {self.duration_s:.1f} s on, where "
                "another file was joined; mix them"
            )
        return Resampler(rate, SAMPLE_RATE, name=self.name, channels=channels if split else None)

    def _counted(self, block: Float) -> Iterator[Float]:
        self.samples += len(block)
        if len(block):
            yield block


def check_form(name: str, rate: int, channels: int) -> None:
    """Refuse what no recording has.

    Raises:
        AudioError: a sample rate or a number of channels out of range.
    """
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(f"{name}: sample rate {rate} Hz; use {LOWEST_RATE} to {HIGHEST_RATE}")
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(f"{name}: {channels} channels; use 1 to {MOST_CHANNELS} (an array is (samples, channels))")


def as_float(array: NDArray[Any]) -> NDArray[Any]:
    """Return ``array`` (n,) or (n, channels) as float32, integers divided by their full scale.

    Raises:
        AudioError: another shape or type.
    """
    if array.ndim not in {1, 2}:
        raise AudioError(f"array of shape {array.shape}: give (samples,) or (samples, channels)")
    if array.dtype.kind == "f":
        # A float64 too large for float32 becomes infinite, and is refused as such.
        with np.errstate(over="ignore"):
            return array.astype(np.float32, copy=False)
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - 128.0) / 128.0
    if array.dtype.kind == "i":
        return array.astype(np.float32) / float(-int(np.iinfo(array.dtype).min))
    raise AudioError(f"array of {array.dtype}: give float samples in [-1, 1], or int16, int32, int8 or uint8")
