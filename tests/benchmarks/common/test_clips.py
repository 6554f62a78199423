"""Clips are of the very length that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.common import clips
from edge_runtime.audio.recording import SAMPLE_RATE


@pytest.mark.parametrize("seconds", [0.5, 4.0, 15.0, 30.0])
def test_clips_have_exactly_their_length_even_if_no_recording_does(jfk, seconds):
    (one, other) = clips.cut([jfk], seconds, 2, seed=3)
    assert len(one) == len(other) == round(seconds * SAMPLE_RATE)
    assert one.dtype == np.float32
    (again, _) = clips.cut([jfk], seconds, 2, seed=3)
    np.testing.assert_array_equal(one, again)


def test_what_comes_first_comes_first_if_there_is_room(jfk, tmp_path):
    (tone,) = clips.write([np.sin(np.arange(16000) * 0.3).astype(np.float32)], tmp_path, "tone")
    (short,) = clips.cut([tone], 4.0, 1, seed=0, first=jfk)
    (long,) = clips.cut([tone], 15.0, 1, seed=0, first=jfk)
    spoken = clips.load_audio(jfk)
    begin = int(np.flatnonzero(np.abs(spoken) > clips.QUIET * np.abs(spoken).max())[0])
    np.testing.assert_array_equal(long[:16000], spoken[begin : begin + 16000])
    assert not np.array_equal(short[:16000], spoken[begin : begin + 16000])


def test_without_a_corpus_there_is_the_example(jfk, tmp_path):
    assert clips.english(tmp_path, jfk) == ([jfk], "jfk.wav")


def test_silence_is_kept_as_it_is(tmp_path):
    (path,) = clips.write([np.zeros(1600, np.float32)], tmp_path, "silence")
    (clip,) = clips.cut([path], 0.5, 1, seed=0)
    assert len(clip) == 8000 and not clip.any()
