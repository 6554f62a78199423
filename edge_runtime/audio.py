"""Any audio → blocks of mono float32 at 16 kHz, in bounded memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_runtime import audio_file
from edge_runtime.errors import AudioError
from edge_runtime.resample import Resampler

SAMPLE_RATE = 16_000
BLOCK_S = 5.0
BLOCK_VALUES = 1 << 22
"""No block holds more samples than this over all channels (16 MB), whatever the rate."""
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
MOST_CHANNELS = 64
FRAMES_PER_BYTE = 8_192
"""No codec packs more (flac's silence: 65,535 samples in 14 bytes); a decoder that gives more goes round in circles."""

Float = NDArray[np.float32]
Audio = str | os.PathLike[str] | bytes | BinaryIO | NDArray[Any]
"""A path, the bytes of a file, an open binary file, or samples: (n,) or (n, channels)."""


class Recording:
    """Audio being read, once, from beginning to end.

    Attributes:
        name: of the file, for messages.
        samples: at 16 kHz, read so far.
        notes: what the reader had to say, such as that the file ends early.
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
            self._array: NDArray[Any] | None = as_float(audio)
            self._rate, self._frames = sample_rate, len(audio)
            self._channels = 1 if audio.ndim == 1 else audio.shape[1]
        else:
            if sample_rate is not None:
                raise AudioError("sample_rate is for arrays; a file states its own")
            self._array = None
            self.name, self._file, self._size = audio_file.opened(audio)
            self._rate, self._frames = self._file.samplerate, self._file.frames
            self._channels = self._file.channels
            self._check_riff_size()
        check_form(self.name, self._rate, self._channels)
        if self._frames == 0:
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
        """Length that the file states, in seconds; None where it knows none."""
        return None if self._endless else self._frames / self._rate

    def blocks(self, *, split: bool = False) -> Iterator[Float]:
        """Yield float32 blocks at 16 kHz, some seconds each: mono (n,), or (n, channels) if they are to be ``split``.

        Raises:
            AudioError: a sample is not a number or infinite, or nothing could be decoded.
        """
        channels = self._channels if split else None
        resample = Resampler(self._rate, SAMPLE_RATE, name=self.name, channels=channels)
        for raw in self._raw_blocks():
            block = resample(raw)
            self.samples += len(block)
            if len(block):
                yield block
        rest = resample.flush()
        self.samples += len(rest)
        if len(rest):
            yield rest
        if self.samples == 0:
            raise AudioError(f"{self.name}: damaged, nothing in it could be decoded")

    def _raw_blocks(self) -> Iterator[NDArray[Any]]:
        step = max(1, min(int(BLOCK_S * self._rate), BLOCK_VALUES // self._channels))
        if self._array is not None:
            for begin in range(0, len(self._array), step):
                yield self._array[begin : begin + step]
            return
        done, most = 0, self._size * FRAMES_PER_BYTE if self._endless else self._frames
        with self._file as file:
            while done < most:
                # A decoder that loses its way in a damaged file has filled what it could: the rest stays NaN.
                block = np.full((step, self._channels), np.nan, np.float32)
                try:
                    block = file.read(step, dtype="float32", always_2d=True, out=block)
                except soundfile.LibsndfileError:
                    block = block[~np.isnan(block).any(axis=1)]
                if not len(block):
                    break
                done += len(block)
                yield block
        if done < self._frames and not self._endless:
            self._note_early_end(done / self._rate, self._frames / self._rate)

    @property
    def _endless(self) -> bool:
        # A length that no file has: the format does not know it (some streams), so nothing is missing.
        return bool(self._frames >= 1 << 40)

    def _check_riff_size(self) -> None:
        """Note a wav file whose header promises more than there is; libsndfile reads on without a word."""
        found = re.search(r"^data : (\d+) \(should be (\d+)\)", self._file.extra_info, re.MULTILINE)
        if found and self._file.format == "WAV":
            promised, there = int(found[1]), int(found[2])
            # Programs that write to a pipe put the greatest size there, for want of a better one.
            if there < promised < 0x7FFFF000:
                seconds = self._frames / self._rate
                self._note_early_end(seconds, seconds * promised / max(there, 1))

    def _note_early_end(self, there: float, promised: float) -> None:
        self.notes.append(f"file ends early: {there:.1f} s of the {promised:.1f} s that it promises")


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
