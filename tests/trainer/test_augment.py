"""Changes to a waveform: what each does, and that no clip is too short for them."""

from collections import Counter

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_runtime.errors import AudioError
from trainer import augment
from trainer.errors import ConfigError

RATE = augment.SAMPLE_RATE
seeds = st.integers(0, 2**32 - 1)


def noise(samples: int, seed: int = 0) -> augment.Float:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


def sine(hz: float, samples: int = RATE) -> augment.Float:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(samples) / RATE)).astype(np.float32)


def decibels(x: augment.Float, reference: augment.Float) -> float:
    return 20 * float(np.log10(np.sqrt(np.mean(x**2)) / np.sqrt(np.mean(reference**2))))


@settings(max_examples=100)
@given(seeds, st.integers(1, 2 * RATE))
@example(seed=0, samples=1)
def test_any_clip_in_any_condition_stays_a_waveform(seed, samples):
    found = augment.augment(noise(samples), np.random.default_rng(seed))
    assert found.dtype == np.float32
    assert found.ndim == 1 and len(found) > 0
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1.0


@settings(max_examples=60)
@given(seeds, st.integers(1, 5))
def test_a_clip_of_a_few_samples_survives(seed, samples):
    assert np.isfinite(augment.augment(noise(samples), np.random.default_rng(seed))).all()


@settings(max_examples=30)
@given(seeds)
def test_silence_stays_silent(seed):
    assert not augment.augment(np.zeros(RATE, np.float32), np.random.default_rng(seed)).any()


def test_a_seed_gives_the_same_clip_and_another_seed_another():
    x = noise(RATE)
    one, again, other = (augment.augment(x, np.random.default_rng(s)) for s in (3, 3, 4))
    assert np.array_equal(one, again)
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_the_clip_itself_is_not_changed():
    x = noise(RATE)
    kept = x.copy()
    for seed in range(20):
        augment.augment(x, np.random.default_rng(seed))
    assert np.array_equal(x, kept)


@settings(max_examples=40)
@given(seeds, st.floats(-10, 40), st.sampled_from([0.0, 1.0, 2.0]))
def test_noise_has_the_level_asked_for(seed, snr_db, colour):
    x = sine(300)
    found = augment.add_noise(x, np.random.default_rng(seed), snr_db, colour)
    assert decibels(x, found - x) == pytest.approx(snr_db, abs=1.0)


@settings(max_examples=40)
@given(seeds, st.floats(-10, 40), st.floats(1e-3, 1.0))
def test_a_mixture_has_the_ratio_asked_for_however_loud_the_other_was(seed, snr_db, loudness):
    x = sine(300)
    found = augment.mix(x, loudness * noise(RATE, seed), snr_db)
    assert decibels(x, found - x) == pytest.approx(snr_db, abs=0.1)


def test_babble_is_everybody_equally_loud():
    quiet = [sine(hz, samples) for hz, samples in ((200, 3000), (300, 20000), (440, 8000))]
    loud = [voice * np.float32(10.0**i) for i, voice in enumerate(quiet)]
    one, other = (augment.babble(8000, side, np.random.default_rng(2)) for side in (quiet, loud))
    assert one.shape == (8000,)
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    alone = augment.babble(8000, quiet[:1], np.random.default_rng(2))
    assert np.sqrt(np.mean(alone**2)) == pytest.approx(1.0, abs=0.01)


def test_babble_of_silence_is_silence():
    assert not augment.babble(RATE, [np.zeros(100, np.float32)] * 3, np.random.default_rng(0)).any()


@settings(max_examples=40)
@given(seeds, st.integers(1, RATE), st.integers(1, RATE))
def test_babble_of_any_length_changes_the_recording(seed, samples, crowd):
    x, others = noise(samples), noise(crowd, seed=1)
    alone, among = (augment.augment(x, np.random.default_rng(seed), c) for c in (None, others))
    assert np.isfinite(among).all()
    assert alone.shape != among.shape or not np.array_equal(alone, among)


def test_coloured_noise_falls_with_frequency():
    x = noise(RATE)
    spectra = [np.abs(np.fft.rfft(augment.add_noise(x, np.random.default_rng(0), 0.0, c) - x)) ** 2 for c in (0, 1, 2)]
    white, pink, brown = (s[4000:].sum() / s[1:4000].sum() for s in spectra)
    assert white > 3 * pink > 9 * brown


def test_a_band_keeps_what_is_inside_and_removes_what_is_outside():
    for hz, inside in ((60, False), (1000, True), (7000, False)):
        change = decibels(augment.band_pass(sine(hz), 300, 3400)[RATE // 4 :], sine(hz)[RATE // 4 :])
        assert change > -1 if inside else change < -25, f"{hz} Hz: {change:.1f} dB"


@settings(max_examples=40)
@given(st.integers(100, RATE), st.floats(0.92, 1.08))
def test_speed_changes_the_length_by_its_factor(samples, factor):
    assert len(augment.change_speed(noise(samples), factor)) == pytest.approx(samples / factor, abs=1.5)


def test_speed_changes_the_pitch_too():
    spectrum = np.abs(np.fft.rfft(augment.change_speed(sine(1000), 1.25)[:8000]))
    assert spectrum.argmax() * RATE / 8000 == pytest.approx(1250, abs=4)


@settings(max_examples=100)
@given(seeds, st.integers(1, 3 * RATE), st.floats(0.01, 2.0))
def test_a_crop_is_a_piece_and_leaves_at_least_the_limit(seed, samples, shortest):
    x = np.arange(samples, dtype=np.float32)  # each sample tells its place
    found = augment.crop(x, np.random.default_rng(seed), shortest)
    assert len(found) >= min(samples, int(shortest * RATE))
    assert len(found) >= samples - samples // 3
    assert np.array_equal(found, x[int(found[0]) : int(found[0]) + len(found)])


def test_a_crop_does_cut():
    found = [len(augment.crop(noise(3 * RATE), np.random.default_rng(s), 1.0)) for s in range(20)]
    assert min(found) < 2.5 * RATE


def test_tilt_raises_what_is_above_1_khz_and_lowers_what_is_below():
    for hz, change in ((500, -3), (1000, 0), (2000, 3), (4000, 6)):
        assert decibels(augment.tilt(sine(hz), 3.0), sine(hz)) == pytest.approx(change, abs=0.1)


def test_a_room_keeps_the_length_and_the_place_of_the_first_sound():
    x = np.zeros(RATE, np.float32)
    x[100] = 1.0
    found = augment.reverberate(x, np.random.default_rng(0), 0.3, 0.5)
    assert len(found) == len(x)
    assert np.abs(found[:100]).max() < 1e-5
    assert np.abs(found).argmax() == 100
    tail = found[101:]
    assert np.sqrt(np.sum(tail**2)) == pytest.approx(0.5, rel=0.1)
    assert np.sum(tail[:1200] ** 2) > 10 * np.sum(tail[3600:] ** 2)


@pytest.mark.parametrize("decay_s", [0.2, 0.6])
def test_the_sound_of_a_room_falls_by_60_db_in_the_time_stated(decay_s):
    clap = np.zeros(RATE, np.float32)
    clap[0] = 1
    tail = np.mean([augment.reverberate(clap, np.random.default_rng(i), decay_s, 0.5) ** 2 for i in range(50)], axis=0)
    early, late = (tail[int(at * decay_s * RATE) :][: RATE // 200].mean() for at in (0.1, 0.9))
    assert 10 * np.log10(early / late) == pytest.approx(0.8 * 60, abs=1.5)


def test_a_crop_takes_a_third_at_most():
    lengths = {len(augment.crop(noise(RATE), np.random.default_rng(i), 0.1)) for i in range(300)}
    assert RATE * 2 / 3 <= min(lengths) < RATE * 0.7
    assert max(lengths) > 0.98 * RATE


def band_db(x, low_hz, high_hz):
    """Return the power between two frequencies in decibels."""
    power = np.abs(np.fft.rfft(x)) ** 2
    frequency = np.fft.rfftfreq(len(x), 1 / RATE)
    return 10 * np.log10(power[(frequency >= low_hz) & (frequency < high_hz)].sum() + 1e-12)


@pytest.mark.parametrize("samples", [1, 101, RATE // 2, RATE + 1])
def test_a_telephone_line_keeps_the_length(samples):
    assert abs(len(augment.telephone(noise(samples))) - samples) <= 1


def test_a_telephone_line_keeps_its_band_and_nothing_else():
    x = noise(RATE)
    found = augment.telephone(x)
    kept = band_db(found, 500, 3000)
    assert kept - band_db(found, 0, 100) > 25
    assert kept - band_db(found, 4000, RATE / 2) > 40
    assert np.abs(found).max() <= 1.1


@pytest.mark.parametrize(("form", "codec", "least"), augment.CODECS)
@pytest.mark.parametrize("samples", [RATE // 3, 2 * RATE + 7])
def test_a_codec_changes_the_sound_a_little_and_hardly_its_length(form, codec, least, samples):
    x = (0.5 * np.sin(2 * np.pi * 440 * np.arange(samples) / RATE)).astype(np.float32)
    found = augment.decoded(augment.encoded(x, form, codec, least))
    assert found.dtype == np.float32 and np.isfinite(found).all()
    assert abs(len(found) - samples) <= 0.15 * RATE  # an MP3 has whole frames
    assert not np.array_equal(found[: len(x)], x[: len(found)])
    assert band_db(found, 400, 480) - band_db(found, 1000, RATE / 2) > 15


def test_more_compression_makes_a_smaller_file():
    sizes = [len(augment.encoded(noise(2 * RATE) * 0.3, "OGG", "OPUS", c)) for c in (0.0, 0.7, 0.99)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 1.5 * sizes[-1]


def test_a_random_codec_is_the_seeds():
    x = noise(RATE // 2) * 0.3
    one, again = (augment.compress(x, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, again)
    lengths = {augment.compress(x, np.random.default_rng(i)).tobytes() for i in range(6)}
    assert len(lengths) > 1


@settings(max_examples=40)
@given(seeds, st.integers(1, RATE), st.floats(0.1, 1.0))
def test_a_piece_is_as_long_as_asked_for_or_the_whole(seed, samples, seconds):
    x = noise(samples)
    found = augment.piece(x, np.random.default_rng(seed), seconds)
    assert len(found) == min(samples, int(seconds * RATE))
    begin = int(np.flatnonzero(x == found[0])[0])
    assert np.array_equal(found, x[begin : begin + len(found)])
    assert np.array_equal(found, augment.piece(x, np.random.default_rng(seed), seconds))


def test_a_piece_is_rather_of_a_word_than_of_a_pause():
    x = np.zeros(10 * RATE, np.float32)
    x[4 * RATE : 6 * RATE] = noise(2 * RATE)
    heard = [augment.piece(x, np.random.default_rng(i), 1.0).any() for i in range(100)]
    by_chance = 0.3  # of a single place
    assert np.mean(heard) > 2 * by_chance


class Edge:
    """Draws no change but the gain, and that from the low or the high edge of its range."""

    def __init__(self, edge: int) -> None:
        self.edge = edge

    def random(self) -> float:
        return 1.0

    def uniform(self, *edges: float) -> float:
        return edges[self.edge]


@pytest.mark.parametrize(("edge", "gain"), [(0, 0.1), (1, 2.0)])
def test_the_gain_is_from_a_tenth_to_twice(edge, gain):
    x = noise(100) * 0.5
    np.testing.assert_allclose(augment.augment(x, Edge(edge)), x * gain, rtol=1e-5)


@settings(max_examples=15)
@given(seeds, st.integers(1, RATE))
@example(seed=0, samples=1)
def test_a_telephone_and_every_codec_keep_any_clips_length(seed, samples):
    x = noise(samples, seed)
    assert abs(len(augment.telephone(x)) - samples) <= 1
    for form, codec, least in augment.CODECS:
        for compression in (least, augment.MOST_COMPRESSION):
            found = augment.decoded(augment.encoded(x, form, codec, compression))
            assert (found.dtype, len(found)) == (np.float32, samples), codec
            assert np.isfinite(found).all()


def test_a_telephone_has_one_level():
    spoken = augment.telephone(sine(1000))
    assert np.abs(spoken).max() == pytest.approx(augment.LEVEL, rel=0.05)
    np.testing.assert_allclose(augment.telephone(0.01 * sine(1000)), spoken, atol=0.05)


def test_a_telephone_has_8_bits_by_the_mu_law_so_that_quiet_sounds_stay():
    found = augment.telephone(np.concatenate([sine(1000), 0.01 * sine(1000)]))
    loud, quiet = (np.abs(np.fft.rfft(part)) for part in (found[:RATE], found[RATE:]))
    assert quiet[1000] == pytest.approx(0.01 * loud[1000], rel=0.1)  # 8 even bits would leave nothing of it
    assert 1e-3 < loud[1001:4000].max() / loud[1000] < 0.05


@pytest.mark.parametrize(("form", "codec", "least"), augment.CODECS)
def test_half_a_minute_is_encoded_and_what_is_too_loud_is_clipped(form, codec, least):
    x = np.tile(4 * sine(200), 30)
    found = augment.decoded(augment.encoded(x, form, codec, least))
    assert len(found) == len(x)
    assert np.abs(found).max() < 2


def test_compression_draws_every_codec_and_levels_the_clip_before(monkeypatch):
    drawn = []

    def record(x: augment.Float, form: str, codec: str, compression: float) -> bytes:
        drawn.append((form, codec, compression, float(np.abs(x).max())))
        return b""

    monkeypatch.setattr(augment, "encoded", record)
    monkeypatch.setattr(augment, "decoded", lambda _: noise(10))
    for seed in range(300):
        augment.compress(0.02 * noise(100), np.random.default_rng(seed))
    for form, codec, least in augment.CODECS:
        found = [compression for *kind, compression, _ in drawn if kind == [form, codec]]
        assert 70 < len(found) < 130
        assert least <= min(found) < least + 0.05
        assert augment.MOST_COMPRESSION - 0.05 < max(found) <= augment.MOST_COMPRESSION
    assert [peak for *_, peak in drawn] == pytest.approx([augment.LEVEL] * 300)


def test_silence_is_not_compressed_into_a_hum():
    silence = np.zeros(RATE, np.float32)
    assert not any(augment.compress(silence, np.random.default_rng(seed)).any() for seed in range(20))


def test_the_shares_of_the_changes_are_those_that_were_measured(monkeypatch):
    done: Counter[str] = Counter()
    names = ("change_speed", "crop", "piece", "tilt", "reverberate", "add_noise", "telephone", "band_pass", "compress")
    for name in names:
        monkeypatch.setattr(augment, name, lambda x, *_, name=name: done.update([name]) or x)
    for seed in range(4000):
        augment.augment(noise(10), np.random.default_rng(seed))
    wanted = (0.4, 0.3, 0.7 * 0.2, 0.35, 0.4, 0.6, 0.12, 0.12, 0.25)
    assert {name: done[name] / 4000 for name in names} == pytest.approx(dict(zip(names, wanted, strict=True)), abs=0.03)


def test_the_codecs_are_there():
    augment.check_codecs()


@pytest.mark.parametrize(
    "error", [soundfile.LibsndfileError(3), ValueError("Unknown format: 'MP3'"), AudioError("damaged")]
)
def test_a_libsndfile_without_a_codec_is_refused_with_what_to_do(monkeypatch, error):
    def fail(x: augment.Float, form: str, codec: str, compression: float) -> bytes:
        if codec == "MPEG_LAYER_III":
            raise error
        return encoded(x, form, codec, compression)

    encoded = augment.encoded
    monkeypatch.setattr(augment, "encoded", fail)
    with pytest.raises(
        ConfigError, match=r"the codec MPEG_LAYER_III, which libsndfile \d.*as a wheel.*augmentations = 0"
    ):
        augment.check_codecs()
