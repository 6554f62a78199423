"""The runtime's answers over HTTP are those of a call in Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import IEmoNet
from tests.edge_runtime.serve.conftest import Running, served


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "timings_ms"}


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize(
    "fields",
    [{}, {"asr": "false"}, {"transcript": "ask not"}, {"threshold": "1"}, {"asr": "1", "threshold": "0", "other": "x"}],
)
def test_a_form_and_a_body_give_the_prediction(
    tiny: Running, tiny_model: IEmoNet, jfk: Path, fields: dict[str, str]
) -> None:
    expected = tiny_model(
        jfk,
        transcript=fields.get("transcript"),
        asr=fields.get("asr") != "false",
        threshold=float(fields["threshold"]) if "threshold" in fields else None,
    ).to_dict()
    form = tiny.post("/v1/classify", jfk.read_bytes(), data=fields)
    body = tiny.http.post("/v1/classify", content=jfk.read_bytes(), params=fields)
    for answer in (form, body):
        assert answer.status_code == 200
        assert without_times(answer.json()) == as_json(without_times(expected))
    assert set(form.json()["timings_ms"]) == set(expected["timings_ms"])


def test_a_baseline_is_of_recordings_and_of_saved_ones(
    comparing: IEmoNet, jfk: Path, long_clip: bytes, tmp_path: Path
) -> None:
    before = comparing.baseline(jfk)
    before.save(tmp_path / "saved")
    both = before + comparing.baseline(long_clip)
    files = [("file", ("a.wav", long_clip)), ("baseline", ("b", (tmp_path / "saved").read_bytes()))]
    with served(comparing) as running:
        one = running.http.post("/v1/classify", files=files).json()
        two = running.http.post("/v1/classify", files=[*files, ("baseline", ("c", long_clip))]).json()
        damaged = (tmp_path / "saved").read_bytes()[:-1]
        bad = running.http.post("/v1/classify", files=[files[0], ("baseline", ("b", damaged))])
    assert without_times(one) == as_json(without_times(comparing(long_clip, baseline=before).to_dict()))
    assert without_times(two) == as_json(without_times(comparing(long_clip, baseline=both).to_dict()))
    assert bad.status_code == 400
    assert bad.json()["error"]["message"].startswith("baseline 1: damaged")


def test_a_bundle_that_takes_no_baseline_says_so_without_its_folder(
    tiny: Running, tiny_model: IEmoNet, jfk: Path
) -> None:
    files = [("file", ("a", jfk.read_bytes())), ("baseline", ("b", jfk.read_bytes()))]
    answer = tiny.http.post("/v1/classify", files=files)
    assert answer.status_code == 400
    message = answer.json()["error"]["message"]
    assert message.startswith(f"the bundle {tiny_model.bundle.name}: takes no baseline")
    assert str(tiny_model.bundle.folder) not in answer.text


@pytest.mark.parametrize(
    ("name", "value"), [("asr", "maybe"), ("threshold", "2"), ("threshold", "x"), ("threshold", "nan")]
)
def test_fields_that_cannot_be_used_are_named(tiny: Running, silence: bytes, name: str, value: str) -> None:
    for answer in (
        tiny.post("/v1/classify", silence, data={name: value}),
        tiny.http.post("/v1/classify", content=silence, params={name: value}),
    ):
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == name


def test_one_recording_is_needed(tiny: Running, silence: bytes) -> None:
    two = [("file", ("a", silence)), ("file", ("b", silence))]
    for answer in (
        tiny.http.post("/v1/classify"),
        tiny.http.post("/v1/classify", files={"sound": silence}),
        tiny.http.post("/v1/classify", files={"x": b"x"}, data={"file": "text"}),
        tiny.http.post("/v1/classify", files=two),
    ):
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "file"


def test_words_are_classified(tiny: Running, tiny_model: IEmoNet) -> None:
    answer = tiny.http.post("/v1/classify-text", json={"text": " ask not what ", "threshold": 1}).json()
    assert (answer["label"], answer["uncertain"], answer["used"]) == ("uncertain", True, ["words"])
    assert answer["scores"] == tiny_model.classify_text("ask not what").scores
    assert tiny.http.post("/v1/classify-text", json={"text": "ask"}).json()["label"] in tiny_model.labels


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"{}", b'{"text": 1}', b'{"text": " "}', b'{"text": "x", "threshold": true}', b"[" * 50_000,
        b'{"text": "x", "threshold": "1"}', b'{"text": "x", "threshold": 1.1}', b'{"text": "x", "threshold": NaN}',
        b"\xff\xfe", b'{"text": "\\ud800"} x',
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused(tiny: Running, body: bytes) -> None:
    answer = tiny.http.post("/v1/classify-text", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_text_that_is_half_a_character_is_answered(tiny: Running) -> None:
    assert tiny.http.post("/v1/classify-text", content=b'{"text": "ask \\ud800"}').status_code == 200


def test_a_text_of_a_page_is_too_large(tiny: Running) -> None:
    assert tiny.http.post("/v1/classify-text", json={"text": "ask " * 20_000}).status_code == 413
