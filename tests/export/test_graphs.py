"""Export to ONNX: axes that are meant to be dynamic are, or the export fails."""

import pytest
import torch
from torch import Tensor, nn

from edge_runtime.errors import ExportError
from export.graphs import export

AXES = {"x": {0: "batch", 1: "time"}, "y": {0: "batch", 1: "time"}}


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Dropped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.5, self.training)


class ReshapedToTheExample(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(int(x.shape[0]), int(x.shape[1])) * 2


class SpreadToTheExample(nn.Module):
    """Runs at any length, and is wrong at any but the example's."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1, keepdim=True).expand(-1, int(x.shape[1]))


class FilledToTheExample(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(1, int(x.shape[1])) + x[:, :1]


def write(module: nn.Module, path, axes=AXES) -> None:
    export(module, (torch.randn(2, 8),), path, inputs=["x"], outputs=["y"], axes=axes)


def test_a_graph_takes_any_size_of_its_dynamic_axes(tmp_path, run):
    write(Doubled(), tmp_path / "g.onnx")
    for shape in ((1, 1), (2, 8), (5, 30)):
        x = torch.randn(shape)
        (y,) = run(tmp_path / "g.onnx", x)
        torch.testing.assert_close(torch.from_numpy(y), 2 * x)


def test_what_is_exported_is_what_answers_not_what_trains(tmp_path, run):
    write(Dropped().train(), tmp_path / "g.onnx")
    x = torch.ones(3, 50)
    assert (run(tmp_path / "g.onnx", x)[0] == 1).all()


@pytest.mark.parametrize("module", [ReshapedToTheExample(), SpreadToTheExample(), FilledToTheExample()])
def test_an_axis_fixed_while_tracing_is_an_error(tmp_path, module):
    with pytest.raises(ExportError, match=r"g\.onnx"):
        write(module, tmp_path / "g.onnx")


def test_an_axis_that_may_be_fixed_is_none(tmp_path, run):
    fixed = {"x": {0: "batch"}, "y": {0: "batch"}}
    write(SpreadToTheExample(), tmp_path / "g.onnx", fixed)
    x = torch.randn(4, 8)
    torch.testing.assert_close(torch.from_numpy(run(tmp_path / "g.onnx", x)[0]), x.sum(1, keepdim=True).expand(-1, 8))
