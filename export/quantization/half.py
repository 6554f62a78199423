"""fp16, for CUDA: inputs and outputs stay fp32, so that nothing around the graph changes."""

from __future__ import annotations

import onnx
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

from export.quantization.config import Recipe


def half(prepared: onnx.ModelProto, recipe: Recipe) -> onnx.ModelProto:
    """Return ``prepared`` with weights and arithmetic in fp16, except for the nodes that ``recipe`` keeps."""
    model = onnx.ModelProto()
    model.CopyFrom(prepared)
    kept = [node.name for node in model.graph.node if recipe.keeps(node.name)]
    made = ONNXModel(convert_float_to_float16(model, keep_io_types=True, node_block_list=kept))
    made.topological_sort()  # casts of inputs come out behind their readers
    result: onnx.ModelProto = made.model
    return result
