"""Live sound out of pipes and microphones: all of it, at once, and without an end."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_runtime.audio.live_sources import MOST_FRAMES, Microphone, Pipe
from edge_runtime.audio.recording import Recording
from edge_runtime.errors import AudioError, DeviceError

RATE = 16_000


@pytest.fixture
def piped() -> Iterator[Callable[[bytes], int]]:
    """``piped(data)`` is the descriptor of a pipe into which ``data`` is written."""
    opened: list[int] = []

    def pipe(data: bytes) -> int:
        out, into = os.pipe()
        opened.append(out)

        def write() -> None:
            with contextlib.suppress(BrokenPipeError), os.fdopen(into, "wb") as file:
                file.write(data)

        threading.Thread(target=write, daemon=True).start()
        return out

    yield pipe
    for descriptor in opened:
        os.close(descriptor)


@pytest.fixture(scope="module")
def integers() -> np.ndarray:
    return np.random.default_rng(0).integers(-30_000, 30_000, (12_345, 2)).astype(np.int16)


def wav(samples: np.ndarray, *, endless: bool = False) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    data = bytearray(file.getvalue())
    if endless:  # as ffmpeg and arecord write it
        data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    return bytes(data)


def all_of(pipe: Pipe) -> np.ndarray:
    return np.concatenate(list(pipe))


@pytest.mark.parametrize("endless", [False, True])
def test_a_wav_stream_says_what_it_is_and_comes_whole(
    piped: Callable[[bytes], int], integers: np.ndarray, endless: bool
) -> None:
    pipe = Pipe(piped(wav(integers, endless=endless)), "wav", rate=0, channels=0)
    assert pipe.sample_rate == RATE
    np.testing.assert_array_equal(all_of(pipe), integers / np.float32(32_768))


def test_a_stated_length_ends_no_endless_stream(piped: Callable[[bytes], int], integers: np.ndarray) -> None:
    pipe = Pipe(piped(wav(integers, endless=True)), "wav", rate=0, channels=0)
    assert pipe._file.frames > 1_000 * MOST_FRAMES


@pytest.mark.parametrize(("encoding", "dtype"), [("s16le", "<i2"), ("f32le", "<f4")])
def test_bare_samples_are_what_they_are_said_to_be(
    piped: Callable[[bytes], int], integers: np.ndarray, encoding: str, dtype: str
) -> None:
    values = integers if dtype == "<i2" else integers / np.float32(32_768)
    pipe = Pipe(piped(values.astype(dtype).tobytes()), encoding, rate=48_000, channels=2)  # type: ignore[arg-type]
    assert pipe.sample_rate == 48_000
    np.testing.assert_array_equal(all_of(pipe), integers / np.float32(32_768))


def test_what_is_there_is_given_before_more_comes(integers: np.ndarray) -> None:
    out, into = os.pipe()
    pipe = iter(Pipe(out, "s16le", rate=RATE, channels=2))
    os.write(into, integers[:1_600].tobytes())
    assert len(next(pipe)) == 1_600  # would wait for ever if it wanted more
    os.close(into)
    assert list(pipe) == []
    os.close(out)


def header_states(data: bytes, size: int, *, at: int = 40, order: str = "<") -> bytes:
    return data[:at] + struct.pack(order + "I", size) + data[at + 4 :]


@pytest.mark.parametrize("size", [0, 6_400, 6_404, 0xFFFFFFFF])
def test_sound_goes_on_behind_a_stated_end_that_is_none(
    piped: Callable[[bytes], int], integers: np.ndarray, size: int
) -> None:
    data = header_states(wav(integers), size)
    pipe = all_of(Pipe(piped(data), "wav", rate=0, channels=0))
    np.testing.assert_array_equal(pipe, integers / np.float32(32_768))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "ULAW"])
@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_it_goes_on_as_it_began(piped: Callable[[bytes], int], integers: np.ndarray, subtype: str, endian: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, integers, RATE, format="WAV", subtype=subtype, endian=endian)
    data, order = file.getvalue(), "<" if endian == "LITTLE" else ">"
    found = all_of(Pipe(piped(data), "wav", rate=0, channels=0))
    for size in (0, 480):
        cut = header_states(data, size, at=data.index(b"data") + 4, order=order)
        np.testing.assert_array_equal(all_of(Pipe(piped(cut), "wav", rate=0, channels=0)), found)


def test_an_endless_stream_of_big_endian_samples_is_no_noise(
    piped: Callable[[bytes], int], integers: np.ndarray
) -> None:
    file = io.BytesIO()
    soundfile.write(file, integers, RATE, format="AU", subtype="PCM_16")
    data = header_states(file.getvalue(), 0xFFFFFFFF, at=8, order=">")
    pipe = all_of(Pipe(piped(data), "wav", rate=0, channels=0))
    np.testing.assert_array_equal(pipe, integers / np.float32(32_768))


@pytest.mark.parametrize("behind", [b"LIST" + struct.pack("<I", 4_000) + bytes(4_000), b"TAG" + bytes(125), b"\1" * 9])
def test_what_is_no_sound_ends_the_stream(piped: Callable[[bytes], int], integers: np.ndarray, behind: bytes) -> None:
    pipe = all_of(Pipe(piped(wav(integers) + behind), "wav", rate=0, channels=0))
    np.testing.assert_array_equal(pipe, integers / np.float32(32_768))


def test_a_second_recording_in_the_pipe_is_an_error_and_not_left_out(
    piped: Callable[[bytes], int], integers: np.ndarray
) -> None:
    ogg = io.BytesIO()
    soundfile.write(ogg, np.tile(integers, (20, 1)), RATE, format="OGG")
    for data in (wav(integers) * 2, ogg.getvalue() * 2):
        pipe = Pipe(piped(data), "wav", rate=0, channels=0)
        with pytest.raises(AudioError, match=r"follows the first.*ffmpeg -i - -f wav -"):
            all_of(pipe)


def test_mp3_comes_whole_through_a_pipe_or_not_at_all(
    piped: Callable[[bytes], int], ffmpeg: Callable[..., bytes], jfk: Path, tmp_path: Path
) -> None:
    stream, file = tmp_path / "stream.mp3", tmp_path / "file.mp3"
    ffmpeg("-i", jfk, "-write_xing", 0, "-id3v2_version", 0, stream, file)
    assert len(all_of(Pipe(piped(stream.read_bytes()), "wav", rate=0, channels=0))) / RATE == pytest.approx(11, abs=0.1)
    with pytest.raises(AudioError, match=r"an mp3 file.*ffmpeg -i - -f wav -"):
        Pipe(piped(file.read_bytes()), "wav", rate=0, channels=0)


def test_a_file_in_place_of_a_pipe_is_read_like_a_file(tmp_path: Path, integers: np.ndarray) -> None:
    mono = integers[:, 0]
    path = tmp_path / "joined.wav"
    path.write_bytes(header_states(wav(mono), 0))
    with path.open("rb") as file:
        np.testing.assert_array_equal(
            all_of(Pipe(file.fileno(), "wav", rate=0, channels=0))[:, 0], mono / np.float32(32_768)
        )
    path.write_bytes(wav(mono) * 2)
    with path.open("rb") as file:
        assert len(all_of(Pipe(file.fileno(), "wav", rate=0, channels=0))) == 2 * len(mono)


@pytest.mark.parametrize("size", [None, 0, 3_200, 0xFFFFFFFF])
def test_file_copied_stream_and_live_pipe_of_the_same_bytes_are_the_same_sound(
    piped: Callable[[bytes], int], jfk: Path, tmp_path: Path, size: int | None
) -> None:
    data = jfk.read_bytes()
    if size is not None:
        data = header_states(data, size, at=data.index(b"data") + 4)
    path = tmp_path / "clip.wav"
    path.write_bytes(data)
    expected, _ = soundfile.read(jfk, dtype="float32")
    with os.fdopen(piped(data), "rb", closefd=False) as stream:
        for audio in (path, data, stream):
            np.testing.assert_array_equal(np.concatenate(list(Recording(audio).blocks())), expected)
    np.testing.assert_array_equal(all_of(Pipe(piped(data), "wav", rate=0, channels=0))[:, 0], expected)


@pytest.mark.parametrize("data", [b"", b"hello\n", b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_wav_stream_is_refused(piped: Callable[[bytes], int], data: bytes) -> None:
    with pytest.raises(AudioError, match="not a wav stream"):
        Pipe(piped(data), "wav", rate=RATE, channels=1)


@pytest.mark.parametrize(("rate", "channels"), [(0, 1), (10_000_000, 1), (RATE, 0), (RATE, 65)])
def test_a_wav_stream_of_an_impossible_form_is_refused(piped: Callable[[bytes], int], rate: int, channels: int) -> None:
    with pytest.raises(AudioError, match="use 1"):
        Pipe(piped(b"\0\0"), "s16le", rate=rate, channels=channels)


class PortAudioError(Exception):
    pass


class Input:
    """What sounddevice has for a microphone, without one."""

    def __init__(self, *, samplerate: int, channels: int, device: object, dtype: str) -> None:
        self.made_with = (samplerate, channels, device, dtype)
        self.started, self.reads = False, 0

    def start(self) -> None:
        self.started = True

    def read(self, frames: int) -> tuple[np.ndarray, bool]:
        self.reads += 1
        return np.full((frames, 1), 0.25, np.float32), self.reads == 2


@pytest.fixture
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    fake = types.SimpleNamespace(
        PortAudioError=PortAudioError,
        InputStream=Input,
        query_devices=lambda device, kind: {"default_samplerate": 44_100.0},
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@pytest.mark.parametrize(("name", "device"), [(None, None), ("3", 3), ("USB", "USB")])
def test_a_microphone_gives_portions_and_counts_what_was_lost(
    sounddevice: types.SimpleNamespace, name: str | None, device: object
) -> None:
    microphone = Microphone(name)
    assert microphone.sample_rate == 44_100
    assert microphone._stream.made_with == (44_100, 1, device, "float32")
    assert microphone._stream.started
    portions = iter(microphone)
    for _ in range(3):
        assert next(portions).shape == (4_410, 1)
    assert microphone.lost == 1


def test_a_microphone_that_goes_away_is_an_error(
    sounddevice: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    portions = iter(Microphone(None))
    next(portions)

    def unplugged(self: Input, frames: int) -> None:
        raise PortAudioError("Unanticipated host error")

    monkeypatch.setattr(Input, "read", unplugged)
    with pytest.raises(DeviceError, match="gone"):
        next(portions)


def test_a_microphone_that_is_not_there_is_named(sounddevice: types.SimpleNamespace) -> None:
    def none(device: object, kind: str) -> None:
        raise PortAudioError("Error querying device -1")

    sounddevice.query_devices = none
    with pytest.raises(DeviceError, match=r"microphone USB.*querying device"):
        Microphone("USB")


def test_a_microphone_without_the_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(DeviceError, match=r"edge-iemonet\[mic\]"):
        Microphone(None)


def test_a_microphone_without_portaudio_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(DeviceError, match="libportaudio2"):
        Microphone(None)
