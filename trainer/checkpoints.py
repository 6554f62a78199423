"""A checkpoint: a folder with the weights, what was trained on what, and what was measured."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import nn

from trainer.errors import CheckpointError
from trainer.folders import replacing

CONFIG, WEIGHTS = "config.json", "weights.safetensors"


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    packages = ("torch", "transformers", "numpy", "onnx", "onnxruntime", "librosa", "scikit-learn", "soxr")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def write(folder: Path, network: nn.Module, config: dict[str, Any], extra: dict[str, Path] | None = None) -> None:
    """Write a checkpoint into ``folder``, all of it or nothing.

    Args:
        folder: replaced if it exists.
        network: whose weights are kept.
        config: what is needed to build it again, and its provenance and metrics.
        extra: further files to keep, by the name that they get (a tokenizer).
    """
    with replacing(folder) as scratch:
        state = {name: value.contiguous() for name, value in network.state_dict().items()}
        safetensors.torch.save_file(state, scratch / WEIGHTS)
        text = json.dumps({**config, "versions": versions()}, indent=2, ensure_ascii=False)
        (scratch / CONFIG).write_text(text + "\n", encoding="utf-8")
        for name, source in (extra or {}).items():
            shutil.copyfile(source, scratch / name)


def read(folder: Path, expected: str) -> dict[str, Any]:
    """Return the config of the checkpoint in ``folder``.

    Raises:
        CheckpointError: there is none, or it is of another kind.
    """
    path = folder / CONFIG
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"{folder}: no checkpoint here; `trainer fit --only {expected}` makes one")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path}: damaged: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: damaged: not a set of settings")
    if config.get("kind") != expected:
        raise CheckpointError(f"{folder}: a checkpoint of kind {config.get('kind')!r}, not {expected!r}")
    return config


def peek(folder: Path) -> dict[str, Any]:
    """Return a checkpoint's config as far as it can be read; restoring it says what is wrong with it."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def kind(folder: Path) -> str:
    """Return the kind of the checkpoint in ``folder`` as far as that can be told; "" where it cannot."""
    return str(peek(folder).get("kind", ""))


def digest(folder: Path) -> str:
    """Return the sha256 of a checkpoint's weights: which exact checkpoint something was built on."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


def load_weights(folder: Path, network: nn.Module) -> None:
    """Put the weights of the checkpoint in ``folder`` into ``network``.

    Raises:
        CheckpointError: they do not fit it.
    """
    try:
        network.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS), strict=True)
    except (RuntimeError, OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{folder / WEIGHTS}: does not fit the network that its config names: {error}") from error
    network.eval()
