"""What the exporter's tests share: a way to run graphs, and tiny components and bundles, each made once a session."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's client is imported, in the fixtures below

from tests.export import tiny


@pytest.fixture(scope="session")
def run() -> Callable[..., list[np.ndarray]]:
    """Return a function that runs the graph at a path on tensors, in the order of its inputs."""

    def call(path: Path, *inputs: torch.Tensor) -> list[np.ndarray]:
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [i.name for i in session.get_inputs()]
        return session.run(None, {n: v.detach().numpy() for n, v in zip(names, inputs, strict=True)})

    return call


@pytest.fixture(scope="session")
def all_samples() -> Any:
    """Return the built-in samples, all of them."""
    from export.evaluation import data

    return data.built_in()


@pytest.fixture(scope="session", autouse=True)
def few_samples(all_samples: Any) -> Iterator[None]:
    """Evaluate bundles on less than is built in: random networks gain nothing by more."""
    from export.evaluation import data

    few = data.EvaluationSet(all_samples.source, [*all_samples.samples[:2], *all_samples.samples[-6:]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "built_in", lambda: few)
        yield


@pytest.fixture
def shake() -> Callable[[torch.nn.Module], None]:
    """Return a function that makes every weight matter, also those that begin at zero."""

    def change(network: torch.nn.Module) -> None:
        torch.manual_seed(0)
        with torch.no_grad():
            for weights in network.parameters():
                weights.add_(torch.randn_like(weights) * 0.2)

    return change


@pytest.fixture(scope="session")
def tiny_whisper() -> torch.nn.Module:
    return tiny.whisper()


@pytest.fixture(scope="session")
def tiny_bert() -> torch.nn.Module:
    return tiny.bert()


@pytest.fixture
def configs() -> dict[str, dict[str, Any]]:
    return tiny.published()


@pytest.fixture
def run_configs() -> dict[str, dict[str, Any]]:
    return tiny.own()


@pytest.fixture(scope="session")
def components(tmp_path_factory: pytest.TempPathFactory, tiny_whisper: Any, tiny_bert: Any) -> Path:
    """Return a folder with ``weights`` and ``checkpoints``; only to read from."""
    folder = tmp_path_factory.mktemp("components")
    tiny.write_pretrained(folder / "weights", tiny_whisper)
    tiny.write_checkpoints(folder / "checkpoints", tiny_bert, tiny.published())
    tiny.write_checkpoints(folder / "run" / "checkpoints", tiny_bert, tiny.own())
    return folder


@pytest.fixture
def pretrained(tmp_path: Path, components: Path) -> Path:
    """Return a folder as `trainer fetch` leaves it, of the test's own."""
    return Path(shutil.copytree(components / "weights", tmp_path / "weights"))


@pytest.fixture
def trained(tmp_path: Path, components: Path) -> Path:
    """Return a folder of checkpoints as `trainer fit` leaves it, of the test's own."""
    return Path(shutil.copytree(components / "checkpoints", tmp_path / "checkpoints"))


@pytest.fixture
def run_trained(tmp_path: Path, components: Path) -> Path:
    """Return the checkpoints of a run on somebody's own corpus, of the test's own."""
    return Path(shutil.copytree(components / "run" / "checkpoints", tmp_path / "run" / "checkpoints"))


@pytest.fixture(scope="session")
def exported(components: Path, few_samples: None) -> Path:
    """Return the fp32 bundle of ``components``; only to read from."""
    return _exported(components, "fp32")


@pytest.fixture(scope="session")
def exported_int8(components: Path, few_samples: None) -> Path:
    """Return the int8 bundle of ``components``; only to read from."""
    return _exported(components, "int8")


def _exported(components: Path, precision: str) -> Path:
    from export.build import Sources, build
    from export.bundle_writer import Options
    from export.quantization.config import QuantizationConfig

    target = components / f"tiny-{precision}"
    build(Sources(components / "weights", components / "checkpoints"), target, Options(QuantizationConfig(precision)))
    return target
