"""torch modules → ONNX files with named, dynamic axes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from edge_runtime.errors import ExportError

OPSET = 17

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
        ExportError: an axis that should be dynamic came out fixed.
    """
    module.eval()
    with warnings.catch_warnings():
        # The tracer warns of every Python branch on a shape; the symbolic axes are asserted below instead.
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
    model = onnx.load(str(path))
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        for axis, name in axes.get(value.name, {}).items():
            if dims[axis].HasField("dim_value"):
                raise ExportError(
                    f"{path.name}: axis {axis} of {value.name} should be dynamic ({name}), "
                    f"but was fixed at {dims[axis].dim_value} while tracing"
                )
