"""Checkpoints → ONNX → quantise → verify → bundle."""

import edge_runtime  # noqa: F401 - before onnxruntime's own tools, whose telemetry it turns off
