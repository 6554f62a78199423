"""The graph of a transcript decoder → one that decodes several utterances in a call, and each as if it were alone.

In int8 ``DynamicQuantizeLinear`` finds one scale for all that a call multiplies, so that utterances in one call would
change each other's logits. Here plain operators do the same for each utterance, by the same formula. That is 15 nodes
in the place of one: too slow for a single utterance, and little beside the work for a dozen, so that this is a graph of
its own. In a bundle it reads the decoder's file of weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.inference.asr import BIAS
from export.graphs.edit import replace_node

LEVELS = 255
USUAL_RANK = 3
"""Of states whose shape onnx cannot tell, as they come from an operator of onnxruntime's own."""
LEAST_STEP = np.float32(1e-30)
"""In place of 0 where all that an utterance multiplies is 0, by which nothing can be divided."""


def write_batch_decoder(decoder: Path, target: Path) -> None:
    """Write the graph ``target`` for the one in ``decoder``, of any precision; its nodes must not be fused yet."""
    model = onnx.load(str(decoder))
    (bias,) = (value for value in model.graph.input if value.name == BIAS)
    bias.CopyFrom(helper.make_tensor_value_info(BIAS, TensorProto.FLOAT, ["batch", 1, 1, "positions"]))
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in inferred}
    _scale_each(model.graph, {tensor.name: tensor for tensor in model.graph.initializer}, ranks)
    onnx.save(model, str(target))


def _scale_each(graph: onnx.GraphProto, weights: dict[str, onnx.TensorProto], ranks: dict[str, int]) -> None:
    """Replace each ``DynamicQuantizeLinear``, and what reads its zero point, which here is one of each utterance.

    ``MatMulInteger`` takes one zero point for all; so it gets none, and what they add is taken away from its sums.
    """
    dynamic = [node for node in graph.node if node.op_type == "DynamicQuantizeLinear"]
    constants = {"batch_zero": np.float32(0), "batch_levels": np.float32(LEVELS), "batch_least_step": LEAST_STEP}
    if dynamic:
        graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    for node in dynamic:
        zero_point = node.output[2]
        replace_node(graph, node, _quantized(node, ranks.get(node.input[0], USUAL_RANK)))
        for product in [n for n in graph.node if n.op_type == "MatMulInteger" and n.input[2] == zero_point]:
            weight, offset = (numpy_helper.to_array(weights[name]).astype(np.int64) for name in product.input[1:4:2])
            _take_zero_points_away(graph, product, (weight - offset).sum(0))


def _quantized(node: onnx.NodeProto, rank: int) -> list[onnx.NodeProto]:
    """Return the steps from states (batch, …, width) to bytes, and each utterance's scale and zero point (floats)."""
    (states,), (quantized, scale, zero_point) = node.input, node.output
    axes = list(range(1, rank))
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("ReduceMin", [states], "least", {"axes": axes}),
        ("Min", ["least", "batch_zero"], "low", {}),
        ("ReduceMax", [states], "most", {"axes": axes}),
        ("Max", ["most", "batch_zero"], "high", {}),
        ("Sub", ["high", "low"], "range", {}),
        ("Div", ["range", "batch_levels"], "step", {}),
        ("Max", ["step", "batch_least_step"], scale, {}),
        ("Div", ["low", scale], "lowest", {}),
        ("Neg", ["lowest"], "shift", {}),
        ("Round", ["shift"], zero_point, {}),
        ("Div", [states, scale], "units", {}),
        ("Round", ["units"], "whole", {}),
        ("Add", ["whole", zero_point], "shifted", {}),
        ("Clip", ["shifted", "batch_zero", "batch_levels"], "clipped", {}),
        ("Cast", ["clipped"], quantized, {"to": TensorProto.UINT8}),
    ]
    own = {out for _, _, out, _ in steps} - {scale, zero_point, quantized}
    return [
        helper.make_node(
            kind,
            [f"{states}_{name}" if name in own else name for name in inputs],
            [f"{states}_{out}" if out in own else out],
            name=f"{node.name}/{kind}_{i}",
            **how,
        )
        for i, (kind, inputs, out, how) in enumerate(steps)
    ]


def _take_zero_points_away(graph: onnx.GraphProto, product: onnx.NodeProto, sums: NDArray[np.int64]) -> None:
    """Multiply without the zero points, and subtract zero point times ``sums`` (columns,) once it is float."""
    quantized, weight, zero_point, offset = product.input
    (cast,) = (n for n in graph.node if n.op_type == "Cast" and n.input[0] == product.output[0])
    (out,), name = cast.output, f"{weight}_sums"
    if all(tensor.name != name for tensor in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(sums.astype(np.float32), name))
    product.input[:] = [quantized, weight, "", offset]
    raw, extra = f"{out}_raw", f"{out}_extra"
    replace_node(graph, cast, [
        helper.make_node("Cast", list(cast.input), [raw], name=cast.name, to=TensorProto.FLOAT),
        helper.make_node("Mul", [zero_point, name], [extra], name=f"{cast.name}/extra"),
        helper.make_node("Sub", [raw, extra], [out], name=f"{cast.name}/sub"),
    ])  # fmt: skip
