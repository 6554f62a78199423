"""What is said of voices never met, from a small made-up result."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.report import unseen_page

Result = dict[str, Any]


def lines(text: str, beginning: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(beginning)]


def test_left_out_corpora_stand_on_top_with_their_mean_and_empty_cells(unseen: Result) -> None:
    text = unseen_page.page(unseen)
    table = text.split("\n\n")[1].splitlines()
    assert table[2:] == [
        "| EmoDB | German | 10 | 80 | 0.700 | 0.750 | 0.800 | 0.650 to 0.750 | 0.062 | 0.70 |",
        "| emotional speech of India | Hindi, Indian English | 20 | 90 | 0.500 |  |  | 0.450 to 0.550 | 0.062 | 0.70 |",
        "| mean |  | 30 | 170 | 0.600 | 0.750 | 0.800 |  | 0.062 | 0.70 |",
    ]
    assert text.startswith("Corpora that the networks never met; means over 2 sets of networks, today:")
    assert "the same recordings without a baseline: 0.700 for 10 s and 0.700 for 60 s." in text.replace("\n", " ")


def test_each_baseline_stands_beside_the_same_recordings_without_and_names_the_corpus_that_gains_least(
    unseen: Result,
) -> None:
    text = unseen_page.page(unseen)
    assert lines(text, "| 1 s") == ["| 1 s | 2 | 0.595 | 0.600 | -0.5 | -2.0 (emotional speech of India) |"]
    assert lines(text, "| 60 s") == ["| 60 s | 1 | 0.800 | 0.700 | +10.0 | +10.0 (EmoDB) |"]
    assert text.count("(unseen.svg)") == 1


def test_baselines_of_one_mood_have_a_table_of_their_own(unseen: Result) -> None:
    lengths, moods = unseen_page.page(unseen).split("### A baseline of one mood")
    assert "all angry" not in lengths
    assert lines(moods, "| all") == [
        "| all angry | 1 | 0.690 | 0.700 | -1.0 | -1.0 (EmoDB) |",
        "| all recordings | 40 | 15.0% | 3.0% | 0.65 |",
    ]


def test_plain_speech_is_counted_by_recording(unseen: Result) -> None:
    text = unseen_page.page(unseen)
    assert "| called an emotion | with a confidence of 0.8 or more |" in text
    assert lines(text, "| call-centre") == ["| call-centre role play at 8 kHz | 10 | 30.0% | 6.0% | 0.80 |"]
    assert lines(text, "| all recordings") == ["| all recordings | 40 | 15.0% | 3.0% | 0.65 |"]


def test_bursts_are_told_in_words_the_likeliest_first_and_absent_labels_not_at_all(unseen: Result) -> None:
    unseen["bursts"]["conditions"]["none"]["confusion"] = [[2, 1, 0, 1], [0, 3, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]]
    assert lines(unseen_page.page(unseen), "- ") == [
        "- neutral: called 50% neutral, 25% happy, 25% angry",
        "- happy: called 75% happy, 25% angry",
        "- angry: called 25% neutral, 25% happy, 25% sad, 25% angry",
    ]


def test_interval_that_other_baselines_left_out_is_an_empty_cell(unseen: Result) -> None:
    unseen["unknown_speakers"]["emodb"]["ua_interval"] = None
    assert "| EmoDB | 80 | 0.900 | 0.900 |  |" in unseen_page.page(unseen)


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("bursts", "### Vocal bursts"),
        ("plain", "### Plain speech"),
        ("unknown_speakers", "### Unknown speakers of known corpora"),
    ],
)
def test_part_without_recordings_has_no_section(unseen: Result, key: str, title: str) -> None:
    assert title in unseen_page.page(unseen)
    unseen[key] = None if key == "bursts" else {}
    assert title not in unseen_page.page(unseen)


def test_result_without_baselines_has_neither_means_nor_moods_of_them(unseen: Result) -> None:
    unseen["mean"] = {"none": unseen["mean"]["none"]}
    for corpus in unseen["corpora"].values():
        corpus["conditions"] = {"none": corpus["conditions"]["none"]}
    text = unseen_page.page(unseen)
    assert "| mean |  | 30 | 170 | 0.600 |  |  |" in text
    assert "one mood" not in text and "Seconds of baseline" not in text and "Compare it" not in text
    assert "same speaker" not in unseen_page.readme(unseen)


def test_readme_says_how_far_voices_never_met_get_and_with_what_baseline(unseen: Result) -> None:
    text = unseen_page.readme(unseen)
    assert "a mean recall of 0.60 (0.50 to 0.70, 2 corpora)" in text
    assert "a mean confidence of 0.70 and a calibration error of 0.06" in text
    assert "0.75 with 10 s (0.70 without) and 0.80 with 60 s (0.70 without)" in text
    assert "15% is called an emotion by the voice alone, and 3% with a confidence of 0.8 or more" in text
    assert "\n" not in text


def test_readme_says_nothing_of_plain_speech_that_was_not_measured(unseen: Result) -> None:
    assert "plain" not in unseen_page.readme({**unseen, "plain": {}})


def test_seconds_of_a_baseline_stand_beside_the_same_recordings_without(unseen: Result) -> None:
    text = unseen_page.seconds(unseen)
    assert ": 0.60 without a baseline, 0.59 with 1 s (0.60 without), 0.75 with 10 s (0.70 without), 0.80" in text
    assert "angry" not in text
