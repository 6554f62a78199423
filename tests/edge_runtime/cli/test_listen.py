"""The command listen, on pipes: each utterance when it is over, without an end, and ended by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_runtime import IEmoNet

COMMAND = [sys.executable, "-c", "from edge_runtime.cli.app import main; main()", "listen"]
RATE = 16_000
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(bundle_folder: Path, tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "EDGE_IEMONET_BUNDLE": str(bundle_folder), "COLUMNS": "200", "NO_COLOR": "1",
                       "PYTHONIOENCODING": "utf-8"}  # fmt: skip
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [*COMMAND, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, cwd=tmp_path, env=environment
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def finished(process: subprocess.Popen[bytes], data: bytes = b"") -> tuple[int, str, str]:
    out, err = process.communicate(data, timeout=120)
    assert b"Traceback" not in err
    return process.returncode, out.decode(), err.decode()


@pytest.fixture(scope="module")
def samples(jfk: Path) -> np.ndarray:
    return soundfile.read(jfk, dtype="int16")[0]


@pytest.mark.slow
def test_a_wav_stream_gives_a_row_for_each_utterance_and_a_summary(start: Start, jfk: Path, model: IEmoNet) -> None:
    code, out, err = finished(start("-"), jfk.read_bytes())
    assert code == 0
    first, second = out.splitlines()
    assert "fellow Americans" in first
    assert "your country" in second
    assert "s later)" in first
    uncertain = sum(segment.uncertain for segment in model.timeline(jfk))
    doubt = f", {uncertain} uncertain (? = uncertain)" * (uncertain > 0)
    assert f"2 utterances{doubt}; from the end of speech to the answer" in err


def test_bare_samples_give_the_segments_of_the_api(start: Start, samples: np.ndarray, model: IEmoNet) -> None:
    stereo = np.stack([samples, samples], axis=1)
    process = start("-", "--format", "s16le", "--channels", "2", "--json", "--threads", "1")
    code, out, _ = finished(process, stereo.tobytes())
    assert code == 0
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["segment"] for event in events] == [
        json.loads(json.dumps(segment.to_dict())) for segment in model.timeline(stereo, RATE)
    ]
    assert all(event["final"] and event["latency_s"] >= 0 for event in events)


@pytest.mark.skipif(sys.platform == "win32", reason="a process there is not sent Ctrl-C this way")
def test_an_endless_pipe_is_answered_as_it_goes_and_ctrl_c_answers_the_rest(start: Start, samples: np.ndarray) -> None:
    process = start("-", "--format", "s16le", "--json", "--provisional", "1")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(samples[: 8 * RATE].tobytes())
    process.stdin.flush()
    events: list[dict[str, Any]] = []
    # The pipe stays open: these lines come although there is no end. The last is about what is still being said.
    while not (events and not events[-1]["final"] and events[-1]["segment"]["start_s"] > 5):
        events.append(json.loads(process.stdout.readline()))
    assert [event for event in events if event["final"]]
    process.send_signal(signal.SIGINT)
    code, out, err = finished(process)
    assert code == 130
    last = json.loads(out.splitlines()[-1])
    assert last["final"]
    assert last["segment"]["start_s"] == events[-1]["segment"]["start_s"]
    assert "2 utterances" in err


@pytest.mark.slow
def test_silence_is_said_to_be_that(start: Start) -> None:
    code, out, err = finished(start("-", "--format", "f32le"), np.zeros(2 * RATE, np.float32).tobytes())
    assert (code, out) == (0, "")
    assert err == "0:02.0 heard, no speech\n"


def test_what_is_no_sound_is_refused(start: Start) -> None:
    code, out, err = finished(start("-"), b"hello")
    assert (code, out) == (1, "")
    assert "not a wav stream" in err


@pytest.mark.slow
def test_samples_that_are_no_numbers_end_it_after_what_was_said(start: Start, samples: np.ndarray) -> None:
    floats = (samples / 32_768).astype(np.float32)
    floats[7 * RATE :] = np.nan
    code, out, err = finished(start("-", "--format", "f32le", "--json"), floats.tobytes())
    assert code == 1
    assert len(out.splitlines()) == 2
    assert "NaN" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["file.wav"], "standard input"), (["-", "--provisional", "0"], "above 0"), (["-", "--format", "mp3"], "mp3")],
)
def test_wrong_usage_is_said(start: Start, arguments: list[str], message: str) -> None:
    code, _, err = finished(start(*arguments))
    assert code == 2
    assert message in err
