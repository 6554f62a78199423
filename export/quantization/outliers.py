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
        products: names of nodes; those that are no ``MatMul`` with a matrix of weights, or that have no more than twice
            as many input channels, are left as they are.
        feeds: inputs like those that the graph will get; a dozen show which channels are large.
        channels: how many of each product.
    """
    graph = model.graph
    weights = {i.name: i for i in graph.initializer if i.data_type == TensorProto.FLOAT and len(i.dims) == 2}
    named = {node.name: node for node in graph.node}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in (named[name] for name in products):
        if node.op_type == "MatMul" and node.input[1] in weights and weights[node.input[1]].dims[0] > 2 * channels:
            readers.setdefault(node.input[0], []).append(node)
    if not readers:
        return
    for tensor, largest in _largest_values(model, list(readers), feeds).items():
        order = np.argsort(-largest, kind="stable")
        if largest[order[0]] < WORTH * largest[order[channels]]:
            continue
        outliers = np.sort(order[:channels])
        rest = np.ones(len(largest), np.float32)
        rest[outliers] = 0.0
        graph.initializer.append(numpy_helper.from_array(outliers, f"{tensor}_outliers_at"))
        graph.initializer.append(numpy_helper.from_array(rest, f"{tensor}_rest_at"))
        parted = [
            helper.make_node("Mul", [tensor, f"{tensor}_rest_at"], [f"{tensor}_rest"], name=f"{tensor}_rest"),
            helper.make_node(
                "Gather", [tensor, f"{tensor}_outliers_at"], [f"{tensor}_outliers"], name=f"{tensor}_outliers", axis=-1
            ),
        ]
        for node in readers[tensor]:
            replace_node(graph, node, [*parted, *_in_two(graph, node, tensor, weights[node.input[1]], outliers)])
            parted = []


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


def _in_two(
    graph: onnx.GraphProto, node: onnx.NodeProto, tensor: str, weight: onnx.TensorProto, outliers: NDArray[np.intp]
) -> list[onnx.NodeProto]:
    """Return the nodes of a product of the rest, under the old name, and of the exact one of the outliers."""
    values, out = numpy_helper.to_array(weight), node.output[0]
    exact = f"{weight.name}_outliers"
    if all(held.name != exact for held in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(values[outliers], exact))
    return [
        helper.make_node("MatMul", [f"{tensor}_rest", weight.name], [f"{out}_rest"], name=node.name),
        helper.make_node("MatMul", [f"{tensor}_outliers", exact], [f"{out}_outliers"], name=f"{node.name}_outliers"),
        helper.make_node("Add", [f"{out}_rest", f"{out}_outliers"], [out], name=f"{node.name}_sum"),
    ]
