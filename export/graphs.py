"""torch modules → ONNX files with named, dynamic axes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from edge_runtime.errors import ExportError

OPSET = 17
TOLERANCE = 1e-4

Axes = Mapping[str, Mapping[int, str]]
"""For each input and output, the name of each dynamic axis."""


def export(
    module: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    axes: Axes,
) -> None:
    """Write ``module`` as the ONNX graph ``path``.

    Args:
        module: what to export; it is put into evaluation mode.
        example: its inputs, to trace with.
        path: the file to write.
        inputs: names of the inputs, in order.
        outputs: names of the outputs, in order.
        axes: the dynamic axes; every other one is fixed at the example's size.

    Raises:
        ExportError: the graph fails or differs from torch at other sizes of the dynamic axes.
    """
    module.eval()
    with warnings.catch_warnings():
        # The tracer warns of every Python branch on a shape; other sizes are tried below instead.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: dict(dims) for name, dims in axes.items()},
            opset_version=OPSET,
            dynamo=False,  # traces these graphs in a tenth of the time, and keeps every symbolic axis
        )
    _compare(module, _grown(example, inputs, axes), path, inputs)


def _grown(example: tuple[Tensor, ...], inputs: Sequence[str], axes: Axes) -> tuple[Tensor, ...]:
    """Return the example with every dynamic axis half as long again, and one, by repeating its values."""
    larger = []
    for name, tensor in zip(inputs, example, strict=True):
        value = tensor
        for axis in axes.get(name, {}):
            size = value.shape[axis]
            value = value.index_select(axis, torch.arange(size + size // 2 + 1) % size)
        larger.append(value)
    return tuple(larger)


def _compare(module: nn.Module, example: tuple[Tensor, ...], path: Path, inputs: Sequence[str]) -> None:
    """Run the graph on other sizes than it was traced with: what tracing froze is wrong or fails there.

    The names of the axes in the file prove nothing; they say what was asked for.
    """
    with torch.no_grad():
        answer = module(*example)
    expected = answer if isinstance(answer, tuple) else (answer,)
    feed = {name: value.numpy() for name, value in zip(inputs, example, strict=True)}
    try:
        found = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, feed)
    except Exception as error:  # onnxruntime's own classes derive from Exception alone
        raise ExportError(f"{path.name}: fails at other sizes than it was traced with: {error}") from error
    for index, (one, other) in enumerate(zip(expected, found, strict=True)):
        limit = TOLERANCE * (1.0 + float(one.abs().max())) if one.numel() else 0.0
        if tuple(one.shape) != other.shape or float(np.abs(one.numpy() - other).max(initial=0.0)) > limit:
            raise ExportError(
                f"{path.name}: output {index} differs from torch's at other sizes than it was traced with"
            )
