"""torch modules → ONNX files with named, dynamic axes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from edge_runtime.inference.onnx_runtime import ort
from trainer.errors import ExportError

OPSET = 17
TOLERANCE = 1e-4
LARGEST_BYTES = 2 << 30
"""A file of the ONNX format holds no more."""

OUTPUTS = ["logits", "embedding"]
"""What a branch's graph gives."""
BATCHED = {"logits": {0: "batch"}, "embedding": {0: "batch"}}

Axes = Mapping[str, Mapping[int, str]]
"""For each input and output, the name of each dynamic axis."""
Feed = tuple[Tensor, ...]


@dataclass(frozen=True)
class Graph:
    """A graph before it is written.

    Attributes:
        module: what to export.
        example: its inputs, to trace with.
        inputs: names of the inputs, in order.
        outputs: names of the outputs, in order.
        axes: the dynamic axes; every other one is fixed at the example's size.
        tracing: entered while the module is traced, to make it traceable.
    """

    module: nn.Module
    example: Feed
    inputs: Sequence[str]
    outputs: Sequence[str]
    axes: Axes
    tracing: Callable[[], AbstractContextManager[Any]] = nullcontext


def write(graph: Graph, path: Path) -> None:
    """Write ``graph`` as the ONNX file ``path``.

    Raises:
        ExportError: an operator cannot be expressed, the weights are too large, an axis came out fixed, or the file
            fails or differs from torch at other sizes of the dynamic axes.
    """
    size = sum(p.numel() * p.element_size() for p in graph.module.parameters())
    if size >= LARGEST_BYTES:
        raise ExportError(f"{path.name}: {size / 1e9:.1f} GB of weights; an ONNX file holds 2 GB, use a smaller model")
    graph.module.eval()
    try:
        with warnings.catch_warnings(), graph.tracing():
            # The tracer warns of every Python branch on a shape; other sizes are tried below instead.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph.module,
                graph.example,
                str(path),
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_axes={name: dict(dims) for name, dims in graph.axes.items()},
                opset_version=OPSET,
                dynamo=False,  # traces these graphs in a tenth of the time, and keeps every symbolic axis
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise ExportError(f"{path.name}: torch cannot express this network in ONNX: {error}") from error
    _settle_sizes(graph, path)
    session = _session(path)
    _check_axes(graph, session, path.name)
    _difference(graph, _grown(graph), session, path.name)


def check(graph: Graph, feeds: Sequence[Feed], path: Path) -> float:
    """Return by how much the file's outputs differ from torch's at most, in units of their size.

    Raises:
        ExportError: by more than ``TOLERANCE``, or the file fails on one of ``feeds``.
    """
    session = _session(path)
    return max((_difference(graph, feed, session, path.name) for feed in feeds), default=0.0)


def _session(path: Path) -> Any:
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _difference(graph: Graph, feed: Feed, session: Any, name: str) -> float:
    named = {name: value.detach().numpy() for name, value in zip(graph.inputs, feed, strict=True)}
    try:
        found = session.run(None, named)
    except Exception as error:  # onnxruntime's own classes derive from Exception alone
        raise ExportError(f"{name}: fails on inputs that it was not traced with: {error}") from error
    worst = 0.0
    for output, one, other in zip(graph.outputs, _run(graph, feed), found, strict=True):
        if tuple(one.shape) != other.shape:
            raise ExportError(f"{name}: output {output} has shape {other.shape}, torch's {tuple(one.shape)}")
        if one.numel():
            apart = float(np.abs(one.numpy() - other).max()) / (1.0 + float(one.abs().max()))
            worst = max(worst, apart)
            if not apart <= TOLERANCE:
                raise ExportError(f"{name}: output {output} differs from torch's by {apart:.1e} of its size")
    return worst


@torch.no_grad()
def _run(graph: Graph, feed: Feed) -> Feed:
    """Return the outputs of the module."""
    answer = graph.module(*feed)
    return answer if isinstance(answer, tuple) else (answer,)


def _settle_sizes(graph: Graph, path: Path) -> None:
    """State the fixed sizes of outputs, where shape inference could not tell them; a reader has to know them."""
    model = onnx.load(str(path))
    open_ended = {
        (value.name, axis): dim
        for value in model.graph.output
        for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        if not dim.dim_value and axis not in graph.axes.get(value.name, {})
    }
    if open_ended:
        sizes = dict(zip(graph.outputs, _run(graph, graph.example), strict=True))
        for (name, axis), dim in open_ended.items():
            dim.dim_value = sizes[name].shape[axis]
        onnx.save(model, str(path))


def _check_axes(graph: Graph, session: Any, name: str) -> None:
    """Refuse a file whose dynamic axes are not symbolic; other sizes of them are tried afterwards."""
    for value in (*session.get_inputs(), *session.get_outputs()):
        for axis, size in enumerate(value.shape):
            if axis in graph.axes.get(value.name, {}) and not isinstance(size, str):
                raise ExportError(f"{name}: axis {axis} of {value.name} came out fixed at {size}")


def _grown(graph: Graph) -> Feed:
    """Return the example with every dynamic axis half as long again, and one, by repeating its values."""
    larger = []
    for name, tensor in zip(graph.inputs, graph.example, strict=True):
        value = tensor
        for axis in graph.axes.get(name, {}):
            size = value.shape[axis]
            value = value.index_select(axis, torch.arange(size + size // 2 + 1) % size)
        larger.append(value)
    return tuple(larger)
