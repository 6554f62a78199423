"""Timelines written down: each format read back by what reads it, whatever was said."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.audio.recording import Recording
from edge_runtime.formats import audio_preview, csv_table, textgrid, webvtt
from edge_runtime.formats.clock import clock
from edge_runtime.formats.terminal import Table
from edge_runtime.prediction import Scores, Segment

LABELS = ("angry", "happy")
RATE = 16_000
WORDS = st.one_of(
    st.none(), st.text(min_size=1, max_size=40), st.sampled_from(['a "b"', "-->\n\n<b>", "=1+1, 2", "&amp;"])
)


def segment(start_s: float, end_s: float, words: str | None = "It is.", channel: int | None = None) -> Segment:
    fused = Scores("happy", {"angry": 0.25, "happy": 0.75})
    return Segment(start_s, end_s, fused, None, None, words, channel)


SILENT = Segment(1.0, 2.0, None, None, None, None)
UNSURE = replace(segment(1.0, 2.0), uncertain=True, baseline_s=12.3456)
"""Below the operating point."""
BELOW = UNSURE.at(1.0)
"""Below a threshold, which takes the label."""


@st.composite
def timelines(draw: st.DrawFn) -> list[Segment]:
    at, found = 0.0, []
    for words in draw(st.lists(WORDS, max_size=5)):
        at += draw(st.integers(0, 4_000)) / 1_000
        end = at + draw(st.integers(1, 15_000)) / 1_000
        found.append(segment(at, end, words))
        at = end
    return found


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00.0"), (59.96, "1:00.0"), (61.25, "1:01.2"), (3_599.99, "1:00:00.0")]
)
def test_a_clock_carries(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_clock_for_subtitles_has_hours_and_one_for_axes_no_fractions() -> None:
    assert clock(3_723.4567, decimals=3, hours=True) == "01:02:03.457"
    assert clock(12.7, decimals=0) == "0:13"


@settings(max_examples=40)
@given(timelines())
def test_csv_is_read_back(found: list[Segment]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table.render(found, LABELS), newline="")))
    assert [float(r["start_s"]) for r in rows] == pytest.approx([s.start_s for s in found], abs=1e-3)
    assert [float(r["end_s"]) for r in rows] == pytest.approx([s.end_s for s in found], abs=1e-3)
    assert [r["transcript"] for r in rows] == [" ".join((s.transcript or "").split()) for s in found]
    assert all(
        (r["label"], r["confidence"], r["angry"], r["happy"]) == ("happy", "0.7500", "0.2500", "0.7500") for r in rows
    )


def test_csv_of_what_has_no_answer_is_empty_there() -> None:
    (row,) = csv.DictReader(io.StringIO(csv_table.render([SILENT], LABELS)))
    assert (row["label"], row["confidence"], row["angry"], row["channel"], row["transcript"]) == ("", "", "", "", "")


def test_csv_says_what_is_uncertain_and_what_it_was_compared_with() -> None:
    found = [segment(0, 1), UNSURE, BELOW, SILENT]
    rows = list(csv.DictReader(io.StringIO(csv_table.render(found, LABELS))))
    assert [row["uncertain"] for row in rows] == ["false", "true", "true", ""]
    assert [row["label"] for row in rows] == ["happy", "happy", "uncertain", ""]
    assert [row["baseline_s"] for row in rows] == ["0.000", "12.346", "12.346", "0.000"]


def test_subtitles_tiers_and_rows_mark_what_is_uncertain() -> None:
    for unsure in (UNSURE, BELOW):
        ((_, text),) = cues(webvtt.render([unsure]))
        assert text == "[happy?, 75%] It is."
        _, tiers = read_textgrid(textgrid.render([unsure], 3.0))
        assert [name for _, _, name in tiers["emotion"]] == ["", "happy?", ""]
        assert rows([unsure])[1].split()[2:4] == ["happy?", "75%"]
    header, *shown = rows([segment(0, 1), UNSURE])
    assert {line.index("It") for line in shown} == {header.index("words")}


def cues(text: str) -> list[list[str]]:
    head, *blocks = re.split(r"\n\n+", text.rstrip("\n"))
    assert head == "WEBVTT"
    return [block.split("\n") for block in blocks]


@settings(max_examples=40)
@given(timelines())
def test_webvtt_has_a_cue_of_two_lines_for_each_whatever_is_said(found: list[Segment]) -> None:
    blocks = cues(webvtt.render(found))
    assert len(blocks) == len(found)
    for timing, *text in blocks:
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}", timing)
        assert len(" ".join(text).splitlines()) == 1
        assert "<" not in text[0]
        assert "-->" not in text[0]


def test_webvtt_names_channel_emotion_and_words() -> None:
    ((timing, text),) = cues(webvtt.render([segment(61.5, 63.25, "Tom & I", channel=2)]))
    assert timing == "00:01:01.500 --> 00:01:03.250"
    assert text == "<v channel 2>[happy, 75%] Tom &amp; I"
    assert len(cues(webvtt.render([SILENT]))) == 1


def read_textgrid(text: str) -> tuple[float, dict[str, list[tuple[float, float, str]]]]:
    """Read what Praat writes and reads: header, then tiers of intervals, strings with doubled quotes."""
    tokens = re.findall(r'"((?:[^"]|"")*)"|(?<== )(-?[\d.]+)', text)
    values = [quoted.replace('""', '"') if not number else float(number) for quoted, number in tokens]
    assert values[:4] == ["ooTextFile", "TextGrid", 0.0, values[3]]
    end, count, rest = values[3], int(values[4]), iter(values[5:])  # type: ignore[arg-type]
    tiers = {}
    for _ in range(count):
        kind, name, low, high, size = (next(rest) for _ in range(5))
        assert (kind, low, high) == ("IntervalTier", 0.0, end)
        tiers[name] = [(next(rest), next(rest), next(rest)) for _ in range(int(size))]  # type: ignore[arg-type]
    assert next(rest, None) is None
    return end, tiers  # type: ignore[return-value]


@settings(max_examples=40)
@given(timelines(), st.integers(0, 3_000))
def test_a_textgrid_covers_the_recording_without_gaps_and_keeps_the_words(found: list[Segment], more_ms: int) -> None:
    duration = (found[-1].end_s if found else 1.0) + more_ms / 1_000
    end, tiers = read_textgrid(textgrid.render(found, duration))
    assert end == pytest.approx(duration, abs=1e-6)
    assert list(tiers) == ["emotion", "confidence", "words"]
    for intervals in tiers.values():
        borders = [0.0, *(b for _, b, _ in intervals)]
        assert [a for a, _, _ in intervals] == borders[:-1]
        assert borders[-1] == end
        assert all(a < b for a, b, _ in intervals)
    assert [text for _, _, text in tiers["words"] if text] == [s.transcript for s in found if s.transcript]
    assert [text for _, _, text in tiers["emotion"] if text] == ["happy"] * len(found)


def test_a_textgrid_has_tiers_for_each_channel() -> None:
    both = [segment(0, 2, "one", 1), segment(1, 3, "two", 2)]
    _, tiers = read_textgrid(textgrid.render(both, 4.0))
    assert list(tiers) == ["emotion 1", "confidence 1", "words 1", "emotion 2", "confidence 2", "words 2"]
    assert tiers["words 2"] == [(0.0, 1.0, ""), (1.0, 3.0, "two"), (3.0, 4.0, "")]


def rows(segments: Sequence[Segment], *, channels: bool = False, columns: int = 70) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        table = Table(LABELS, channels=channels, colour=False)
        return [table.header(), *(line for s in segments for line in table.row(s).splitlines())]


def test_a_row_has_times_channel_emotion_confidence_and_words() -> None:
    header, row = rows([segment(61.5, 63.25, channel=2)], channels=True)
    assert header.split() == ["start", "end", "ch", "emotion", "conf", "words"]
    assert row.split() == ["1:01.5", "1:03.2", "2", "happy", "75%", "It", "is."]
    assert row.index("It") == header.index("words")


def test_long_words_go_on_below_and_what_has_no_answer_says_so() -> None:
    header, first, *more = rows([segment(0, 9, "word " * 30)])
    assert more
    assert all(line.index("word") == header.index("words") and len(line) <= 70 for line in (first, *more))
    assert rows([SILENT])[1].split() == ["0:01.0", "0:02.0", "none", "-"]


@pytest.fixture
def stereo() -> np.ndarray:
    samples = np.zeros((3 * RATE, 2), np.float32)
    samples[RATE : 2 * RATE, 0] = 0.5
    samples[2 * RATE + 50 :, 1] = -0.25
    return samples


def test_the_outline_follows_each_channel(stereo: np.ndarray) -> None:
    seen = audio_preview.make_preview(Recording(stereo, RATE), split=True, keep=False)
    assert seen.mp3 is None
    np.testing.assert_allclose(seen.outline[0], np.repeat([0, 1, 0], 20))
    np.testing.assert_allclose(seen.outline[1], np.repeat([0, 0, 0.5], 20))


def test_an_outline_has_no_more_points_than_a_screen() -> None:
    long = np.zeros(150 * RATE, np.float32)
    long[75 * RATE + 1] = 0.1
    seen = audio_preview.make_preview(Recording(long, RATE), split=False, keep=False)
    assert seen.outline.shape == (1, audio_preview.MOST_POINTS)
    assert np.flatnonzero(seen.outline[0]).tolist() == [audio_preview.MOST_POINTS // 2]


def test_the_copy_is_the_recording_and_small(speech: np.ndarray) -> None:
    seen = audio_preview.make_preview(Recording(speech, RATE), split=False, keep=True)
    assert seen.mp3 is not None
    assert len(seen.mp3) < 11 * 8_000
    again, rate = soundfile.read(io.BytesIO(seen.mp3))
    assert rate == RATE
    assert len(again) == pytest.approx(11 * RATE, abs=2_000)
    part, begin = speech[6 * RATE : 6 * RATE + 4_000], 6 * RATE - 1_600
    lag = int(np.correlate(again[begin : begin + 8_000], part).argmax()) - 1_600
    assert abs(lag) < 0.1 * RATE


def test_silence_has_an_outline_too() -> None:
    assert audio_preview.make_preview(
        Recording(np.zeros(3, np.int16), RATE), split=False, keep=True
    ).outline.tolist() == [[0.0]]


def test_the_copy_of_opposite_channels_is_not_silent(speech: np.ndarray) -> None:
    opposite = np.stack([speech, -speech], axis=1)
    for split in (False, True):
        kept = audio_preview.make_preview(Recording(opposite, RATE), split=split, keep=True).mp3
        assert kept is not None
        heard = soundfile.read(io.BytesIO(kept))[0]
        assert np.abs(heard).max() == pytest.approx(np.abs(speech).max(), rel=0.2)


def test_a_row_has_its_notes_and_nothing_that_steers_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    evil = "red\x1b[31m\u202e"
    fused = Scores(evil, {evil: 0.75, "sad": 0.25})
    noted = Segment(0.0, 1.0, fused, None, None, f"a\nb {evil}", notes=("the words are doubtful",))
    row = Table((evil, "sad"), channels=False, colour=False).row(noted)
    assert row.endswith("a b red\\x1b[31m\\u202e (the words are doubtful)")
    assert row.isprintable()
