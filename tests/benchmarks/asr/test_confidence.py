"""The share of doubtful transcripts by language, measured on recordings that did not choose the threshold."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from benchmarks.asr import confidence
from benchmarks.common import results_file
from edge_runtime.inference.asr import SURE

LANGUAGES = ("en", "another", "no words")


def test_committed_share_is_low_in_english_and_high_in_other_languages() -> None:
    result = results_file.read("asr-confidence")
    assert result["threshold"] == result["threshold_of_the_choosing_half"] == SURE
    of = {language: [r["doubted"] for r in result["corpora"] if r["language"] == language] for language in LANGUAGES}
    assert min(of["another"]) > 0.85
    assert sum(of["en"]) / len(of["en"]) < 0.1


@pytest.mark.slow
def test_share_is_measured_on_the_half_that_did_not_choose(
    tmp_path: Path, jfk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech, rate = soundfile.read(jfk)
    soundfile.write(tmp_path / "one.wav", speech[: 2 * rate], rate)
    for corpus, language in (("a", "en-US"), ("b", "de"), ("c", "(laughter)")):
        (tmp_path / corpus).mkdir()
        rows = f"../one.wav,angry,{language}\n" * 4 + f"missing.wav,nospeech,{language}\n"
        (tmp_path / corpus / "manifest.csv").write_text("audio,label,language\n" + rows)
    for empty in (confidence.ravdess, confidence.emodb):
        monkeypatch.setattr(empty, "load", lambda folder: [])
    monkeypatch.setattr(confidence, "LEAST", 1)
    found = confidence.measure(tmp_path, clips=3, seed=0)
    assert [(row["corpus"], row["language"], row["utterances"]) for row in found["corpora"]] == [
        ("a", "en", 1),
        ("b", "another", 1),
        ("c", "no words", 1),
    ]
    assert {row["doubted"] for row in found["corpora"]} == {0.0}
