"""What a graph's file holds: operators, and how many numbers its weights are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx

from trainer.errors import ExportError


@dataclass(frozen=True)
class GraphFacts:
    """What was counted in a graph, subgraphs of its operators included.

    Attributes:
        operators: how often each occurs, the most frequent first; without ``Constant``, which computes nothing.
        weights: numbers stored, scales and zero points of quantised ones too.
        opset: version of the standard operators.
    """

    operators: dict[str, int]
    weights: int
    opset: int


def facts(path: Path) -> GraphFacts:
    """Return what the graph in ``path`` holds.

    Raises:
        ExportError: it is no ONNX file.
    """
    try:
        model = onnx.load(path, load_external_data=False)
        graphs = list(_graphs(model.graph))
    except Exception as error:  # protobuf's class differs between its implementations
        raise ExportError(f"{path}: not an ONNX graph: {error}") from error
    nodes = [node for graph in graphs for node in graph.node]
    if not nodes:
        raise ExportError(f"{path}: not an ONNX graph: there is no operator in it")
    constants = [a.t for node in nodes if node.op_type == "Constant" for a in node.attribute if a.HasField("t")]
    tensors = [*constants, *(tensor for graph in graphs for tensor in graph.initializer)]
    return GraphFacts(
        operators=dict(Counter(node.op_type for node in nodes if node.op_type != "Constant").most_common()),
        weights=sum(math.prod(tensor.dims) for tensor in tensors),
        opset=max((o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}), default=0),
    )


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(inner)
