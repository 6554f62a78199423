"""Layers that int8 ruins are found, and nothing else is kept exact for them."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.graphs.torch_export import Graph, write
from export.quantization.config import Recipe
from export.quantization.error import Agreement, Loss
from export.quantization.layers import blocks
from export.quantization.mixed_precision import convert_within
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


def test_the_one_ruined_product_is_found(tmp_path, feeds):
    exact = made(tmp_path, outliers=True)
    found = convert_within(exact, tmp_path / "out.onnx", Recipe(), judge := Agreement(exact, feeds), 3.0)
    assert found.before.points > 3.0 >= found.after.points
    assert found.met
    assert found.kept == (f"/layer.{RUINED}.1",)
    assert judge(tmp_path / "out.onnx") == found.after
    assert found.report.kept == (f"/layer.{RUINED}.1/Gemm_MatMul",)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["exact.onnx", "out.onnx"]


def test_nothing_is_kept_where_all_is_well(tmp_path, feeds):
    exact = made(tmp_path, outliers=False)
    found = convert_within(exact, tmp_path / "out.onnx", Recipe(), Agreement(exact, feeds), 5.0)
    assert (found.kept, found.met, found.tried) == ((), True, 1)


def test_a_limit_that_cannot_be_met_is_said_to_be_missed(tmp_path, feeds):
    exact = made(tmp_path, outliers=False)
    found = convert_within(exact, tmp_path / "out.onnx", Recipe(), lambda _: Loss(9.0, 0.5), 1.0)
    assert not found.met
    assert found.after.points == 9.0
    assert (tmp_path / "out.onnx").is_file()


def test_no_more_is_kept_than_allowed(tmp_path, feeds):
    exact = made(tmp_path, outliers=True)
    found = convert_within(exact, tmp_path / "out.onnx", Recipe(), Agreement(exact, feeds), -1.0, most=1)
    assert len(found.kept) == 1
    assert found.after < found.before
    assert not found.met


def test_accuracy_counts_where_the_truth_is_known(tmp_path, feeds):
    exact = made(tmp_path, outliers=True)
    judge = Agreement(exact, feeds)
    truth = judge.exact.argmax(1)
    noisy = judge.exact + np.where(np.arange(200)[:, None] < 20, 1e3 * np.eye(4)[(truth + 1) % 4], 0)
    assert judge.loss(noisy).points == pytest.approx(10.0)
    assert Agreement(exact, feeds, truth=truth).loss(noisy).points > 9.9
    wrong = (truth + 1) % 4  # what it changes to is right: nothing is lost
    assert Agreement(exact, feeds, truth=wrong).loss(noisy).points == 0.0
    assert judge.loss(noisy * np.nan).points == 100.0


def test_nothing_to_measure_on_is_refused(tmp_path, feeds):
    exact = made(tmp_path, outliers=False)
    with pytest.raises(ExportError, match="nothing to measure"):
        Agreement(exact, [])
    with pytest.raises(ExportError, match="3 labels for 200 rows"):
        Agreement(exact, feeds, truth=[1, 2, 3])


def test_nodes_are_told_by_block():
    names = ["/encoder/layer.0/q/MatMul", "/encoder/layer.0/k/MatMul", "/encoder/layer.10/q/MatMul", "/out/MatMul"]
    assert {block: len(nodes) for block, nodes in blocks(names).items()} == {
        "/encoder/layer.0": 2,
        "/encoder/layer.10": 1,
        "/out/MatMul": 1,
    }
