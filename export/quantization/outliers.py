"""Input channels of matrix products that stay in fp32, because their values are far larger than the others'.

Dynamic int8 has one scale for all the activations of a product. In a transformer a few channels hold values that are
ten to a hundred times as large as those of the rest, which then keep three or four of their eight bits. Those channels
are multiplied exactly, beside the product in int8: the method of LLM.int8() (Dettmers et al., 2022), with channels that
are chosen once, at the export.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.inference.onnx_runtime import ort
from export.graphs.edit import replace_node

TEXT_CHANNELS = 4
"""How many of a text encoder. With 4 MPNet-base and MiniLM-L6 differ from fp32 a tenth and a third as much as with
none; 8, 16 and 32 were no better (tweets and utterances of training parts)."""
WORTH = 2.0
"""By how much the range of the rest has to be smaller. Of attention's output and of the head it is not; splitting those
as well changed nothing."""

REST, OUTLIERS = "/split/rest", "/split/outliers"
"""Ends of the names of what is added: of tensors, after the tensor that is split, and of nodes, after the product."""


def split_outliers(
    model: onnx.ModelProto,
    products: Sequence[str],
    feeds: Sequence[Mapping[str, NDArray[Any]]],
    channels: int,
) -> None:
    """Split off the ``channels`` input channels with the largest values of each product that has outliers.

    The answers of the graph stay the same.

    Args:
        model: in fp32; changed in place. What is added has new names, and stays exact if only ``products`` are
            quantized.
        products: names of nodes, in the graph's order; those without a matrix of weights, or that have no more than
            twice as many input channels, are left as they are.
        feeds: inputs like those that the graph will get; a dozen show which channels are large.
        channels: how many of each product.
    """
    graph = model.graph
    weights = {i.name: i for i in graph.initializer if i.data_type == TensorProto.FLOAT and len(i.dims) == 2}
    named = {node.name: node for node in graph.node}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in (named[name] for name in products):
        if node.input[1] in weights and weights[node.input[1]].dims[0] > 2 * channels:
            readers.setdefault(node.input[0], []).append(node)
    if not readers:
        return
    for tensor, largest in _largest_values(model, list(readers), feeds).items():
        order = np.argsort(-largest, kind="stable")
        if largest[order[0]] <= WORTH * largest[order[channels]]:
            continue
        outliers = np.sort(order[:channels])
        rest, exact = f"{tensor}{REST}", f"{tensor}{OUTLIERS}"
        mask = np.ones(len(largest), np.float32)
        mask[outliers] = 0.0
        graph.initializer.append(numpy_helper.from_array(mask, f"{rest}_mask"))
        graph.initializer.append(numpy_helper.from_array(outliers, f"{exact}_at"))
        parts = [
            helper.make_node("Mul", [tensor, f"{rest}_mask"], [rest], name=rest),
            helper.make_node("Gather", [tensor, f"{exact}_at"], [exact], name=exact, axis=-1),
        ]
        for node in readers[tensor]:
            rows = numpy_helper.to_array(weights[node.input[1]])[outliers]
            graph.initializer.append(numpy_helper.from_array(rows, f"{node.name}{OUTLIERS}_weight"))
            _split(graph, node, tensor, parts)
            parts = []


def _largest_values(
    model: onnx.ModelProto, tensors: Sequence[str], feeds: Sequence[Mapping[str, NDArray[Any]]]
) -> dict[str, NDArray[np.float32]]:
    """Return the largest absolute value of each channel, the last axis, of each of ``tensors``."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in tensors)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: dict[str, NDArray[np.float32]] = {}
    for feed in feeds:
        for name, values in zip(tensors, session.run(list(tensors), dict(feed)), strict=True):
            largest = np.abs(values).reshape(-1, values.shape[-1]).max(0)
            found[name] = np.maximum(found.get(name, largest), largest)
    return found


def _split(graph: onnx.GraphProto, node: onnx.NodeProto, tensor: str, parts: list[onnx.NodeProto]) -> None:
    """Replace a product of ``tensor`` by that of the rest, and add that of the outliers.

    A bias is added to the product of the rest first: onnxruntime makes both one operation in int8.
    """
    out = node.output[0]
    bias = _bias(graph, out)
    rest, exact, end = f"{node.name}{REST}", f"{node.name}{OUTLIERS}", bias.output[0] if bias else out
    products = [
        helper.make_node("MatMul", [f"{tensor}{REST}", node.input[1]], [out if bias else rest], name=node.name),
        helper.make_node("MatMul", [f"{tensor}{OUTLIERS}", f"{exact}_weight"], [exact], name=exact),
    ]
    total = helper.make_node("Add", [rest, exact], [end], name=f"{node.name}/sum")
    if bias is None:
        replace_node(graph, node, [*parts, *products, total])
        return
    replace_node(graph, node, [*parts, *products])
    replace_node(graph, bias, [helper.make_node("Add", bias.input, [rest], name=bias.name), total])


def _bias(graph: onnx.GraphProto, tensor: str) -> onnx.NodeProto | None:
    """Return the node that adds a bias to ``tensor``, if nothing else reads that."""
    readers = [node for node in graph.node if tensor in node.input]
    biases = {held.name for held in graph.initializer if len(held.dims) == 1}
    if len(readers) != 1 or tensor in {value.name for value in graph.output} or readers[0].op_type != "Add":
        return None
    return readers[0] if biases & set(readers[0].input) else None
