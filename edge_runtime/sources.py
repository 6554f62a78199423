"""Where live sound comes from: a pipe with raw samples or a wav stream, or a microphone. Endless, in small portions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_runtime.audio import check_form
from edge_runtime.errors import AudioError, DeviceError

PORTION_S = 0.1
Encoding = Literal["wav", "s16le", "f32le"]
MOST_FRAMES = 1 << 28
"""A wav stream of more (an hour and a half at 48 kHz) is taken for one that does not know its length."""
SUBTYPES = {"s16le": "PCM_16", "f32le": "FLOAT"}


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
        try:
            if encoding == "wav":
                self._file = soundfile.SoundFile(descriptor, closefd=False)
                if self._file.frames > MOST_FRAMES and soundfile.check_format("RAW", self._file.subtype):
                    # A pipe's header states the greatest length there is. It would end there: a night, or a few days.
                    self._file = _bare(descriptor, self._file.subtype, self._file.samplerate, self._file.channels)
            else:
                check_form("pipe", rate, channels)
                self._file = _bare(descriptor, SUBTYPES[encoding], rate, channels)
        except (soundfile.LibsndfileError, OSError) as error:
            raise AudioError(
                "pipe: not a wav stream; send one (ffmpeg … -f wav -), or say what comes: --format, --rate, --channels"
            ) from error
        self.sample_rate = int(self._file.samplerate)
        check_form("pipe", self.sample_rate, int(self._file.channels))

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield (n, channels) until the pipe ends.

        Raises:
            AudioError: what comes cannot be decoded.
        """
        portion = max(1, int(PORTION_S * self.sample_rate))
        while True:
            try:
                samples = self._file.read(portion, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise AudioError(f"pipe: damaged, what comes cannot be decoded ({error.error_string})") from error
            if not len(samples):
                return
            yield samples


def _bare(descriptor: int, subtype: str, rate: int, channels: int) -> Any:
    return soundfile.SoundFile(
        descriptor, closefd=False, format="RAW", subtype=subtype, endian="LITTLE", samplerate=rate, channels=channels
    )


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
