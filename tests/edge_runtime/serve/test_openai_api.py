"""Transcriptions as clients of OpenAI's interface ask for them, with the official client among them."""

from __future__ import annotations

import re
from pathlib import Path

import openai
import pytest

from edge_runtime import IEmoNet
from edge_runtime.formats import srt, webvtt
from edge_runtime.prediction import Scores, Segment
from edge_runtime.serve.answers import Transcription
from tests.edge_runtime.serve.conftest import Running

TRANSCRIPTIONS = "/v1/audio/transcriptions"


@pytest.fixture
def client(real: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{real.url}/v1", api_key="unused", max_retries=0)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def test_the_official_client_transcribes_the_example(
    client: openai.OpenAI, model: IEmoNet, jfk: Path, jfk_words: list[str]
) -> None:
    with jfk.open("rb") as file:
        answer = client.audio.transcriptions.create(model="whisper-1", file=file)
    assert words(answer.text) == jfk_words
    assert answer.emotion == model(jfk).label  # type: ignore[attr-defined]
    assert answer.confidence == pytest.approx(model(jfk).confidence)  # type: ignore[attr-defined]
    assert set(answer.scores) == set(model.labels)  # type: ignore[attr-defined]


def test_the_official_client_reads_segments(client: openai.OpenAI, jfk: Path, jfk_words: list[str]) -> None:
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=jfk, response_format="verbose_json", language="en", temperature=0, prompt="a speech"
    )
    assert answer.duration == 11.0
    assert answer.language == "english"
    assert answer.segments is not None
    assert [word for one in answer.segments for word in words(one.text)] == jfk_words
    for segment in answer.segments:
        assert 0 <= segment.start < segment.end <= 11.0
        assert sum(segment.scores.values()) == pytest.approx(1)  # type: ignore[attr-defined]
        assert segment.emotion == max(segment.scores, key=segment.scores.get)  # type: ignore[attr-defined]


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_the_official_client_gets_text_and_subtitles(
    client: openai.OpenAI, model: IEmoNet, jfk: Path, form: str
) -> None:
    answer = client.audio.transcriptions.create(model="x", file=jfk, response_format=form)  # type: ignore[call-overload]
    segments = model(jfk).segments
    expected = {"text": f"{model(jfk).transcript}\n", "srt": srt.render(segments), "vtt": webvtt.render(segments)}
    assert answer == expected[form]


def test_the_official_client_names_the_model_and_reads_errors(client: openai.OpenAI) -> None:
    (only,) = client.models.list().data
    assert (only.id, only.labels) == ("en-tiny-int8", ["neutral", "happy", "sad", "angry"])  # type: ignore[attr-defined]
    with pytest.raises(openai.BadRequestError, match="not audio that can be read") as found:
        client.audio.transcriptions.create(model="x", file=b"no sound")
    assert found.value.code == "unusable_audio"
    assert found.value.request_id


def test_a_longer_recording_is_that_of_a_timeline(tiny: Running, tiny_model: IEmoNet, long_clip: bytes) -> None:
    answer = tiny.post(TRANSCRIPTIONS, long_clip, data={"response_format": "verbose_json"}).json()
    expected = list(tiny_model.timeline(long_clip))
    assert len(expected) > 2
    assert [one["start"] for one in answer["segments"]] == [round(s.start_s, 3) for s in expected]
    assert [one["emotion"] for one in answer["segments"]] == [s.label for s in expected]
    seconds = [s.end_s - s.start_s for s in expected]
    for label in tiny_model.labels:
        mean = sum(s.fused.scores[label] * n for s, n in zip(expected, seconds, strict=True) if s.fused) / sum(seconds)
        assert answer["scores"][label] == pytest.approx(mean)
    assert answer["emotion"] == max(answer["scores"], key=answer["scores"].get)


def test_where_nobody_speaks_the_emotion_is_null(tiny: Running, silence: bytes) -> None:
    answer = tiny.post(TRANSCRIPTIONS, silence, data={"response_format": "verbose_json"}).json()
    assert (answer["text"], answer["emotion"], answer["confidence"], answer["segments"]) == ("", None, None, [])
    assert answer["notes"] == ["no speech"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "xml"}, "response_format"),
        ({"stream": "true"}, "stream"),
        ({"stream": "perhaps"}, "stream"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities"),
    ],
)
def test_what_would_mean_something_else_is_refused(
    tiny: Running, silence: bytes, fields: dict[str, str], param: str
) -> None:
    answer = tiny.post(TRANSCRIPTIONS, silence, data=fields)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["type"], error["code"]) == (param, "invalid_request_error", "invalid_value")
    assert param in error["message"]


def test_another_language_than_the_recogniser_s_is_refused(real: Running, jfk: Path) -> None:
    answer = real.post(TRANSCRIPTIONS, jfk.read_bytes(), data={"language": "de"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "language: the recogniser of this bundle knows 'en' alone"


def test_unknown_fields_are_ignored(tiny: Running, silence: bytes) -> None:
    fields = {"stream": "false", "include[]": "logprobs", "chunking_strategy": "auto", "x": "\x00", "language": ""}
    assert tiny.post(TRANSCRIPTIONS, silence, data=fields).status_code == 200


def test_of_several_languages_the_one_that_is_spoken_longest_is_named() -> None:
    scores = Scores("sad", {"sad": 1.0})
    said = [Segment(t, t + n, scores, None, None, "x", language=code) for t, n, code in ((0, 2, "de"), (2, 3, "en"))]
    assert Transcription(said, 5.0, (), None, 0.0).to_verbose_dict()["language"] == "english"
    assert Transcription(said[:1], 5.0, (), None, 0.0).to_verbose_dict()["language"] == "german"
    assert Transcription([], 5.0, (), None, 0.0).to_verbose_dict()["language"] is None
    assert Transcription(said, 5.0, (), "pl", 0.0).to_verbose_dict()["language"] == "polish"
