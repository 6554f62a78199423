"""Corruptions of speech: noise, babble, gain, clipping, speed, telephone and codecs, each by degrees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.clips import Float
from trainer.augment import add_noise, babble, change_speed, decoded, encoded, mix, telephone

WHITE = 0.0
VOICES = 6
"""People who talk at once in babble."""
OPUS = ((18.0, 0.9), (8.0, 0.99))
"""About how many kbit/s RAVDESS takes at each of libsndfile's compression levels."""
VORBIS = ((35.0, 0.5), (22.0, 0.99))
MP3 = ((20.0, 0.5), (12.0, 0.99))
Change = Callable[[Float, np.random.Generator], Float]


@dataclass(frozen=True)
class Corruption:
    """One degree of one change.

    Attributes:
        kind: the curve it is on.
        level: its place on the curve, in the curve's unit.
        change: a waveform (samples,) at 16 kHz → the corrupted one.
    """

    kind: str
    level: float
    change: Change


AXES: Mapping[str, str] = {
    "white noise": "signal-to-noise ratio, dB",
    "babble": "signal-to-noise ratio, dB",
    "gain": "dB",
    "clipping": "share of the peak that is left",
    "speed": "times as fast",
    "telephone": "1 = 300 to 3400 Hz, 8 kHz, 8 bit µ-law",
    "opus": "about kbit/s",
    "vorbis": "about kbit/s",
    "mp3": "about kbit/s",
}


def corruptions(babble_of: Sequence[Float]) -> list[Corruption]:
    """Return every corruption; babble is made of ``babble_of``, recordings of other people."""
    snr = (20.0, 10.0, 5.0, 0.0)
    return [
        *(Corruption("white noise", db, partial(_white, snr_db=db)) for db in snr),
        *(Corruption("babble", db, partial(_babble, snr_db=db, recordings=babble_of)) for db in snr),
        *(Corruption("gain", db, partial(_gain, db=db)) for db in (-40.0, -20.0, 30.0)),
        *(Corruption("clipping", share, partial(_clip, share=share)) for share in (0.5, 0.2, 0.05)),
        *(Corruption("speed", times, partial(_speed, times=times)) for times in (0.8, 0.9, 1.1, 1.25)),
        Corruption("telephone", 1.0, _telephone),
        *(Corruption("opus", kbit, partial(_codec, form="OGG", kind="OPUS", level=c)) for kbit, c in OPUS),
        *(Corruption("vorbis", kbit, partial(_codec, form="OGG", kind="VORBIS", level=c)) for kbit, c in VORBIS),
        *(Corruption("mp3", kbit, partial(_codec, form="MP3", kind="MPEG_LAYER_III", level=c)) for kbit, c in MP3),
    ]  # fmt: skip


def _white(x: Float, random: np.random.Generator, *, snr_db: float) -> Float:
    return add_noise(x, random, snr_db, WHITE)


def _babble(x: Float, random: np.random.Generator, *, snr_db: float, recordings: Sequence[Float]) -> Float:
    voices = [recordings[i] for i in random.choice(len(recordings), VOICES, replace=False)]
    return mix(x, babble(len(x), voices, random), snr_db)


def _gain(x: Float, _: np.random.Generator, *, db: float) -> Float:
    """Return ``x`` as a sound card would: 16 bits, and clipped at full scale."""
    steps: NDArray[np.float64] = np.round(np.clip(x * 10 ** (db / 20), -1.0, 1.0) * 32767)
    return (steps / 32767).astype(np.float32)


def _clip(x: Float, _: np.random.Generator, *, share: float) -> Float:
    edge = share * float(np.abs(x).max(initial=0.0))
    return np.clip(x, -edge, edge)


def _speed(x: Float, _: np.random.Generator, *, times: float) -> Float:
    return change_speed(x, times)


def _telephone(x: Float, _: np.random.Generator) -> Float:
    return telephone(x)


def _codec(x: Float, _: np.random.Generator, *, form: str, kind: str, level: float) -> Float:
    return decoded(encoded(x, form, kind, level))
