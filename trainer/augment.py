"""Augmentation: seeded changes to a waveform, as rooms, noise, voices, microphones, lines and codecs make them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy import signal

from edge_runtime.audio.recording import Recording
from trainer.errors import ConfigError

SAMPLE_RATE = 16_000
TELEPHONE_RATE = 8_000
TELEPHONE_HZ = (300.0, 3400.0)
CODECS = (("OGG", "OPUS", 0.7), ("MP3", "MPEG_LAYER_III", 0.3), ("OGG", "VORBIS", 0.3))
"""Container and codec of libsndfile, and the least compression that a copy gets, from 0 to 1."""
MOST_COMPRESSION = 0.99
LEVEL = 0.9
"""Peak before a codec, whose noise depends on the level."""
SILENCE = 1e-3
"""A lower peak is raised no more than this one: it is noise."""
Float = NDArray[np.float32]


def mix(x: Float, other: Float, snr_db: float) -> Float:
    """Add ``other`` so loud that the mean power of ``x``, pauses and all, is ``snr_db`` above it."""
    gain = np.sqrt(np.mean(x**2) / max(float(np.mean(other**2)), 1e-12)) * 10 ** (-snr_db / 20)
    result: Float = (x + gain * other).astype(np.float32)
    return result


def add_noise(x: Float, random: np.random.Generator, snr_db: float, colour: float) -> Float:
    """Add noise whose spectrum falls with frequency to the power ``colour`` (0 white, 1 pink, 2 brown)."""
    spectrum = np.fft.rfft(random.standard_normal(len(x)))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** (-colour / 2)
    return mix(x, np.fft.irfft(spectrum, len(x)).astype(np.float32), snr_db)


def babble(length: int, voices: Sequence[Float], random: np.random.Generator) -> Float:
    """Return ``length`` samples of all ``voices`` at once, equally loud, each over and over from a random place on."""
    mixed = np.zeros(length, np.float32)
    for voice in voices:
        rms = max(float(np.sqrt(np.mean(voice**2))), 1e-6)
        mixed += np.resize(np.roll(voice / rms, int(random.integers(len(voice)))), length)
    return mixed


def reverberate(x: Float, random: np.random.Generator, decay_s: float, wet: float) -> Float:
    """Play ``x`` in a room whose sound falls by 60 dB in ``decay_s``; the first sound stays in its place."""
    time = np.arange(int(decay_s * SAMPLE_RATE)) / SAMPLE_RATE
    tail = random.standard_normal(len(time)) * np.exp(-6.9 * time / decay_s)
    tail *= wet / np.sqrt(np.sum(tail**2))
    tail[0] += 1.0
    result: Float = signal.fftconvolve(x, tail)[: len(x)].astype(np.float32)
    return result


def band_pass(x: Float, low_hz: float, high_hz: float) -> Float:
    """Keep a band, as a telephone does."""
    sections = signal.butter(4, [low_hz, high_hz], "bandpass", fs=SAMPLE_RATE, output="sos")
    result: Float = signal.sosfilt(sections, x).astype(np.float32)
    return result


def change_speed(x: Float, factor: float) -> Float:
    """Play faster (> 1) or slower, pitch and all, as a recording at the wrong speed."""
    result: Float = soxr.resample(x, SAMPLE_RATE * factor, SAMPLE_RATE).astype(np.float32)
    return result


def tilt(x: Float, db_per_octave: float) -> Float:
    """Tilt the spectrum about 1 kHz, as another microphone does."""
    spectrum = np.fft.rfft(x)
    octave = np.log2(np.maximum(np.fft.rfftfreq(len(x), 1 / SAMPLE_RATE), 50.0) / 1000.0)
    result: Float = np.fft.irfft(spectrum * 10 ** (db_per_octave * octave / 20), len(x)).astype(np.float32)
    return result


def crop(x: Float, random: np.random.Generator, shortest_s: float) -> Float:
    """Cut away up to a third at a random place, but leave at least ``shortest_s``."""
    longest = min(len(x) // 3, len(x) - int(shortest_s * SAMPLE_RATE))
    if longest <= 0:
        return x
    cut = int(random.integers(0, longest))
    begin = int(random.integers(0, cut + 1))
    return x[begin : len(x) - (cut - begin)]


def piece(x: Float, random: np.random.Generator, seconds: float) -> Float:
    """Return the loudest of five random pieces of so many ``seconds``: a word or two, rather than a pause.

    A clip that is no longer stays whole.
    """
    length = int(seconds * SAMPLE_RATE)
    if len(x) <= length:
        return x
    begins = random.integers(0, len(x) - length + 1, size=5)
    begin = max(begins, key=lambda first: float(np.square(x[first : first + length]).sum()))
    return x[begin : begin + length]


def telephone(x: Float) -> Float:
    """Return ``x`` as a telephone line carries it: 300 to 3400 Hz, 8 kHz, 8 bits by the µ-law."""
    narrow = change_speed(_levelled(band_pass(x, *TELEPHONE_HZ)), SAMPLE_RATE / TELEPHONE_RATE)
    file = io.BytesIO()
    soundfile.write(file, narrow, TELEPHONE_RATE, "ULAW", format="WAV")
    return decoded(file.getvalue())


def encoded(x: Float, form: str, codec: str, compression: float) -> bytes:
    """Return ``x`` as a file of a lossy format; what is louder than full scale is clipped.

    Args:
        x: samples (n,) at 16 kHz.
        form: libsndfile's name of the container, such as "OGG".
        codec: libsndfile's name of the codec, such as "OPUS".
        compression: libsndfile's, 0 least and 1 most compressed.

    Raises:
        soundfile.SoundFileError: this libsndfile has no such codec; ``check_codecs`` tells early.
    """
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", SAMPLE_RATE, 1, codec, format=form, compression_level=compression) as target:
        # Vorbis' encoder overflows its stack on a long write at once.
        for begin in range(0, len(x), SAMPLE_RATE):
            target.write(np.clip(x[begin : begin + SAMPLE_RATE], -1.0, 1.0))
    return file.getvalue()


def decoded(file: bytes) -> Float:
    """Return the samples (n,) in a file of audio, mono at 16 kHz; a lossy one may be louder than full scale.

    Raises:
        AudioError: it cannot be decoded.
    """
    return np.concatenate(list(Recording(file).blocks()))


def compress(x: Float, random: np.random.Generator) -> Float:
    """Encode and decode ``x`` by a random lossy codec, at a random strength; the peak is raised to ``LEVEL`` before.

    Silence stays silent: Opus, as decoded to 16 bits, would add a step.
    """
    if not x.any():
        return x
    form, codec, least = CODECS[int(random.integers(len(CODECS)))]
    return decoded(encoded(_levelled(x), form, codec, float(random.uniform(least, MOST_COMPRESSION))))


def check_codecs() -> None:
    """Refuse a libsndfile that lacks one of ``CODECS``: before an hour of encoding, not within it.

    Raises:
        ConfigError: it does; the codec is named, and what to do.
    """
    for form, codec, least in CODECS:
        try:
            decoded(encoded(np.zeros(SAMPLE_RATE, np.float32), form, codec, least))
        except (soundfile.SoundFileError, ValueError) as error:
            raise ConfigError(
                f"augmentation needs the codec {codec}, which libsndfile {soundfile.__libsndfile_version__} cannot "
                f"write or read here ({error}); install soundfile as a wheel, which brings its own libsndfile, or set "
                "augmentations = 0 in [speech]"
            ) from error


def _levelled(x: Float) -> Float:
    result: Float = x * np.float32(LEVEL / max(float(np.abs(x).max(initial=0.0)), SILENCE))
    return result


def augment(x: Float, random: np.random.Generator, others: Float | None = None) -> Float:
    """Return ``x`` under a random mixture of the changes above; the gain is drawn from x0.1 to x2.

    ``others``, of any length, is babble that is mixed in.

    The tilt of a spectrum and the pace of a voice are themselves signs of emotion, so they change within limits: a
    model that is taught to overlook them generalises less to other corpora.
    """
    if random.random() < 0.4:
        x = change_speed(x, float(random.uniform(0.92, 1.08)))
    if random.random() < 0.3:
        x = crop(x, random, 1.0)
    elif random.random() < 0.2:
        x = piece(x, random, float(random.uniform(0.6, 1.6)))
    if random.random() < 0.35:
        x = tilt(x, float(random.uniform(-4, 4)))
    if random.random() < 0.4:
        x = reverberate(x, random, float(random.uniform(0.1, 0.6)), float(random.uniform(0.1, 0.8)))
    if others is not None:
        x = mix(x, np.resize(others, len(x)), float(random.uniform(3, 25)))
    if random.random() < 0.6:
        x = add_noise(x, random, float(random.uniform(8, 40)), float(random.choice([0.0, 1.0, 2.0])))
    line = random.random()
    if line < 0.12:
        x = telephone(x)
    elif line < 0.24:
        x = band_pass(x, float(random.uniform(100, 350)), float(random.uniform(3200, 7000)))
    if random.random() < 0.25:
        x = compress(x, random)
    gain = float(np.exp(random.uniform(np.log(0.1), np.log(2.0))))
    result: Float = np.clip(x * gain, -1.0, 1.0).astype(np.float32)  # as a sound card would
    return result
