"""Graphs that are fused when they are exported: the same outputs, fewer nodes, and what older versions can open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from export.graphs.fuse import fuse
from export.graphs.torch_export import Graph, write
from export.quantization.config import QuantizationConfig
from export.quantization.quantize import quantize

TOKENS, WIDTH = 3000, 64


class Writer(nn.Module):
    """A block of a transformer behind a table that is its projection as well: what a decoder is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(TOKENS, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.first, self.norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.first(self.table(tokens))
        x = self.norm(x + self.down(torch.nn.functional.gelu(self.up(x))))
        return torch.tanh(x[:, -1]) @ self.table.weight.t()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    axes = {"tokens": {0: "batch", 1: "time"}, "logits": {0: "batch"}}
    example = (torch.ones(2, 3, dtype=torch.int64),)
    write(Graph(Writer(), example, ["tokens"], ["logits"], axes), tmp_path / "exact.onnx")
    quantize(tmp_path / "exact.onnx", tmp_path / "small.onnx", QuantizationConfig("int8"))
    return tmp_path / "small.onnx"


def nodes(path: Path) -> dict[str, onnx.NodeProto]:
    return {f"{node.op_type} {node.output[0]}": node for node in onnx.load(str(path)).graph.node}


def test_a_fused_graph_gives_the_same_bit_by_bit_with_fewer_nodes(small: Path, run: Callable[..., list[np.ndarray]]):
    tokens, before = torch.randint(0, TOKENS, (3, 7)), nodes(small)
    (wanted,) = run(small, tokens)
    fuse(small)
    np.testing.assert_array_equal(run(small, tokens)[0], wanted)
    after = nodes(small)
    kinds = {node.op_type for node in after.values()}
    assert len(after) < len(before)
    assert (
        kinds & {"DynamicQuantizeMatMul", "MatMulIntegerToFloat"} and "MatMulInteger" not in kinds and "Gelu" in kinds
    )


def test_the_same_graph_is_fused_to_the_same_bytes_and_once_is_enough(small: Path):
    again = small.with_name("again.onnx")
    again.write_bytes(small.read_bytes())
    fuse(small)
    fuse(again)
    assert small.read_bytes() == again.read_bytes()
    fuse(again)
    assert nodes(again).keys() == nodes(small).keys()


def test_what_is_not_fused_gets_no_attribute_that_an_older_onnxruntime_would_refuse(small: Path):
    before = nodes(small)
    fuse(small)
    kept = [(node, before[name]) for name, node in nodes(small).items() if name in before]
    assert "MatMulNBits" in {node.op_type for node, _ in kept}
    assert all({a.name for a in node.attribute} == {a.name for a in old.attribute} for node, old in kept)
