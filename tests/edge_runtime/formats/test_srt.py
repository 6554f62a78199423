"""Subtitles in SubRip's form."""

from __future__ import annotations

from dataclasses import replace

from edge_runtime.formats import srt
from edge_runtime.prediction import Scores, Segment

SAID = Segment(0.25, 3661.5, Scores("angry", {"angry": 0.8, "sad": 0.2}), None, None, "Ask\n\nnot <b>what</b>")


def test_each_segment_is_numbered_timed_and_on_one_line() -> None:
    assert srt.render([SAID, replace(SAID, start_s=3662.0, end_s=3663.0, uncertain=True, channel=2)]) == (
        "1\n00:00:00,250 --> 01:01:01,500\n[angry, 80%] Ask not <b>what</b>\n\n"
        "2\n01:01:02,000 --> 01:01:03,000\nchannel 2: [angry?, 80%] Ask not <b>what</b>\n"
    )


def test_what_has_no_answer_or_no_words_still_has_its_time() -> None:
    empty = replace(SAID, fused=None, transcript=None)
    assert srt.render([empty]) == "1\n00:00:00,250 --> 01:01:01,500\n\n"
    assert srt.render([]) == ""
