"""Checkpoints → ONNX → quantise → verify → bundle."""
