"""A graph as onnxruntime would fuse it at each start: fused once, when it is exported."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx

from edge_runtime.inference.onnx_runtime import ort
from edge_runtime.system.writing import writing


def fuse(graph: Path) -> None:
    """Let onnxruntime fuse the nodes in the ONNX file ``graph``; its outputs stay the same bit by bit.

    It opens faster then. What onnxruntime fuses at this level is the same on every processor; the level
    above arranges weights for the processor at hand, and is left to the start. The fused operators of eight bits run on
    processors alone, so only graphs in dynamic int8 are fused, which are no use on a GPU anyway.

    Args:
        graph: a file with its weights inside.
    """
    source = onnx.load(str(graph))
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / graph.name
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(scratch)
        options.log_severity_level = 3  # it warns that such a file may not fit another machine; at this level it does
        ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        fused = onnx.load(str(scratch))
    _keep_attributes(source.graph, fused.graph)
    with writing(graph) as file:
        file.write(fused.SerializeToString())


def _keep_attributes(source: onnx.GraphProto, fused: onnx.GraphProto) -> None:
    """Give nodes that were not fused the attributes that they had.

    onnxruntime states defaults as well, and older versions refuse a node with an attribute that they do not know.
    """
    before = {(node.op_type, *node.output): node for node in source.node}
    for node in fused.node:
        if old := before.get((node.op_type, *node.output)):
            del node.attribute[:]
            node.attribute.extend(old.attribute)
