"""Samples are read to the end of the file, whatever size its header states; what is no sound is not read as such."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime import AudioError
from edge_runtime.audio.recording import SAMPLE_RATE, Recording

LENGTH = 2 * SAMPLE_RATE
SAMPLES = np.random.default_rng(0).integers(-20_000, 20_000, (LENGTH, 2)).astype(np.int16)
GUID = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


def encoded(kind: str, subtype: str = "PCM_16", samples: np.ndarray = SAMPLES, **settings: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format=kind, subtype=subtype, **settings)
    return file.getvalue()


def heard(audio: object) -> tuple[np.ndarray, list[str]]:
    recording = Recording(audio)  # type: ignore[arg-type]
    return np.concatenate(list(recording.blocks(split=True))), recording.notes


def with_size(data: bytes, place: tuple[bytes, int, str], size: int) -> bytes:
    """Return ``data`` with another size behind the last ``place[0]``."""
    name, offset, written = place
    at, room = data.rindex(name) + offset, 1 << 8 * struct.calcsize(written)
    changed = bytearray(data)
    struct.pack_into(written, changed, at, size % room)
    return bytes(changed)


WAV, BIG, AU = (b"data", 4, "<I"), (b"data", 4, ">I"), (b".snd", 8, ">I")
FILES: dict[str, tuple[bytes, tuple[bytes, int, str], int]] = {
    # What else the size counts comes last.
    "wav": (encoded("WAV"), WAV, 0),
    "wav, extensible": (encoded("WAVEX"), WAV, 0),
    "wav, big endian": (encoded("WAV", endian="BIG"), BIG, 0),
    "wav of floats": (encoded("WAV", "FLOAT"), WAV, 0),
    "wav of telephones": (encoded("WAV", "ULAW"), WAV, 0),
    "rf64": (encoded("RF64"), (b"ds64", 16, "<Q"), 0),
    "w64": (encoded("W64"), (GUID, 16, "<Q"), 24),
    "aiff": (encoded("AIFF"), (b"SSND", 4, ">I"), 8),
    "au": (encoded("AU"), AU, 0),
    "caf": (encoded("CAF"), (b"data", 4, ">Q"), 4),
}
EACH = pytest.mark.parametrize("name", FILES)


def expected(name: str) -> np.ndarray:
    return soundfile.read(io.BytesIO(FILES[name][0]), dtype="float32")[0]


@EACH
def test_a_good_file_is_read_bit_by_bit_and_without_a_note(name: str) -> None:
    samples, notes = heard(FILES[name][0])
    np.testing.assert_array_equal(samples, expected(name))
    assert notes == []


@EACH
@pytest.mark.parametrize("size", [0, 3_200])
def test_a_size_of_nothing_or_of_the_first_samples_ends_no_file(name: str, size: int) -> None:
    data, place, more = FILES[name]
    samples, notes = heard(with_size(data, place, size + more))
    np.testing.assert_array_equal(samples, expected(name))
    stated = 2.0 * size / (expected(name).size * {"wav of floats": 4, "wav of telephones": 1}.get(name, 2))
    length = f"a length of {stated:.1f} s" if size else "no length"
    assert notes == [f"file states {length}; all 2.0 s that are there were read"]


@EACH
def test_the_greatest_size_there_is_stands_for_none(name: str) -> None:
    data, place, _ = FILES[name]
    samples, notes = heard(with_size(data, place, -1))
    np.testing.assert_array_equal(samples, expected(name))
    assert notes == []


@EACH
def test_a_file_that_was_cut_says_so(name: str) -> None:
    data, _, _ = FILES[name]
    samples, notes = heard(data[: -len(data) // 4])
    np.testing.assert_array_equal(samples, expected(name)[: len(samples)])
    assert notes == [f"file ends early or is damaged: {len(samples) / SAMPLE_RATE:.1f} s of the 2.0 s that it promises"]


@EACH
def test_joined_files_are_heard_one_after_the_other(name: str) -> None:
    samples, notes = heard(FILES[name][0] * 3)
    np.testing.assert_array_equal(samples, np.tile(expected(name), (3, 1)))
    assert notes == []


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_compressed_samples_in_wav_are_read_to_the_end_too(subtype: str) -> None:
    data = encoded("WAV", subtype, SAMPLES[:, :1])
    samples, notes = heard(with_size(data, WAV, 0))
    np.testing.assert_array_equal(samples, heard(data)[0])
    assert len(notes) == 1


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    "behind",
    [
        chunk(b"LIST", b"INFO" + chunk(b"INAM", b"a name of a song" * 200)),
        chunk(b"bext", bytes(3_000)) + chunk(b"id3 ", b"ID3" * 1_000),
        chunk(b"own1", b"\x55" * 5_000),
        chunk(b"LIST", b"INFO" + b"\x55" * 5_000)[:-2_000],
        b"TAG" + b"\x55" * 125,
        b"ID3\x04\0\0\0\0\x10\0" + b"\x55" * 2_048,
        b"\x55" * 500,
    ],
    ids=["names", "two chunks", "unknown chunk", "cut chunk", "ID3", "ID3, version 2", "padding"],
)
def test_what_lies_behind_the_samples_and_is_no_sound_is_not_heard(behind: bytes) -> None:
    samples, notes = heard(FILES["wav"][0] + behind)
    np.testing.assert_array_equal(samples, expected("wav"))
    assert notes == []


@pytest.mark.parametrize("pad", [b"\0", b""])
def test_chunks_behind_an_odd_number_of_bytes_are_known_with_and_without_padding(pad: bytes) -> None:
    odd = encoded("WAV", "PCM_U8", SAMPLES[:1_601, :1])
    data = odd[: odd.index(b"data") + 8 + 1_601] + pad + chunk(b"LIST", bytes(4_000))
    assert len(heard(data)[0]) == 1_601


def test_a_tag_behind_samples_of_unknown_length_is_no_sound() -> None:
    samples, _ = heard(with_size(FILES["wav"][0], WAV, 0) + b"TAG" + bytes(125))
    np.testing.assert_array_equal(samples, expected("wav"))


def test_a_size_that_wrapped_at_four_gigabytes_is_not_trusted(tmp_path: Path) -> None:
    data = FILES["wav"][0]
    begin, there = data.index(b"data") + 8, (1 << 32) + 4 * LENGTH
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(with_size(data, WAV, there))
        file.truncate(begin + there)  # zeros, which take no room on most disks
    recording = Recording(path)
    assert recording.header_duration_s == there / 4 / SAMPLE_RATE
    np.testing.assert_array_equal(next(recording.blocks(split=True))[:LENGTH], expected("wav"))


def test_what_ffmpeg_writes_into_pipes_is_read_to_its_end(ffmpeg: Callable[..., bytes], jfk: Path) -> None:
    length = 11 * SAMPLE_RATE
    for kind in ("wav", "au", "aiff", "caf", "w64", "flac"):
        recording = Recording(ffmpeg("-i", jfk, "-f", kind, "-"))
        assert sum(map(len, recording.blocks())) == length, kind
        stated = kind != "aiff"  # where ffmpeg leaves a size of 0
        assert recording.notes == ([] if stated else ["file states no length; all 11.0 s that are there were read"])


def test_a_file_without_samples_is_empty_though_chunks_follow() -> None:
    data = encoded("WAV", samples=SAMPLES[:0]) + chunk(b"LIST", bytes(4_000))
    with pytest.raises(AudioError, match="empty"):
        Recording(data)


@settings(max_examples=300)
@given(name=st.sampled_from(sorted(FILES)), size=st.integers(0, 1 << 64) | st.integers(0, 9 * LENGTH))
def test_no_stated_size_makes_a_file_shorter(name: str, size: int) -> None:
    data, place, _ = FILES[name]
    samples, _ = heard(with_size(data, place, size))
    there = expected(name)
    # A kilobyte behind the stated end is taken for padding.
    assert len(there) - 1_024 <= len(samples) <= len(there)
    np.testing.assert_array_equal(samples, there[: len(samples)])
