"""Export to ONNX: axes that are meant to be dynamic are, or the export fails."""

import pytest
import torch
from torch import Tensor, nn

from export.graphs.torch_export import Graph, check
from export.graphs.torch_export import write as write_graph
from trainer.errors import ExportError

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
    write_graph(Graph(module, (torch.randn(2, 8),), ["x"], ["y"], axes), path)


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


class Unheard(nn.Module):
    """Has an operation that ONNX does not know."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


def test_an_operator_that_onnx_lacks_is_named(tmp_path):
    with pytest.raises(ExportError, match="bessel_j0"):
        write(Unheard(), tmp_path / "g.onnx")


class Huge(Doubled):
    def parameters(self, recurse: bool = True):
        yield torch.empty(1 << 30, dtype=torch.float32, device="meta")


def test_weights_beyond_what_a_file_holds_are_refused_before_they_are_written(tmp_path):
    with pytest.raises(ExportError, match="2 GB"):
        write(Huge(), tmp_path / "g.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_that_answers_otherwise_is_found_out(tmp_path):
    write(Doubled(), tmp_path / "g.onnx")
    other = Graph(Dropped(), (torch.randn(2, 8),), ["x"], ["y"], AXES)
    other.module.eval()
    with pytest.raises(ExportError, match="output y differs"):
        check(other, [(torch.randn(3, 5),)], tmp_path / "g.onnx")
    same = Graph(Doubled(), (torch.randn(2, 8),), ["x"], ["y"], AXES)
    assert check(same, [(torch.randn(3, 5),)], tmp_path / "g.onnx") == 0.0
