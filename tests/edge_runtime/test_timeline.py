"""A recording as a timeline: in order, mixed or channel by channel, and read no further than asked for."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import AudioError, AudioNotFoundError, IEmoNet

RATE = 16_000


@pytest.fixture(scope="module")
def stereo(speech: np.ndarray) -> np.ndarray:
    """Two who take turns: one long on the left, two short on the right, of which the first comes before it."""
    call = np.zeros((26 * RATE, 2), np.float32)
    for channel, at_s, part in ((1, 0.5, speech[: 2 * RATE]), (0, 4, speech), (1, 17, speech[8 * RATE :])):
        call[int(at_s * RATE) : int(at_s * RATE) + len(part), channel] = part
    return call


def test_split_channels_give_the_segments_of_each_channel_in_order_of_time(model: IEmoNet, stereo: np.ndarray) -> None:
    found = list(model.timeline(stereo, RATE, channels="split"))
    expected = [
        replace(segment, channel=channel)
        for channel in (1, 2)
        for segment in model.timeline(np.ascontiguousarray(stereo[:, channel - 1]), RATE)
    ]
    assert found == sorted(expected, key=lambda segment: (segment.start_s, segment.channel))
    assert found[0].channel == 2
    assert {segment.channel for segment in found} == {1, 2}


def test_split_channels_at_another_rate_give_the_segments_of_each_channel(model: IEmoNet, speech: np.ndarray) -> None:
    call = np.stack([speech[: 5 * RATE], speech[3 * RATE : 8 * RATE]], axis=1)
    expected = [list(model.timeline(call[:, c].copy(), 22_050)) for c in (0, 1)]
    found = list(model.timeline(call, 22_050, channels="split"))
    assert [[replace(s, channel=None) for s in found if s.channel == c] for c in (1, 2)] == expected


def test_mixed_channels_give_the_segments_of_their_mean(model: IEmoNet, stereo: np.ndarray) -> None:
    found = list(model.timeline(stereo, RATE))
    assert found == list(model.timeline(stereo.mean(axis=1), RATE))
    assert {segment.channel for segment in found} == {None}


def test_a_single_channel_when_split_is_channel_one(model: IEmoNet, speech: np.ndarray) -> None:
    mixed = list(model.timeline(speech, RATE))
    assert list(model.timeline(speech, RATE, channels="split")) == [replace(s, channel=1) for s in mixed]


def test_the_timeline_of_a_long_recording_has_the_segments_of_its_prediction(
    model: IEmoNet, speech: np.ndarray
) -> None:
    long = np.tile(speech, 2)
    assert tuple(model.timeline(long, RATE, baseline=False)) == model(long, RATE).segments


def test_a_timeline_cuts_a_short_recording_at_its_pauses(model: IEmoNet, jfk: Path) -> None:
    assert len(list(model.timeline(jfk))) == 2
    assert len(model(jfk).segments) == 1


def test_a_timeline_reads_no_further_than_it_was_asked_for(model: IEmoNet, speech: np.ndarray) -> None:
    timeline = model.timeline(np.tile(speech, 20), RATE)
    assert (timeline.duration_s, timeline.header_duration_s) == (0, 220)
    first = next(timeline)
    assert first.end_s < timeline.duration_s <= 15
    assert iter(timeline) is timeline


def test_at_the_end_length_and_notes_are_known(model: IEmoNet, jfk: Path) -> None:
    data = jfk.read_bytes()
    timeline = model.timeline(data[: len(data) // 2])
    assert list(timeline)
    assert timeline.duration_s == pytest.approx(5.5, abs=0.01)
    assert any("ends early" in note for note in timeline.notes)


def test_the_timeline_of_silence_is_empty(model: IEmoNet) -> None:
    assert list(model.timeline(np.zeros((RATE, 2), np.int16), RATE, channels="split")) == []


def test_bad_audio_is_refused(model: IEmoNet, tmp_path: Path, speech: np.ndarray) -> None:
    with pytest.raises(AudioNotFoundError):
        model.timeline(tmp_path / "missing.wav")
    with pytest.raises(AudioError, match="not audio"):
        model.timeline(io.BytesIO(b"not audio"))
    with pytest.raises(ValueError, match="'left'"):
        model.timeline(speech, RATE, channels="left")  # type: ignore[arg-type]
    late = np.tile(speech, 2)
    late[-1] = np.nan
    timeline = model.timeline(late, RATE)
    next(timeline)
    with pytest.raises(AudioError, match="NaN"):
        list(timeline)
