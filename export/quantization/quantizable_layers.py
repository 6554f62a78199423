"""The layers of a graph that can be quantized: the graph prepared for that, and the names of its layers."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import onnx
from onnx import TensorProto
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.quantization.shape_inference import quant_pre_process

from trainer.errors import ExportError

LARGEST_BYTES = 2 << 30
MIN_EMBEDDING_VALUES = 100_000
"""Embeddings of fewer values are left alone: nothing is gained."""
BLOCK = re.compile(r"^(.*?\.\d+)(?:/|$)")
"""A name up to the first numbered scope: one of the encoder's blocks."""


def prepare(source: Path) -> onnx.ModelProto:
    """Return the graph of ``source`` with constants folded, shapes inferred, and every linear layer a ``MatMul``.

    Raises:
        ExportError: no readable graph, or one too large for one file.
    """
    if not source.is_file():
        raise ExportError(f"{source}: no such graph")
    beside = sum(p.stat().st_size for p in source.parent.glob(f"{source.name}*data"))
    if source.stat().st_size + beside >= LARGEST_BYTES:
        raise ExportError(
            f"{source}: {(source.stat().st_size + beside) / 1e9:.1f} GB; graphs of 2 GB and more cannot be converted, "
            "use a smaller model"
        )
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        try:
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            model = ONNXModel(onnx.load(str(prepared)))
        except Exception as error:  # onnx' and onnxruntime's own classes derive from Exception alone
            raise ExportError(f"{source}: cannot be read as a graph: {error}") from error
    model.replace_gemm_with_matmul()
    result: onnx.ModelProto = model.model
    return result


def is_recurrent(model: onnx.ModelProto) -> bool:
    """Whether the graph holds an LSTM."""
    return any(node.op_type == "LSTM" for node in model.graph.node)


def matmuls(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that multiply by weights, in order.

    Convolutions count in graphs with LSTMs alone: Whisper's cost word errors in int8, and win no time.
    """
    weights = {i.name for i in model.graph.initializer if i.data_type == TensorProto.FLOAT and len(i.dims) >= 2}
    kinds = {"MatMul", "Conv", "LSTM"} if is_recurrent(model) else {"MatMul"}
    return [n.name for n in model.graph.node if n.op_type in kinds and n.input[1] in weights]


def embedding_gathers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes that look rows up in large embeddings."""
    tables = {
        i.name
        for i in model.graph.initializer
        if i.data_type == TensorProto.FLOAT and len(i.dims) == 2 and i.dims[0] * i.dims[1] >= MIN_EMBEDDING_VALUES
    }
    return [n for n in model.graph.node if n.op_type == "Gather" and n.input[0] in tables]


def blocks(names: list[str]) -> dict[str, list[str]]:
    """Return the nodes of each block of an encoder; a node outside of them is a block of its own."""
    found: dict[str, list[str]] = {}
    for name in names:
        match = BLOCK.match(name)
        found.setdefault(match[1] if match else name, []).append(name)
    return found
