"""Mixing: the plain mean wherever that is a mix, and never the silence that opposite channels make of each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.audio.mix import HOP_S, Mixer
from edge_runtime.audio.recording import Recording
from edge_runtime.audio.resample import Resampler

RATE = 16_000


def noise(seed: int, seconds: float = 2.0, *, level: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE)).astype(np.float32)


VOICE, OTHER, THIRD = (noise(seed) for seed in range(3))


def mixed(channels: np.ndarray, sizes: list[int], rate: float = RATE) -> np.ndarray:
    mixer, parts, begin, turn = Mixer(rate, channels.shape[1]), [], 0, 0
    while begin < len(channels):
        size = sizes[turn % len(sizes)]
        parts.append(mixer(channels[begin : begin + size]))
        begin, turn = begin + size, turn + 1
    return np.concatenate([*parts, mixer.flush()])


def together(*channels: np.ndarray) -> np.ndarray:
    return mixed(np.stack(channels, axis=1), [len(channels[0])])


def mean(*channels: np.ndarray) -> np.ndarray:
    return np.stack(channels, axis=1).mean(axis=1, dtype=np.float64).astype(np.float32)


def level(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def share(mix: np.ndarray, voice: np.ndarray) -> float:
    """How much of ``mix`` is ``voice``: the size of their correlation."""
    return abs(float(np.corrcoef(mix, voice)[0, 1]))


@pytest.mark.parametrize(
    "channels",
    [
        (VOICE, VOICE),
        (VOICE, OTHER),
        (VOICE, np.zeros_like(VOICE)),
        (np.zeros_like(VOICE), np.zeros_like(VOICE)),
        (VOICE, 0.9 * VOICE + 0.1 * OTHER),
        (VOICE[4:], VOICE[:-4]),
        (VOICE, -0.5 * VOICE + OTHER),
        (VOICE + 0.2, VOICE - 0.2),
        (VOICE, OTHER, THIRD, np.zeros_like(VOICE), VOICE / 2, OTHER / 2),
    ],
    ids=["same", "independent", "one-silent", "both-silent", "alike", "late", "half-opposite", "offsets", "six"],
)
def test_channels_that_do_not_cancel_are_averaged_to_the_bit(channels: tuple[np.ndarray, ...]) -> None:
    np.testing.assert_array_equal(together(*channels), mean(*channels))


def test_a_speech_clip_in_stereo_is_averaged_to_the_bit(speech_in_stereo: np.ndarray) -> None:
    np.testing.assert_array_equal(mixed(speech_in_stereo, [80_000]), mean(*speech_in_stereo.T))


@pytest.fixture(scope="module")
def speech_in_stereo(jfk: object) -> np.ndarray:
    """A voice that reaches one microphone 0.25 ms later and weaker, with the noise of each."""
    voice = np.concatenate(list(Recording(jfk).blocks()))  # type: ignore[arg-type]
    late = np.concatenate([np.zeros(4, np.float32), voice[:-4]])
    random = np.random.default_rng(5)
    return np.stack([voice, 0.8 * late], axis=1) + random.normal(0, 0.003, (len(voice), 2)).astype(np.float32)


def test_the_opposite_of_a_channel_does_not_cancel_it() -> None:
    np.testing.assert_array_equal(together(VOICE, -VOICE), VOICE)
    np.testing.assert_array_equal(together(VOICE, -VOICE, -VOICE), VOICE)


@pytest.mark.parametrize(
    ("channels", "least"),
    [
        ((VOICE, -0.3 * VOICE), 0.999),
        ((VOICE + 0.3 * OTHER, -VOICE + 0.3 * THIRD), 0.97),
        ((VOICE + 0.1, -VOICE + 0.1), 0.999),
        ((VOICE, -(0.9 * VOICE + 0.1 * OTHER)), 0.99),
        ((VOICE[1:], -0.9 * VOICE[1:] - 0.1 * VOICE[:-1]), 0.99),
        ((OTHER, VOICE, -VOICE), 0.8),
        ((OTHER, VOICE, -VOICE, np.zeros_like(VOICE), -VOICE, THIRD), 0.8),
    ],
    ids=["weaker", "noisy", "common-offset", "0.9-alike", "late", "after-another", "six"],
)
def test_a_voice_that_is_opposite_in_some_channels_is_heard(channels: tuple[np.ndarray, ...], least: float) -> None:
    mix = together(*channels)
    assert share(mix, VOICE[-len(mix) :]) > least
    assert level(mix) > 0.05


def test_no_voice_is_lost_beside_one_that_is_opposite() -> None:
    mix = together(VOICE, -VOICE, OTHER)
    assert share(mix, VOICE) > 0.85
    assert share(mix, OTHER) > 0.4


def test_two_voices_in_channels_of_their_own_stay_as_they_are_when_one_channel_hears_the_other_reversed() -> None:
    np.testing.assert_array_equal(together(VOICE, OTHER - 0.1 * VOICE), mean(VOICE, OTHER - 0.1 * VOICE))


def test_channels_that_are_opposite_now_more_and_now_less_do_not_flip_to_and_fro() -> None:
    hop, voice = round(HOP_S * RATE), noise(11, 20.0)
    nearly = -0.7 * voice + 0.71 * noise(12, 20.0)  # each hop correlates at about -0.7, by chance above or below
    is_mean = (together(voice, nearly) == mean(voice, nearly)).reshape(-1, hop).all(axis=1)
    assert np.abs(np.diff(is_mean.astype(int))).sum() <= 1
    assert not is_mean[-1]


def test_it_is_decided_anew_when_the_wiring_changes() -> None:
    turned, back = np.concatenate([VOICE, VOICE, VOICE, VOICE]), np.concatenate([VOICE, -VOICE, -VOICE, VOICE])
    mix = together(turned, back)
    last = len(VOICE) // 2
    np.testing.assert_array_equal(mix[: len(VOICE)], VOICE)
    np.testing.assert_array_equal(mix[3 * len(VOICE) - last : 3 * len(VOICE)], VOICE[-last:])
    np.testing.assert_array_equal(mix[-last:], VOICE[-last:])


def test_a_pause_does_not_undo_it() -> None:
    hiss = [noise(seed, 3.0, level=0.001) for seed in (7, 8)]
    voice = [np.concatenate([VOICE, hiss[0], VOICE]), np.concatenate([-VOICE, hiss[1], -VOICE])]
    mix = together(*voice)
    np.testing.assert_array_equal(mix[-len(VOICE) :], VOICE)


def test_samples_wait_no_longer_than_a_hop_and_those_of_one_channel_not_at_all() -> None:
    stereo, mono = Mixer(RATE, 2), Mixer(RATE, 1)
    given = 0
    for begin in range(0, len(VOICE), 100):
        portion = VOICE[begin : begin + 100, None]
        given += len(stereo(np.tile(portion, 2)))
        assert begin + len(portion) - given < HOP_S * RATE
        assert len(mono(portion)) == len(portion)


@settings(max_examples=60)
@given(
    channels=st.integers(2, 9),
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 3_000), min_size=1, max_size=5),
    rate=st.sampled_from([1_000, 7_999.5, 16_000, 44_100]),
    order=st.sampled_from("CF"),
)
def test_portions_of_any_size_give_the_mix_of_the_whole(
    channels: int, seed: int, sizes: list[int], rate: float, order: str
) -> None:
    random = np.random.default_rng(seed)
    # Channels share sources with random signs, which change in the middle: some are opposite, some nearly.
    sources = random.normal(0, 0.1, (12_345, 3))
    ways = [random.normal(0, 1, (3, channels)) * random.choice([0.05, 1.0], (3, 1)) for _ in range(2)]
    samples = np.concatenate([sources[:6_000] @ ways[0], sources[6_000:] @ ways[1]]).astype(np.float32)
    whole = mixed(samples, [len(samples)], rate)
    assert len(whole) == len(samples)
    np.testing.assert_array_equal(mixed(np.asarray(samples, order=order), sizes, rate), whole)


def test_a_stream_that_goes_on_with_other_channels_loses_nothing() -> None:
    resample = Resampler(RATE, RATE, name="stream")
    begin, end = VOICE[:1_001], VOICE[1_001:2_345]
    heard = [resample(begin), resample(np.stack([end, -end], axis=1)), resample(begin[:, None]), resample.flush()]
    np.testing.assert_array_equal(np.concatenate(heard), np.concatenate([begin, end, begin]))
