"""The feature set of the INTERSPEECH 2009 emotion challenge (Schuller, Steidl and Batliner 2009), from the waveform.

Sixteen low-level descriptors every 10 ms, their deltas, and twelve functionals of each over a window: 384 features.
Everything is made of operations that export to ONNX, so that a graph may start at the waveform.

Written from publications: MFCC and deltas from the HTK book (Young et al. 2006, chapter 5), F0 from the cepstrum
(Noll 1967), voicing from the autocorrelation (Rabiner 1977). Settings that these leave open are those of the
configuration that the challenge's authors distribute, or were measured on what their extractor returns. One thing
is left out: the extractor pulls sudden jumps of F0 towards a running mean, and that takes one frame at a time.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.fft
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from trainer.pretrained.whisper import SAMPLE_RATE, peak_normalize, sym_min

FRAME, HOP, FFT = 400, 160, 512
"""Samples: 25 ms every 10 ms, and the length that the transform pads them to."""
BINS = FFT // 2 + 1
MELS, COEFFICIENTS, LIFTER = 26, 12, 22
PRE_EMPHASIS = 0.97
FULL_SCALE = 32767
SHORTEST_LAG = SAMPLE_RATE // 500
"""Samples: F0 is at most 500 Hz. At least it is 63 Hz, for the lags reach half the transform."""
PROMINENT = 0.6
"""F0 is the first peak of the cepstrum above so much of the sum of its maximum and its mean absolute value."""
VOICED = 0.55
"""Frames of a greater voicing probability are voiced."""
WINDOW, STEP = 30, 3
"""Frames: 300 ms every 30 ms."""
MAX_WINDOWS = 384
"""So many windows, 11.8 s, are kept of a longer recording."""
FLAT, FLAT_CEPSTRUM, FLAT_SHARE = 1e-9, 1e-3, 1e-5
"""A contour that deviates by less than the first (cepstral coefficients and their deltas: the second), or by less than
the third of its size, is flat but for rounding. A coefficient may be near 0, but is a sum of large terms."""

_CONTOURS = (
    "rms_energy",
    *(f"mfcc_{i}" for i in range(1, COEFFICIENTS + 1)),
    "zero_crossing_rate",
    "voicing_probability",
    "f0",
)
DESCRIPTORS: tuple[str, ...] = (*_CONTOURS, *(f"{name}_delta" for name in _CONTOURS))
"""The 32 contours, in the order in which ``Descriptors`` returns them."""
_FLOORS = torch.tensor([FLAT_CEPSTRUM if name.startswith("mfcc") else FLAT for name in DESCRIPTORS])
FUNCTIONALS: tuple[str, ...] = (
    *("max", "min", "range", "max_position", "min_position", "mean"),
    *("slope", "offset", "quadratic_error", "standard_deviation", "skewness", "kurtosis"),
)
FEATURES: tuple[str, ...] = tuple(f"{contour}_{name}" for contour in DESCRIPTORS for name in FUNCTIONALS)
"""The 384 features, in order: all functionals of the first contour, then of the next."""


def sixteen_bit(waveform: Tensor) -> Tensor:
    """Bring each waveform (batch, samples) to a peak of 0.5 and to the steps of 16 bits.

    The features move with gain, so the level is part of them. The steps are, because the zero crossings and
    the spectrum of near-silence would otherwise depend on rounding errors that no recording holds.
    """
    return (peak_normalize(waveform) * FULL_SCALE).round() / FULL_SCALE


class Descriptors(nn.Module):
    """Waveform (batch, samples) at 16 kHz → contours (batch, frames, 32), named by ``DESCRIPTORS``.

    Frame i covers samples 160 i to 160 i + 400, at the level of ``sixteen_bit``. A shorter waveform is padded with
    zeros to one frame. Energy is that of the pre-emphasised, windowed frame, full scale being 1; the zero-crossing
    rate is per sample; F0 is in Hz, 0 where unvoiced. So is a steady voice below 120 Hz, and often one below 150,
    in the challenge's features as here: so short a window tapers the correlation of its few periods.
    """

    spectrum: Tensor
    mel: Tensor
    cosine: Tensor
    inverse: Tensor

    def __init__(self) -> None:
        """Make the constants; there is nothing to learn."""
        super().__init__()
        # Pre-emphasis, frame by frame as in HTK, and the window become part of the Fourier transform.
        emphasis = np.eye(FRAME) - PRE_EMPHASIS * np.eye(FRAME, k=-1)
        emphasis[0, 0] = 1 - PRE_EMPHASIS
        transform = np.fft.rfft(np.hamming(FRAME)[:, None] * emphasis, FFT, axis=0)
        mel = mel_filter_bank(
            num_frequency_bins=BINS,
            num_mel_filters=MELS,
            min_frequency=0.0,
            max_frequency=SAMPLE_RATE / 2,
            sampling_rate=SAMPLE_RATE,
            mel_scale="kaldi",  # the names that its maker knows for HTK's scale, and for triangles even in mel
            triangularize_in_mel_space=True,
        )
        cosine = scipy.fft.dct(np.eye(MELS), norm="ortho", axis=0)[1 : COEFFICIENTS + 1]
        lifter = 1 + LIFTER / 2 * np.sin(np.pi * np.arange(1, COEFFICIENTS + 1) / LIFTER)
        constants = {
            "spectrum": np.concatenate([transform.real, transform.imag])[:, None],
            "mel": mel.T,
            "cosine": lifter[:, None] * cosine,
            "inverse": np.fft.irfft(np.eye(BINS), FFT, axis=0)[: FFT // 2],
        }
        for name, constant in constants.items():
            self.register_buffer(name, torch.from_numpy(constant).float().contiguous(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the contours, smoothed over three frames, and their deltas."""
        missing = FRAME - sym_min(waveform.shape[1], FRAME)
        samples = F.pad(sixteen_bit(waveform), (0, missing)).unsqueeze(1)
        parts = F.conv1d(samples, self.spectrum, stride=HOP).square()
        power = parts[:, :BINS] + parts[:, BINS:]
        # One step of 16 bits is HTK's floor of the mel spectrum. Counted in such steps its logarithm is 0, so that the
        # coefficients of silence are 0 too, and no rounding errors that differ from processor to processor.
        log_mel = (FULL_SCALE * (self.mel @ power.sqrt())).clamp_min(1).log()
        autocorrelation = self.inverse @ power
        energy = autocorrelation[:, :1]
        voicing = voicing_probability(autocorrelation.abs() / energy.clamp_min(1e-20))
        contours = [
            (energy / FRAME).sqrt(),
            self.cosine @ log_mel,
            zero_crossing_rate(samples),
            voicing,
            tracked(pitch(self.inverse @ log1p(power)), voicing),
        ]
        smooth = smoothed(torch.cat(contours, dim=1))
        return torch.cat([smooth, delta(smooth)], dim=1).transpose(1, 2)


def log1p(x: Tensor) -> Tensor:
    """Return log(1 + x), precise for small x also in ONNX, which has no such operation (Kahan's)."""
    total = 1 + x
    return torch.where(total == 1, x, total.log() * x / (total - 1).clamp_min(1e-30))


def is_peak(x: Tensor) -> Tensor:
    """Whether each value of (batch, values, frames), but the first and the last, is above both its neighbours."""
    return (x[:, 1:-1] > x[:, :-2]) & (x[:, 1:-1] > x[:, 2:])


def voicing_probability(autocorrelation: Tensor) -> Tensor:
    """Return the highest peak (batch, 1, frames) of a normalised, absolute autocorrelation (batch, lags, frames)."""
    around = autocorrelation[:, SHORTEST_LAG - 2 :]
    return (around[:, 1:-1] * is_peak(around)).amax(1, keepdim=True)


def pitch(cepstrum: Tensor) -> Tensor:
    """Return the frequency (batch, 1, frames) in Hz of a cepstrum (batch, lags, frames); 0 where it has no peak."""
    voice = cepstrum[:, SHORTEST_LAG:]
    enough = PROMINENT * (voice.amax(1, keepdim=True) + cepstrum.abs().mean(1, keepdim=True))
    lags = torch.arange(SHORTEST_LAG + 1, FFT // 2 - 1, dtype=cepstrum.dtype, device=cepstrum.device)[:, None]
    candidates = torch.where(is_peak(voice) & (voice[:, 1:-1] > enough), lags, torch.inf)
    return SAMPLE_RATE / candidates.amin(1, keepdim=True)


def tracked(frequency: Tensor, voicing: Tensor) -> Tensor:
    """Return F0 from the frequency and voicing probability of each frame, all (batch, 1, frames).

    It is the mean of a voiced frame's frequency and that of the frame before, if that is voiced too. A voiced frame
    between unvoiced ones is unvoiced. As a frame waits for the next, F0 is a frame late: so it is in the
    challenge's features.
    """
    voiced = ((voicing > VOICED) & (frequency > 0)).to(frequency.dtype)
    before, now, after = F.pad(voiced, (2, 0))[:, :, :-2], F.pad(voiced, (1, 0))[:, :, :-1], voiced
    voiced_frequency = frequency * voiced
    pair = F.pad(voiced_frequency, (2, 0))[:, :, :-2] + F.pad(voiced_frequency, (1, 0))[:, :, :-1]
    return now * torch.maximum(before, after) * pair / (1 + before)


def zero_crossing_rate(samples: Tensor) -> Tensor:
    """Return the sign changes per sample (batch, 1, frames) of a waveform (batch, 1, samples).

    A sample of zero counts unless its neighbours agree in sign: digital silence therefore has a rate of nearly 1,
    as in the challenge's features.
    """
    before, it, after = samples[:, :, :-2], samples[:, :, 1:-1], samples[:, :, 2:]
    crossing = (before * it < 0) | ((it == 0) & (before * after <= 0))
    inner = FRAME - 2
    return F.avg_pool1d(crossing.to(samples.dtype), inner, stride=HOP) * (inner / FRAME)


def smoothed(contours: Tensor) -> Tensor:
    """Return the mean of each frame and its two neighbours (batch, contours, frames); the ends are repeated."""
    padded = F.pad(contours, (1, 1), mode="replicate")
    return (padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]) / 3


def delta(contours: Tensor) -> Tensor:
    """Return HTK's regression over two frames on each side (batch, contours, frames); the ends are repeated."""
    padded = F.pad(contours, (2, 2), mode="replicate")
    near, far = padded[:, :, 3:-1] - padded[:, :, 1:-3], padded[:, :, 4:] - padded[:, :, :-4]
    return (near + 2 * far) / 10


def functionals(contours: Tensor) -> Tensor:
    """Return the functionals of windows (batch, windows, frames, 32) as (batch, windows, 384), named by ``FEATURES``.

    Positions are frames from the window's begin, the first where there are several. Slope (per frame), offset and
    quadratic error are those of the regression line. Deviation, skewness and kurtosis (3 for a normal
    distribution) are the population's; a flat contour has none of the latter two.
    """
    highest, lowest, mean = contours.amax(2), contours.amin(2), contours.mean(2)
    # Times around their mean: the regression's two unknowns part, and nothing large cancels.
    time = torch.arange(contours.shape[2], device=contours.device).to(contours.dtype)
    time = (time - time.mean())[:, None]
    centred = contours - mean.unsqueeze(2)
    slope = (centred * time).sum(2) / time.square().sum().clamp_min(0.5)
    error = (centred - slope.unsqueeze(2) * time).square().mean(2)
    deviation = centred.square().mean(2).sqrt()
    floor = FLAT_SHARE * torch.maximum(highest, -lowest) + _FLOORS.to(contours)
    standard = centred / torch.maximum(deviation, floor).unsqueeze(2)
    cubed = standard * standard.square()
    values = [
        *(highest, lowest, highest - lowest),
        *(contours.argmax(2).to(contours.dtype), contours.argmin(2).to(contours.dtype), mean),
        *(slope, mean + slope * time[0], error, deviation, cubed.mean(2), (cubed * standard).mean(2)),
    ]
    return torch.stack(values, dim=3).reshape(contours.shape[0], contours.shape[1], len(FEATURES))


class IS09(nn.Module):
    """Waveform (batch, samples) at 16 kHz → features (batch, windows, 384), named by ``FEATURES``.

    Windows of 300 ms begin every 30 ms. A recording too short for one is one window over what there is.
    """

    def __init__(self, max_windows: int = MAX_WINDOWS) -> None:
        """Keep at most the first ``max_windows`` windows of a recording."""
        super().__init__()
        self.descriptors = Descriptors()
        self.max_windows = max_windows

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the features of at least one window, and at most ``max_windows``."""
        contours: Tensor = self.descriptors(waveform)
        frames = contours.shape[1]
        windows = sym_min((frames - sym_min(frames, WINDOW)) // STEP + 1, self.max_windows)
        starts = STEP * torch.arange(windows, device=waveform.device)
        window = torch.arange(sym_min(frames, WINDOW), device=waveform.device)
        return functionals(contours[:, starts[:, None] + window])


def per_file(waveform: Tensor) -> Tensor:
    """Return the features (384,) of a whole waveform (samples,) at 16 kHz: one window over all of it."""
    contours: Tensor = _descriptors()(waveform[None])
    return functionals(contours[:, None])[0, 0]


@functools.cache
def _descriptors() -> Descriptors:
    return Descriptors()
