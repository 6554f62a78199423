"""fp32 graphs → dynamically quantised int8 ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from edge_runtime.errors import ExportError

LEAST_TABLE = 100_000
"""Embedding tables of fewer values are left alone: nothing to win."""


def int8(source: Path, target: Path) -> None:
    """Write ``source`` with the weights of its matrix products as int8, a scale for each output channel.

    Activations are quantised as they come. Convolutions stay in fp32: in int8 they cost word errors and win
    no time. Embedding tables become int8 too, a scale for each row; one that is also the transposed weight of
    a product (Whisper's) is kept once.
    """
    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    tied = _tied_tables(onnx.load(str(prepared)))
    quantize_dynamic(
        str(prepared),
        str(target),
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    prepared.unlink()
    model = onnx.load(str(target))
    _quantise_lookups(model, tied)
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def share_tables(path: Path) -> None:
    """Make the fp32 graph at ``path`` hold a table and its transpose once."""
    model = onnx.load(str(path))
    for table, twin in _tied_tables(model).items():
        model.graph.initializer.remove(next(i for i in model.graph.initializer if i.name == twin))
        model.graph.node.insert(0, helper.make_node("Transpose", [table], [twin], perm=[1, 0]))
    onnx.save(model, str(path))


def _lookups(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    tables = {
        i.name
        for i in model.graph.initializer
        if i.data_type == TensorProto.FLOAT and len(i.dims) == 2 and i.dims[0] * i.dims[1] >= LEAST_TABLE
    }
    return [n for n in model.graph.node if n.op_type == "Gather" and n.input[0] in tables]


def _tied_tables(model: onnx.ModelProto) -> dict[str, str]:
    """Return, for each table that is looked up, the name of its transpose, where the graph holds that too."""
    arrays = {i.name: i for i in model.graph.initializer if len(i.dims) == 2}
    tied = {}
    for lookup in _lookups(model):
        table = arrays[lookup.input[0]]
        for twin in arrays.values():
            turned = list(twin.dims) == list(table.dims)[::-1] and twin.name != table.name
            if turned and np.array_equal(numpy_helper.to_array(twin).T, numpy_helper.to_array(table)):
                tied[table.name] = twin.name
    return tied


def _quantise_lookups(model: onnx.ModelProto, tied: dict[str, str]) -> None:
    graph = model.graph
    held = {i.name: i for i in graph.initializer}
    done: set[str] = set()
    for lookup in _lookups(model):
        table, ids, out = lookup.input[0], lookup.input[1], lookup.output[0]
        if table in tied:
            weight, scale = f"{tied[table]}_quantized", f"{tied[table]}_scale"
            if weight not in held:
                raise ExportError(f"{tied[table]}: the projection tied to {table} was not quantised")
            picked, turned = f"{out}_columns", f"{out}_rows"
            steps = [
                helper.make_node("Gather", [weight, ids], [picked], axis=1),
                helper.make_node("Transpose", [picked], [turned], perm=[1, 2, 0]),
            ]
        else:
            weight, scale, turned = f"{table}_rows_int8", f"{table}_rows_scale", f"{out}_rows"
            if table not in done:
                graph.initializer.extend(_by_row(numpy_helper.to_array(held[table]), weight, scale))
                done.add(table)
            steps = [helper.make_node("Gather", [weight, ids], [turned], axis=0)]
        last = f"{out}_last_axis"
        graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), last))
        steps += [
            helper.make_node("Cast", [turned], [f"{out}_float"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [scale, ids], [f"{out}_row_scale"], axis=0),
            helper.make_node("Unsqueeze", [f"{out}_row_scale", last], [f"{out}_row_scale_column"]),
            helper.make_node("Mul", [f"{out}_float", f"{out}_row_scale_column"], [out]),
        ]
        at = list(graph.node).index(lookup)
        graph.node.remove(lookup)
        for offset, node in enumerate(steps):
            graph.node.insert(at + offset, node)
    used = {name for node in graph.node for name in node.input}
    for initializer in [i for i in graph.initializer if i.name not in used]:
        graph.initializer.remove(initializer)


def _by_row(values: NDArray[np.float32], weight: str, scale: str) -> list[onnx.TensorProto]:
    """Return a table as int8, and a scale for each row, under these names."""
    step = np.maximum(np.abs(values).max(1), 1e-9).astype(np.float32) / 127
    rows = np.round(values / step[:, None]).astype(np.int8)
    return [numpy_helper.from_array(rows, weight), numpy_helper.from_array(step, scale)]
