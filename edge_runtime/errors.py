"""The errors that edge-iemonet raises: one small family, each also the builtin a caller would expect."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING


class IEmoNetError(Exception):
    """Base of every error raised on purpose by this package and its toolchain."""


class AudioError(IEmoNetError, ValueError):
    """The audio cannot be used: not audio, empty, damaged, or holding values that are not numbers."""


class AudioNotFoundError(IEmoNetError, FileNotFoundError):
    """No file at the path given."""


class BaselineError(IEmoNetError, ValueError):
    """A speaker's baseline cannot be used: damaged, of another bundle, or of too little speech."""


class BundleError(IEmoNetError, ValueError):
    """A bundle's manifest, checksum, labels or graph shapes do not fit."""


class BundleNotFoundError(IEmoNetError, FileNotFoundError):
    """No bundle at the place given, or none could be found."""


class ClosedError(IEmoNetError, RuntimeError):
    """The model was closed, and is asked again."""


class DeviceError(IEmoNetError, RuntimeError):
    """The device that was asked for cannot be had."""


class PicklingError(IEmoNetError, TypeError):
    """A model cannot be pickled or copied; each process loads its own."""


class ResultsError(IEmoNetError, OSError):
    """A file of results is in use, cannot be written, or holds something else."""


class RewardError(IEmoNetError, ValueError):
    """Emotions, their values or their probabilities do not give a reward."""


class MissingExtraError(IEmoNetError, ImportError):
    """Something optional is not installed; the message names the extra."""


if not TYPE_CHECKING:  # to a type checker the old names are errors

    def __getattr__(name):
        if not name[0].isupper():  # a module here, or `__path__`: asked for by each import
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("edge_runtime.deprecated").attribute(__name__, name)
