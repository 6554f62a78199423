"""Channels with large values stay exact, the graph answers as before, and int8 loses far less."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edge_runtime.inference.onnx_runtime import ort
from export.graphs.fuse import fuse
from export.graphs.torch_export import Graph, write
from export.quantization.config import QuantizationConfig
from export.quantization.outliers import OUTLIERS, REST, split_outliers
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
    (found,) = held(model, f"{OUTLIERS}_at")
    assert found.tolist() == LARGE
    (mask,) = held(model, f"{REST}_mask")
    assert np.flatnonzero(mask == 0).tolist() == LARGE
    kinds = [node.op_type for node in model.graph.node if node.name.endswith((OUTLIERS, REST))]
    assert sorted(kinds) == ["Gather", "MatMul", "MatMul", "Mul"]


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


def graph_of(nodes, weights, shape, outputs=("y",)) -> onnx.ModelProto:
    """Return a graph of x in fp32; ``weights`` by name."""
    held = [onnx.numpy_helper.from_array(np.float32(values), name) for name, values in weights.items()]
    x, *ends = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, of)
        for name, of in (("x", shape), *((name, None) for name in outputs))
    )
    graph = onnx.helper.make_graph(nodes, "g", [x], ends, held)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def answers(model: onnx.ModelProto, x) -> list[np.ndarray]:
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})


def node(kind: str, inputs: str, output: str, name: str, **attributes) -> onnx.NodeProto:
    return onnx.helper.make_node(kind, inputs.split(), [output], name=name, **attributes)


def test_one_weight_in_two_products_has_the_rows_that_each_needs():
    rng = np.random.default_rng(0)
    turned = np.eye(8)[::-1]  # the second product's large channels are others
    nodes = [
        node("MatMul", "x w", "a", "first"),
        node("MatMul", "x turned", "b", "between"),
        node("MatMul", "b w", "c", "second"),
        node("Add", "a c", "y", "sum"),
    ]
    model = graph_of(nodes, {"w": rng.standard_normal((8, 8)), "turned": turned}, [None, 8])
    x = np.float32(rng.standard_normal((5, 8)) * ([100.0] * 2 + [1.0] * 6))
    (expected,) = answers(model, x)
    split_outliers(model, ["first", "second"], [{"x": x}], 2)
    assert [i.tolist() for i in held(model, f"{OUTLIERS}_at")] == [[0, 1], [6, 7]]
    np.testing.assert_allclose(answers(model, x)[0], expected, rtol=1e-4, atol=1e-3)


READ = {
    "by a bias": ([node("Add", "b bias", "y", "biased")], ("y",)),
    "by a bias, and by others": ([node("Add", "b bias", "c", "biased"), node("Add", "c b", "y", "sum")], ("y",)),
    "by a bias, and as an output": ([node("Add", "b bias", "y", "biased")], ("b", "y")),
    "twice by a sum": ([node("Add", "b b", "y", "sum")], ("y",)),
    "by another product of its own": ([node("MatMul", "b v", "y", "third")], ("y",)),
    "as an output": ([], ("b",)),
}


@pytest.mark.parametrize("read", READ)
def test_products_in_a_row_stay_right_however_they_are_read(read):
    rng = np.random.default_rng(1)
    more, outputs = READ[read]
    nodes = [node("MatMul", "x w", "a", "first"), node("MatMul", "a v", "b", "second"), *more]
    weights = {"w": np.diag([50.0, 50.0, *[1.0] * 6]), "v": rng.standard_normal((8, 8)), "bias": rng.standard_normal(8)}
    model = graph_of(nodes, weights, [None, 8], outputs)
    x = np.float32(rng.standard_normal((5, 8)) * ([100.0] * 2 + [1.0] * 6))
    expected = answers(model, x)
    split_outliers(model, ["first", "second"], [{"x": x}], 2)
    assert len(held(model, f"{OUTLIERS}_at")) == 2
    for one, other in zip(answers(model, x), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-2 * np.abs(other).max())


def test_a_channel_counts_that_is_large_once_or_below_0():
    rng = np.random.default_rng(2)
    model = graph_of([node("MatMul", "x w", "y", "only")], {"w": rng.standard_normal((8, 3))}, [None, 8])
    feeds = [{"x": np.float32(rng.uniform(-1, 1, (400, 8)))} for _ in range(3)]
    feeds[1]["x"][7, 4], feeds[1]["x"][9, 6] = 4.0, -3.0
    split_outliers(model, ["only"], feeds, 2)
    (found,) = held(model, f"{OUTLIERS}_at")
    assert found.tolist() == [4, 6]


def test_what_has_no_matrix_of_weights_is_left_alone():
    rng = np.random.default_rng(3)
    nodes = [
        node("MatMul", "x stack", "a", "stacked"),
        node("Conv", "a kernel", "y", "convolution"),
    ]
    weights = {"stack": rng.standard_normal((6, 8, 8)), "kernel": rng.standard_normal((6, 5, 1))}
    model = graph_of(nodes, weights, [6, 5, 8])
    before = onnx.ModelProto()
    before.CopyFrom(model)
    x = np.float32(rng.standard_normal((6, 5, 8)) * ([100.0] * 2 + [1.0] * 6))
    split_outliers(model, ["stacked", "convolution"], [{"x": x}], 2)
    assert model == before


def test_a_bias_is_still_one_operation_with_its_product(exact, tmp_path):
    quantize(exact, tmp_path / "small.onnx", QuantizationConfig(exact_channels=2), [feed(1)])
    fuse(tmp_path / "small.onnx")
    nodes = onnx.load(tmp_path / "small.onnx").graph.node
    fused = [n for n in nodes if n.op_type in {"MatMulIntegerToFloat", "DynamicQuantizeMatMul"}]
    assert len(fused) == 3
    assert all(any("bias" in name for name in n.input) for n in fused)


def test_nothing_is_split_off_where_every_channel_is_0(exact):
    model = prepare(exact)
    split_outliers(model, matmuls(model), [{"x": np.zeros((1, 2, WIDTH), np.float32)}], 2)
    assert held(model, f"{OUTLIERS}_at") == []


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
