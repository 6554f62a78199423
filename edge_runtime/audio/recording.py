"""Any audio → blocks of mono float32 at 16 kHz, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio.decode import AudioFile, block_frames
from edge_runtime.audio.resample import Resampler
from edge_runtime.audio.validation import SupportsArray, check_format, is_array, to_array, to_float32, to_sample_rate
from edge_runtime.errors import AudioError

SAMPLE_RATE = 16_000

Float = NDArray[np.float32]


class Recording:
    """Audio being read, once, from beginning to end.

    Attributes:
        name: of the file, for messages.
        samples: at 16 kHz, read so far.
        notes: what the reader had to say, such as that the file ends early; complete at the end.
    """

    def __init__(self, audio: Audio, sample_rate: float | None = None) -> None:
        """Open ``audio``.

        Args:
            audio: a path, the bytes of a wav, flac, ogg, mp3 (or other libsndfile) file, an open binary
                file, or an array (n,) or (n, channels): floats, of which 1 is full scale, though any level is
                heard; or integers of 8, 16 or 32 bits, scaled by their type.
            sample_rate: of an array, in Hz; not for anything else, which says so itself.

        Raises:
            AudioNotFoundError: there is no such file.
            AudioError: not audio, empty, or of an unusable rate, shape or type.
        """
        self.samples = 0
        self.notes: list[str] = []
        if is_array(audio) or isinstance(audio, list | tuple):
            self.name = "array"
            self._file: AudioFile | None = None
            self._array = to_array(audio, name=self.name)
            if sample_rate is None:
                raise AudioError("an array was given without its sample_rate; pass it, in Hz")
            self._rate = to_sample_rate(sample_rate, name=self.name)
            self._channels = 1 if self._array.ndim == 1 else self._array.shape[1]
        else:
            if sample_rate is not None:
                raise AudioError(
                    "sample_rate is for arrays; a file states its own. Bytes that are bare samples become an array by "
                    "np.frombuffer(data, np.int16)"
                )
            self._file = AudioFile(audio)
            self.name, self.notes = self._file.name, self._file.notes
            self._rate, self._channels = self._file.sample_rate, self._file.channels
        check_format(self.name, self._rate, self._channels)
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
    def header_duration_s(self) -> float | None:
        """Length in seconds, as it is known before all is read; None where it is not."""
        return len(self._array) / self._rate if self._file is None else self._file.stated_s

    @property
    def promised_s(self) -> float | None:
        """The old name of ``header_duration_s``, until version 0.3."""
        import_module("edge_runtime.deprecated").warn_renamed("Recording.promised_s", "header_duration_s")
        return self.header_duration_s

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
        form: tuple[float, int] | None = None
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

    def _raw_blocks(self) -> Iterator[tuple[float, Float]]:
        if self._file is not None:
            yield from self._file.blocks()
            return
        samples = self._array.reshape(len(self._array), self._channels)
        step = block_frames(self._rate, self._channels)
        for begin in range(0, len(samples), step):
            yield self._rate, to_float32(samples[begin : begin + step])

    def _resampler(self, rate: float, channels: int, *, split: bool) -> Resampler:
        check_format(self.name, rate, channels)
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


Audio = str | os.PathLike[str] | bytes | BinaryIO | NDArray[Any] | SupportsArray | Recording
"""A path, the bytes of a file, an open binary file, samples: (n,) or (n, channels), of numpy or torch; or one of these
that was opened already."""


def opened(audio: Audio, sample_rate: float | None = None) -> Recording:
    """Return ``audio`` as a recording; one that was opened already is returned as it is, and is still read once.

    Raises:
        AudioNotFoundError: there is no such file.
        AudioError: not audio, empty, or of an unusable rate, shape or type.
    """
    return audio if isinstance(audio, Recording) else Recording(audio, sample_rate)
