"""Ogg, page by page: the streams of a file that has several, one after the other or interleaved."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_runtime.audio.containers.byte_ranges import ByteSource, Link, Piece

MAGIC = b"OggS"
HEAD = 27
FLAC_HEAD = 9
"""Bytes before the beginning of a flac file in the first packet."""
AUDIO = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC")


@dataclass
class _Stream:
    """The pages of one stream, or what is in them for flac, which the decoder reads without Ogg."""

    serial: bytes
    bare: bool
    pieces: list[Piece] = field(default_factory=list)

    def add(self, begin: int, body: int, end: int) -> None:
        if self.bare:
            begin = body if self.pieces else body + FLAC_HEAD
        last = self.pieces[-1] if self.pieces else b""
        if isinstance(last, tuple) and last[1] == begin:
            self.pieces[-1] = (last[0], end)
        elif begin < end:
            self.pieces.append((begin, end))


def links(source: ByteSource, begin: int, end: int) -> list[Link]:
    """Return the streams of sound, one for each file that was joined; of interleaved ones the first."""
    found: list[_Stream] = []
    at, opening, chosen = begin, False, False
    while at + HEAD <= end:
        head = source.at(at, HEAD)
        if not head.startswith(MAGIC):
            at = source.find(MAGIC, at + 1, end)
            if at < 0:
                break
            continue
        sizes = source.at(at + HEAD, head[26])
        body = at + HEAD + len(sizes)
        behind = min(body + sum(sizes), end)
        begins = bool(head[5] & 2)
        if begins and not opening:
            chosen = False  # all streams of one file begin before any of them goes on
        opening = begins
        if begins and not chosen and (kind := source.at(body, 8)).startswith(AUDIO):
            found.append(_Stream(head[14:18], kind.startswith(b"\x7fFLAC")))
            chosen = True
        if chosen and head[14:18] == found[-1].serial:
            found[-1].add(at, body, behind)
        at = behind
    return [Link(stream.pieces) for stream in found if stream.pieces]
