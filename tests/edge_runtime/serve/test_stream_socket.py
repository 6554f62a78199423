"""Sound over a WebSocket gives the events of a stream in Python, and a lost connection leaves nothing behind."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from edge_runtime import IEmoNet
from tests.edge_runtime.serve.conftest import Running, served, wait_until


def opened(running: Running, query: str, **options: Any) -> ClientConnection:
    return connect(f"ws{running.url.removeprefix('http')}/v1/stream?{query}", **options)


def events(socket: ClientConnection) -> list[dict[str, Any]]:
    """What comes until the connection is closed."""
    return [json.loads(message) for message in socket]


def events_before_an_error(socket: ClientConnection) -> list[dict[str, Any]]:
    """What comes until the connection is closed with another code than 1000."""
    found = []
    with pytest.raises(ConnectionClosedError):  # noqa: PT012 - the last one raises
        while True:
            found.append(json.loads(socket.recv()))
    return found


def without_latency(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in one.items() if key != "latency_s"} for one in found]


@pytest.fixture(scope="session")
def samples(jfk: Path) -> np.ndarray:
    found: np.ndarray = soundfile.read(jfk, dtype="int16")[0]
    return found


@pytest.mark.parametrize(("query", "provisional_s"), [("", None), ("&provisional_s=1.5", 1.5)])
def test_events_are_those_of_a_stream(
    tiny: Running, tiny_model: IEmoNet, samples: np.ndarray, query: str, provisional_s: float | None
) -> None:
    stream = tiny_model.stream(16_000, provisional_s=provisional_s)
    expected = [event.to_dict() for event in [*stream.feed(samples), *stream.close()]]
    data = samples.astype("<i2").tobytes()
    with opened(tiny, f"sample_rate=16000{query}") as socket:
        for begin in range(0, len(data), 9_999):  # an odd number of bytes
            socket.send(data[begin : begin + 9_999])
        socket.send("end")
        found = events(socket)
        assert socket.close_code == 1000
    assert len(expected) > 1
    assert without_latency(found) == json.loads(json.dumps(without_latency(expected)))


def test_another_rate_and_no_baseline(comparing: IEmoNet, samples: np.ndarray) -> None:
    stream = comparing.stream(8_000, baseline=False)
    slow = np.tile(samples[::2], 2)
    expected = [event.to_dict() for event in [*stream.feed(slow), *stream.close()]]
    with served(comparing) as running, opened(running, "sample_rate=8000&baseline=false") as socket:
        socket.send(slow.astype("<i2").tobytes()[: 256 << 10])
        socket.send(slow.astype("<i2").tobytes()[256 << 10 :])
        socket.send("end")
        found = events(socket)
    assert without_latency(found) == json.loads(json.dumps(without_latency(expected)))
    assert {one["segment"]["baseline_s"] for one in found} == {0.0}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("", "sample_rate"), ("sample_rate=x", "sample_rate"), ("sample_rate=100", "sample_rate"),
        ("sample_rate=1e9", "sample_rate"), ("sample_rate=nan", "sample_rate"),
        ("sample_rate=16000&provisional_s=0", "provisional_s"), ("sample_rate=16000&baseline=2", "baseline"),
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_used_is_answered_and_ends_it(tiny: Running, query: str, param: str) -> None:
    with opened(tiny, query) as socket:
        (answer,) = (json.loads(socket.recv()),)
        assert answer["error"]["param"] == param
        with pytest.raises(ConnectionClosedError):
            socket.recv()
        assert socket.close_code == 1008


def test_another_message_is_answered_and_ends_it(tiny: Running) -> None:
    with opened(tiny, "sample_rate=16000") as socket:
        socket.send("hello")
        assert "binary messages" in json.loads(socket.recv())["error"]["message"]
        with pytest.raises(ConnectionClosedError):
            socket.recv()


def test_a_message_that_is_too_large_ends_it(tiny: Running) -> None:
    with opened(tiny, "sample_rate=16000") as socket:
        with suppress(ConnectionClosed):
            socket.send(bytes(300 << 10))
        assert events_before_an_error(socket) == []
        assert socket.close_code == 1009
    wait_until(lambda: tiny.service.work.streams == 0)


def test_an_empty_stream_ends_without_events(tiny: Running) -> None:
    with opened(tiny, "sample_rate=16000") as socket:
        socket.send(b"")
        socket.send("end")
        assert events(socket) == []


def test_a_lost_connection_frees_its_place(tiny_model: IEmoNet, samples: np.ndarray) -> None:
    with served(tiny_model, streams=1) as running:
        for _ in range(3):
            with opened(running, "sample_rate=16000") as socket:
                wait_until(lambda: running.service.work.streams == 1)
                socket.send(samples.tobytes()[:100_000])
                socket.socket.shutdown(2)  # without a word
            wait_until(lambda: running.service.work.streams == 0)
        assert running.http.post("/v1/classify-text", json={"text": "ask"}).status_code == 200


def test_too_many_streams_are_refused_and_the_others_go_on(tiny_model: IEmoNet, samples: np.ndarray) -> None:
    with served(tiny_model, streams=1) as running, opened(running, "sample_rate=16000") as first:
        first.send(samples[:16_000].tobytes())
        with opened(running, "sample_rate=16000") as second:
            assert json.loads(second.recv())["error"]["code"] == "busy"
            with pytest.raises(ConnectionClosedError):
                second.recv()
            assert second.close_code == 1013
        first.send("end")
        assert len(events(first)) == 1


def test_silence_of_the_client_ends_it(tiny_model: IEmoNet) -> None:
    with served(tiny_model, time_s=0.2) as running, opened(running, "sample_rate=16000") as socket:
        assert json.loads(socket.recv())["error"]["code"] == "idle"


def test_the_end_of_the_service_answers_what_was_being_said(tiny_model: IEmoNet, samples: np.ndarray) -> None:
    with served(tiny_model) as running, opened(running, "sample_rate=16000") as socket:
        socket.send(samples[:32_000].tobytes())
        wait_until(lambda: b"edge_iemonet_audio_seconds_total 2.0" in running.service.metrics.render())
        running.server.should_exit = True
        found = events_before_an_error(socket)
        assert [one["final"] for one in found] == [True]
        assert socket.close_code == 1012
