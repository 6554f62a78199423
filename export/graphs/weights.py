"""The weights of a graph in a file of their own, which a runtime maps into memory instead of reading and copying it."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx.external_data_helper import set_external_data

SMALLEST_TENSOR, SMALLEST_FILE = 1 << 10, 2 << 20
"""Bytes. Smaller constants stay in the graph, and all of them where they are less than the latter together."""
ALIGNMENT = 64
"""Bytes; what the widest registers of processors read at once."""


def move_weights(graph: Path, name: str) -> bool:
    """Move the weights in the ONNX file ``graph`` to the file ``name`` beside it; return whether they are worth it."""
    model = onnx.load(str(graph))
    large = [tensor for tensor in model.graph.initializer if len(tensor.raw_data) >= SMALLEST_TENSOR]
    if sum(len(tensor.raw_data) for tensor in large) < SMALLEST_FILE:
        return False
    with (graph.parent / name).open("wb") as file:
        for tensor in large:
            file.write(bytes(-file.tell() % ALIGNMENT))
            set_external_data(tensor, location=name, offset=file.tell(), length=len(tensor.raw_data))
            file.write(tensor.raw_data)
            tensor.ClearField("raw_data")
    onnx.save(model, str(graph))
    return True
