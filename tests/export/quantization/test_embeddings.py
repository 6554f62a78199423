"""Quantisation: smaller, close to fp32, and a table that is tied to a projection is held once."""

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from export.graphs.torch_export import Graph
from export.graphs.torch_export import write as write_graph
from export.quantization.config import QuantizationConfig
from export.quantization.embeddings import share_tied_embeddings
from export.quantization.quantizable_layers import MIN_EMBEDDING_VALUES
from export.quantization.quantize import quantize

WORDS, WIDTH = 2000, 64


class Speller(nn.Module):
    """Looks words up, mixes them, and says how likely each word is; its table may be its projection too."""

    def __init__(self, *, tied: bool, words: int = WORDS) -> None:
        super().__init__()
        self.table = nn.Embedding(words, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.tied = tied
        self.out = nn.Linear(WIDTH, 8, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = torch.tanh(self.mix(self.norm(self.table(ids))))
        return x @ self.table.weight.t() if self.tied else self.out(x)


def write(module: nn.Module, path) -> None:
    axes = {"ids": {0: "batch", 1: "time"}, "logits": {0: "batch", 1: "time"}}
    write_graph(Graph(module, (torch.ones(2, 3, dtype=torch.int64),), ["ids"], ["logits"], axes), path)


def tables(path) -> list[onnx.TensorProto]:
    """Return what the graph holds of the size of the table."""
    held = onnx.load(str(path)).graph.initializer
    return [i for i in held if np.prod(i.dims) == WORDS * WIDTH]


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def exported(request, tmp_path):
    torch.manual_seed(0)
    write(Speller(tied=request.param), tmp_path / "exact.onnx")
    return tmp_path / "exact.onnx"


@pytest.fixture
def quantised(exported):
    path = exported.with_name("small.onnx")
    quantize(exported, path, QuantizationConfig("int8"))
    return path


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))


def test_int8_is_much_smaller_and_leaves_nothing_else(exported, quantised):
    assert quantised.stat().st_size < 0.3 * exported.stat().st_size
    assert sorted(p.name for p in exported.parent.iterdir()) == ["exact.onnx", "small.onnx"]


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (3, 5)])
def test_int8_is_close_to_fp32(exported, quantised, run, shape):
    ids = torch.randint(0, WORDS, shape)
    (exact,), (small,) = run(exported, ids), run(quantised, ids)
    assert small.shape == exact.shape
    assert cosine(exact, small) > 0.99


def test_the_table_is_held_once_and_in_bytes(quantised):
    (table,) = tables(quantised)
    assert table.data_type == onnx.TensorProto.INT8


def test_looking_up_is_exact_to_a_step_of_each_row(tmp_path, run):
    table = nn.Embedding(WORDS, WIDTH)
    with torch.no_grad():
        table.weight.mul_(torch.logspace(-4, 2, WORDS)[:, None])  # rows of very different size
        table.weight[7] = 0
    write(table, tmp_path / "exact.onnx")
    quantize(tmp_path / "exact.onnx", tmp_path / "small.onnx", QuantizationConfig("int8"))
    (found,) = run(tmp_path / "small.onnx", torch.arange(WORDS)[None])
    exact = table.weight.detach().numpy()
    step = np.abs(exact).max(1, keepdims=True) / 127
    assert (np.abs(found[0] - exact) <= 0.51 * step + 1e-9).all()
    assert not found[0, 7].any()


def test_a_small_table_is_left_alone(tmp_path):
    words = MIN_EMBEDDING_VALUES // WIDTH - 1
    write(Speller(tied=False, words=words), tmp_path / "exact.onnx")
    quantize(tmp_path / "exact.onnx", tmp_path / "small.onnx", QuantizationConfig("int8"))
    kinds = [i.data_type for i in onnx.load(str(tmp_path / "small.onnx")).graph.initializer if words in i.dims]
    assert kinds == [onnx.TensorProto.FLOAT]


class Twice(nn.Module):
    """Looks up the same table in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids) + self.out(self.table(torch.flip(ids, [1])))


def test_a_table_looked_up_twice_is_held_once(tmp_path, run):
    torch.manual_seed(0)
    write(Twice(), tmp_path / "exact.onnx")
    quantize(tmp_path / "exact.onnx", tmp_path / "small.onnx", QuantizationConfig("int8"))
    assert len(tables(tmp_path / "small.onnx")) == 1
    ids = torch.randint(0, WORDS, (2, 6))
    assert cosine(run(tmp_path / "exact.onnx", ids)[0], run(tmp_path / "small.onnx", ids)[0]) > 0.99


def test_a_lookup_may_feed_a_product_directly(tmp_path, run):
    torch.manual_seed(0)
    write(nn.Sequential(nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, 8)), tmp_path / "exact.onnx")
    quantize(tmp_path / "exact.onnx", tmp_path / "small.onnx", QuantizationConfig("int8"))
    ids = torch.randint(0, WORDS, (2, 6))
    assert cosine(run(tmp_path / "exact.onnx", ids)[0], run(tmp_path / "small.onnx", ids)[0]) > 0.99


def test_convolutions_stay_as_they_are(tmp_path, run):
    class Convolved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv1d(1, 4, 3, padding=1)

        def forward(self, ids: Tensor) -> Tensor:
            return self.convolution(ids.float().unsqueeze(1)).sum(1)

    write(Convolved(), tmp_path / "exact.onnx")
    quantize(tmp_path / "exact.onnx", tmp_path / "small.onnx", QuantizationConfig("int8"))
    ids = torch.randint(0, 9, (2, 6))
    for exact, small in zip(run(tmp_path / "exact.onnx", ids), run(tmp_path / "small.onnx", ids), strict=True):
        np.testing.assert_allclose(small, exact, atol=1e-6)


def test_sharing_tables_keeps_the_answers_and_halves_the_file(tmp_path, run):
    torch.manual_seed(0)
    path, ids = tmp_path / "g.onnx", torch.randint(0, WORDS, (2, 6))
    write(Speller(tied=True), path)
    before, size = run(path, ids), path.stat().st_size
    assert len(tables(path)) == 2
    share_tied_embeddings(path)
    assert len(tables(path)) == 1
    assert path.stat().st_size < 0.6 * size
    for one, other in zip(run(path, ids), before, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_sharing_where_nothing_is_tied_changes_nothing(tmp_path):
    write(Speller(tied=False), tmp_path / "g.onnx")
    before = onnx.load(str(tmp_path / "g.onnx"))
    share_tied_embeddings(tmp_path / "g.onnx")
    assert onnx.load(str(tmp_path / "g.onnx")) == before
