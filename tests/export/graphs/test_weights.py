"""Weights in a file of their own: the same answers, and small graphs left whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from export.graphs import weights
from tests.tiny_bundle import graph


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A graph that counts as large, with two large constants and a small one."""
    monkeypatch.setattr(weights, "SMALLEST_FILE", 4_000)
    model = graph("""(float[n] x) => (float[n,1001] y) {
        last = Constant<value_ints=[1]>()
        column = Unsqueeze(x, last)
        product = MatMul(column, a)
        more = Add(product, b)
        y = Mul(more, c)
    }""")
    random = np.random.default_rng(0)
    for name, size in (("a", (1, 1001)), ("b", (1001,)), ("c", (1,))):
        model.graph.initializer.append(numpy_helper.from_array(random.normal(size=size).astype(np.float32), name))
    onnx.save(model, tmp_path / "graph.onnx")
    return tmp_path / "graph.onnx"


def test_moved_weights_leave_the_answers_as_they_were(large: Path, run: Callable[..., list[np.ndarray]]) -> None:
    whole = onnx.load(large)
    x = torch.arange(5.0)
    before = run(large, x)[0]
    assert weights.move_weights(large, "graph.weights")
    np.testing.assert_array_equal(run(large, x)[0], before)
    assert large.stat().st_size < 1_000
    held = {i.name: i for i in onnx.load(large, load_external_data=False).graph.initializer}
    places = {n: {e.key: e.value for e in i.external_data} for n, i in held.items() if i.external_data}
    assert set(places) == {"a", "b"}
    assert all(int(place["offset"]) % weights.ALIGNMENT == 0 for place in places.values())
    again = onnx.load(large)
    assert [i.raw_data for i in again.graph.initializer] == [i.raw_data for i in whole.graph.initializer]


def test_weights_that_are_alike_are_stored_once(large: Path, run: Callable[..., list[np.ndarray]]) -> None:
    x = torch.arange(5.0)
    model = onnx.load(large)
    a, b, _ = model.graph.initializer
    b.raw_data = a.raw_data
    onnx.save(model, large)
    before = run(large, x)[0]
    assert weights.move_weights(large, "graph.weights")
    np.testing.assert_array_equal(run(large, x)[0], before)
    assert (large.parent / "graph.weights").stat().st_size == len(a.raw_data)


def test_a_small_graph_stays_whole(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "SMALLEST_FILE", 10_000)
    before = large.read_bytes()
    assert not weights.move_weights(large, "graph.weights")
    assert large.read_bytes() == before
    assert [path.name for path in large.parent.iterdir()] == ["graph.onnx"]


def test_halved_matrices_give_nearly_the_same_answers(large: Path, run: Callable[..., list[np.ndarray]]) -> None:
    x = torch.arange(5.0)
    before, size = run(large, x)[0], large.stat().st_size
    weights.halve_weights(large)
    np.testing.assert_allclose(run(large, x)[0], before, rtol=2e-3, atol=1e-3)
    assert large.stat().st_size < size - 1_900  # the one matrix; the vector stays exact
    kinds = {i.name: i.data_type for i in onnx.load(large).graph.initializer}
    assert kinds["a_fp16"] == onnx.TensorProto.FLOAT16 and kinds["b"] == onnx.TensorProto.FLOAT
    onnx.checker.check_model(str(large))


def test_what_fp16_cannot_hold_stays_exact(large: Path, run: Callable[..., list[np.ndarray]]) -> None:
    model = onnx.load(large)
    a = next(i for i in model.graph.initializer if i.name == "a")
    a.CopyFrom(numpy_helper.from_array(np.full((1, 1001), 1e6, np.float32), "a"))
    onnx.save(model, large)
    before = run(large, torch.arange(5.0))[0]
    weights.halve_weights(large)
    np.testing.assert_array_equal(run(large, torch.arange(5.0))[0], before)


def test_weights_in_common_are_read_from_one_file(large: Path, run: Callable[..., list[np.ndarray]]) -> None:
    model = onnx.load(large)
    for initializer in model.graph.initializer:  # names may differ, as those of another tool do
        if initializer.name == "a":
            initializer.name = "other"
    next(n for n in model.graph.node if "a" in n.input).input[1] = "other"
    b = next(i for i in model.graph.initializer if i.name == "b")
    b.CopyFrom(numpy_helper.from_array(np.ones(1001, np.float32), "b"))
    second = large.with_name("second.onnx")
    onnx.save(model, second)
    before = run(second, torch.arange(5.0))[0]
    assert weights.move_weights(large, "graph.weights")
    weights.share_weights(second, large)
    np.testing.assert_array_equal(run(second, torch.arange(5.0))[0], before)
    held = {i.name: i for i in onnx.load(second, load_external_data=False).graph.initializer}
    assert held["other"].external_data and not held["b"].external_data and not held["c"].external_data
