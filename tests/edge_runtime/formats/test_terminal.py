"""What people are shown: label, bars, words, branches, notes and time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.formats.terminal import BAR, render, render_text
from edge_runtime.prediction import Prediction, Scores

LABELS = ["angry", "happy", "neutral", "sad"]


def prediction(values: list[float], **changes: object) -> Prediction:
    scores = dict(zip(LABELS, values, strict=True))
    fused = Scores(max(scores, key=scores.__getitem__), scores)
    settings = {
        "label": fused.label,
        "confidence": fused.confidence,
        "scores": scores,
        "transcript": "It is mine.",
        "speech": Scores("sad", {**dict.fromkeys(LABELS, 0.1), "sad": 0.7}),
        "text": None,
        "segments": (),
        "duration_s": 2.345,
        "timings_ms": {"read": 0.2, "speech_encoder": 61.4, "total": 75.6},
        "notes": (),
    }
    return Prediction(**{**settings, **changes})  # type: ignore[arg-type]


def test_everything_is_shown_in_order() -> None:
    lines = render("clip.wav", prediction([0.1, 0.2, 0.65, 0.05])).splitlines()
    assert lines[0].split() == ["clip.wav", "2.3", "s"]
    assert lines[1].split() == ["neutral", "65%"]
    assert [line.split()[0] for line in lines[2:6]] == ["neutral", "happy", "angry", "sad"]
    assert [line.split()[-1] for line in lines[2:6]] == ["65%", "20%", "10%", "5%"]
    assert lines[6].strip() == "“It is mine.”"
    assert lines[7].split() == ["voice", "sad", "70%", "words", "none"]
    assert lines[8].strip() == "from the voice alone"
    assert lines[9].strip() == "76 ms (speech encoder 61)"


def test_an_uncertain_answer_says_where_it_leans() -> None:
    for label in ("neutral", "uncertain"):
        shown = render("x", prediction([0.1, 0.2, 0.45, 0.25], label=label, uncertain=True)).splitlines()
        assert shown[1].strip() == "uncertain (leaning neutral)  45%"
    text = Scores("uncertain", {"angry": 0.6, "sad": 0.4})
    assert render_text("hm", text, uncertain=True).splitlines()[0] == "uncertain (leaning angry)  60%"
    assert render_text("hm", replace(text, label="angry")).splitlines()[0] == "angry  60%"


def test_what_it_was_compared_with_is_said() -> None:
    assert "compared with 12.3 s of the same speaker" in render("x", prediction([1, 0, 0, 0], baseline_s=12.34))
    assert "compared" not in render("x", prediction([1, 0, 0, 0]))


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(any))
def test_bars_are_as_long_as_the_scores_and_aligned(values: list[float]) -> None:
    total = sum(values)
    shares = sorted((v / total for v in values), reverse=True)
    bars = render("x", prediction([v / total for v in values])).splitlines()[2:6]
    assert len({len(bar) for bar in bars}) == 1
    for bar, share in zip(bars, shares, strict=True):
        assert bar.count("█") == pytest.approx(share * BAR, abs=1)


def test_no_speech_is_said_without_bars() -> None:
    nothing = prediction([1, 0, 0, 0], label=None, confidence=None, scores={}, notes=("no speech",))
    text = render("quiet.wav", nothing)
    assert text.splitlines()[1].strip() == "no speech"
    assert "█" not in text


def test_no_words_and_notes_are_said() -> None:
    text = render("x", prediction([1, 0, 0, 0], transcript=None, notes=("file ends early",)))
    assert "no words" in text
    assert "note: file ends early" in text


def test_long_words_are_wrapped() -> None:
    text = render("x", prediction([1, 0, 0, 0], transcript="word " * 100))
    assert max(map(len, text.splitlines())) <= 76
    assert text.count("word ") + text.count("word\n") >= 99


def test_colour_only_adds_to_the_text() -> None:
    shown = prediction([0.4, 0.3, 0.2, 0.1])
    plain, coloured = render("x", shown), render("x", shown, colour=True)
    assert "\033" not in plain
    for code in ("\033[1m", "\033[2m", "\033[0m"):
        assert code in coloured
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_names_labels_words_and_notes_cannot_steer_the_terminal() -> None:
    evil = "red\x1b[31m\nbell\x07\u202e\udcff"
    scores = {evil: 0.7, "sad": 0.3}
    shown = prediction(
        [1, 0, 0, 0],
        label=evil,
        scores=scores,
        transcript=evil,
        speech=Scores(evil, scores),
        text=Scores(evil, scores),
        notes=(evil,),
    )
    silent = prediction([1, 0, 0, 0], label=None, confidence=None, scores={}, notes=(evil,))
    texts = [render(evil, shown), render(evil, silent), render_text(evil, Scores(evil, scores))]
    for line in "\n".join(texts).splitlines():
        assert line.isprintable()
    assert texts[0].startswith("red\\x1b[31m\\nbell\\x07\\u202e\\udcff")
