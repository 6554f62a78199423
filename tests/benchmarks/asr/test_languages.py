"""What is measured of transcripts in several languages, and where their words come from."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.asr import languages
from trainer.corpora.utterance import Utterance


def test_words_come_from_manifests_from_ravdess_and_from_the_sentences_of_emodb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, words in (("nemo", "Dzień dobry."), ("emotiontts_kr", "안녕하세요")):
        (tmp_path / name).mkdir()
        rows = f"audio/a.opus,{words}\naudio/b.opus,\n"
        (tmp_path / name / "manifest.csv").write_text("audio,transcript\n" + rows, encoding="utf-8")
    german = [
        Utterance(f"03{code}Fa", "emodb", "happy", "03", audio=Path("a.flac")) for code in languages.EMODB_SENTENCES
    ]
    english = [Utterance("a", "ravdess", "sad", "1", audio=Path("b.flac"), transcript="Kids are talking by the door")]
    monkeypatch.setattr(languages, "emodb", SimpleNamespace(load=lambda _: german))
    monkeypatch.setattr(languages, "ravdess", SimpleNamespace(load=lambda _: english))
    found = languages.recordings(tmp_path)
    assert {name: language for name, (language, _) in found.items()} == {
        "ravdess": "en",
        "emodb": "de",
        "nemo": "pl",
        "emotiontts_kr": "ko",
    }
    assert len(found["emodb"][1]) == 10
    assert found["nemo"][1] == [(tmp_path / "nemo" / "audio/a.opus", "Dzień dobry.")]


def answer(transcript: str | None, language: str | None, *used: str) -> SimpleNamespace:
    return SimpleNamespace(transcript=transcript, language=language, used=used)


def test_nothing_written_is_all_wrong_and_a_language_that_is_not_told_is_not_right() -> None:
    said = [answer("Dzień dobry!", "pl", "voice"), answer(None, None, "voice"), answer("dzien dobry", "cs", "words")]
    found = languages._judged(["dzień dobry"] * 3, said, "pl")  # type: ignore[arg-type]
    assert (found["n"], found["wer"], found["language_told"], found["words_used"]) == (3, 0.5, 0.3333, 0.3333)
    assert found["cer"] == pytest.approx((0 + 11 + 1) / 33, abs=1e-4)


def test_a_bundle_of_one_language_tells_none() -> None:
    assert languages._judged(["a"], [answer("a", None, "words")], "en")["language_told"] is None  # type: ignore[list-item]


@pytest.mark.parametrize(("protocol", "ua"), [("corpus", 0.5651), ("speaker", None)])
def test_only_corpora_that_were_left_out_say_something_of_voices_never_met(protocol: str, ua: float | None) -> None:
    manifest = {"metrics": {"speech": {"ua": {"mean": 0.56512}}}, "provenance": {"speech": {"protocol": protocol}}}
    assert languages._speech_ua(manifest) == ua
    assert languages._speech_ua({}) is None
