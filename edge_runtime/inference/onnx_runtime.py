"""onnxruntime, which everything of ours takes from here: so the package has turned off its telemetry before."""

from __future__ import annotations

import onnxruntime as ort

__all__ = ["ort"]
