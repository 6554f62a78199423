"""Flac is read to its end, whatever length its head states, and so are files that were joined."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.audio.recording import SAMPLE_RATE, Recording

SAMPLES = np.random.default_rng(0).integers(-9_000, 9_000, 2 * SAMPLE_RATE).astype(np.int16)
EXPECTED = SAMPLES / np.float32(32_768)


def flac(stated: int | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, SAMPLE_RATE, format="FLAC")
    data = bytearray(file.getvalue())
    if stated is not None:
        (word,) = struct.unpack_from(">Q", data, 18)
        struct.pack_into(">Q", data, 18, word >> 36 << 36 | stated)
    return bytes(data)


def heard(data: bytes) -> tuple[np.ndarray, list[str]]:
    recording = Recording(data)
    return np.concatenate(list(recording.blocks())), recording.notes


@pytest.mark.parametrize(
    ("stated", "notes"),
    [
        (None, []),
        (0, []),
        (5_000, ["file states a length of 0.3 s; all 2.0 s that are there were read"]),
        (80_000, ["file ends early or is damaged: 2.0 s of the 5.0 s that it promises"]),
    ],
)
def test_the_stated_length_is_compared_and_not_trusted(stated: int | None, notes: list[str]) -> None:
    samples, found = heard(flac(stated))
    np.testing.assert_array_equal(samples, EXPECTED)
    assert found == notes


@settings(max_examples=50)
@given(st.integers(0, (1 << 36) - 1))
def test_no_stated_length_makes_a_file_shorter(stated: int) -> None:
    np.testing.assert_array_equal(heard(flac(stated))[0], EXPECTED)


def test_joined_files_are_heard_one_after_the_other() -> None:
    bare = flac()
    alone = bare[:4] + b"\x80" + bare[5:42] + bare[bare.index(b"\xff\xf8") :]  # with the first block alone
    tag = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
    for data in (flac() * 3, flac() + alone * 2, tag + flac(0) * 3):
        samples, notes = heard(data)
        np.testing.assert_array_equal(samples, np.tile(EXPECTED, 3))
        assert notes == []


def test_the_length_is_known_before_all_is_read() -> None:
    assert Recording(flac()).header_duration_s == 2.0
    assert Recording(flac(0)).header_duration_s is None
