"""Reading audio: every usable kind of input, and every unusable one with its reason."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_runtime import AudioError, AudioNotFoundError
from edge_runtime.audio.decode import block_frames
from edge_runtime.audio.recording import SAMPLE_RATE, Recording

LEVEL, PITCH = 0.3, 440.0


def tone(rate: int, seconds: float = 1.0) -> np.ndarray:
    return (LEVEL * np.sin(2 * np.pi * PITCH * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def encoded(samples: np.ndarray, rate: int, kind: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def read(audio: object, sample_rate: int | None = None) -> tuple[np.ndarray, Recording]:
    recording = Recording(audio, sample_rate)  # type: ignore[arg-type]
    return np.concatenate(list(recording.blocks())), recording


def assert_tone(samples: np.ndarray, *, level: float = LEVEL) -> None:
    assert samples.dtype == np.float32
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    loudest = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax()
    assert loudest * SAMPLE_RATE / len(middle) == pytest.approx(PITCH, abs=5)
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(level, rel=0.05)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("kind", "rate"),
    [(kind, rate) for kind in ("WAV", "FLAC", "OGG") for rate in (8_000, 16_000, 96_000)]
    + [("MP3", 8_000), ("MP3", 44_100)],
)
def test_files_of_any_kind_rate_and_channels_become_mono_at_16_khz(kind: str, rate: int, channels: int) -> None:
    samples, recording = read(encoded(np.tile(tone(rate)[:, None], channels), rate, kind))

    assert_tone(samples)
    assert recording.duration_s == pytest.approx(1.0, abs=0.11 if kind == "MP3" else 0.001)
    assert recording.samples == len(samples)
    assert recording.notes == []


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM"])
def test_wav_files_of_any_subtype_are_read(subtype: str) -> None:
    assert_tone(read(encoded(tone(SAMPLE_RATE), SAMPLE_RATE, subtype=subtype))[0])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", ">i2", "int32", "float16", "float64", ">f4"])
@pytest.mark.parametrize("channels", [None, 1, 2, 64])
def test_arrays_of_any_dtype_keep_their_level(dtype: str, channels: int | None) -> None:
    wanted = np.dtype(dtype)
    array = tone(SAMPLE_RATE).astype(np.float64)
    if wanted.kind in "iu":
        array = array * (2.0 ** (8 * wanted.itemsize - 1)) + (128 if dtype == "uint8" else 0)
    array = array.astype(wanted)

    samples, recording = read(array if channels is None else np.tile(array[:, None], channels), SAMPLE_RATE)

    assert_tone(samples)
    assert recording.duration_s == 1.0


def test_channels_are_averaged() -> None:
    left = tone(SAMPLE_RATE)
    assert_tone(read(np.stack([left, left / 3], axis=1), SAMPLE_RATE)[0], level=LEVEL * 2 / 3)
    assert_tone(read(np.stack([left, 0 * left], axis=1), SAMPLE_RATE)[0], level=LEVEL / 2)


def test_an_array_is_not_changed_by_reading_it() -> None:
    array = tone(SAMPLE_RATE)
    before = array.copy()
    samples, _ = read(array, SAMPLE_RATE)
    np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000])
def test_resampling_in_blocks_is_resampling_as_a_whole(rate: int) -> None:
    whole = np.random.default_rng(1).uniform(-0.5, 0.5, 12 * rate).astype(np.float32)
    blocks = list(Recording(whole, rate).blocks())

    expected = soxr.resample(whole, rate, SAMPLE_RATE)
    assert len(blocks) > 2
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=1e-4)


@settings(max_examples=30)
@given(rate=st.integers(1_000, 192_000), seconds=st.floats(0.002, 12.0))
@example(rate=768_000, seconds=0.5)
@example(rate=SAMPLE_RATE, seconds=5.0)
def test_block_lengths_sum_to_the_duration(rate: int, seconds: float) -> None:
    count = max(1, round(rate * seconds))
    recording = Recording(np.zeros(count, np.int16), rate)
    blocks = [len(block) for block in recording.blocks()]
    assert sum(blocks) == recording.samples == pytest.approx(count * SAMPLE_RATE / rate, abs=1)
    assert max(blocks) <= 6 * SAMPLE_RATE


def test_paths_bytes_and_open_files_give_the_same_samples(tmp_path: Path) -> None:
    data = encoded(tone(8_000), 8_000)
    path = tmp_path / "Größe und 音.wav"
    path.write_bytes(data)
    expected, recording = read(path)
    assert recording.name == str(path)

    with path.open("rb") as file:
        np.testing.assert_array_equal(read(file)[0], expected)
    for audio in (str(path), data, bytearray(data), memoryview(data), io.BytesIO(data)):
        np.testing.assert_array_equal(read(audio)[0], expected)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_pipe_is_read_though_it_cannot_seek(kind: str) -> None:
    data = encoded(tone(8_000), 8_000, kind)
    reading, writing = os.pipe()
    os.write(writing, data)  # 16 kB, less than any pipe holds
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        samples, _ = read(pipe)
    np.testing.assert_array_equal(samples, read(data)[0])


def test_an_object_that_can_only_read_is_enough() -> None:
    class Reader:
        def __init__(self, data: bytes) -> None:
            self.read = io.BytesIO(data).read

    assert_tone(read(Reader(encoded(tone(8_000), 8_000)))[0])
    with pytest.raises(AudioError, match="empty"):
        Recording(Reader(b""))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["missing.wav", "missing/clip.wav", "", "nul\0byte.wav", "n" * 5_000])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name if name else tmp_path / "deleted.wav"
    with pytest.raises(AudioNotFoundError, match="no such file") as caught:
        Recording(path)
    assert isinstance(caught.value, FileNotFoundError)
    assert str(path) in str(caught.value)


def test_what_is_not_a_file_of_audio_is_refused_with_the_reason(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.wav", tmp_path / "text.wav"
    empty.touch()
    text.write_text("not audio\n" * 100)
    cases = {tmp_path: "not a file", empty: "empty", text: "not audio"}
    for path, reason in cases.items():
        with pytest.raises(AudioError, match=reason) as caught:
            Recording(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("audio", [b"", b"RIFF", b"ID3", b"fLaC" + bytes(100), io.BytesIO()])
def test_bytes_and_streams_that_are_not_audio_are_refused(audio: object) -> None:
    with pytest.raises(AudioError):
        read(audio)


class Unseekable(io.BytesIO):
    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize(("audio", "name"), [(b"", "bytes"), (io.BytesIO(), "stream"), (Unseekable(b""), "stream")])
def test_audio_of_no_bytes_is_said_to_be_empty(audio: object, name: str) -> None:
    with pytest.raises(AudioError, match=f"^{name}: empty, there is nothing in it$"):
        read(audio)


def test_standard_input_has_one_name_in_messages() -> None:
    code = "import sys; from edge_runtime import Recording; Recording({})"
    for source in ("sys.stdin.buffer", "open(0, 'rb', closefd=False)"):
        command = [sys.executable, "-c", code.format(source)]
        done = subprocess.run(command, input=b"junk", capture_output=True, check=False)
        assert b"AudioError: standard input: not audio" in done.stderr


@pytest.mark.parametrize("audio", [None, 3, 1.5, object(), {"a": 1}, {1, 2}])
def test_what_cannot_be_audio_at_all_is_refused_by_type(audio: object) -> None:
    with pytest.raises(AudioError, match=f"{type(audio).__name__}.*numpy array"):
        Recording(audio)  # type: ignore[arg-type]


def test_a_wav_file_without_samples_is_empty() -> None:
    with pytest.raises(AudioError, match="empty"):
        Recording(encoded(np.zeros(0, np.float32), SAMPLE_RATE))


@pytest.mark.parametrize(
    ("rate", "channels", "expected"), [(16_000, 1, 80_000), (0.1, 1, 1), (768_000, 64, 65_536), (48_000, 2, 240_000)]
)
def test_block_is_of_five_seconds_and_bounded_over_all_channels(rate: float, channels: int, expected: int) -> None:
    assert block_frames(rate, channels) == expected


VALID = [
    encoded(tone(8_000, 0.2), 8_000, kind, subtype)
    for kind, subtype in [("WAV", None), ("WAV", "FLOAT"), ("FLAC", None), ("OGG", None), ("MP3", None)]
]


def read_or_refuse(data: bytes) -> None:
    try:
        samples, recording = read(data)
    except AudioError:
        return
    assert len(samples) == recording.samples > 0
    assert np.isfinite(samples).all()


@settings(max_examples=200)
@given(st.binary(max_size=300))
@example(b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\0\0\x10\0data\xff\xff\xff\xff")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refuse(data)


@settings(max_examples=200)
@given(
    data=st.sampled_from(VALID),
    changes=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 255)), min_size=1, max_size=4),
    length=st.integers(20, 10_000),
)
def test_damaged_files_are_read_or_refused(data: bytes, changes: list[tuple[int, int]], length: int) -> None:
    damaged = bytearray(data)
    for position, value in changes:
        damaged[position] = value
    read_or_refuse(bytes(damaged[:length]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("second", [0, 7])
def test_samples_that_are_no_numbers_are_refused_wherever_they_are(bad: float, second: int) -> None:
    array = np.zeros((8 * 8_000, 2))
    array[second * 8_000 + 5, 1] = bad
    for audio, rate in ((array, 8_000), (encoded(array.astype(np.float64), 8_000, subtype="DOUBLE"), None)):
        with pytest.raises(AudioError, match="NaN or infinite"):
            read(audio, rate)


@pytest.mark.parametrize("shape", [(), (0,), (0, 2), (5, 0), (10, 65), (2, 3, 4)])
def test_arrays_of_unusable_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match=r"shape|channels|empty"):
        Recording(np.zeros(shape, np.float32), SAMPLE_RATE)


@pytest.mark.parametrize("dtype", ["complex64", "bool", "object", "U3", "M8[s]"])
def test_arrays_of_unusable_dtype_are_refused_by_name(dtype: str) -> None:
    array = np.zeros(100, dtype)
    with pytest.raises(AudioError, match="float samples") as caught:
        Recording(array, SAMPLE_RATE)
    assert str(array.dtype) in str(caught.value)


@pytest.mark.parametrize("rate", [0, -16_000, 999, 768_001, 10_000_000, float("nan"), float("inf")])
def test_unusable_rates_are_refused(rate: float) -> None:
    with pytest.raises(AudioError, match="sample rate"):
        Recording(np.zeros(100, np.float32), rate)  # type: ignore[arg-type]


def test_a_file_of_unusable_rate_or_channels_is_refused() -> None:
    with pytest.raises(AudioError, match="10000000 Hz"):
        Recording(encoded(np.zeros(100), 10_000_000))
    with pytest.raises(AudioError, match="65 channels"):
        Recording(encoded(np.zeros((100, 65)), SAMPLE_RATE))


def test_an_array_needs_its_rate_and_a_file_has_its_own() -> None:
    with pytest.raises(AudioError, match="without its sample_rate"):
        Recording(np.zeros(100, np.float32))
    with pytest.raises(AudioError, match="sample_rate is for arrays"):
        Recording(encoded(tone(8_000), 8_000), 8_000)


@pytest.mark.parametrize("seconds", [4, 14])
@pytest.mark.parametrize(("kind", "rate"), [("WAV", SAMPLE_RATE), ("FLAC", 44_100), ("MP3", 44_100)])
def test_a_file_that_ends_early_is_read_up_to_there_with_a_note(
    tmp_path: Path, kind: str, rate: int, seconds: int
) -> None:
    data = encoded(np.random.default_rng(1).uniform(-0.3, 0.3, seconds * rate), rate, kind)
    path = tmp_path / "cut"
    path.write_bytes(data[: len(data) // 2])
    for audio in (path, path.read_bytes()):
        samples, recording = read(audio)
        assert len(samples) == pytest.approx(seconds / 2 * SAMPLE_RATE, abs=0.4 * SAMPLE_RATE)
        assert len(recording.notes) == 1
        assert "ends early" in recording.notes[0]
        assert f"of the {seconds}." in recording.notes[0]


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
def test_a_wav_of_unknown_length_as_written_to_a_pipe_has_no_note(size: int) -> None:
    data = bytearray(encoded(tone(SAMPLE_RATE), SAMPLE_RATE))
    at = data.index(b"data")
    struct.pack_into("<I", data, at + 4, size)
    struct.pack_into("<I", data, 4, min(size + at, 0xFFFFFFFF))
    samples, recording = read(bytes(data))
    assert_tone(samples)
    assert recording.duration_s == 1.0
    assert recording.notes == []


def test_a_file_that_cannot_be_read_to_its_end_is_an_error() -> None:
    class Broken(io.BytesIO):
        def read(self, count: int | None = -1) -> bytes:
            if self.tell() > 100_000:
                raise OSError(5, "Input/output error")
            return super().read(count)

    with pytest.raises(AudioError, match=r"cannot be read to its end.*Input/output error"):
        read(Broken(encoded(tone(SAMPLE_RATE, 20.0), SAMPLE_RATE)))


MEMORY = """
import re, sys
from pathlib import Path
from edge_runtime.audio.decode import block_frames
from edge_runtime.audio.recording import Recording
seconds = sum(map(len, Recording(sys.argv[1]).blocks())) / 16_000
status = Path("/proc/self/status").read_text()
print(seconds, int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux, which tells the peak of memory")
@pytest.mark.parametrize(("kind", "hours"), [("MP3", 3), ("OGG", 1), ("FLAC", 1)])
def test_memory_does_not_grow_with_the_length_of_a_joined_file(tmp_path: Path, kind: str, hours: int) -> None:
    one = encoded(np.random.default_rng(0).uniform(-0.1, 0.1, 20 * SAMPLE_RATE), SAMPLE_RATE, kind)
    path, measured = tmp_path / "joined", []
    for count in (1, hours * 180):
        with path.open("wb") as file:
            for _ in range(count):
                file.write(one)
        done = subprocess.run([sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True)
        measured.append([float(number) for number in done.stdout.split()])
    (_, short_mb), (seconds, long_mb) = measured
    assert seconds == pytest.approx(hours * 3600, rel=0.01)
    assert long_mb < short_mb + 15
