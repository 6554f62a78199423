"""Files of chunks (wav, w64, aiff, caf) and au: where their samples are, whatever the stated size says.

A recorder that was killed, or that wrote to a pipe, left a size of 0 or of its first samples; past 4 GiB the size of a
wav file wraps. What lies behind the stated end is sound too, unless it is more chunks, a tag, or another file.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from edge_runtime.audio.containers import mpeg
from edge_runtime.audio.containers.byte_ranges import ByteSource, Link, Piece

FILES = re.compile(rb"(?:RIFF|RIFX|RF64)....WAVE|riff\x2e\x91\xcf\x11|FORM....AIF[FC]|\.snd\0\0|caff\0\x01", re.DOTALL)
LEAST = 1_024
"""Fewer bytes behind the stated end are no sound that was left out: padding, or some program's mark."""
UNKNOWN = 0x7FFFF000
"""Programs that write to a pipe state such a size or a greater one, for want of a better one."""
LARGEST = 0xFFFFFFFF
MPEG = (0x50, 0x55)
W64_TAIL = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
KNOWN = frozenset(
    re.findall(
        rb"....",
        b"LISTid3 ID3 bextcue smplfactPEAKiXMLJUNKjunkPAD FLLRaxmlDISPinstINSTnoteplst_PMXchnaacidstrccartumidlevl"
        b"minfelm1regnafspAFAnMARKCOMTNAMEAUTH(c) ANNOAPPLMIDIAESDCHANchanpaktinfouuidfreeedctstrgovvwpeakumcluser"
        b"FVERLGWVSAUR",
    )
)
"""Chunks that come behind the samples, even when the file was cut in the middle of one."""


@dataclass(frozen=True)
class Layout:
    """How a kind of file is made of chunks.

    Attributes:
        first: where the first chunk begins.
        name: how many bytes a chunk's name has.
        size: how a chunk's size is written, right behind its name.
        whole: whether the size counts the name and itself.
        even: what a chunk's beginning is a multiple of.
        sound: the name of the chunk with the samples.
        inside: how many bytes of that chunk come before them.
    """

    first: int
    name: int
    size: str
    whole: bool
    even: int
    sound: bytes
    inside: int


AU = Layout(24, 4, ">I", whole=False, even=1, sound=b"", inside=0)
LAYOUTS = {
    b"RIFF": Layout(12, 4, "<I", whole=False, even=2, sound=b"data", inside=0),
    b"RIFX": Layout(12, 4, ">I", whole=False, even=2, sound=b"data", inside=0),
    b"RF64": Layout(12, 4, "<I", whole=False, even=2, sound=b"data", inside=0),
    b"riff": Layout(40, 16, "<Q", whole=True, even=8, sound=b"data" + W64_TAIL, inside=0),
    b"FORM": Layout(12, 4, ">I", whole=False, even=2, sound=b"SSND", inside=8),
    b"caff": Layout(8, 4, ">Q", whole=False, even=1, sound=b"data", inside=4),
    b".snd": AU,
}


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    begin: int
    body: int
    end: int
    behind: int
    """Where the next one begins."""


@dataclass(frozen=True)
class _Sound:
    """Where the samples are, and where their size is stated.

    Attributes:
        first: where they begin.
        stated: how many bytes there should be.
        size_at: where that is written.
        written: how.
        extra: what else the number counts.
        form: the chunk that describes the samples, of wav.
    """

    first: int
    stated: int
    size_at: int
    written: str
    extra: int = 0
    form: _Chunk | None = None


def links(source: ByteSource, begin: int) -> tuple[list[Link], int]:
    """Return what is to be decoded of the file that begins here, and where that file ends."""
    layout = LAYOUTS[source.at(begin, 4)]
    sound = _sound(source, layout, begin)
    if sound is None:  # no samples, or a header beyond repair: the decoder says so
        return [Link([(begin, source.size)])], source.size
    last, end = _ends(source, layout, begin, sound)
    there = last - sound.first
    if there <= 0:
        return [Link([(begin, end)])], end
    if sound.form is not None and _number(source, sound.form, layout.size) in MPEG:
        return mpeg.links(source, sound.first, last), end
    share = 1.0 if there < sound.stated and sound.stated >= UNKNOWN else sound.stated / there
    return [Link(_mended(sound, begin, last, end) if there != sound.stated else [(begin, end)], stated=share)], end


def _sound(source: ByteSource, layout: Layout, begin: int) -> _Sound | None:
    if layout is AU:
        first, stated = struct.unpack(">II", source.at(begin + 4, 8).ljust(8, b"\0"))
        return _Sound(begin + first, stated, begin + 8, ">I") if layout.first <= first else None
    seen = {}
    for chunk in _chunks(source, layout, begin, begin + layout.first):
        seen[chunk.name] = chunk
        if chunk.name == layout.sound:
            break
    else:
        return None
    form, long = seen.get(b"fmt "), seen.get(b"ds64")
    if long is not None and source.at(chunk.begin + 4, 4) == b"\xff" * 4:
        (stated,) = struct.unpack("<Q", source.at(long.body + 8, 8).ljust(8, b"\0"))
        return _Sound(chunk.body, stated, long.body + 8, "<Q", form=form)
    extra = layout.inside + (chunk.body - chunk.begin if layout.whole else 0)
    stated = max(0, chunk.end - chunk.body - layout.inside)
    return _Sound(chunk.body + layout.inside, stated, chunk.begin + layout.name, layout.size, extra, form)


def _chunks(source: ByteSource, layout: Layout, begin: int, at: int) -> Iterator[_Chunk]:
    """Yield the chunks from ``at`` on, as far as their heads are there."""
    head = layout.name + struct.calcsize(layout.size)
    while len(data := source.at(at, head)) == head:
        (size,) = struct.unpack_from(layout.size, data, layout.name)
        end = at + max(size, head) if layout.whole else at + head + size
        behind = end + -(end - begin) % layout.even
        yield _Chunk(data[: layout.name], at, at + head, end, behind)
        at = behind


def _ends(source: ByteSource, layout: Layout, begin: int, sound: _Sound) -> tuple[int, int]:
    """Return where the samples end, and where the file does."""
    stated, there = sound.first + sound.stated, source.size - _tag_at_the_end(source)
    if stated >= there:
        return there, source.size
    # Some programs leave out the byte that makes a size even.
    for behind in (stated + -(stated - begin) % layout.even, stated):
        end = _end_of_chunks(source, layout, begin, behind, there)
        if end is not None:
            return stated, end
    return (stated if sound.stated and there - stated < LEAST else there), source.size


def _end_of_chunks(source: ByteSource, layout: Layout, begin: int, at: int, there: int) -> int | None:
    """Return where the file ends, if there is nothing but chunks from ``at`` on; else None."""
    at += mpeg.id3_size(source.at(at, 10))
    if FILES.match(source.at(at, 12)):
        return at
    for chunk in _chunks(source, layout, begin, at):
        if FILES.match(source.at(chunk.begin, 12)):
            return chunk.begin
        known = chunk.name in KNOWN or chunk.name.endswith(W64_TAIL)
        if not known and not all(0x20 <= letter < 0x7F for letter in chunk.name):
            return None
        at = chunk.behind
        if chunk.end >= there:
            return source.size if known or chunk.end == there else None
    return source.size if there - at <= layout.even else None


def _tag_at_the_end(source: ByteSource) -> int:
    """Return the size of an ID3 (version 1) or APE tag at the end."""
    if source.at(source.size - 128, 3) == b"TAG":
        return 128
    foot = source.at(max(0, source.size - 32), 32)
    if foot.startswith(b"APETAGEX"):
        has_head = foot[23] >> 7
        return min(int.from_bytes(foot[12:16], "little") + 32 * has_head, source.size)
    return 0


def _number(source: ByteSource, form: _Chunk, size: str) -> int:
    """Return the number of the encoding."""
    (number,) = struct.unpack(size[0] + "H", source.at(form.body, 2).ljust(2, b"\0"))
    return int(number)


def _mended(sound: _Sound, begin: int, last: int, end: int) -> list[Piece]:
    """Return the file with the size that the samples have."""
    there = last - sound.first
    if there + sound.extra > LARGEST and sound.written == "<I" and sound.form is not None:
        sizes = struct.pack("<IQQQI", 28, there + 72, there, 0, 0)
        head = b"RF64" + b"\xff" * 4 + b"WAVEds64" + sizes
        return [head, (sound.form.begin, sound.form.behind), b"data" + b"\xff" * 4, (sound.first, last)]
    value = there + sound.extra if sound.written[1] == "Q" else min(there + sound.extra, LARGEST)
    size = struct.pack(sound.written, value)
    return [(begin, sound.size_at), size, (sound.size_at + len(size), end)]
