"""A recording as training reads it: exactly as the runtime does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio.recording import Recording


def load_audio(path: Path) -> NDArray[np.float32]:
    """Return the samples of a file: mono, 16 kHz.

    Raises:
        AudioError: the file cannot be used.
    """
    return np.concatenate(list(Recording(path).blocks()))
