"""MPEG audio (mp3, mp2), frame by frame: what is there, whatever a header says about the whole.

Nothing in such a file tells its length for certain: a first frame without sound may count the others ("Xing", "Info",
"VBRI"), and be wrong about joined, cut or edited files. Tags and damage may stand before, between and behind frames.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache

from edge_runtime.audio.containers.byte_ranges import ByteSource, Link

SEARCHED = 16 << 20
"""The first frame is looked for in so many bytes: a tag with a picture may stand before it."""
IN_A_ROW = 3
"""What looks like a frame is one if others follow it; two bytes alone are in all files."""
KBITS = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By version (is it MPEG-1?) and layer: the bit rates that a header can choose from."""
RATES = (44_100, 48_000, 32_000)
MIDDLE_BIT_RATE = 9


@dataclass(frozen=True)
class Frame:
    """What a frame's header says.

    Attributes:
        form: version, layer, sample rate and number of channels: the same for all frames of one stream.
        kbits: a second.
        size: in bytes, with the header.
        tag_at: where a frame without sound has its name.
    """

    form: tuple[int, int, int, int]
    kbits: int
    size: int
    tag_at: int


@lru_cache(4096)
def frame(head: bytes) -> Frame | None:
    """Return what four bytes say, or None if no frame begins so."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    chosen, rate_index, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or chosen in {0, 15} or rate_index == 3:
        return None
    first = version == 3
    channels = 1 if head[3] >> 6 == 3 else 2
    rate = RATES[rate_index] // {3: 1, 2: 2, 0: 4}[version]
    kbits = KBITS[first, layer][chosen - 1]
    if layer == 1:
        size = (12_000 * kbits // rate + padding) * 4
    else:
        size = (144_000 if layer == 2 or first else 72_000) * kbits // rate + padding
    tag_at = 4 + {(True, 1): 17, (True, 2): 32, (False, 1): 9, (False, 2): 17}[first, channels]
    return Frame((version, layer, rate, channels), kbits, size, tag_at)


def is_free(head: bytes) -> bool:
    """Say whether a frame that begins so has a bit rate of its own choice: only a decoder finds where it ends."""
    known = bytes((*head[:2], MIDDLE_BIT_RATE << 4 | head[2] & 0x0F, head[3])) if len(head) >= 4 else b""
    return frame(known) is not None and head[2] >> 4 == 0


@dataclass
class _Stream:
    """Frames that belong together."""

    first: Frame
    head: bytes
    tag: bytes | None = None
    counted: int | None = None
    frames: int = 0
    pieces: list[tuple[int, int]] = field(default_factory=list)

    def add(self, begin: int, end: int) -> None:
        self.frames += 1
        if self.pieces and self.pieces[-1][1] == begin:
            self.pieces[-1] = (self.pieces[-1][0], end)
        else:
            self.pieces.append((begin, end))

    def link(self) -> Link:
        if self.tag is not None and self.counted in {self.frames, self.frames + 1}:  # some count the tag as well
            size = Link([self.tag, *self.pieces]).size
            return Link([_with_size(self.tag, self.first.tag_at, size), *self.pieces])
        stated = 1.0 if self.counted is None else self.counted / self.frames
        if self.first.form[1] != 3:
            return Link(self.pieces)  # of one bit rate, from which the decoder finds the length
        return Link([_count(self.head, self.frames), *self.pieces], stated=stated)


def links(source: ByteSource, begin: int, end: int) -> list[Link]:
    """Return the streams between two places: a new one wherever the form changes or another file was joined."""
    found: list[_Stream] = []
    at, in_step = begin, False
    while at + 4 <= end and (found or at < begin + SEARCHED):
        head = source.at(at, 4)
        now = frame(head)
        known = now is not None and in_step and now.form == found[-1].first.form
        if now is None or at + now.size > end or not (known or _confirmed(source, at, end)):
            in_step = False
            at = _behind_tag(source, at, end) or source.find(b"\xff", at + 1, end)
            if at < 0:
                break
            continue
        data = source.at(at, now.size)
        tagged, counted = _counted(data, now)
        changed = (
            not found or now.form != found[-1].first.form or (now.form[1] < 3 and now.kbits != found[-1].first.kbits)
        )
        if tagged or changed:
            found.append(_Stream(now, head, data if tagged else None, counted))
        if not tagged:
            found[-1].add(at, at + now.size)
        at, in_step = at + now.size, True
    return [stream.link() for stream in found if stream.frames]


def _confirmed(source: ByteSource, at: int, end: int) -> bool:
    """Say whether frames of one form follow each other from here, or up to the end."""
    first = now = frame(source.at(at, 4))
    for _ in range(IN_A_ROW - 1):
        if now is None or first is None or now.form != first.form:
            return False
        at += now.size
        if at == end:
            return True
        now = frame(source.at(at, 4))
    return now is not None and first is not None and now.form == first.form


def _behind_tag(source: ByteSource, at: int, end: int) -> int | None:
    """Return where an ID3 tag that begins here ends, if a frame does begin there."""
    behind = at + id3_size(source.at(at, 10))
    return behind if at < behind < end and _confirmed(source, behind, end) else None


def id3_size(head: bytes) -> int:
    """Return the size of the ID3 tag that begins with these ten bytes, 0 if none does."""
    if len(head) < 10 or not head.startswith(b"ID3") or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return size + (20 if head[5] & 0x10 else 10)


def _counted(data: bytes, now: Frame) -> tuple[bool, int | None]:
    """Say whether this is a frame without sound, and how many frames it counts."""
    if now.form[1] != 3:
        return False, None
    if data[now.tag_at : now.tag_at + 4] in {b"Xing", b"Info"}:
        flags, count = struct.unpack_from(">II", data.ljust(now.tag_at + 12, b"\0"), now.tag_at + 4)
        return True, count if flags & 1 and count else None  # 0 by a program that could not go back to write it
    if data[36:40] == b"VBRI":
        return True, struct.unpack_from(">I", data.ljust(54, b"\0"), 50)[0]
    return False, None


def _with_size(tag: bytes, tag_at: int, size: int) -> bytes:
    """Return the tag with the size of the stream, of which the decoder would complain where it is wrong."""
    if len(tag) < tag_at + 16 or tag[tag_at + 7] & 3 != 3 or tag[tag_at : tag_at + 4] not in {b"Xing", b"Info"}:
        return tag
    return tag[: tag_at + 12] + struct.pack(">I", size) + tag[tag_at + 16 :]


def _count(head: bytes, frames: int) -> bytes:
    """Return a frame without sound that counts ``frames``, for a decoder that would guess from the first one."""
    head = bytes((head[0], head[1] | 1, MIDDLE_BIT_RATE << 4 | head[2] & 0x0C, head[3]))
    now = frame(head)
    assert now is not None
    return (head.ljust(now.tag_at, b"\0") + b"Xing" + struct.pack(">II", 1, frames)).ljust(now.size, b"\0")
