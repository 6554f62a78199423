"""Channels with large values stay exact, the graph answers as before, and int8 loses far less."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.graphs.torch_export import Graph, write
from export.quantization.config import QuantizationConfig
from export.quantization.outliers import split_outliers
from export.quantization.quantizable_layers import matmuls, prepare
from export.quantization.quantize import quantize
from trainer.errors import ExportError

WIDTH, LARGE = 64, [5, 40]


class Encoder(nn.Module):
    """Two products that read one tensor, of which two channels are large, and a narrow one that reads their sum."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 6)
        self.narrow = nn.Linear(6, 3)
        self.large = torch.ones(WIDTH)
        self.large[LARGE] = factor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x * self.large
        return self.one(x), self.narrow(self.other(x))


def written(folder, factor: float):
    torch.manual_seed(0)
    names = ["wide", "narrow"]
    axes = {name: {0: "batch", 1: "time"} for name in ("x", *names)}
    write(Graph(Encoder(factor), (torch.randn(2, 3, WIDTH),), ["x"], names, axes), folder / "exact.onnx")
    return folder / "exact.onnx"


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return written(tmp_path_factory.mktemp("outliers"), 300.0)


def feed(seed: int, batch: int = 2, time: int = 5):
    return {"x": np.random.default_rng(seed).standard_normal((batch, time, WIDTH), dtype=np.float32)}


def split(exact, channels: int, products=None) -> onnx.ModelProto:
    model = prepare(exact)
    split_outliers(model, matmuls(model) if products is None else products, [feed(1), feed(2)], channels)
    onnx.checker.check_model(model)
    return model


def held(model: onnx.ModelProto, ending: str) -> list[np.ndarray]:
    return [onnx.numpy_helper.to_array(i) for i in model.graph.initializer if i.name.endswith(ending)]


def test_the_largest_channels_are_found_once_for_all_that_read_them(exact):
    model = split(exact, 2, matmuls(prepare(exact))[:2])
    (found,) = held(model, "_outliers_at")
    assert found.tolist() == LARGE
    (rest,) = held(model, "_rest_at")
    assert np.flatnonzero(rest == 0).tolist() == LARGE
    kinds = [node.op_type for node in model.graph.node if "outliers" in node.name or "_rest" in node.name]
    assert kinds.count("Gather") == kinds.count("Mul") == 1
    assert kinds.count("MatMul") == 2


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 31), st.integers(0, 99), st.integers(1, 4), st.integers(1, 9))
def test_the_graph_answers_as_before(exact, run, channels, seed, batch, time):
    path = exact.parent / "split.onnx"
    onnx.save(split(exact, channels), str(path))
    x = torch.from_numpy(feed(seed, batch, time)["x"])
    for one, other in zip(run(exact, x), run(path, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_int8_loses_far_less_with_them(exact, run, tmp_path):
    x = torch.from_numpy(feed(7)["x"])
    errors = []
    for channels in (0, 2):
        quantize(exact, tmp_path / "small.onnx", QuantizationConfig(exact_channels=channels), [feed(1)])
        found = run(tmp_path / "small.onnx", x)
        errors.append([float(np.abs(a - b).mean()) for a, b in zip(run(exact, x), found, strict=True)])
    (wide, narrow), (wide_after, narrow_after) = errors
    assert wide_after < wide / 20
    assert narrow_after < narrow / 2


def test_what_is_not_named_or_has_few_channels_is_left_alone(exact):
    names = matmuls(prepare(exact))
    model = split(exact, 2, names[:1])
    assert len([n for n in model.graph.node if n.op_type == "MatMul"]) == len(names) + 1
    assert len(matmuls(split(exact, 3))) == len(names) + 2  # of six channels three are half
    assert split(exact, 2, []) == prepare(exact)


@pytest.mark.parametrize(("factor", "products"), [(1.0, 3), (1.5, 3), (4.0, 5)])
def test_only_channels_that_are_much_larger_are_split_off(factor, products, tmp_path):
    path = written(tmp_path, factor)
    model = split(path, 2, matmuls(prepare(path))[:2])
    assert len(matmuls(model)) == products


def test_layers_in_fp32_have_nothing_split_off(exact, tmp_path):
    names = matmuls(prepare(exact))
    config = QuantizationConfig(exact_channels=2, exclude=tuple(names))
    quantize(exact, tmp_path / "exact.onnx", config, [feed(1)])
    assert matmuls(onnx.load(tmp_path / "exact.onnx")) == names


def test_without_inputs_it_is_refused(exact, tmp_path):
    with pytest.raises(ExportError, match="int8 with exact channels needs inputs"):
        quantize(exact, tmp_path / "out.onnx", QuantizationConfig(exact_channels=2))
    assert not list(tmp_path.iterdir())
    quantize(exact, tmp_path / "out.onnx", QuantizationConfig("fp16", exact_channels=2))
