"""Rewritten graphs answer what they did."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from export.graphs import silero_vad


def run(model, **inputs):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


@pytest.fixture
def detector(bundle_folder):
    """Silero's graph as its wheel has it, or as the bundle does."""
    return onnx.load(str(bundle_folder / "vad.onnx"))


@pytest.mark.parametrize("windows", [1, 2, 31, 469])
def test_batch_vad_convolutions_give_the_same_probabilities_and_state(detector, windows):
    random = np.random.default_rng(windows)
    x = (0.1 * random.standard_normal((windows, 576))).astype(np.float32)
    h, c = (random.standard_normal((1, 1, 128)).astype(np.float32) for _ in range(2))
    before = run(detector, input=x, h=h, c=c)
    silero_vad.batch_vad_convolutions(detector)
    onnx.checker.check_model(detector)
    for one, other in zip(before, run(detector, input=x, h=h, c=c), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_nothing_is_left_that_no_node_reads(detector):
    silero_vad.batch_vad_convolutions(detector)
    read = {name for node in detector.graph.node for name in node.input} | {o.name for o in detector.graph.output}
    assert all(i.name in read for i in detector.graph.initializer)
    assert all(set(node.output) & read for node in detector.graph.node if node.op_type == "Constant")


def test_each_window_is_still_heard_alone(detector):
    silero_vad.batch_vad_convolutions(detector)
    convolutions = [n for n in detector.graph.node if n.op_type == "Conv" and n.name.startswith(("/stft/", "/encoder"))]
    assert len(convolutions) == 5
    for node in convolutions:
        kernel = next(list(a.ints) for a in node.attribute if a.name == "kernel_shape")
        assert kernel[0] == 1


def test_a_rewritten_detector_and_another_graph_are_left_alone(detector):
    silero_vad.batch_vad_convolutions(detector)
    assert not silero_vad.batch_vad_convolutions(detector)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    other = helper.make_model(helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "other", [x], [y]))
    assert not silero_vad.batch_vad_convolutions(other)


def test_of_a_bundle_the_detector_alone_is_rewritten(tmp_path, detector):
    for slot in ("vad", "fusion"):
        onnx.save(detector, str(tmp_path / f"{slot}.onnx"))
        silero_vad.optimize(tmp_path / f"{slot}.onnx", slot)
    assert (tmp_path / "fusion.onnx").read_bytes() == detector.SerializeToString()
    assert not silero_vad.batch_vad_convolutions(onnx.load(str(tmp_path / "vad.onnx")))
