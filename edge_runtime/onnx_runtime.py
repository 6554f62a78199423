"""onnxruntime, imported with its telemetry off: everything of ours takes it from here.

From version 1.29 on it keeps an identifier and a queue of events in the user's home, and sends them to its vendor. It
reads this variable when it is imported, and so do child processes, which inherit it. What the user has set stays.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

__all__ = ["ort"]
