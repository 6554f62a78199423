"""Any part of a file, or several parts joined, as a file of its own for a decoder."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

BLOCK = 1 << 16

Piece = tuple[int, int] | bytes
"""Where a piece begins and where it ends, in bytes of the file; or bytes that stand in for something in it."""


@dataclass(frozen=True)
class Link:
    """A part of a file that one decoder reads from its beginning to its end: of one sample rate, with its channels.

    Attributes:
        pieces: what the decoder is given.
        total: how many samples of each channel the file states, 0 if it does not know; None: what the decoder says.
        stated: how much the file states, as a share of what is there.
    """

    pieces: Sequence[Piece]
    total: int | None = None
    stated: float = 1.0

    @property
    def size(self) -> int:
        """How many bytes the decoder is given."""
        return sum(map(size_of, self.pieces))


def size_of(piece: Piece) -> int:
    """Return how many bytes are in ``piece``."""
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]


class ByteSource:
    """The bytes of an open file, at any place.

    Attributes:
        size: how many there are, from where the file stood when it was given.
        error: what went wrong when it was read; what could not be read is taken for the end.
    """

    def __init__(self, file: Any) -> None:
        """Take an open binary file that can seek."""
        self._file, self._first = file, file.tell()
        self.size: int = max(0, file.seek(0, io.SEEK_END) - self._first)
        self.error: OSError | None = None
        self._block, self._block_at = b"", 0

    def at(self, position: int, count: int) -> bytes:
        """Return ``count`` bytes from ``position`` on, fewer at the end."""
        if not 0 <= position < self.size:
            return b""
        begin = position - self._block_at
        if begin < 0 or begin + count > len(self._block):
            self._block, self._block_at, begin = self._read(position, max(count, BLOCK)), position, 0
        return self._block[begin : begin + count]

    def find(self, wanted: bytes, begin: int, end: int) -> int:
        """Return where ``wanted`` comes first, wholly within ``begin`` to ``end``; -1 where it does not."""
        while begin + len(wanted) <= end:
            block = self.at(begin, min(BLOCK, end - begin))
            found = block.find(wanted)
            if found >= 0:
                return begin + found
            if len(block) < len(wanted):
                return -1
            begin += len(block) - len(wanted) + 1
        return -1

    def _read(self, position: int, count: int) -> bytes:
        parts: list[bytes] = []
        try:
            self._file.seek(self._first + position)
            # A raw file may give less than was asked for.
            while count > 0 and (part := self._file.read(count)):
                parts.append(part)
                count -= len(part)
        except OSError as error:
            self.error = error
        return b"".join(parts)


class Pieces:
    """Pieces of a ``ByteSource`` joined to one file, for libsndfile.

    A damaged header sends libsndfile to any place; it asks where it is after each seek, and is told of a place that
    cannot be by -1, as C does. An exception it would print.
    """

    def __init__(self, source: ByteSource, pieces: Sequence[Piece]) -> None:
        """Join ``pieces``."""
        self._source, self._pieces = source, pieces
        self._begins = [0, *accumulate(map(size_of, pieces))]
        self.size = self._begins[-1]
        self._at, self._failed = 0, False
        self._block, self._block_at = b"", 0

    def read(self, count: int = -1) -> bytes:
        """Return the next ``count`` bytes, fewer at the end."""
        count = self.size - self._at if count < 0 else count
        begin = self._at - self._block_at
        # A decoder of mp3 asks for four bytes, then for a frame, forty times for a second of sound: be quick.
        if begin < 0 or begin + count > len(self._block):
            self._block, self._block_at, begin = self._joined(self._at, max(count, BLOCK)), self._at, 0
        part = self._block[begin : begin + count]
        self._at += len(part)
        return part

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``, as far as there are bytes, and return how many."""
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def _joined(self, at: int, count: int) -> bytes:
        parts = []
        end = min(at + count, self.size)
        while at < end:
            index = bisect_right(self._begins, at) - 1
            piece, inside = self._pieces[index], at - self._begins[index]
            wanted = min(end, self._begins[index + 1]) - at
            if isinstance(piece, bytes):
                part = piece[inside : inside + wanted]
            else:
                part = self._source.at(piece[0] + inside, wanted)
            if not part:
                break
            parts.append(part)
            at += len(part)
        return b"".join(parts)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> None:
        """Go to a place."""
        place = offset + (0, self._at, self.size)[whence]
        self._failed = place < 0
        if not self._failed:
            self._at = place

    def tell(self) -> int:
        """Return the place, -1 after a seek to one that cannot be."""
        failed, self._failed = self._failed, False
        return -1 if failed else self._at
