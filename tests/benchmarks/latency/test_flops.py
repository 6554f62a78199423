"""Operations counted by hand, and by the counter."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.latency.flops import products
from benchmarks.latency.roofline import least_ms

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]


def save(path, node, constants, **inputs):
    values = [
        helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in inputs.items()
    ]
    kind = TensorProto.INT32 if node.op_type == "MatMulInteger" else TensorProto.FLOAT
    outputs = [helper.make_tensor_value_info(node.output[0], kind, None)]
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph([node], "one", values, outputs, held)
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=OPSETS), str(path))
    return products(path, inputs)


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def test_a_product_with_a_constant_is_one_tall_product_of_the_batch(tmp_path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    (found,) = save(tmp_path / "g.onnx", node, {"w": zeros(5, 7)}, x=zeros(2, 3, 5))
    assert (found.kind, found.rows, found.inner, found.columns, found.count) == ("fp32", 6, 5, 7, 1)
    assert found.operations == 2 * 2 * 3 * 5 * 7
    assert found.weight_bytes == 4 * 5 * 7


def test_a_product_of_two_computed_sides_is_repeated_for_each_of_the_batch(tmp_path):
    node = helper.make_node("MatMul", ["x", "z"], ["y"])
    (found,) = save(tmp_path / "g.onnx", node, {}, x=zeros(2, 6, 3, 5), z=zeros(2, 6, 5, 4))
    assert (found.rows, found.count, found.weight_bytes) == (3, 12, 0)
    assert found.operations == 2 * 12 * 3 * 5 * 4


def test_an_int8_product_reads_a_byte_a_weight(tmp_path):
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    (found,) = save(tmp_path / "g.onnx", node, {"w": zeros(5, 7, dtype=np.int8)}, x=zeros(3, 5, dtype=np.uint8))
    assert (found.kind, found.operations, found.weight_bytes) == ("int8", 2 * 3 * 5 * 7, 35)


def test_fused_products_count_as_those_that_they_were_made_of(tmp_path):
    weight = {"w": zeros(5, 7, dtype=np.int8), "s": zeros(7)}
    node = helper.make_node("DynamicQuantizeMatMul", ["x", "w", "s"], ["y"], domain="com.microsoft")
    (found,) = save(tmp_path / "g.onnx", node, weight, x=zeros(3, 5))
    assert (found.kind, found.operations, found.weight_bytes) == ("int8", 2 * 3 * 5 * 7, 35 + 4 * 7)
    node = helper.make_node("FusedMatMul", ["x", "z"], ["y"], domain="com.microsoft", transB=1)
    (found,) = save(tmp_path / "h.onnx", node, {}, x=zeros(2, 3, 5), z=zeros(2, 4, 5))
    assert (found.kind, found.operations) == ("fp32", 2 * 2 * 3 * 5 * 4)


@pytest.mark.parametrize("turned", [0, 1])
def test_a_gemm_counts_its_sides_as_they_are_multiplied(tmp_path, turned):
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=turned)
    (found,) = save(tmp_path / "g.onnx", node, {"w": zeros(7, 5) if turned else zeros(5, 7)}, x=zeros(3, 5))
    assert (found.rows, found.inner, found.columns) == (3, 5, 7)


def test_a_convolution_is_a_product_of_places_and_patches(tmp_path):
    # 10 samples, kernel 3, stride 2, no padding: 4 places; 2 channels in 2 groups, 6 out.
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3], strides=[2], group=2)
    (found,) = save(tmp_path / "g.onnx", node, {"w": zeros(6, 1, 3)}, x=zeros(5, 2, 10))
    assert (found.rows, found.inner, found.columns) == (5 * 4, 3, 6)
    assert found.operations == 2 * 5 * 4 * 3 * 6


def test_an_lstm_multiplies_input_and_state_with_four_gates_each_step(tmp_path):
    node = helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=8)
    constants = {"w": zeros(1, 32, 5), "r": zeros(1, 32, 8)}
    (found,) = save(tmp_path / "g.onnx", node, constants, x=zeros(9, 2, 5))
    assert found.operations == 9 * 2 * (2 * 2 * (5 + 8) * 4 * 8) / 2
    assert found.count == 9


def test_the_least_time_is_the_slower_of_computing_and_reading(tmp_path):
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    weights = {"w": zeros(100, 1000)}
    one_row = save(tmp_path / "a.onnx", node, weights, x=zeros(1, 100))
    many_rows = save(tmp_path / "b.onnx", node, weights, x=zeros(1000, 100))
    rates = {"fp32_gops": 100.0, "int8_gops": 400.0, "read_gb_s": 10.0}
    assert least_ms(one_row, rates) == pytest.approx(400_000 / 10e9 * 1000)
    assert least_ms(many_rows, rates) == pytest.approx(2 * 1e8 / 100e9 * 1000)
    assert least_ms([*one_row, *many_rows], rates) == pytest.approx(0.04 + 2.0)
