"""Where live sound comes from: a pipe with raw samples or a wav stream, or a microphone. Endless, in small portions."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_runtime.audio.containers.riff import FILES, KNOWN
from edge_runtime.audio.recording import SAMPLE_RATE, Recording
from edge_runtime.audio.validation import check_format
from edge_runtime.errors import AudioError, DeviceError

PORTION_S = 0.1
Encoding = Literal["wav", "s16le", "f32le"]
MOST_FRAMES = 1 << 28
"""A wav stream of more (an hour and a half at 48 kHz) is taken for one that does not know its length."""
SUBTYPES = {"s16le": "PCM_16", "f32le": "FLOAT"}
WIDTHS = {"PCM_U8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
"""Bytes of a sample, of those encodings in which a sound can go on without its header."""
BIG_ENDIAN = {"AU", "AIFF", "CAF"}
AS_WAV = "send one wav stream: … | ffmpeg -i - -f wav - | edge-iemonet listen -"
LOOK = 12
"""So many bytes tell whether what comes behind the stated end is sound."""


class Pipe:
    """Samples out of a pipe, as they come.

    Attributes:
        sample_rate: of them, in Hz.
    """

    def __init__(self, descriptor: int, encoding: Encoding, *, rate: int, channels: int) -> None:
        """Open the file ``descriptor``.

        Args:
            descriptor: of a pipe or a file, open for reading.
            encoding: "wav" says itself what it holds; "s16le" and "f32le" are bare samples.
            rate: of bare samples, in Hz.
            channels: of bare samples, interleaved.

        Raises:
            AudioError: nothing comes, or what comes is no wav stream; or the rate or the channels are out of range.
        """
        self._descriptor, self._left, self._recording = descriptor, None, None
        try:
            if encoding != "wav":
                check_format("standard input", rate, channels)
                self._file = _bare(descriptor, SUBTYPES[encoding], rate, channels, "LITTLE")
            elif stat.S_ISREG(os.fstat(descriptor).st_mode):
                # A file in place of a pipe: all of it is there, and more can be told about it.
                self._recording = Recording(os.fdopen(descriptor, "rb", closefd=False))
                self.sample_rate = SAMPLE_RATE
                return
            else:
                self._file = soundfile.SoundFile(descriptor, closefd=False)
                if self._file.format == "MP3" and self._file.frames <= MOST_FRAMES:
                    # libsndfile goes back behind the frame that counts the others, which a pipe cannot.
                    raise AudioError(f"standard input: an mp3 file that states its length, not a stream; {AS_WAV}")
                if self._file.subtype in WIDTHS:
                    self._left = int(self._file.frames)
                    if self._left == 0 or self._left > MOST_FRAMES:
                        # A pipe's header states no length, or the greatest there is, a night or a few days: no end.
                        self._go_on()
        except (soundfile.LibsndfileError, OSError) as error:
            raise AudioError(
                "standard input: empty, or not a wav stream; send one (ffmpeg … -f wav -), or say what comes: "
                "--format, --rate, --channels"
            ) from error
        self.sample_rate = int(self._file.samplerate)
        check_format("standard input", self.sample_rate, int(self._file.channels))

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield (n, channels) until the pipe ends.

        Raises:
            AudioError: what comes cannot be decoded, or is another recording.
        """
        if self._recording is not None:
            for block in self._recording.blocks():
                yield block[:, None]
            return
        portion = max(1, int(PORTION_S * self.sample_rate))
        while self._left is None or self._left > 0:
            # Not more than was stated: what libsndfile reads beyond that, it throws away.
            samples = self._read(self._file, portion if self._left is None else min(portion, self._left))
            if not len(samples):
                if self._file.format == "OGG" and os.read(self._descriptor, 1):
                    raise AudioError(f"standard input: another ogg stream follows the first; {AS_WAV}")
                return
            yield samples
            if self._left is not None:
                self._left -= len(samples)
                if self._left == 0:
                    yield from self._behind_the_stated_end()

    def _behind_the_stated_end(self) -> Iterator[NDArray[np.float32]]:
        """Yield the first samples there, if sound goes on, and prepare for the others."""
        file = self._file
        if file.subtype not in WIDTHS or file.format not in {"WAV", "WAVEX"}:
            return
        frame = WIDTHS[file.subtype] * file.channels
        data = _exactly(self._descriptor, -(-LOOK // frame) * frame)
        if FILES.match(data):
            raise AudioError(f"standard input: another recording follows the first; {AS_WAV}")
        # Behind an odd number of bytes there is one more before a chunk.
        if len(data) < LOOK or {data[:4], data[1:5]} & KNOWN or data.startswith((b"ID3", b"TAG")):
            return
        self._go_on()
        form = {"samplerate": file.samplerate, "channels": file.channels, "endian": self._file.endian}
        with soundfile.SoundFile(io.BytesIO(data), format="RAW", subtype=file.subtype, **form) as first:
            yield self._read(first, len(data) // frame)

    def _go_on(self) -> None:
        """Take what comes from here on for samples like those before, without an end."""
        file = self._file
        big = file.endian == "BIG" or (file.endian == "FILE" and file.format in BIG_ENDIAN)
        endian = "BIG" if big else "LITTLE"
        self._file = _bare(self._descriptor, file.subtype, file.samplerate, file.channels, endian)
        self._left = None

    @staticmethod
    def _read(file: Any, count: int) -> NDArray[np.float32]:
        try:
            samples: NDArray[np.float32] = file.read(count, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"standard input: damaged, what comes cannot be decoded ({error.error_string}); {AS_WAV}"
            ) from error
        return samples


def _bare(descriptor: int, subtype: str, rate: int, channels: int, endian: str) -> Any:
    return soundfile.SoundFile(
        descriptor, closefd=False, format="RAW", subtype=subtype, endian=endian, samplerate=rate, channels=channels
    )


def _exactly(descriptor: int, count: int) -> bytes:
    """Return ``count`` bytes, fewer only at the end."""
    data = b""
    while len(data) < count and (more := os.read(descriptor, count - len(data))):
        data += more
    return data


class Microphone:
    """Samples from a microphone.

    Attributes:
        sample_rate: of them, in Hz.
        lost: how often sound was lost, because it was not taken in time.
    """

    def __init__(self, name: str | None) -> None:
        """Open the microphone called ``name``, or numbered so; None takes the default one.

        Raises:
            DeviceError: there is none, or the extra ``mic`` is not installed.
        """
        try:
            import sounddevice  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise DeviceError(
                "a microphone needs sounddevice: pip install 'edge-iemonet[mic]'; or listen to a pipe: listen -"
            ) from error
        except OSError as error:
            raise DeviceError(f"sounddevice finds no PortAudio ({error}); install libportaudio2") from error
        try:
            which = int(name) if name is not None and name.isdecimal() else name
            self.sample_rate = int(sounddevice.query_devices(which, "input")["default_samplerate"])
            self._stream = sounddevice.InputStream(
                samplerate=self.sample_rate, channels=1, device=which, dtype="float32"
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"microphone {name or 'by default'}: {error}; python -m sounddevice lists them"
            ) from error
        self._gone = sounddevice.PortAudioError
        self.lost = 0

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield (n, 1), without an end.

        Raises:
            DeviceError: the microphone is gone.
        """
        while True:
            try:
                samples, lost = self._stream.read(int(PORTION_S * self.sample_rate))
            except self._gone as error:
                raise DeviceError(f"the microphone is gone: {error}") from error
            self.lost += bool(lost)
            yield samples
