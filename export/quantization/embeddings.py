"""Embeddings in int8, and held once where a projection shares them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.graphs.edit import drop_unused_constants, replace_node
from export.quantization.config import QuantizationConfig
from export.quantization.quantizable_layers import embedding_gathers


def share_tied_embeddings(path: Path) -> None:
    """Make the fp32 graph at ``path`` hold a table and its transpose once."""
    model = onnx.load(str(path))
    tied = tied_embeddings(model)
    for table, twin in tied.items():
        model.graph.initializer.remove(next(i for i in model.graph.initializer if i.name == twin))
        model.graph.node.insert(0, helper.make_node("Transpose", [table], [twin], perm=[1, 0]))
    if tied:
        onnx.save(model, str(path))


def tied_embeddings(model: onnx.ModelProto) -> dict[str, str]:
    """Return, for each table that is looked up, the name of its transpose, where the graph holds that too."""
    arrays = {i.name: i for i in model.graph.initializer if len(i.dims) == 2}
    tied = {}
    for gather in embedding_gathers(model):
        table = arrays[gather.input[0]]
        for twin in arrays.values():
            turned = list(twin.dims) == list(table.dims)[::-1] and twin.name != table.name
            if turned and np.array_equal(numpy_helper.to_array(twin).T, numpy_helper.to_array(table)):
                tied[table.name] = twin.name
    return tied


def quantize_embeddings(model: onnx.ModelProto, tied: dict[str, str], config: QuantizationConfig) -> None:
    """Make each table int8 with a scale for each row; one that is tied to a quantized projection is read from that.

    Args:
        model: changed in place; its matrix products are quantized already.
        tied: the answer of ``tied_embeddings`` before that.
        config: names the gathers that are excluded.
    """
    graph = model.graph
    held = {i.name: i for i in graph.initializer}
    done: set[str] = set()
    for gather in embedding_gathers(model):
        if config.excludes(gather.name):
            continue
        table, ids, out = gather.input[0], gather.input[1], gather.output[0]
        twin = held.get(f"{tied.get(table)}_quantized")
        if twin is not None and twin.data_type == TensorProto.INT8:
            weight, scale = twin.name, f"{tied[table]}_scale"
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
        replace_node(graph, gather, steps)
    drop_unused_constants(graph)


def _by_row(values: NDArray[np.float32], weight: str, scale: str) -> list[onnx.TensorProto]:
    """Return a table as int8, and a scale for each row, under these names."""
    step = np.maximum(np.abs(values).max(1), 1e-9).astype(np.float32) / 127
    rows = np.round(values / step[:, None]).astype(np.int8)
    return [numpy_helper.from_array(rows, weight), numpy_helper.from_array(step, scale)]
