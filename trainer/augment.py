"""Augmentation: seeded changes to a waveform, as rooms, noise, other voices, lines and pace make them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import signal

SAMPLE_RATE = 16_000
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


def augment(x: Float, random: np.random.Generator, others: Float | None = None) -> Float:
    """Return ``x`` under a random mixture of the changes above; the gain is drawn from x0.1 to x2.

    ``others``, of any length, is babble that is mixed in.

    The changes are as mild as robustness allows: the tilt of a spectrum and the pace of a voice are
    themselves signs of emotion, and a model that is taught to overlook them generalises less to other corpora.
    """
    if random.random() < 0.4:
        x = change_speed(x, float(random.uniform(0.92, 1.08)))
    if random.random() < 0.3:
        x = crop(x, random, 1.0)
    if random.random() < 0.25:
        x = tilt(x, float(random.uniform(-2, 2)))
    if random.random() < 0.4:
        x = reverberate(x, random, float(random.uniform(0.1, 0.6)), float(random.uniform(0.1, 0.8)))
    if others is not None:
        x = mix(x, np.resize(others, len(x)), float(random.uniform(3, 25)))
    if random.random() < 0.6:
        x = add_noise(x, random, float(random.uniform(8, 40)), float(random.choice([0.0, 1.0, 2.0])))
    if random.random() < 0.2:
        x = band_pass(x, float(random.uniform(150, 350)), float(random.uniform(3200, 4000)))
    gain = float(np.exp(random.uniform(np.log(0.1), np.log(2.0))))
    result: Float = np.clip(x * gain, -1.0, 1.0).astype(np.float32)  # as a sound card would
    return result
