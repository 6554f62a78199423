"""A vocabulary in two split_nibbles: as exact as eight bits where it counts, and no larger."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.graphs.torch_export import Graph
from export.graphs.torch_export import write as write_graph
from export.quantization.config import QuantizationConfig
from export.quantization.lm_head import BLOCK, CANDIDATES, LARGEST, split_nibbles
from export.quantization.quantizable_layers import prepare
from export.quantization.quantize import quantize

TOKENS, WIDTH = 3000, 2 * BLOCK


class Writer(nn.Module):
    """Says how likely each token is to follow the last one; its table is its projection."""

    def __init__(self, tokens: int = TOKENS, width: int = WIDTH, spread: float = 1.0) -> None:
        super().__init__()
        self.table = nn.Embedding(tokens, width)
        with torch.no_grad():
            self.table.weight.mul_(torch.logspace(-spread, spread, tokens)[:, None])
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        embedded = self.table(tokens)
        state = torch.tanh(self.norm(embedded)[:, -1])
        return state @ self.table.weight.t(), embedded


def exported(path, module=None, **options):
    torch.manual_seed(0)
    module = module or Writer(**options)
    axes = {"tokens": {0: "batch", 1: "new"}, "logits": {0: "batch"}, "embedded": {0: "batch", 1: "new"}}
    example = (torch.ones(2, 3, dtype=torch.int64),)
    write_graph(Graph(module, example, ["tokens"], ["logits", "embedded"], axes), path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary")
    exact = exported(folder / "exact.onnx")
    quantize(exact, folder / "small.onnx", QuantizationConfig("int8"))
    return exact, folder / "small.onnx"


def operators(path) -> set[str]:
    return {node.op_type for node in onnx.load(str(path)).graph.node}


def unpacked(packed: np.ndarray) -> np.ndarray:
    return np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:-1], -1).astype(np.float64)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6), st.integers(1, 5), st.integers(1, 3))
def test_the_halves_together_are_eight_bits_of_every_weight(seed, size, rows, blocks):
    weights = (size * np.random.default_rng(seed).standard_normal((rows, blocks * BLOCK))).astype(np.float32)
    upper, lower, scale = split_nibbles(weights)
    assert upper.shape == lower.shape == (rows, blocks, BLOCK // 2)
    together = (unpacked(upper) - 8 + (unpacked(lower) - 8) / 16) * scale[..., None]
    cut = weights.reshape(rows, blocks, BLOCK)
    step = np.abs(cut).max(2, keepdims=True) / LARGEST
    assert (np.abs(together - cut) <= 0.501 * step).all()
    rough = (unpacked(upper) - 8) * scale[..., None]
    assert (np.abs(rough - cut) <= 8.51 * step).all()


def test_nothing_but_zeros_stays_so():
    upper, lower, scale = split_nibbles(np.zeros((2, BLOCK), np.float32))
    assert not ((unpacked(upper) - 8 + (unpacked(lower) - 8) / 16) * scale[..., None]).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 2)])
def test_embeddings_are_those_of_eight_bits(files, run, shape):
    ids = torch.randint(0, TOKENS, shape)
    (_, exact), (_, small) = (run(path, ids) for path in files)
    step = np.abs(exact.reshape(*shape, -1, BLOCK)).max(-1, keepdims=True) / LARGEST
    assert small.shape == exact.shape
    assert (np.abs((small - exact).reshape(*shape, -1, BLOCK)) <= 0.51 * step).all()


def test_the_likeliest_tokens_are_scored_by_all_bits_and_the_others_about(files, run):
    ids = torch.randint(0, TOKENS, (40, 2))
    exact, small = (run(path, ids)[0] for path in files)
    assert small.shape == exact.shape
    size = np.abs(exact).max(1, keepdims=True)
    assert (exact * small).sum() / np.linalg.norm(exact) / np.linalg.norm(small) > 0.99
    first = np.argsort(-exact, axis=1)[:, : CANDIDATES // 4]
    found, wanted = (np.take_along_axis(scores, first, 1) for scores in (small, exact))
    assert (np.abs(found - wanted) < 0.02 * size).all()
    assert (small.argmax(1) == exact.argmax(1)).mean() > 0.95


def test_it_is_no_larger_than_eight_bits_with_their_scales(files):
    assert files[1].stat().st_size < TOKENS * WIDTH * (1 + 4 / BLOCK) + 20_000


def test_it_reads_half_of_the_bits_for_every_token(files):
    (product,) = [n for n in onnx.load(str(files[1])).graph.node if n.op_type == "MatMulNBits"]
    assert {a.name: a.i for a in product.attribute}["bits"] == 4
    assert "MatMulInteger" not in operators(files[1])


@pytest.mark.parametrize("kind", ["MatMul", "Gather"])
def test_what_must_stay_exact_is_not_cut(tmp_path, kind):
    exact = exported(tmp_path / "exact.onnx")
    name = next(n.name for n in prepare(exact).graph.node if n.op_type == kind)
    quantize(exact, tmp_path / "small.onnx", QuantizationConfig("int8", exclude=(name,)))
    assert "MatMulNBits" not in operators(tmp_path / "small.onnx")


@pytest.mark.parametrize(
    "options", [{"width": BLOCK // 2, "tokens": 6000}, {"width": 40 * BLOCK, "tokens": CANDIDATES}]
)
def test_what_does_not_divide_and_what_is_small_keeps_one_step(tmp_path, run, options):
    exact = exported(tmp_path / "exact.onnx", **options)
    quantize(exact, tmp_path / "small.onnx", QuantizationConfig("int8"))
    assert "MatMulNBits" not in operators(tmp_path / "small.onnx")
    assert run(tmp_path / "small.onnx", torch.ones(1, 1, dtype=torch.int64))[0].shape == (1, options["tokens"])


def test_scores_that_go_on_to_something_else_keep_one_step(tmp_path):
    class Further(Writer):
        def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
            logits, embedded = super().forward(tokens)
            return logits.softmax(-1), embedded

    quantize(exported(tmp_path / "exact.onnx", Further()), tmp_path / "small.onnx", QuantizationConfig("int8"))
    assert "MatMulNBits" not in operators(tmp_path / "small.onnx")
