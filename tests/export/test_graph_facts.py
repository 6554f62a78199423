"""Counting what is in a graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.graph_facts import facts
from trainer.errors import ExportError


def test_operators_and_weights_are_counted_in_branches_too(tmp_path: Path) -> None:
    def branch(name: str, width: int) -> onnx.GraphProto:
        weight = numpy_helper.from_array(np.ones((width, width), np.float32), f"{name}_weight")
        nodes = [helper.make_node("MatMul", ["x", f"{name}_weight"], [name])]
        return helper.make_graph(nodes, name, [], [helper.make_empty_tensor_value_info(name)], [weight])

    constant = helper.make_node("Constant", [], ["five"], value=numpy_helper.from_array(np.arange(5.0)))
    choice = helper.make_node("If", ["which"], ["y"], then_branch=branch("a", 2), else_branch=branch("b", 3))
    ends = [helper.make_tensor_value_info("which", TensorProto.BOOL, []), helper.make_empty_tensor_value_info("x")]
    graph = helper.make_graph([constant, choice], "g", ends, [helper.make_empty_tensor_value_info("y")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "g.onnx")
    found = facts(tmp_path / "g.onnx")
    assert found.operators == {"MatMul": 2, "If": 1}
    assert found.weights == 5 + 4 + 9
    assert found.opset == 17


def test_the_graph_of_the_default_bundle_has_its_weights(bundle_folder: Path) -> None:
    found = facts(bundle_folder / "fusion.onnx")
    assert found.operators["Gemm"] == 4
    # Two frozen classifiers of 128 and 768 units to 4, ten inputs to 32 units to 4, and the trust in each.
    assert found.weights >= 4 * (128 + 1) + 4 * (768 + 1) + 32 * (10 + 1) + 4 * (32 + 1) + 2


@pytest.mark.parametrize("data", [b"", b"\0" * 100, bytes(range(256)) * 4, b"{}"])
def test_what_is_no_graph_says_so(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(data)
    with pytest.raises(ExportError, match=r"broken\.onnx: not an ONNX graph"):
        facts(path)
