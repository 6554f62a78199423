"""Decoding: a path, bytes or a stream → its samples, block by block, whatever is damaged in it."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import stat
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge_runtime.audio.containers import flac, mpeg, ogg, riff
from edge_runtime.audio.containers.byte_ranges import ByteSource, Link, Pieces
from edge_runtime.audio.find_recordings import SUFFIXES
from edge_runtime.audio.validation import check_stream
from edge_runtime.errors import AudioError
from edge_runtime.system import paths

IN_MEMORY = 32 << 20
"""A stream that cannot seek is copied first; up to so many bytes in memory, beyond on disk."""
BLOCK_S = 5.0
BLOCK_VALUES = 1 << 22
"""No block holds more samples than this over all channels (16 MB), whatever the rate."""
FRAMES_PER_BYTE = 8_192
"""No codec packs more (flac's silence: 65,535 samples in 14 bytes); a decoder that gives more goes round in circles."""
STANDARD_INPUT = "standard input"
"""Its name in messages."""
UNKNOWN_LENGTH = 1 << 40
"""So many samples no file has: the decoder does not know how many there are."""
NOTED_S = 0.1
"""A length that differs by less from the stated one needs no note."""
FOREIGN = re.compile(
    rb"(?P<MP4_or_M4A>....ftyp)|(?P<WebM_or_Matroska>\x1aE\xdf\xa3)|(?P<AMR>#!AMR)|(?P<AAC>\xff[\xf0\xf1\xf8\xf9])"
    rb"|(?P<WMA>0&\xb2u\x8ef\xcf\x11)|(?P<AVI>RIFF....AVI )|(?P<MPEG_video>\0\0\1[\xb3\xba])",
    re.DOTALL,
)
"""What is often taken for audio that libsndfile reads, by how it begins."""


class AudioFile:
    """The samples of a file, once, from beginning to end.

    What is read is all that is there, whatever length the file states; files that were joined are read one after the
    other.

    Attributes:
        name: for messages.
        sample_rate: where it begins, in Hz.
        channels: where it begins.
        notes: what differs from what the file states; complete at the end.
        damaged: whether some of what the file states could not be read; known at the end.
    """

    def __init__(self, audio: Any) -> None:
        """Open a path, the bytes of a file, or an open binary file.

        Raises:
            AudioNotFoundError: there is no such file.
            AudioError: not audio, or empty.
        """
        self.notes: list[str] = []
        self.damaged = False
        self.name, self._source = _source(audio)
        self._links = _links(self.name, self._source)
        self._rest, self._file, self._undecoded, reason = iter(self._links), None, 0, "unknown format"
        for link in self._rest:
            try:
                self._link, self._file = link, _opened(self._source, link)
            except AudioError as error:
                self._undecoded, reason = self._undecoded + 1, str(error)
            else:
                if self._file.frames:
                    break
        self._check_reading()
        if self._file is None:
            raise refused(self.name, reason)
        if not self._file.frames:
            raise AudioError(f"{self.name}: empty, there are no samples in it")
        self.sample_rate, self.channels = int(self._file.samplerate), int(self._file.channels)

    @property
    def stated_s(self) -> float | None:
        """Length in seconds, if it is known before all is read."""
        return _length(self._file, self._links[0]) if len(self._links) == 1 else None

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the sample rate and a block (n, channels), some seconds of sound.

        Both may change where files were joined.

        Raises:
            AudioError: the file cannot be read to its end.
        """
        read_s = stated_s = 0.0
        for link, file in self._files():
            count, rate, length = 0, int(file.samplerate), _length(file, link)
            with file:
                for block in _decoded(file, link.size):
                    count += len(block)
                    yield rate, block
            read_s += count / rate
            stated_s += count / rate if length is None else length * link.stated
        self._check_reading()
        if self._undecoded:
            self.notes.append(f"{self._undecoded} of {len(self._links)} joined files could not be decoded")
        if stated_s - read_s > NOTED_S:
            self.notes.append(f"file ends early or is damaged: {read_s:.1f} s of the {stated_s:.1f} s that it promises")
        elif read_s - stated_s > NOTED_S:
            stated = f"a length of {stated_s:.1f} s" if stated_s else "no length"
            self.notes.append(f"file states {stated}; all {read_s:.1f} s that are there were read")
        self.damaged = self._undecoded > 0 or stated_s - read_s > NOTED_S

    def _files(self) -> Iterator[tuple[Link, Any]]:
        yield self._link, self._file
        for link in self._rest:
            try:
                yield link, _opened(self._source, link)
            except AudioError:
                self._undecoded += 1

    def _check_reading(self) -> None:
        if self._source.error is not None:
            raise AudioError(f"{self.name}: cannot be read to its end ({self._source.error})")


def block_frames(rate: float, channels: int) -> int:
    """Return how many samples of each channel a block has."""
    return max(1, min(int(BLOCK_S * rate), BLOCK_VALUES // channels))


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read forward. Another goes back to where it is after each block, which costs time and accuracy.

    The decoder of mp3 also complains on standard error, as it does not find there what came before.
    """

    def seekable(self) -> bool:
        return False


def refused(name: str, reason: str, *, foreign: bool = False) -> AudioError:
    """Return the error for what is no audio, or of a kind that is not read.

    Args:
        name: of the file, or "bytes" or "stream".
        reason: why, in a few words.
        foreign: whether it is certain that another program can decode it; else its suffix decides.
    """
    message = f"{name}: not audio that can be read ({reason}); use wav, flac, ogg or mp3"
    suffix = Path(name).suffix.lower()
    if foreign or (suffix and suffix not in SUFFIXES):
        source, target = "FILE", "FILE.flac"
        if os.path.isfile(name):  # noqa: PTH113 - which takes any text
            source, target = shlex.quote(name), shlex.quote(str(Path(name).with_suffix(".flac")))
        message += (
            f", which ffmpeg makes of most files: ffmpeg -i {source} -vn {target}; or "
            f"ffmpeg -i {source} -f wav - | edge-iemonet classify -"
        )
    return AudioError(message)


def _links(name: str, source: ByteSource) -> Sequence[Link]:
    begin = mpeg.id3_size(source.at(0, 10))
    head = source.at(begin, 12)
    if head.startswith(flac.MAGIC):
        return flac.links(source, begin, source.size)
    if head.startswith(ogg.MAGIC):
        return ogg.links(source, begin, source.size)
    if foreign := FOREIGN.match(head):
        raise refused(name, str(foreign.lastgroup).replace("_", " "), foreign=True)
    found: list[Link] = []
    while riff.FILES.match(source.at(begin, 12)):
        more, begin = riff.links(source, begin)
        found += more
    found = found or mpeg.links(source, 0, source.size)
    if not found and mpeg.is_free(head[:4]):
        return [Link([(begin, source.size)])]
    return found


def _opened(source: ByteSource, link: Link) -> Any:
    """Open ``link``; the error holds the reason alone."""
    try:
        return _Forward(Pieces(source, link.pieces))
    except (soundfile.LibsndfileError, TypeError, OSError) as error:
        raise AudioError(str(getattr(error, "error_string", error)).rstrip(".")) from error


def _length(file: Any, link: Link) -> float | None:
    """Return how long ``link`` is in seconds, if that is known."""
    frames = file.frames if link.total is None else link.total or UNKNOWN_LENGTH
    return None if frames >= UNKNOWN_LENGTH else frames / file.samplerate


def _decoded(file: Any, size: int) -> Iterator[NDArray[np.float32]]:
    """Yield blocks (n, channels) of an open file of ``size`` bytes."""
    step = block_frames(file.samplerate, file.channels)
    done, most = 0, min(file.frames, size * FRAMES_PER_BYTE)
    while done < most:
        # A decoder that loses its way in a damaged file has filled what it could: the rest stays NaN.
        block = np.full((step, file.channels), np.nan, np.float32)
        try:
            block = file.read(step, dtype="float32", always_2d=True, out=block)
        except soundfile.LibsndfileError:
            block = block[~np.isnan(block).any(axis=1)]
        if not len(block):
            break
        done += len(block)
        yield block


def _source(audio: Any) -> tuple[str, ByteSource]:
    """Return a name for messages, and the bytes of ``audio``."""
    if isinstance(audio, bytes | bytearray | memoryview):
        name, source = "bytes", ByteSource(io.BytesIO(audio))
    elif isinstance(audio, str | os.PathLike):
        name = os.fsdecode(audio)
        file = _opened_file(name)
        source = ByteSource(file)
        weakref.finalize(source, file.close)
    elif hasattr(audio, "read"):
        given = getattr(audio, "name", None)  # of a descriptor that was opened it is a number
        name = STANDARD_INPUT if given in (0, "<stdin>") else given if isinstance(given, str) else "stream"
        check_stream(audio, name=name)
        source = ByteSource(audio if _can_seek(audio) else SeekableCopy(audio, name))
    else:
        raise AudioError(f"{type(audio).__name__}: give a path, bytes, an open binary file or a numpy array")
    if not source.size:
        raise AudioError(f"{name}: empty, there is nothing in it")
    return name, source


def _opened_file(name: str) -> BinaryIO:
    try:
        mode = Path(name).stat().st_mode
        file = Path(name).open("rb") if stat.S_ISREG(mode) else None  # noqa: SIM115 - it lives as long as the recording
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise paths.refused(name, error) from error
    if file is None:
        raise AudioError(f"{name}: {'a folder, ' if stat.S_ISDIR(mode) else ''}not a file")
    return file


def _can_seek(stream: Any) -> bool:
    return bool(hasattr(stream, "seekable") and stream.seekable())


class SeekableCopy(tempfile.SpooledTemporaryFile[bytes]):
    """A copy of a stream that cannot seek, in memory while it is small.

    Attributes:
        name: of the stream, for messages.
    """

    name = ""

    def __init__(self, stream: Any, name: str) -> None:
        """Read ``stream`` to its end."""
        super().__init__(IN_MEMORY)
        self.name = name
        shutil.copyfileobj(stream, self)
        self.seek(0)
