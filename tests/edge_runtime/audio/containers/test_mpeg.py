"""MP3 and its brothers are read frame by frame to their end, as ffmpeg reads them, and nothing is said about it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import AudioError
from edge_runtime.audio.recording import SAMPLE_RATE, Recording

Run = Callable[..., bytes]
Seconds = Callable[[Path], float]
NO_TAGS = ("-id3v2_version", 0, "-write_xing", 0)
ID3 = b"ID3\x04\0\0\0\0\x10\0" + bytes(2_048)
APE = b"APETAGEX" + struct.pack("<IIII", 2_000, 8_000, 1, 1 << 31 | 1 << 29) + bytes(8 + 8_000)


def heard(audio: object, *, split: bool = False) -> tuple[np.ndarray, list[str]]:
    recording = Recording(audio)  # type: ignore[arg-type]
    return np.concatenate(list(recording.blocks(split=split))), recording.notes


def seconds(audio: object) -> float:
    return len(heard(audio)[0]) / SAMPLE_RATE


@pytest.fixture(scope="module")
def mp3(ffmpeg: Run, jfk: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """``mp3(*options)`` is the example, or another input, as MP3."""
    path = tmp_path_factory.mktemp("mp3") / "made.mp3"

    @cache
    def make(*options: object, of: Path = jfk) -> bytes:
        ffmpeg("-i", of, *options, path)  # not into a pipe, where the count of frames cannot be written
        return path.read_bytes()

    return make


@pytest.fixture(scope="module")
def file_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Path]:
    def write(data: bytes) -> Path:
        path = tmp_path_factory.mktemp("mpeg") / "clip.mp3"
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(scope="module")
def noise_first(ffmpeg: Run, jfk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of noise and the example: its first frames have a higher bit rate than the others."""
    path = tmp_path_factory.mktemp("noise") / "noise.wav"
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=d=3:r=44100:seed=1", "-i", jfk, "-filter_complex", "concat=v=0:a=1", path)
    return path


def test_joined_files_are_heard_one_after_the_other(mp3: Run, file_of: Callable[[bytes], Path]) -> None:
    one = mp3("-ar", 44_100, "-b:a", "64k")
    alone, _ = heard(one)
    path = file_of(one * 3)
    joined, notes = heard(path)
    assert notes == []
    assert len(joined) == 3 * 11 * SAMPLE_RATE
    for part in np.split(joined, 3):
        np.testing.assert_allclose(part, alone, atol=0.01)  # the resampler runs on over the seams


@pytest.mark.parametrize("lowest", [True, False])
def test_a_variable_bit_rate_without_a_count_is_read_to_its_end_without_a_note(
    mp3: Run, file_of: Callable[[bytes], Path], ffmpeg_seconds: Seconds, noise_first: Path, jfk: Path, lowest: bool
) -> None:
    options = ("-ar", 44_100, "-q:a", 4 if lowest else 2, *NO_TAGS)
    path = file_of(mp3(*options, of=noise_first if lowest else jfk))
    samples, notes = heard(path)
    assert notes == []
    assert len(samples) / SAMPLE_RATE == pytest.approx(ffmpeg_seconds(path), abs=0.1)
    assert len(samples) > (13.9 if lowest else 10.9) * SAMPLE_RATE


@pytest.mark.parametrize("count", [3, 400, 100_000])
def test_a_count_of_frames_that_is_wrong_is_not_trusted(mp3: Run, count: int) -> None:
    data = bytearray(mp3("-ar", 44_100, "-b:a", "64k"))
    at = data.index(b"Info")
    (right,) = struct.unpack_from(">I", data, at + 8)
    struct.pack_into(">I", data, at + 8, count)
    samples, notes = heard(bytes(data))
    assert len(samples) / SAMPLE_RATE == pytest.approx(11, abs=0.1)
    (note,) = notes
    stated = float(re.findall(r"[\d.]+", note)[1 if count > right else 0])
    assert stated == pytest.approx(11 * count / right, rel=0.01, abs=0.1)
    assert note.startswith("file ends early" if count > right else "file states a length of")


def test_a_count_that_was_never_written_needs_no_note(ffmpeg: Run, jfk: Path) -> None:
    piped = ffmpeg("-i", jfk, "-f", "mp3", "-")  # ffmpeg cannot go back to write it
    samples, notes = heard(piped)
    assert len(samples) / SAMPLE_RATE == pytest.approx(11, abs=0.15)
    assert notes == []


def test_a_file_that_ends_early_says_how_much_is_missing(mp3: Run) -> None:
    data = mp3("-ar", 44_100, "-b:a", "64k")
    recording = Recording(data[: len(data) // 2])
    length = sum(map(len, recording.blocks())) / SAMPLE_RATE
    assert length == pytest.approx(5.5, abs=0.1)
    assert recording.notes == [f"file ends early or is damaged: {length:.1f} s of the 11.0 s that it promises"]
    assert recording.damaged


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[20_001:],
        lambda data: bytes(4_096) + data,
        lambda data: APE + data,
        lambda data: ID3 + APE + ID3 + data,
        lambda data: data + b"TAG" + bytes(125),
        lambda data: data[:30_000] + b"\0lost" * 300 + data[30_000:],
        lambda data: data[:30_000] + ID3 + data,
    ],
    ids=["cut in a frame", "zeros", "APE tag", "three tags", "tag behind", "damage", "joined to a cut one"],
)
def test_what_stands_before_between_and_behind_frames_is_passed_over(
    mp3: Run, file_of: Callable[[bytes], Path], ffmpeg_seconds: Seconds, change: Callable[[bytes], bytes]
) -> None:
    path = file_of(change(mp3("-ar", 44_100, "-b:a", "64k")))
    assert seconds(path) == pytest.approx(ffmpeg_seconds(path), abs=0.1)


@pytest.mark.parametrize("quality", [("-q:a", 2), ("-b:a", "32k")])
def test_no_rate_makes_the_decoder_complain(
    ffmpeg: Run, jfk: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], quality: tuple[object, ...]
) -> None:
    rates = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
    ffmpeg("-i", jfk, *(o for rate in rates for o in ("-ar", rate, *quality, tmp_path / f"{rate}.mp3")))
    for rate in rates:
        samples, notes = heard(tmp_path / f"{rate}.mp3")
        assert (rate, len(samples), notes) == (rate, 11 * SAMPLE_RATE, [])
    assert capfd.readouterr().err == ""


def test_the_decoder_does_not_complain_of_joined_or_cut_files(mp3: Run, capfd: pytest.CaptureFixture[str]) -> None:
    data = mp3("-ar", 44_100, "-b:a", "64k")
    at = data.index(b"Info") + 12
    other_size = data[:at] + struct.pack(">I", 999) + data[at + 4 :]
    for changed in (data * 2, data[20_001:], bytes(100) + data, data[:30_000], other_size):
        heard(changed)
    assert capfd.readouterr().err == ""


def test_joined_files_may_differ_in_rate_and_channels(mp3: Run) -> None:
    low, high = mp3("-ar", 16_000), mp3("-ar", 44_100, "-ac", 2)
    assert seconds(low + high) == 22.0
    np.testing.assert_array_equal(heard(low + high)[0][: 11 * SAMPLE_RATE], heard(low)[0])


def test_channels_cannot_be_split_where_their_number_changes(mp3: Run) -> None:
    joined = mp3("-ar", 16_000, "-ac", 2) + mp3("-ar", 16_000)
    with pytest.raises(AudioError, match=r"2 channels, and 1 from 11\.0 s on.*mix them"):
        heard(joined, split=True)


def test_layer_two_and_mp3_in_wav_are_read_without_a_note(
    ffmpeg: Run, jfk: Path, ffmpeg_seconds: Seconds, tmp_path: Path
) -> None:
    for name, codec in (("clip.mp2", "mp2"), ("clip.wav", "libmp3lame")):
        path = tmp_path / name
        ffmpeg("-i", jfk, "-ar", 44_100, "-c:a", codec, path)
        samples, notes = heard(path)
        assert notes == []
        assert len(samples) / SAMPLE_RATE == pytest.approx(ffmpeg_seconds(path), abs=0.1)


def test_aac_is_refused_by_its_name_whatever_the_file_is_called(
    ffmpeg: Run, jfk: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a clip.mp3"
    ffmpeg("-i", jfk, "-f", "adts", path)
    with pytest.raises(AudioError, match=r"\(AAC\)") as caught:
        Recording(path)
    assert f"ffmpeg -i '{path}' -f wav - | edge-iemonet classify -" in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", ["m4a", "mkv", "webm", "wma", "avi"])
def test_other_files_with_sound_in_them_are_refused_with_the_command_that_helps(
    ffmpeg: Run, jfk: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"clip.{suffix}"
    ffmpeg("-i", jfk, "-ar", 48_000, path)
    for audio in (path, path.read_bytes()):
        with pytest.raises(AudioError, match=r"ffmpeg -i \S+ -f wav - \| edge-iemonet classify -"):
            Recording(audio)


def test_the_stated_size_of_a_tag_is_not_trusted(mp3: Run) -> None:
    tag = b"ID3\x04\0\0\0\1\0\0"  # of 16 kB, and there is nothing of it
    assert seconds(tag + mp3("-ar", 44_100, "-b:a", "64k", *NO_TAGS)) == pytest.approx(11, abs=0.1)


def test_frames_of_a_free_bit_rate_are_read(mp3: Run) -> None:
    data = bytearray(mp3("-ar", 48_000, "-b:a", "64k", *NO_TAGS))
    for at in range(0, len(data), 192):  # of 24 ms
        data[at + 2] &= 0x0F
    assert seconds(bytes(data)) == pytest.approx(11, abs=0.1)
