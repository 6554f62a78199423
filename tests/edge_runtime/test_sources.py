"""Live sound out of pipes and microphones: all of it, at once, and without an end."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_runtime.errors import AudioError, DeviceError
from edge_runtime.sources import MOST_FRAMES, Microphone, Pipe

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


@pytest.mark.parametrize("data", [b"", b"hello\n", b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_wav_stream_is_refused(piped: Callable[[bytes], int], data: bytes) -> None:
    with pytest.raises(AudioError, match="not a wav stream"):
        Pipe(piped(data), "wav", rate=RATE, channels=1)


@pytest.mark.parametrize(("rate", "channels"), [(0, 1), (10_000_000, 1), (RATE, 0), (RATE, 65)])
def test_so_are_impossible_forms(piped: Callable[[bytes], int], rate: int, channels: int) -> None:
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


def test_so_is_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(DeviceError, match=r"edge-iemonet\[mic\]"):
        Microphone(None)


def test_so_is_portaudio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(DeviceError, match="libportaudio2"):
        Microphone(None)
