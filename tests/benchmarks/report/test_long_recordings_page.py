"""Long recordings and streams measured, small; and the page that says what was."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile

from benchmarks.asr import doubt, segmentation
from benchmarks.common import results_file
from benchmarks.latency import long_audio
from benchmarks.report import long_recordings_page
from edge_runtime.inference.asr import SURE
from trainer.corpora import ravdess

LANGUAGES = ("en", "another", "no words")
PAGE = Path(__file__).parents[3] / "docs" / "long-recordings.md"


@pytest.fixture
def clips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jfk: Path) -> None:
    """Two short clips stand in for RAVDESS, which is not in the repository."""
    speech, rate = soundfile.read(jfk)
    files = [tmp_path / "one.wav", tmp_path / "two.wav"]
    soundfile.write(files[0], speech[int(5.1 * rate) : int(7.9 * rate)], rate)
    soundfile.write(files[1], speech[int(8.0 * rate) :], rate)
    monkeypatch.setattr(ravdess, "load", lambda folder: [SimpleNamespace(audio=file) for file in files])


@pytest.mark.slow
def test_a_long_recording_is_measured_and_gives_what_its_pieces_give(
    clips: None, bundle_folder: Path, tmp_path: Path
) -> None:
    found = long_audio.measure(tmp_path, bundle_folder, minutes=0.75, seed=1)
    for name in ("conversation", "monologue"):
        result = found[name]
        assert result["seconds"] == 45
        assert result["utterances"] >= 5
        assert result["longest_s"] <= 15
        assert result["the_same_alone"] == result["classified_alone"] > 0
        assert result["memory_over_clip_mb"] < 50
        assert result["rtf_processor"] == pytest.approx(result["processor_s"] / 45, abs=1e-4)
    assert found["monologue"]["share_in_utterances"] > found["conversation"]["share_in_utterances"]
    assert len(found["clip"]["runs"]) == long_audio.CLIP_RUNS


@pytest.mark.slow
def test_voices_are_looked_for_alone_and_in_the_stream(clips: None, tmp_path: Path) -> None:
    found = segmentation.measure(tmp_path, clips=2, seed=0)
    assert set(found["conditions"]) == set(segmentation.CONDITIONS)
    usual = found["conditions"]["as recorded"]
    assert usual["found_alone"] == usual["found_in_the_stream"] == 2
    assert usual["share_of_spoken_time"] > 0.9
    assert usual["seconds_heard_in_pauses"] < usual["seconds_of_pauses"]


def test_the_committed_page_says_what_was_measured(tmp_path: Path) -> None:
    again = tmp_path / "page.md"
    again.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    long_recordings_page.render(results_file.RESULTS, again, long_recordings_page.LONG_RECORDINGS)
    assert again.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_an_hour_keeps_to_its_bars() -> None:
    result = json.loads((results_file.RESULTS / "long.json").read_text(encoding="utf-8"))
    for name in ("conversation", "monologue"):
        assert result[name]["seconds"] >= 3600
        assert result[name]["rtf_processor"] <= 0.05
        assert result[name]["memory_over_clip_mb"] <= 50
        assert result[name]["the_same_alone"] == result[name]["classified_alone"]


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="expected the marks"):
        long_recordings_page.render(results_file.RESULTS, page, long_recordings_page.LONG_RECORDINGS)
    assert page.read_text() == "no marks"


def test_the_committed_page_says_which_words_were_doubted(tmp_path: Path) -> None:
    page = PAGE.with_name("runtime.md")
    again = tmp_path / "page.md"
    again.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    long_recordings_page.render(results_file.RESULTS, again, long_recordings_page.RUNTIME)
    assert again.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_most_of_other_languages_and_little_of_english_is_doubted() -> None:
    result = json.loads((results_file.RESULTS / "doubt.json").read_text(encoding="utf-8"))
    assert result["threshold"] == result["threshold_of_the_choosing_half"] == SURE
    of = {language: [r["doubted"] for r in result["corpora"] if r["language"] == language] for language in LANGUAGES}
    assert min(of["another"]) > 0.85
    assert sum(of["en"]) / len(of["en"]) < 0.1


def test_doubts_are_measured_on_the_half_that_did_not_choose(
    tmp_path: Path, jfk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech, rate = soundfile.read(jfk)
    soundfile.write(tmp_path / "one.wav", speech[: 2 * rate], rate)
    for corpus, language in (("a", "en-US"), ("b", "de"), ("c", "(laughter)")):
        (tmp_path / corpus).mkdir()
        rows = f"../one.wav,angry,{language}\n" * 4 + f"missing.wav,nospeech,{language}\n"
        (tmp_path / corpus / "manifest.csv").write_text("audio,label,language\n" + rows)
    for empty in (doubt.ravdess, doubt.emodb):
        monkeypatch.setattr(empty, "load", lambda folder: [])
    monkeypatch.setattr(doubt, "LEAST", 1)
    found = doubt.measure(tmp_path, clips=3, seed=0)
    assert [(row["corpus"], row["language"], row["utterances"]) for row in found["corpora"]] == [
        ("a", "en", 1),
        ("b", "another", 1),
        ("c", "no words", 1),
    ]
    assert {row["doubted"] for row in found["corpora"]} == {0.0}
