"""Flac files, one after the other: each by itself, and without the length that its head states."""

from __future__ import annotations

import struct

from edge_runtime.pieces import Link, Source

HEAD = b"fLaC\0\0\0\x22"
LENGTH_AT, LENGTH_END = 18, 26
"""20 bits of sample rate, 3 of channels, 5 of width, 36 of length."""
LENGTH_BITS = 36


def links(source: Source, begin: int, end: int) -> list[Link]:
    """Return the files; a decoder that is told of no length reads to the end of each."""
    found = []
    while 0 <= begin < end:
        behind = source.find(HEAD, begin + 1, end)
        stop = behind if behind > 0 else end
        (word,) = struct.unpack(">Q", source.at(begin + LENGTH_AT, LENGTH_END - LENGTH_AT).ljust(8, b"\0"))
        without = struct.pack(">Q", word >> LENGTH_BITS << LENGTH_BITS)
        pieces = [(begin, begin + LENGTH_AT), without, (begin + LENGTH_END, max(stop, begin + LENGTH_END))]
        found.append(Link(pieces, total=word & ((1 << LENGTH_BITS) - 1)))
        begin = behind
    return found
