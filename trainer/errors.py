"""The errors that only the toolchain raises, in `trainer` and `export`; the runtime's are in `edge_runtime.errors`."""

from __future__ import annotations

from edge_runtime.errors import IEmoNetError


class CorpusError(IEmoNetError, ValueError):
    """A corpus is missing, damaged, or not what its name says."""


class ConfigError(IEmoNetError, ValueError):
    """An experiment's settings do not exist, or do not fit together or to the corpus."""


class WeightsError(IEmoNetError, RuntimeError):
    """Pretrained weights could not be fetched, or are not the pinned ones."""


class CheckpointError(IEmoNetError, ValueError):
    """A checkpoint is missing, damaged, or of another kind than the one needed."""


class ExportError(IEmoNetError, RuntimeError):
    """A graph could not be exported, or did not verify."""
