"""The weights of a graph in a file of their own, which a runtime maps into memory instead of reading and copying it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

SMALLEST_TENSOR, SMALLEST_FILE = 1 << 10, 2 << 20
"""Bytes. Smaller constants stay in the graph, and all of them where they are less than the latter together."""
ALIGNMENT = 64
"""Bytes; what the widest registers of processors read at once."""


def halve_weights(graph: Path) -> None:
    """Store the large fp32 matrices in the ONNX file ``graph`` as fp16, half as many bytes; it computes in fp32.

    A runtime turns them back once, when it loads the graph. Matrices with values beyond fp16 stay as they are.
    """
    model = onnx.load(str(graph))
    for tensor in list(model.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2 or len(tensor.raw_data) < SMALLEST_TENSOR:
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name, stored = tensor.name, f"{tensor.name}_fp16"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
        model.graph.node.insert(0, helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    onnx.save(model, str(graph))


def move_weights(graph: Path, name: str) -> bool:
    """Move the weights in the ONNX file ``graph`` to the file ``name`` beside it; return whether they are worth it.

    Weights that are alike, such as one matrix in two shapes, are stored once.
    """
    model = onnx.load(str(graph))
    large = [tensor for tensor in model.graph.initializer if len(tensor.raw_data) >= SMALLEST_TENSOR]
    if sum(len(tensor.raw_data) for tensor in large) < SMALLEST_FILE:
        return False
    places: dict[bytes, int] = {}
    with (graph.parent / name).open("wb") as file:
        for tensor in large:
            data = tensor.raw_data
            if data not in places:
                file.write(bytes(-file.tell() % ALIGNMENT))
                places[data] = file.tell()
                file.write(data)
            set_external_data(tensor, location=name, offset=places[data], length=len(data))
            tensor.ClearField("raw_data")
    onnx.save(model, str(graph))
    return True


def share_weights(graph: Path, other: Path) -> None:
    """Let the ONNX file ``graph`` read the weights that it has in common with ``other`` from the latter's file."""
    places = {tensor.name: tensor for tensor in onnx.load(str(other), load_external_data=False).graph.initializer}
    held = {_content(tensor): places[tensor.name] for tensor in onnx.load(str(other)).graph.initializer}
    model = onnx.load(str(graph))
    for tensor in model.graph.initializer:
        place = held.get(_content(tensor))
        if place is not None and place.external_data:
            tensor.ClearField("raw_data")
            tensor.data_location = place.data_location
            tensor.external_data.extend(place.external_data)
    onnx.save(model, str(graph))


def _content(tensor: onnx.TensorProto) -> tuple[int, tuple[int, ...], bytes]:
    return tensor.data_type, tuple(tensor.dims), tensor.raw_data
