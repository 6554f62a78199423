"""Small changes to a graph that keep its nodes in order."""

from __future__ import annotations

from collections.abc import Sequence

import onnx


def replace_node(graph: onnx.GraphProto, node: onnx.NodeProto, replacement: Sequence[onnx.NodeProto]) -> None:
    """Put ``replacement``, in its order, in the place of ``node``."""
    at = list(graph.node).index(node)
    graph.node.remove(node)
    for offset, new in enumerate(replacement):
        graph.node.insert(at + offset, new)


def drop_unused_constants(graph: onnx.GraphProto) -> None:
    """Remove every constant, held or as a node, that neither a node nor an output reads."""
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for held in [i for i in graph.initializer if i.name not in read]:
        graph.initializer.remove(held)
    for node in [n for n in graph.node if n.op_type == "Constant" and n.output[0] not in read]:
        graph.node.remove(node)
