"""Uploads stay in memory and within their limits, whatever is stated, and however they come."""

from __future__ import annotations

import json
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import connect

from benchmarks.fuzzing import mutations
from edge_runtime import IEmoNet
from edge_runtime.serve.errors import RequestError
from edge_runtime.serve.upload import FALSE, TRUE, Upload
from tests.edge_runtime.serve.conftest import Running, served, wait_until, wav

SMALL = 64 << 10


@pytest.fixture(scope="module")
def small(tiny_model: IEmoNet):
    with served(tiny_model, body_bytes=SMALL, time_s=3.0) as running:
        yield running


def send(running: Running, head: str, body: bytes = b"") -> socket.socket:
    """Send a request as it stands here."""
    found = socket.create_connection(running.address, timeout=20)
    lines = ["POST /v1/classify HTTP/1.1", "Host: localhost", *head.split("\n")]
    found.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return found


def answer(found: socket.socket) -> tuple[int, dict[str, object]]:
    """Read until the other side closes."""
    data = b""
    while part := found.recv(65_536):
        data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        if length and len(body) >= int(length[0].split(b":")[1]):
            break
    return int(data.split()[1]), json.loads(data.partition(b"\r\n\r\n")[2] or b"{}")


def test_nothing_is_written_to_a_disk(tiny: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was made")

    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    large = wav(np.zeros(3_000_000, np.float32))
    assert tiny.post("/v1/classify", large).status_code == 200
    assert tiny.http.post("/v1/classify", content=large).status_code == 200


@pytest.mark.parametrize("count", [SMALL + 1, 20 * SMALL])
def test_too_large_a_body_is_refused_by_its_stated_length(small: Running, count: int) -> None:
    for found in (small.http.post("/v1/classify", content=bytes(count)), small.post("/v1/classify", bytes(count))):
        assert found.status_code == 413
        assert found.json()["error"]["code"] == "too_large"


def test_too_large_a_body_of_unknown_length_is_refused(small: Running) -> None:
    found = small.http.post("/v1/classify", content=(bytes(1_000) for _ in range(SMALL // 1_000 + 1)))
    assert found.status_code == 413


def test_an_endless_body_is_refused_and_cut_off(small: Running) -> None:
    with send(small, "Transfer-Encoding: chunked") as found, suppress(OSError):
        for _ in range(1 << 20):
            found.sendall(b"400\r\n" + bytes(1024) + b"\r\n")
        pytest.fail("a gigabyte was taken")
    assert small.http.get("/health").status_code == 200


def test_a_lying_length_is_refused_without_the_body(small: Running) -> None:
    with send(small, f"Content-Length: {1 << 60}") as found:
        assert answer(found)[0] == 413


@pytest.mark.parametrize("head", ["Content-Length: -1", "Content-Length: x", "Content-Length: 1\nContent-Length: 2"])
def test_a_length_that_is_none_is_refused(small: Running, head: str) -> None:
    with send(small, head, b"x") as found:
        assert found.recv(100).startswith(b"HTTP/1.1 400")


def test_half_an_upload_ends_with_its_time(small: Running) -> None:
    with send(small, "Content-Length: 1000", bytes(500)) as found:
        status, body = answer(found)
        assert status == 408
        assert body["error"]["code"] == "upload_time_limit"  # type: ignore[index]
    wait_until(lambda: small.service.work.waiting == 0)


def test_half_an_upload_whose_client_goes_frees_its_place(small: Running) -> None:
    with send(small, "Content-Length: 1000", bytes(500)):
        wait_until(lambda: small.service.work.waiting == 1)
    wait_until(lambda: small.service.work.waiting == 0)
    assert b'status="499"' in small.service.metrics.render()


def test_a_connection_that_says_nothing_is_closed(tiny: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.serve.server.HEAD_S", 0.3)
    for begin in (b"", b"POST / HT", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET "):
        with socket.create_connection(tiny.address, timeout=20) as found:
            found.sendall(begin)
            while found.recv(65_536):
                pass


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nno name\r\n--x--"),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'),
        ("multipart/form-data; boundary=x; charset=\xff", b"--y--"),
    ],
)
def test_a_form_that_is_none_is_refused(tiny: Running, kind: str, body: bytes) -> None:
    found = tiny.http.post("/v1/classify", content=body, headers={"Content-Type": kind.encode("latin-1")})  # type: ignore[dict-item]
    assert found.status_code == 400
    assert found.json()["error"]["type"] == "invalid_request_error"


def test_a_form_of_many_parts_is_refused(tiny: Running, silence: bytes) -> None:
    assert tiny.http.post("/v1/classify", files=[("x", ("a", b"x"))] * 17).status_code == 400
    assert tiny.post("/v1/classify", silence, data={f"x{i}": "1" for i in range(65)}).status_code == 400
    assert tiny.post("/v1/classify", silence, data={"transcript": "x" * (2 << 20)}).status_code == 400


@pytest.mark.slow
def test_hostile_audio_is_answered_and_the_service_goes_on(tiny: Running, jfk: Path) -> None:
    random = Random(0)
    whole = [jfk.read_bytes()[:100_000], *(wav(np.ones(8_000) / 2, kind=kind) for kind in ("FLAC", "OGG", "MP3"))]
    seeds = [mutations.damaged(random.choice(whole), random, random.choice(whole)) for _ in range(150)]
    seeds += [mutations.lying_wav(random) for _ in range(50)] + [random.randbytes(2_000) for _ in range(20)]
    for data in seeds:
        found = tiny.post("/v1/audio/transcriptions", data)
        assert found.status_code == 200 or found.json()["error"]["code"] in {"unusable_audio", "audio_too_long", None}
        assert found.status_code < 500
    for data in seeds[:60]:
        address = f"ws{tiny.url.removeprefix('http')}/v1/stream?sample_rate=16000"
        with connect(address) as stream:
            stream.send(data[: 200 << 10])
            stream.send("end")
            for message in stream:
                assert "segment" in json.loads(message)
            assert stream.close_code == 1000
    assert (tiny.service.work.streams, tiny.service.work.waiting, tiny.service.work.running) == (0, 0, 0)


@given(st.text())
def test_a_flag_is_true_or_false_or_refused(text: str) -> None:
    upload = Upload({"x": text})
    if text.lower() in {*TRUE, *FALSE, ""}:
        assert upload.flag("x", default=True) is (text.lower() not in FALSE)
    else:
        with pytest.raises(ValueError, match="true or false"):
            upload.flag("x", default=True)


@given(st.floats() | st.text(st.sampled_from("0123456789.e-+_naif ")))
def test_a_number_is_within_its_range_or_refused(value: float | str) -> None:
    try:
        found = Upload({"x": str(value)}).number("x", least=-1, most=1)
    except RequestError as error:
        found, message = 0.0, str(error)
    else:
        message = "x: give a number from -1 to 1"
    assert message == "x: give a number from -1 to 1"
    assert found is None or -1 <= found <= 1
