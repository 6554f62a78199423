"""Graphs → graphs that compute the same faster in onnxruntime; what was slow is in ``docs/benchmarks.md``."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.errors import ExportError

WIDE = 10_000_000
"""Weights of a product from so many values on are read from memory each time: that is what it costs."""


def single_row_products(model: onnx.ModelProto) -> int:
    """Let wide int8 products of one row, such as a decoder's on its vocabulary, run as what they are; return how many.

    onnxruntime multiplies a single row three times as fast where neither side has a zero point. So the activations'
    is taken off afterwards: (q - z) W = q W - z (1 W), and the sums 1 W over each column are constants.
    """
    graph = model.graph
    held = {i.name: i for i in graph.initializer}
    wide = [n for n in graph.node if n.op_type == "MatMulInteger" and len(n.input) > 2 and _is_wide(held, n.input[1])]
    for product in wide:
        row, weight, zero, *weight_zero = product.input
        if any(numpy_helper.to_array(held[name]).any() for name in weight_zero):
            continue  # not symmetric: there is more to take off
        sums, out = f"{weight}_column_sums", product.output[0]
        values = numpy_helper.to_array(held[weight]).sum(0, dtype=np.int32)
        graph.initializer.append(numpy_helper.from_array(values, sums))
        steps = [
            helper.make_node("MatMulInteger", [row, weight], [f"{out}_raw"], name=product.name),
            helper.make_node("Cast", [zero], [f"{out}_zero"], to=TensorProto.INT32),
            helper.make_node("Mul", [sums, f"{out}_zero"], [f"{out}_off"]),
            helper.make_node("Sub", [f"{out}_raw", f"{out}_off"], [out]),
        ]
        at = list(graph.node).index(product)
        graph.node.remove(product)
        for offset, node in enumerate(steps):
            graph.node.insert(at + offset, node)
    used = {name for node in graph.node for name in node.input}
    for initializer in [i for i in graph.initializer if i.name not in used]:
        graph.initializer.remove(initializer)
    return len(wide)


def _is_wide(held: dict[str, onnx.TensorProto], name: str) -> bool:
    return name in held and int(np.prod(held[name].dims)) >= WIDE


def windows_side_by_side(model: onnx.ModelProto) -> None:
    """Make Silero's detector convolve all windows at once: (windows, channels, time) as (1, channels, windows, time).

    Window by window, each convolution is a product with one to four columns, at a fifth of the processor's rate. As
    an image of which each window is a line, it is one product for the whole recording.

    Raises:
        ExportError: the graph is not the one that this was written for.
    """
    graph = model.graph
    by_output = {name: node for node in graph.node for name in node.output}
    (last,) = [n for n in graph.node if n.op_type == "Transpose" and _attribute(n, "perm") == [0, 2, 1]] or [None]
    if last is None:
        raise ExportError("voice activity: not Silero's graph, no transposed encoder in it")
    chain: list[onnx.NodeProto] = []
    node = by_output[last.input[0]]
    while node.op_type != "Unsqueeze":
        chain.append(node)
        if node.input[0] not in by_output:
            raise ExportError(f"voice activity: not Silero's graph, {node.op_type} has no source")
        node = by_output[node.input[0]]
    # Both halves of the spectrum come from the first convolution, and only one of them is on the way back.
    front = {n.name for n in graph.node if n.op_type in {"Conv", "Slice"} and n.name.startswith(("/stft/", "/encoder"))}
    for part in (n for n in graph.node if n.name in front):
        if part.op_type == "Conv":
            _widen(graph, part)
        elif part.name.startswith("/stft/Slice"):
            _shift_axis(graph, by_output, part)
    _constant(graph, by_output, node, 1, [0, 1])
    squeezed = f"{last.output[0]}_line"
    graph.initializer.append(numpy_helper.from_array(np.array([3], np.int64), f"{squeezed}_axis"))
    at = list(graph.node).index(last)
    turn = helper.make_node("Transpose", [last.input[0]], [squeezed], perm=[2, 3, 1, 0])
    graph.node.insert(at, helper.make_node("Squeeze", [squeezed, f"{squeezed}_axis"], [last.output[0]]))
    graph.node.insert(at, turn)
    graph.node.remove(last)
    onnx.checker.check_model(model)


def _widen(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    """Make a convolution over time one over (windows, time) that never looks at another window."""
    weight = next(i for i in graph.initializer if i.name == node.input[1])
    weight.dims.insert(2, 1)
    (kernel,), (stride,) = _attribute(node, "kernel_shape"), _attribute(node, "strides")
    begin, end = _attribute(node, "pads")
    wide = {"kernel_shape": [1, kernel], "strides": [1, stride], "pads": [0, begin, 0, end], "dilations": [1, 1]}
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(name, value) for name, value in wide.items())


def _shift_axis(graph: onnx.GraphProto, by_output: dict[str, onnx.NodeProto], node: onnx.NodeProto) -> None:
    """Time is the last axis of four now, not of three."""
    if numpy_helper.to_array(by_output[node.input[3]].attribute[0].t).tolist() == [2]:
        _constant(graph, by_output, node, 3, [3])


def _constant(
    graph: onnx.GraphProto, by_output: dict[str, onnx.NodeProto], node: onnx.NodeProto, at: int, values: list[int]
) -> None:
    """Give ``node`` another constant as its input ``at``."""
    name = f"{node.output[0]}_axes"
    graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    graph.node.remove(by_output[node.input[at]])
    node.input[at] = name


def _attribute(node: onnx.NodeProto, name: str) -> list[int]:
    return next((list(a.ints) for a in node.attribute if a.name == name), [])
