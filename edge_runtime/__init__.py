"""Emotion in speech on small machines: speech and text, fused and calibrated, on onnxruntime alone.

>>> from edge_runtime import IEmoNet
>>> model = IEmoNet.load()
>>> model("clip.wav").label
'angry'
"""

import os
import sys
from importlib import import_module

# From version 1.29 on onnxruntime keeps an identifier and a queue of events in the user's home, and sends them to its
# vendor, unless this is set when it is imported. Child processes inherit it; what the user has set stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

TYPE_CHECKING = False  # what `typing` calls so, which takes longer to import than all else here
if TYPE_CHECKING:
    from edge_runtime.audio.recording import Audio, Recording
    from edge_runtime.baseline import Baseline
    from edge_runtime.bundle.bundle import Bundle
    from edge_runtime.errors import (
        AudioError,
        AudioNotFoundError,
        BaselineError,
        BundleError,
        BundleNotFoundError,
        ClosedError,
        DeviceError,
        IEmoNetError,
        MissingExtraError,
        PicklingError,
        ResultsError,
        RewardError,
    )
    from edge_runtime.inference.text_tokens import Turn
    from edge_runtime.live import Event, Stream
    from edge_runtime.pipeline import IEmoNet
    from edge_runtime.prediction import Prediction, Scores, Segment
    from edge_runtime.rewards.dialogue_reward import DialogueReward
    from edge_runtime.rewards.reward import EmotionValues
    from edge_runtime.timeline import Timeline

__all__ = [
    "Audio",
    "AudioError",
    "AudioNotFoundError",
    "Baseline",
    "BaselineError",
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
    "PicklingError",
    "Prediction",
    "Recording",
    "ResultsError",
    "RewardError",
    "Scores",
    "Segment",
    "Stream",
    "Timeline",
    "Turn",
]

_MODULES = {
    "Audio": "audio.recording",
    "Baseline": "baseline",
    "Bundle": "bundle.bundle",
    "DialogueReward": "rewards.dialogue_reward",
    "EmotionValues": "rewards.reward",
    "Event": "live",
    "IEmoNet": "pipeline",
    "Prediction": "prediction",
    "Recording": "audio.recording",
    "Scores": "prediction",
    "Segment": "prediction",
    "Stream": "live",
    "Timeline": "timeline",
    "Turn": "inference.text_tokens",
}
"""Where a name is, other than the errors: fetched when it is asked for, so that `--help` and Ctrl-C need not wait."""


if not TYPE_CHECKING:  # to a type checker other names are errors

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
        globals()[name] = found
        return found


class _OldPaths:
    """Asked for a module that no other importer finds."""

    @staticmethod
    def find_spec(name: str, *_: object) -> object:
        if not name.startswith(f"{__name__}."):
            return None
        return import_module(f"{__name__}.deprecated").spec(name)


sys.meta_path.append(_OldPaths)  # type: ignore[arg-type]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
