"""Silero's voice activity detector, rewritten so that it computes the same faster; see ``docs/benchmarks.md``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from export.graphs.edit import drop_unused_constants, replace_node


def optimize(path: Path, slot: str) -> None:
    """Rewrite the graph of ``slot`` at ``path`` where that makes it faster: the detector's alone."""
    if slot != "vad":
        return
    model = onnx.load(str(path))
    if batch_vad_convolutions(model):
        onnx.checker.check_model(model)
        onnx.save(model, str(path))


def batch_vad_convolutions(model: onnx.ModelProto) -> bool:
    """Make Silero's detector convolve all windows at once: (windows, channels, time) as (1, channels, windows, time).

    Window by window, each convolution is a product of one to four columns, at a fifth of the processor's rate. As an
    image of which each window is a line, it is one product for the whole recording.

    Returns:
        Whether it was done; a graph that is not Silero's, or is rewritten already, is left alone.
    """
    graph = model.graph
    by_output = {name: node for node in graph.node for name in node.output}
    split = [n for n in graph.node if n.op_type == "Unsqueeze" and n.name.startswith("/stft/")]
    joined = [n for n in graph.node if n.op_type == "Transpose" and _attribute(n, "perm") == [0, 2, 1]]
    if len(split) != 1 or len(joined) != 1:
        return False
    for node in graph.node:
        if node.op_type == "Conv" and node.name.startswith(("/stft/", "/encoder")):
            _widen(graph, node)
        elif node.name.startswith("/stft/Slice") and _value(by_output[node.input[3]]) == [2]:
            _constant(graph, node, 3, [3])  # time is the last axis of four now, not of three
    _constant(graph, split[0], 1, [0, 1])
    (last,) = joined
    line = f"{last.output[0]}_line"
    graph.initializer.append(numpy_helper.from_array(np.array([3], np.int64), f"{line}_axis"))
    replace_node(graph, last, [
        helper.make_node("Transpose", [last.input[0]], [line], perm=[2, 3, 1, 0]),
        helper.make_node("Squeeze", [line, f"{line}_axis"], [last.output[0]]),
    ])  # fmt: skip
    drop_unused_constants(graph)
    return True


def _widen(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
    """Make a convolution over time one over (windows, time) that never looks at another window."""
    weight = next(i for i in graph.initializer if i.name == node.input[1])
    weight.dims[:] = [*weight.dims[:2], 1, *weight.dims[2:]]
    (kernel,), (stride,) = _attribute(node, "kernel_shape"), _attribute(node, "strides")
    begin, end = _attribute(node, "pads")
    wide = {"kernel_shape": [1, kernel], "strides": [1, stride], "pads": [0, begin, 0, end], "dilations": [1, 1]}
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(name, value) for name, value in wide.items())


def _constant(graph: onnx.GraphProto, node: onnx.NodeProto, at: int, values: list[int]) -> None:
    """Give ``node`` another constant as its input ``at``."""
    name = f"{node.output[0]}_{at}"
    graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    node.input[at] = name


def _attribute(node: onnx.NodeProto, name: str) -> list[int]:
    return next((list(a.ints) for a in node.attribute if a.name == name), [])


def _value(constant: onnx.NodeProto) -> list[int]:
    return [int(v) for v in numpy_helper.to_array(constant.attribute[0].t).reshape(-1)]
