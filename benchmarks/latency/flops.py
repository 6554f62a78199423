"""Operations of a graph's products at given lengths, and the bytes of weights that the products read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from edge_runtime.inference.onnx_runtime import ort
from edge_runtime.inference.session import CPU

Arrays = Mapping[str, np.ndarray[Any, Any]]
Shape = tuple[int, ...]
INT8 = {"MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"}
FP32 = {"MatMul", "FusedMatMul", "Gemm", "FusedGemm"}
"""Operators that multiply two matrices; those with more in their names do something to the product besides."""


@dataclass(frozen=True)
class Product:
    """One node that multiplies matrices.

    Attributes:
        kind: ``int8`` or ``fp32``.
        rows, inner, columns: the product's shape, repeated ``count`` times.
        weight_bytes: read from the graph's constants; 0 where both sides are computed.
    """

    op: str
    kind: str
    rows: int
    inner: int
    columns: int
    count: int
    weight_bytes: int

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.rows * self.inner * self.columns * self.count


def products(graph: Path, feed: Arrays) -> list[Product]:
    """Return every product that ``graph`` computes when it is run on ``feed``.

    The graph is run once with all that it computes as outputs, so the shapes are those of this very input.
    """
    model = onnx.load(str(graph))
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    shapes: dict[str, Shape] = {name: value.shape for name, value in (*constants.items(), *feed.items())}
    shapes |= _computed(model, feed)
    found = [_product(node, shapes, constants) for node in model.graph.node]
    return [p for p in found if p is not None]


def _computed(model: onnx.ModelProto, feed: Arrays) -> dict[str, Shape]:
    everything = onnx.ModelProto()
    everything.CopyFrom(model)
    there = {o.name for o in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name and name not in there]
    everything.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(everything.SerializeToString(), options, providers=[CPU])
    outputs = [o.name for o in session.get_outputs()]
    return {
        name: np.shape(value) for name, value in zip(outputs, session.run(outputs, dict(feed)), strict=True)
    }  # fmt: skip


def _product(node: onnx.NodeProto, shapes: Mapping[str, Shape], constants: Arrays) -> Product | None:
    weights = sum(constants[name].nbytes for name in node.input if name in constants)
    if node.op_type in INT8 | FP32:
        (*batch, rows, inner), (*_, columns) = _turned(node, shapes)
        kind = "int8" if node.op_type in INT8 else "fp32"
        # A constant second side is shared by the batch: one tall product.
        tall = len(shapes[node.input[1]]) == 2
        return Product(node.op_type, kind, rows * prod(batch) if tall else rows, inner, columns,
                       1 if tall else prod(batch), weights)  # fmt: skip
    if node.op_type == "MatMulNBits":
        *places, columns = shapes[node.output[0]]
        inner = next(a.i for a in node.attribute if a.name == "K")
        # Its kernels turn the other side into eight bits, and so are the weights multiplied.
        return Product(node.op_type, "int8", prod(places), inner, columns, 1, weights)
    if node.op_type in {"Conv", "FusedConv"}:
        (batch_size, channels, *places) = shapes[node.output[0]]
        inner = prod(shapes[node.input[1]][1:])
        return Product(node.op_type, "fp32", batch_size * prod(places), inner, channels, 1, weights)
    if node.op_type == "LSTM":
        steps, batch_size, width = shapes[node.input[0]]
        directions, _, hidden = shapes[node.input[2]]
        inner = width + hidden
        return Product("LSTM", "fp32", batch_size, inner, 4 * hidden, steps * directions, weights)
    return None


def _turned(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> tuple[Sequence[int], Sequence[int]]:
    """Return the shapes of both sides, as they are multiplied: some operators turn them."""
    flags = {a.name: a.i for a in node.attribute}
    left, right = (shapes[name] for name in node.input[:2])
    if flags.get("transA"):
        left = (*left[:-2], left[-1], left[-2])
    if flags.get("transB"):
        right = (*right[:-2], right[-1], right[-2])
    return left, right
