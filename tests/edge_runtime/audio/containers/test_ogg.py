"""Ogg files that were joined, or that hold pictures too, are heard to their end."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import AudioError
from edge_runtime.audio.recording import SAMPLE_RATE, Recording

Run = Callable[..., bytes]


def heard(audio: object) -> tuple[np.ndarray, list[str]]:
    recording = Recording(audio)  # type: ignore[arg-type]
    return np.concatenate(list(recording.blocks())), recording.notes


@pytest.fixture(scope="module")
def ogg(ffmpeg: Run, jfk: Path) -> Run:
    """``ogg(codec, number, *options)`` is the example; the number tells streams apart, the same for all is allowed."""

    @cache
    def make(codec: str, number: int, *options: object) -> bytes:
        return ffmpeg("-i", jfk, "-c:a", codec, *options, "-serial_offset", number, "-f", "ogg", "-")

    return make


@pytest.mark.parametrize("codec", ["libvorbis", "libopus", "flac"])
@pytest.mark.parametrize("numbers", [(1, 2, 3), (1, 1, 1)])
def test_joined_files_are_heard_one_after_the_other(ogg: Run, codec: str, numbers: tuple[int, ...]) -> None:
    alone, _ = heard(ogg(codec, 1))
    joined, notes = heard(b"".join(ogg(codec, number) for number in numbers))
    assert notes == []
    np.testing.assert_allclose(joined, np.tile(alone, 3), atol=0.02)  # Opus is made of 48 kHz


def test_joined_files_may_differ_in_codec_rate_and_channels(ogg: Run) -> None:
    joined = ogg("libvorbis", 1, "-ar", 44_100, "-ac", 2) + ogg("libopus", 2) + ogg("flac", 3, "-ar", 8_000)
    assert len(heard(joined)[0]) == pytest.approx(33 * SAMPLE_RATE, abs=3)


def test_the_sound_of_a_video_is_heard(ffmpeg: Run, jfk: Path, ogg: Run) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc=d=11:size=64x64")
    for codec in ("libvorbis", "flac"):
        video = ffmpeg(*picture, "-i", jfk, "-c:v", "libtheora", "-c:a", codec, "-f", "ogg", "-")
        np.testing.assert_allclose(heard(video)[0], heard(ogg(codec, 1))[0], atol=1e-6)
    with pytest.raises(AudioError):
        Recording(ffmpeg(*picture, "-c:v", "libtheora", "-f", "ogg", "-"))


def test_damage_between_pages_is_passed_over(ogg: Run) -> None:
    data = ogg("libvorbis", 1)
    at = data.index(b"OggS", len(data) // 2)
    np.testing.assert_array_equal(heard(data[:at] + b"Ogg lost" * 99 + data[at:])[0], heard(data)[0])


def test_a_file_in_which_pages_are_missing_has_a_note(ogg: Run) -> None:
    data = ogg("libvorbis", 1)
    first = data.index(b"OggS", len(data) // 3)
    behind = data.index(b"OggS", first + 1)
    samples, notes = heard(data[:first] + data[behind:])
    assert len(samples) < 10.5 * SAMPLE_RATE
    assert notes == [
        f"file ends early or is damaged: {len(samples) / SAMPLE_RATE:.1f} s of the 11.0 s that it promises"
    ]


def test_a_second_file_that_cannot_be_decoded_is_told(ogg: Run) -> None:
    data = ogg("libvorbis", 1)
    page = bytearray(data)
    page[39:44] = bytes(5)  # its channels and rate
    samples, notes = heard(data + bytes(page))
    assert len(samples) == 11 * SAMPLE_RATE
    assert notes == ["1 of 2 joined files could not be decoded"]
