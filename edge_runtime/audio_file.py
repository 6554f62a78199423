"""A path, bytes or a stream → an open audio file, of a kind whose reader can be trusted with damage."""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

import soundfile

from edge_runtime.errors import AudioError, AudioNotFoundError

IN_MEMORY = 32 << 20
"""A stream that cannot seek is copied first; up to so many bytes in memory, beyond on disk."""
KINDS = re.compile(
    rb"RIFF....WAVE|RIFX....WAVE|RF64|riff\x2e\x91\xcf\x11|fLaC|OggS|ID3|\xff[\xe0-\xff]|FORM....AIF[FC]|\.snd|caff",
    re.DOTALL,
)
"""How wav (also W64), flac, ogg, mp3, aiff, au and caf begin. libsndfile knows more, but the readers of those are old:
some never end when they meet damage, or write to standard output."""


def opened(audio: Any) -> tuple[str, Any, int]:
    """Open a path, the bytes of a file, or an open binary file.

    Returns:
        A name for messages, the open ``soundfile.SoundFile``, and the size in bytes.

    Raises:
        AudioNotFoundError: there is no such file.
        AudioError: not audio, or empty.
    """
    name, source, size = _source(audio)
    try:
        if not KINDS.match(_beginning(source)):
            reason = "unknown format"
        else:
            return name, soundfile.SoundFile(source), size
    except (soundfile.LibsndfileError, TypeError, OSError) as error:
        reason = str(getattr(error, "error_string", error)).rstrip(".")
    raise AudioError(f"{name}: not audio that can be read ({reason}); use wav, flac, ogg or mp3")


def _source(audio: Any) -> tuple[str, Any, int]:
    """Return a name, what libsndfile opens, and its size in bytes."""
    if isinstance(audio, bytes | bytearray | memoryview):
        stream = _Seekable(io.BytesIO(audio))
        return "bytes", stream, stream.size
    if isinstance(audio, str | os.PathLike):
        name = os.fsdecode(audio)
        try:
            status = Path(name).stat()
        except (OSError, ValueError) as error:  # ValueError: a null character
            raise AudioNotFoundError(f"{name}: no such file") from error
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"{name}: not a file")
        if status.st_size == 0:
            raise AudioError(f"{name}: empty, there is nothing in it")
        return name, os.fsencode(audio), status.st_size
    if hasattr(audio, "read"):
        stream = _Seekable(_copied(audio))
        return str(getattr(audio, "name", "stream")), stream, stream.size
    raise AudioError(f"{type(audio).__name__}: give a path, bytes, an open binary file or a numpy array")


class _Seekable:
    """An open file for libsndfile, which follows a damaged header to any place, and asks where it is after each seek.

    It is told of a place that cannot be by -1, as C does; an exception it would print.
    """

    def __init__(self, file: Any) -> None:
        self._file, begin = file, file.tell()
        self.size: int = file.seek(0, io.SEEK_END)
        file.seek(begin)
        self._failed = False
        self.read = file.read
        if hasattr(file, "readinto"):
            self.readinto = file.readinto

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> None:
        try:
            self._file.seek(offset, whence)
        except (ValueError, OverflowError, OSError):
            self._failed = True

    def tell(self) -> int:
        failed, self._failed = self._failed, False
        return -1 if failed else int(self._file.tell())


def _beginning(source: Any) -> bytes:
    if isinstance(source, bytes):
        with open(source, "rb") as file:  # noqa: PTH123 - a path that need not be text
            return file.read(12)
    begin = source.tell()
    found = bytes(source.read(12))
    source.seek(begin)
    return found


def _copied(stream: Any) -> Any:
    """Return ``stream``, or a copy of one that cannot seek."""
    try:
        if stream.seekable():
            return stream
    except AttributeError:
        pass
    copy = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - it lives as long as the recording
    shutil.copyfileobj(stream, copy)
    if copy.tell() == 0:
        raise AudioError(f"{getattr(stream, 'name', 'stream')}: empty, there is nothing in it")
    copy.seek(0)
    return copy
