"""Damage: bytes, the headers of audio files, and values in JSON; each drawn from a seeded generator."""

from __future__ import annotations

import json
import struct
import zlib
from copy import deepcopy
from random import Random
from typing import Any

INTERESTING = (
    0, 1, 2, 3, 7, 16, 64, 65, 127, 128, 255, 256, 1_000, 16_000, 32_767, 32_768, 65_535, 65_536, 768_000, 768_001,
    10_000_000, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 36) - 1, (1 << 63) - 1, (1 << 64) - 1,
)  # fmt: skip
NAMES = (
    "../vad.onnx", "..", ".", "", "/etc/passwd", "/dev/zero", "a/b", "..\\x", "C:\\x", "x\0", "n" * 300, "vad.onnx/",
    "bundle.json", "missing", "\ud800", "vad.onnx", "text_tokenizer.json",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.5, 10**400, -(10**400), 1e308, float("nan"), float("inf"), 1 << 63, "", "x",
    "n" * 10_000, [], [[]], {}, {"a": 1}, [0] * 1_000, [None], "tensor(string)", "logits", ["batch", 4], [1 << 40], 4.0,
)  # fmt: skip

REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
"""Each byte with its bits in the other order."""


def damaged(data: bytes, random: Random, other: bytes = b"") -> bytes:
    """Return ``data`` after one to eight changes to its bytes, mostly near the beginning, where headers are."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        end = len(changed) if random.random() < 0.3 else min(len(changed), 64)
        at = random.randrange(end) if end else 0
        match random.randrange(9):
            case 0 if changed:
                changed[at] ^= 1 << random.randrange(8)
            case 1 if changed:
                changed[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
            case 2 | 3:
                size, order = random.choice((2, 4, 4, 8)), random.choice(("little", "big"))
                number = random.choice(INTERESTING) & ((1 << 8 * size) - 1)
                changed[at : at + size] = number.to_bytes(size, order)  # type: ignore[arg-type]
            case 4:
                del changed[random.randrange(len(changed) + 1) :]
            case 5:
                del changed[at : at + random.randrange(1, 64)]
            case 6:
                changed[at:at] = random.randbytes(random.randrange(1, 64))
            case 7:
                changed[at:at] = changed[at : at + random.randrange(1, 512)] * random.choice((1, 2, 16))
            case 8 if other:
                cut = random.randrange(len(other))
                changed[at:] = other[cut : cut + 4_096]
    return bytes(changed)


def lying_wav(random: Random) -> bytes:
    """Return a wav file in which any field may lie: rate, channels, width, alignment, and every size."""
    channels, rate = random.choice((0, 1, 2, 64, 65, 1_024, 65_535)), random.choice(INTERESTING) & 0xFFFFFFFF
    bits, code = random.choice((0, 1, 8, 12, 16, 24, 32, 64, 255)), random.choice((1, 2, 3, 6, 7, 0x11, 0x55, 0xFFFE))
    body = random.randbytes(random.choice((0, 1, 2, 100, 4_000)))
    sizes = [random.choice((len(body), *INTERESTING)) & 0xFFFFFFFF for _ in range(4)]
    align = random.choice((channels * bits // 8, 0, 1, 65_535)) & 0xFFFF
    extra = random.randbytes(random.choice((0, 2, 22)))
    form = struct.pack("<HHIIHH", code, channels, rate, sizes[3], align, bits) + extra
    head = random.choice((b"RIFF", b"RIFF", b"RIFX", b"RF64"))
    size = random.choice((len(form), len(form), sizes[2]))
    chunks = b"fmt " + struct.pack("<I", size) + form
    if head == b"RF64":
        chunks = b"ds64" + struct.pack("<IQQQI", 28, *(random.choice(INTERESTING) for _ in range(3)), 0) + chunks
    return head + struct.pack("<I", sizes[0]) + b"WAVE" + chunks + b"data" + struct.pack("<I", sizes[1]) + body


def lying_flac(data: bytes, random: Random) -> bytes:
    """Return the flac file ``data`` with another rate, number of channels, width or length in its first block."""
    # 4 bytes of magic, 4 of the block's head, 10 of block and frame sizes; then 20 + 3 + 5 + 36 bits.
    (word,) = struct.unpack(">Q", data[18:26])
    rate, channels, bits, frames = word >> 44, word >> 41 & 7, word >> 36 & 31, word & ((1 << 36) - 1)
    rate = random.choice((rate, *INTERESTING)) & 0xFFFFF
    frames = random.choice((frames, *INTERESTING)) & ((1 << 36) - 1)
    channels, bits = random.choice((channels, random.randrange(8))), random.choice((bits, random.randrange(32)))
    return data[:18] + struct.pack(">Q", rate << 44 | channels << 41 | bits << 36 | frames) + data[26:]


def lying_ogg(data: bytes, random: Random) -> bytes:
    """Return the ogg file ``data`` damaged, with checksums that fit, so that the decoder looks at the damage."""
    changed = bytearray(damaged(data, random))
    at = changed.find(b"OggS")
    while at >= 0 and at + 27 <= len(changed):
        if random.random() < 0.3:
            changed[at + 6 : at + 14] = random.choice(INTERESTING).to_bytes(8, "little")
        count = changed[at + 26]
        end = at + 27 + count + sum(changed[at + 27 : at + 27 + count])
        changed[at + 22 : at + 26] = bytes(4)
        changed[at + 22 : at + 26] = _ogg_checksum(bytes(changed[at:end])).to_bytes(4, "little")
        at = changed.find(b"OggS", at + 27)
    return bytes(changed)


def damaged_json(data: bytes, random: Random) -> bytes:
    """Return the JSON in ``data`` with one to three other values, now and then with damage to its text as well."""
    text = json.dumps(_altered(json.loads(data), random))
    match random.randrange(12):
        case 0:
            nested = "[" * random.choice((10, 100_000))
            return text.replace(random.choice(("1.5", "16000", "[1]", "9")), nested, 1).encode()
        case 1:
            return text.replace(random.choice(("1.5", "16000", "9")), "1" * random.choice((10, 5_000)), 1).encode()
        case 2:
            return damaged(text.encode(), random)
    return text.encode()


def _altered(document: Any, random: Random) -> Any:
    for _ in range(random.choice((1, 1, 2, 3))):
        places = list(_places(document))
        if not places:
            return document
        container, key = random.choice(places)
        match random.randrange(5):
            case 0:
                del container[key]
            case 1:
                container[key] = [container[key]]
            case 2 if isinstance(container[key], str):
                container[key] = random.choice(NAMES)
            case 3:
                other, name = random.choice(places)
                container[key] = json.loads(json.dumps(other[name])) if name in _keys(other) else None
            case _:
                container[key] = deepcopy(random.choice(VALUES))  # or a later change would be made to all
    return document


def _places(value: Any) -> Any:
    for key in _keys(value):
        yield value, key
        yield from _places(value[key])


def _keys(value: Any) -> Any:
    return list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()


def _ogg_checksum(page: bytes) -> int:
    """Return ogg's checksum: that of zlib, but for the order of bits and for the first and last inversion."""
    checksum = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{checksum:032b}"[::-1], 2)
