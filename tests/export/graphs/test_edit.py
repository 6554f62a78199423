"""Nodes take another's place in order, and what nothing reads goes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.graphs.edit import drop_unused_constants, replace_node


@pytest.fixture
def graph():
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    nodes = [
        helper.make_node("Abs", ["x"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Abs", ["b"], ["y"]),
    ]
    return helper.make_graph(nodes, "g", [x], [y])


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_new_nodes_stand_in_their_order_where_the_old_one_was(graph, at, count):
    before = [node.output[0] for node in graph.node]
    replace_node(graph, graph.node[at], [helper.make_node("Abs", ["x"], [f"new{i}"]) for i in range(count)])
    expected = [*before[:at], *(f"new{i}" for i in range(count)), *before[at + 1 :]]
    assert [node.output[0] for node in graph.node] == expected


def test_what_nobody_reads_goes_and_what_a_node_or_an_output_reads_stays(graph):
    for name in ("read", "unread", "given"):
        graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), name))
    for name in ("read_node", "unread_node"):
        graph.node.insert(0, helper.make_node("Constant", [], [name], value_float=1.0))
    graph.node.append(helper.make_node("Add", ["read", "read_node"], ["sum"]))
    graph.output.append(helper.make_tensor_value_info("given", TensorProto.FLOAT, [1]))
    drop_unused_constants(graph)
    assert {i.name for i in graph.initializer} == {"read", "given"}
    assert [n.output[0] for n in graph.node] == ["read_node", "a", "b", "y", "sum"]
