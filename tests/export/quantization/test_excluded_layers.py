"""Layers that int8 ruins are found, and nothing else is kept exact for them."""

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from export.graphs.torch_export import Graph, write
from export.quantization.config import QuantizationConfig
from export.quantization.error import GraphError, QuantizationError
from export.quantization.excluded_layers import search
from export.quantization.quantizable_layers import blocks, matmuls
from trainer.errors import ExportError

WIDTH, RUINED = 64, 2


class Blocks(nn.Module):
    """Four blocks of two linear layers; a weight in one has outliers beside which the others round to nothing."""

    def __init__(self, *, outliers: bool) -> None:
        super().__init__()
        self.layer = nn.ModuleList(nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2)) for _ in range(4))
        self.out = nn.Linear(WIDTH, 4)
        if outliers:
            with torch.no_grad():  # it meets an input that is always 0, so that fp32 never sees it
                self.layer[RUINED][1].weight[:, 0] = 1e4
        self.outliers = outliers

    def forward(self, x: Tensor) -> Tensor:
        for i, (one, other) in enumerate(self.layer):
            inner = torch.tanh(one(x))
            if self.outliers and i == RUINED:
                inner = inner * (torch.arange(WIDTH) > 0)
            x = x + other(inner)
        return self.out(x)


def made(folder, *, outliers: bool):
    torch.manual_seed(1)
    path = folder / "exact.onnx"
    axes = {"x": {0: "batch"}, "logits": {0: "batch"}}
    write(Graph(Blocks(outliers=outliers), (torch.randn(2, WIDTH),), ["x"], ["logits"], axes), path)
    return path


@pytest.fixture
def feeds():
    return [{"x": np.random.default_rng(0).standard_normal((200, WIDTH), dtype=np.float32)}]


def test_the_one_ruined_product_is_excluded(tmp_path, feeds):
    exact = made(tmp_path, outliers=True)
    metric = GraphError(exact, feeds)
    found = search(exact, tmp_path / "out.onnx", QuantizationConfig(), metric, 3.0)
    assert found.before.points > 3.0 >= found.after.points
    assert found.excluded == (f"/layer.{RUINED}.1",)
    assert metric(tmp_path / "out.onnx") == found.after
    assert matmuls(onnx.load(tmp_path / "out.onnx")) == [f"/layer.{RUINED}.1/Gemm_MatMul"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["exact.onnx", "out.onnx"]


def test_nothing_is_excluded_where_everything_quantized_is_within_the_limit(tmp_path, feeds):
    exact = made(tmp_path, outliers=False)
    metric = GraphError(exact, feeds)
    calls = []
    found = search(exact, tmp_path / "out.onnx", QuantizationConfig(), lambda p: calls.append(p) or metric(p), 5.0)
    assert (found.excluded, len(calls)) == ((), 1)
    assert found.before == found.after


def test_where_the_limit_cannot_be_met_the_best_graph_is_written(tmp_path, feeds):
    exact = made(tmp_path, outliers=False)
    found = search(exact, tmp_path / "out.onnx", QuantizationConfig(), lambda _: QuantizationError(9.0, 0.5), 1.0)
    assert found.after.points == 9.0
    assert (tmp_path / "out.onnx").is_file()


def test_each_trial_is_logged(tmp_path, feeds, caplog):
    exact = made(tmp_path, outliers=False)
    with caplog.at_level("INFO", logger="export"):
        search(exact, tmp_path / "out.onnx", QuantizationConfig(), GraphError(exact, feeds), 5.0)
    assert [record.getMessage() for record in caplog.records] == ["exact: nothing"]


def test_accuracy_counts_where_the_labels_are_known(tmp_path, feeds):
    exact = made(tmp_path, outliers=True)
    metric = GraphError(exact, feeds)
    truth = metric.exact.argmax(1)
    noisy = metric.exact + np.where(np.arange(200)[:, None] < 20, 1e3 * np.eye(4)[(truth + 1) % 4], 0)
    assert metric.error(noisy).points == pytest.approx(10.0)
    assert GraphError(exact, feeds, truth=truth).error(noisy).points > 9.9
    wrong = (truth + 1) % 4  # what it changes to is right: nothing is lost
    assert GraphError(exact, feeds, truth=wrong).error(noisy).points == 0.0
    assert metric.error(noisy * np.nan).points == 100.0


def test_nothing_to_measure_on_is_refused(tmp_path, feeds):
    exact = made(tmp_path, outliers=False)
    with pytest.raises(ExportError, match="nothing to measure"):
        GraphError(exact, [])
    with pytest.raises(ExportError, match="3 labels for 200 rows"):
        GraphError(exact, feeds, truth=[1, 2, 3])


def test_nodes_are_grouped_by_block():
    names = ["/encoder/layer.0/q/MatMul", "/encoder/layer.0/k/MatMul", "/encoder/layer.10/q/MatMul", "/out/MatMul"]
    assert {block: len(nodes) for block, nodes in blocks(names).items()} == {
        "/encoder/layer.0": 2,
        "/encoder/layer.10": 1,
        "/out/MatMul": 1,
    }
