"""Our INTERSPEECH 2009 features against those of openSMILE, which the challenge's authors made, as a black box."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.common import results_file
from benchmarks.common.clips import audio_files, draw
from benchmarks.common.paths import Clips, Data, Seed
from trainer.audio import load_audio
from trainer.corpora import emodb, ravdess
from trainer.pretrained.whisper import SAMPLE_RATE
from trainer.speech.is09 import DESCRIPTORS, FLAT_SHARE, FULL_SCALE, FUNCTIONALS, IS09, sixteen_bit

Float = NDArray[np.float32]
SIXTEEN_BIT = 32768
"""What openSMILE multiplies a waveform with before it drops what is behind the point."""
WINDOWS = """
frameMode = fixed
frameSize = 0.3
frameStep = 0.03
frameCenterSpecial = left
"""


class Oracle:
    """openSMILE's configuration ``IS09_emotion``, on the very samples that our module gets.

    It returns a few frames more than a recording has, of the end of its buffers.
    """

    def __init__(self) -> None:
        """Start openSMILE, which the development environment has."""
        import opensmile  # noqa: PLC0415 - only a comparison needs it

        levels = opensmile.FeatureLevel
        self._scratch = tempfile.TemporaryDirectory()
        windows = Path(self._scratch.name) / "windows.conf"
        windows.write_text(WINDOWS, encoding="ascii")
        self._contours, self._deltas, self._features = (
            opensmile.Smile(opensmile.FeatureSet.IS09, level, options={"frameModeFunctionalsConf": str(windows)})
            for level in (levels.LowLevelDescriptors, levels.LowLevelDescriptors_Deltas, levels.Functionals)
        )

    def contours(self, waveform: Float) -> Float:
        """Return the contours (frames, 32) of a waveform (samples,) at 16 kHz, in the order of ``DESCRIPTORS``."""
        both = [_run(smile, waveform) for smile in (self._contours, self._deltas)]
        frames = min(map(len, both))
        return np.concatenate([contours[:frames] for contours in both], axis=1)

    def features(self, waveform: Float) -> Float:
        """Return the features (windows, 384) of a waveform (samples,) at 16 kHz, in the order of ``FEATURES``."""
        return _run(self._features, waveform)


def _run(smile: Any, waveform: Float) -> Float:
    steps = (sixteen_bit(torch.from_numpy(waveform)[None]) * FULL_SCALE).round()
    result: Float = smile((steps / SIXTEEN_BIT).numpy(), SAMPLE_RATE)[0].T
    return result


def correlation(ours: Float, theirs: Float) -> float:
    """Return Pearson's correlation of two contours, over the frames that both have.

    Two constant ones have none (NaN); one constant and one that is not do not agree at all (0).
    """
    frames = min(len(ours), len(theirs))
    a, b = ours[:frames], theirs[:frames]
    flat = [bool(np.ptp(x) <= FLAT_SHARE * np.abs(x).max()) for x in (a, b)]
    if any(flat):
        return float("nan") if all(flat) else 0.0
    return float(np.corrcoef(a, b)[0, 1])


@torch.no_grad()
def measure(data: Path, *, clips: int, seed: int) -> dict[str, Any]:
    """Compare contours and windowed features on ``clips`` recordings of RAVDESS and EmoDB, and the time they take.

    A figure is the median over recordings of the correlation over a recording's frames or windows. ``worst`` are
    the lowest of any recording. One processor thread each; openSMILE's start-up for every recording counts, as it
    has no other way.

    Args:
        data: folder that holds ravdess/ and emodb/.
        clips: how many recordings.
        seed: of the choice of recordings.
    """
    recordings = audio_files(ravdess.load(data / "ravdess") + emodb.load(data / "emodb"))
    chosen = draw(recordings, clips, np.random.default_rng(seed))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _compare([load_audio(file) for file in track(chosen, "reading", transient=True)])
    finally:
        torch.set_num_threads(threads)


def _compare(waveforms: Sequence[Float]) -> dict[str, Any]:
    oracle, module = Oracle(), IS09(max_windows=sys.maxsize).eval()
    contours, features = [], []
    seconds: dict[str, list[float]] = {"ours": [], "opensmile": []}
    module(torch.from_numpy(waveforms[0])[None])  # warms up
    for waveform in track(waveforms, "clips", transient=True):
        batch = torch.from_numpy(waveform)[None]
        contours.append(_correlations(module.descriptors(batch)[0].numpy(), oracle.contours(waveform)))
        begin = time.perf_counter()
        ours = module(batch)[0].numpy()
        between = time.perf_counter()
        theirs = oracle.features(waveform)
        seconds["ours"].append(between - begin)
        seconds["opensmile"].append(time.perf_counter() - between)
        features.append(_correlations(ours, theirs))
    by_contour, by_feature = np.array(contours), np.array(features)
    of_features = np.nanmedian(by_feature, axis=0).reshape(len(DESCRIPTORS), len(FUNCTIONALS))
    audio = [len(w) / SAMPLE_RATE for w in waveforms]
    return {
        "clips": len(waveforms),
        "contours": {
            "median": dict(zip(DESCRIPTORS, _rounded(np.nanmedian(by_contour, axis=0)), strict=True)),
            "worst": dict(zip(DESCRIPTORS, _rounded(np.nanmin(by_contour, axis=0)), strict=True)),
        },
        "features": {
            "least_median": round(float(of_features.min()), 4),
            "least_median_without_f0": round(
                float(of_features[[not n.startswith("f0") for n in DESCRIPTORS]].min()), 4
            ),
            "median_by_contour": dict(zip(DESCRIPTORS, _rounded(np.median(of_features, axis=1)), strict=True)),
            "f0_by_functional": dict(zip(FUNCTIONALS, _rounded(of_features[DESCRIPTORS.index("f0")]), strict=True)),
        },
        "median_clip_s": round(float(np.median(audio)), 2),
        "median_ms": {name: round(1000 * float(np.median(taken)), 2) for name, taken in seconds.items()},
        "times_real_time": {name: round(sum(audio) / sum(taken), 1) for name, taken in seconds.items()},
    }


def _correlations(ours: Float, theirs: Float) -> list[float]:
    return [correlation(ours[:, i], theirs[:, i]) for i in range(ours.shape[1])]


def _rounded(values: NDArray[np.floating[Any]]) -> list[float]:
    return [round(float(value), 4) for value in values]


def command(data: Data = Path("data"), clips: Clips = 120, seed: Seed = 0) -> None:
    """Our IS09 features beside openSMILE's."""
    print(results_file.write("opensmile-parity", measure(data, clips=clips, seed=seed), seed=seed))
