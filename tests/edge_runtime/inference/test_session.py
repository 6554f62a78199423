"""Devices, threads and graphs: what is asked for is had, or the reason is said."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edge_runtime import BundleError, ClosedError, DeviceError
from edge_runtime.inference.session import CPU, CUDA, Session, providers
from edge_runtime.system.processors import thread_budget
from tests.tiny_bundle import graph


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    """A graph that hands its one input ``x`` on as its one output."""
    onnx.save(
        graph("(float[batch,4] x) => (float[batch,4] logits) { logits = Identity(x) }"), tmp_path / "identity.onnx"
    )
    return tmp_path / "identity.onnx"


@pytest.fixture
def with_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])


@pytest.fixture
def without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])


@pytest.mark.usefixtures("with_cuda")
@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cpu", [CPU]),
        ("auto", [CUDA, CPU]),
        ("cuda", [(CUDA, {"device_id": 0})]),
        ("cuda:0", [(CUDA, {"device_id": 0})]),
        ("cuda:3", [(CUDA, {"device_id": 3})]),
    ],
)
def test_a_device_has_its_providers(device: str, expected: list[object]) -> None:
    assert providers(device) == expected


@pytest.mark.usefixtures("without_cuda")
def test_auto_is_the_cpu_where_there_is_no_cuda() -> None:
    assert providers("auto") == providers("cpu") == [CPU]


@pytest.mark.usefixtures("without_cuda")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_cuda_that_is_missing_says_what_to_install(identity: Path, device: str) -> None:
    with pytest.raises(DeviceError, match="onnxruntime-gpu") as caught:
        Session(identity, device=device)
    assert isinstance(caught.value, RuntimeError)
    assert device in str(caught.value)


@pytest.mark.parametrize("available", ["with_cuda", "without_cuda"])
@pytest.mark.parametrize(
    "device",
    ["", "gpu", "CPU", "cpu:0", "auto:1", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "cuda:²", "cuda: 1"],
)
def test_unknown_names_are_refused(request: pytest.FixtureRequest, device: str, available: str) -> None:
    request.getfixturevalue(available)
    with pytest.raises(DeviceError, match="use 'auto', 'cpu', 'cuda' or 'cuda:N'"):
        providers(device)


@pytest.mark.skipif(CUDA in ort.get_available_providers(), reason="needs a machine without CUDA")
@pytest.mark.usefixtures("with_cuda")
@pytest.mark.filterwarnings("ignore::UserWarning")  # onnxruntime's, of a provider it lacks
def test_cuda_that_does_not_start_is_not_replaced_by_the_cpu_in_silence(identity: Path) -> None:
    with pytest.raises(DeviceError, match="could not be started"):
        Session(identity, device="cuda")


@pytest.mark.usefixtures("with_cuda")
def test_options_go_to_cuda_and_nowhere_else() -> None:
    options = {"gpu_mem_limit": 1 << 30}
    assert providers("cuda:1", options) == [(CUDA, {"gpu_mem_limit": 1 << 30, "device_id": 1})]
    assert providers("auto", options) == [(CUDA, options), CPU]
    with pytest.raises(DeviceError, match="gpu_mem_limit"):
        providers("cpu", options)


def test_a_session_that_is_closed_says_so(identity: Path) -> None:
    session = Session(identity)
    session.close()
    session.close()
    with pytest.raises(ClosedError, match="closed"):
        session(x=np.zeros((1, 4), np.float32))


@pytest.mark.parametrize("shape", [(1, 5), (4,), (0, 4)])
def test_what_does_not_fit_a_graph_is_our_error(identity: Path, shape: tuple[int, ...]) -> None:
    session = Session(identity)
    with pytest.raises(BundleError, match=r"identity\.onnx: "):
        session(x=np.zeros(shape, np.float32))


def test_a_thread_budget_is_as_told_or_as_the_machine() -> None:
    assert thread_budget(3) == 3
    assert thread_budget(None) >= 1


@pytest.mark.parametrize("threads", [0, -1])
def test_a_thread_budget_is_positive(threads: int) -> None:
    with pytest.raises(ValueError, match=f"threads={threads}"):
        thread_budget(threads)


def test_a_graph_runs_by_name_from_several_threads(identity: Path) -> None:
    session = Session(identity, threads=2)
    assert session.inputs == {"x": ("tensor(float)", ["batch", 4])}
    arrays = [np.full((n, 4), n, np.float32) for n in range(1, 20)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda x: session(x=x)["logits"], arrays))
    for answer, array in zip(answers, arrays, strict=True):
        np.testing.assert_array_equal(answer, array)


@pytest.mark.parametrize("data", [None, b"", b"not a graph"])
def test_what_is_no_graph_is_refused_with_its_path(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "broken.onnx"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BundleError, match=r"broken\.onnx: onnxruntime cannot load"):
        Session(path)
