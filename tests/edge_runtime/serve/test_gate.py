"""What every answer carries, and what the log never does."""

from __future__ import annotations

import logging

import pytest

from edge_runtime import IEmoNet
from edge_runtime.serve import server
from edge_runtime.serve.gate import LOG
from tests.edge_runtime.serve.conftest import Running, served, wait_until

SECRET = "my-secret-words"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(LOG, "propagate", True)
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/nothing", "/metrics", "/openapi.json"])
def test_each_answer_has_an_identifier_and_headers_for_browsers(tiny: Running, path: str) -> None:
    one, two = tiny.http.get(path), tiny.http.get(path)
    assert one.headers["X-Request-ID"] != two.headers["X-Request-ID"]
    assert one.headers["X-Content-Type-Options"] == "nosniff"
    assert one.headers["Referrer-Policy"] == "no-referrer"
    policy = one.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/x", 404), ("GET", "/v1/classify", 405), ("PUT", "/", 405)]
)
def test_what_is_not_there_is_answered_in_one_form(tiny: Running, method: str, path: str, status: int) -> None:
    answer = tiny.http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_log_has_paths_and_identifiers_and_no_content(tiny: Running, log: pytest.LogCaptureFixture) -> None:
    silence = b"no sound"
    answers = [
        tiny.post(f"/v1/classify?transcript={SECRET}", silence, data={"transcript": SECRET}, headers={"X": SECRET}),
        tiny.http.post("/v1/classify-text", json={"text": SECRET}),
        tiny.http.get(f"/{SECRET}", params={SECRET: SECRET}),
        tiny.http.post("/v1/audio/transcriptions", files={"file": (SECRET, silence)}),
    ]
    wait_until(lambda: len(log.records) >= len(answers))
    for answer in answers:
        assert answer.headers["X-Request-ID"] in log.text
    assert "POST /v1/classify 400" in log.text
    assert "GET other 404" in log.text
    ours = [record.getMessage() for record in log.records if record.name.split(".")[0] in {"edge_iemonet", "uvicorn"}]
    assert len(ours) == len(answers)
    assert SECRET not in str(ours)
    assert SECRET not in tiny.http.get("/metrics").text


def test_what_breaks_is_answered_and_logged_without_content(
    tiny_model: IEmoNet, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: IEmoNet, text: str, **_: object) -> None:
        raise RuntimeError(text)

    monkeypatch.setattr(IEmoNet, "classify_text", broken)
    with served(tiny_model) as running:
        answer = running.http.post("/v1/classify-text", json={"text": SECRET})
        assert answer.status_code == 500
        assert answer.json()["error"]["type"] == "server_error"
        identifier = answer.headers["X-Request-ID"]
        wait_until(lambda: f"{identifier} POST /v1/classify-text 500" in log.text)
    (said,) = [record for record in log.records if record.levelno == logging.ERROR]
    assert said.getMessage().startswith(f"{identifier} RuntimeError at {__file__}")
    assert SECRET not in log.text


def test_lines_of_the_log_can_be_turned_off(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (LOG.name, "uvicorn.error"):
        logger = logging.getLogger(name)
        for attribute in ("handlers", "propagate", "level"):
            monkeypatch.setattr(logger, attribute, getattr(logger, attribute))
    server.log_to_standard_error(requests=False)
    LOG.info("a request")
    LOG.error("a failure \x1b[2J")
    server.log_to_standard_error(requests=True)
    LOG.info("another request")
    said = capfd.readouterr().err
    assert "ERROR a failure \\x1b[2J" in said
    assert "INFO another request" in said
    assert "a request" not in said.replace("another request", "")


def test_the_interface_is_described(tiny: Running) -> None:
    document = tiny.http.get("/openapi.json").json()
    assert {
        "/v1/audio/transcriptions",
        "/v1/classify",
        "/v1/classify-text",
        "/v1/models",
        "/health",
        "/metrics",
    } <= set(document["paths"])
    for path in ("/v1/audio/transcriptions", "/v1/classify"):
        form = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert form["required"] == ["file"]
    assert tiny.http.get("/docs").status_code == 404  # its scripts would come from another site
