"""Emotion in speech on small machines: voice and words, fused and calibrated, on onnxruntime alone.

>>> from edge_runtime import IEmoNet
>>> model = IEmoNet.load()
>>> model("clip.wav").label
'angry'
"""

from edge_runtime.audio import Audio
from edge_runtime.bundle import Bundle
from edge_runtime.errors import (
    AudioError,
    AudioNotFoundError,
    BundleError,
    BundleNotFoundError,
    ClosedError,
    DeviceError,
    IEmoNetError,
    ResultsError,
)
from edge_runtime.pipeline import IEmoNet
from edge_runtime.prediction import Prediction, Scores, Segment

__all__ = [
    "Audio",
    "AudioError",
    "AudioNotFoundError",
    "Bundle",
    "BundleError",
    "BundleNotFoundError",
    "ClosedError",
    "DeviceError",
    "IEmoNet",
    "IEmoNetError",
    "Prediction",
    "ResultsError",
    "Scores",
    "Segment",
]
