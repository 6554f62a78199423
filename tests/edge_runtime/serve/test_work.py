"""Work is bounded: so many at once, so many that wait, and none that goes on when its time is over."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from edge_runtime import IEmoNet
from edge_runtime.serve import classify_api
from edge_runtime.serve.recording import BoundedRecording, Deadline
from tests.edge_runtime.serve.conftest import Running, served, wait_until, wav


class Slow:
    """Holds each recording at its beginning, until it is told to go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = 0
        self.ended = 0


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    state = Slow()

    class Held(BoundedRecording):
        def blocks(self, *, split: bool = False):  # type: ignore[no-untyped-def]
            state.begun += 1
            try:
                state.go_on.wait(20)
                yield from super().blocks(split=split)
            finally:
                state.ended += 1

    monkeypatch.setattr(classify_api, "BoundedRecording", Held)
    yield state
    state.go_on.set()


@contextmanager
def asking(running: Running, clip: bytes, count: int) -> Iterator[list[object]]:
    """Send so many requests at once."""
    with ThreadPoolExecutor(count) as pool:
        yield [pool.submit(running.post, "/v1/classify", clip) for _ in range(count)]


def test_more_than_can_wait_are_told_when_to_come_again(tiny_model: IEmoNet, slow: Slow, silence: bytes) -> None:
    with served(tiny_model, workers=1, waiting=2) as running, asking(running, silence, 3) as asked:
        wait_until(lambda: (running.service.work.running, running.service.work.waiting) == (1, 2))
        refused = running.post("/v1/classify", silence)
        assert refused.status_code == 503
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.json()["error"]["code"] == "busy"
        assert running.http.get("/ready").status_code == 503
        assert running.http.get("/health").status_code == 200
        assert slow.begun == 1
        slow.go_on.set()
        assert [one.result().status_code for one in asked] == [200] * 3  # type: ignore[attr-defined]
        assert running.http.get("/ready").json() == {"status": "ready"}
        metrics = running.http.get("/metrics").text
        assert 'edge_iemonet_refusals_total{code="busy"} 1.0' in metrics
        assert 'edge_iemonet_requests_total{path="/v1/classify",status="200"} 3.0' in metrics
        assert "edge_iemonet_audio_seconds_total 3.0" in metrics


def test_work_that_takes_too_long_is_ended(tiny_model: IEmoNet, slow: Slow, long_clip: bytes) -> None:
    with served(tiny_model, workers=1, time_s=0.3) as running:
        answer = running.post("/v1/classify", long_clip)
        assert answer.status_code == 504
        assert answer.headers["x-should-retry"] == "false"
        assert answer.json()["error"]["code"] == "time_limit"
        # The thread keeps its place until it is at its next look at the time.
        assert running.service.work.running == 1
        slow.go_on.set()
        wait_until(lambda: running.service.work.running == 0)
        assert slow.ended == 1
        assert running.http.post("/v1/classify-text", json={"text": "ask"}).status_code == 200


def test_what_waits_too_long_never_begins(tiny_model: IEmoNet, slow: Slow, silence: bytes) -> None:
    with served(tiny_model, workers=1, time_s=0.5) as running:
        with asking(running, silence, 3) as asked:
            assert [one.result().status_code for one in asked] == [504] * 3  # type: ignore[attr-defined]
        slow.go_on.set()
        wait_until(lambda: running.service.work.running == running.service.work.waiting == 0)
        assert slow.begun == 1


def test_the_work_of_a_client_that_went_is_ended(tiny_model: IEmoNet, slow: Slow, long_clip: bytes) -> None:
    with served(tiny_model, workers=1) as running:
        head = f"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(long_clip)}\r\n\r\n"
        with socket.create_connection(running.address) as client:
            client.sendall(head.encode() + long_clip)
            wait_until(lambda: slow.begun == 1)
        wait_until(lambda: b'status="499"' in running.service.metrics.render())
        slow.go_on.set()
        wait_until(lambda: running.service.work.running == 0)
        assert running.service.metrics.audio_s._value.get() == 0


def test_the_end_of_the_service_waits_for_what_is_under_way(tiny_model: IEmoNet, slow: Slow, silence: bytes) -> None:
    with served(tiny_model, workers=1) as running, asking(running, silence, 1) as asked:
        wait_until(lambda: slow.begun == 1)
        running.server.should_exit = True
        wait_until(running.service.work.draining.is_set)
        slow.go_on.set()
        assert asked[0].result().status_code == 200  # type: ignore[attr-defined]


def test_a_recording_ends_with_its_time_at_any_block(long_clip: bytes) -> None:
    deadline = Deadline(60)
    blocks = BoundedRecording(long_clip, deadline, most_s=60).blocks()
    next(blocks)
    deadline.end()
    with pytest.raises(ValueError, match="no answer within 60 s"):
        next(blocks)


def test_a_recording_cannot_be_opened_when_the_time_is_over(silence: bytes) -> None:
    deadline = Deadline(0)
    with pytest.raises(ValueError, match=r"no answer|cannot be read"):
        BoundedRecording(silence, deadline, most_s=60)


def test_a_recording_that_states_or_has_more_sound_than_the_limit_is_refused() -> None:
    clip = wav(np.zeros(12 * 16_000, np.float32))
    with pytest.raises(ValueError, match="longer than 10 s"):
        BoundedRecording(clip, Deadline(60), most_s=10)
    lying = clip[:40] + (100).to_bytes(4, "little") + clip[44:]
    with pytest.raises(ValueError, match="longer than 10 s"):
        list(BoundedRecording(lying, Deadline(60), most_s=10).blocks())
    assert sum(map(len, BoundedRecording(clip, Deadline(60), most_s=12).blocks())) == 12 * 16_000


def test_too_long_a_recording_is_answered_as_such(tiny_model: IEmoNet, long_clip: bytes) -> None:
    with served(tiny_model, audio_s=20) as running:
        answer = running.post("/v1/audio/transcriptions", long_clip)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "audio_too_long"
