"""Emotion in speech on small machines: voice and words, fused and calibrated, on onnxruntime alone.

>>> from edge_runtime import IEmoNet
>>> model = IEmoNet.load()
>>> model("clip.wav").label
'angry'
"""

from edge_runtime.audio import Audio
from edge_runtime.bundle import Bundle
from edge_runtime.dialogue_reward import DialogueReward
from edge_runtime.errors import (
    AudioError,
    AudioNotFoundError,
    BundleError,
    BundleNotFoundError,
    ClosedError,
    DeviceError,
    IEmoNetError,
    MissingExtraError,
    ResultsError,
    RewardError,
)
from edge_runtime.live import Event, Stream
from edge_runtime.pipeline import IEmoNet
from edge_runtime.prediction import Prediction, Scores, Segment
from edge_runtime.reward import EmotionValues
from edge_runtime.timeline import Timeline

__all__ = [
    "Audio",
    "AudioError",
    "AudioNotFoundError",
    "Bundle",
    "BundleError",
    "BundleNotFoundError",
    "ClosedError",
    "DeviceError",
    "DialogueReward",
    "EmotionValues",
    "Event",
    "IEmoNet",
    "IEmoNetError",
    "MissingExtraError",
    "Prediction",
    "ResultsError",
    "RewardError",
    "Scores",
    "Segment",
    "Stream",
    "Timeline",
]
