"""Flac files, one after the other: each by itself, and without the length that its head states."""

from __future__ import annotations

import struct

from edge_runtime.audio.containers.byte_ranges import ByteSource, Link, Piece

MAGIC = b"fLaC"
FIRST_BLOCK = (b"\0\0\0\x22", b"\x80\0\0\x22")
"""What follows: 34 bytes about the whole, and other blocks or none."""
LENGTH_AT, LENGTH_END = 18, 26
"""20 bits of sample rate, 3 of channels, 5 of width, 36 of length."""
LENGTH_BITS = 36


def links(source: ByteSource, begin: int, end: int) -> list[Link]:
    """Return the files; a decoder that is told of no length reads to the end of each."""
    found: list[Link] = []
    while begin < end:
        behind = _next(source, begin, end)
        (word,) = struct.unpack(">Q", source.at(begin + LENGTH_AT, LENGTH_END - LENGTH_AT).ljust(8, b"\0"))
        without = struct.pack(">Q", word >> LENGTH_BITS << LENGTH_BITS)
        pieces: list[Piece] = [(begin, begin + LENGTH_AT), without]
        if begin + LENGTH_END < behind:
            pieces.append((begin + LENGTH_END, behind))
        found.append(Link(pieces, total=word & ((1 << LENGTH_BITS) - 1)))
        begin = behind
    return found


def _next(source: ByteSource, begin: int, end: int) -> int:
    """Return where the file behind the one at ``begin`` begins; ``end`` if there is none."""
    while (begin := source.find(MAGIC, begin + 1, end)) >= 0:
        if source.at(begin + len(MAGIC), 4) in FIRST_BLOCK:
            return begin
    return end
