"""From a device's name to onnxruntime sessions that share one thread budget."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from edge_runtime.errors import BundleError, DeviceError

Arrays = dict[str, np.ndarray[Any, Any]]
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


def providers(device: str) -> list[Any]:
    """Return onnxruntime's execution providers for ``device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        DeviceError: unknown name, or CUDA was asked for and this onnxruntime has none.
    """
    kind, _, number = device.partition(":")
    has_cuda = CUDA in ort.get_available_providers()
    if device == "cpu" or (device == "auto" and not has_cuda):
        return [CPU]
    if device == "auto":
        return [CUDA, CPU]
    if kind != "cuda" or (":" in device and not (number.isascii() and number.isdigit())):
        raise DeviceError(f"device {device!r}: use 'auto', 'cpu', 'cuda' or 'cuda:N'")
    if not has_cuda:
        raise DeviceError(
            f"device {device!r}: this onnxruntime has no CUDA provider (it has "
            f"{', '.join(ort.get_available_providers())}); install onnxruntime-gpu in its place, or use 'cpu'"
        )
    return [(CUDA, {"device_id": int(number or 0)})]


def thread_budget(threads: int | None) -> int:
    """Return how many threads to use: as told, or as many as the processors this process may run on."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise ValueError(f"threads={threads}: must be 1 or more")
    return threads


class Session:
    """One graph, ready to run; safe to call from several threads."""

    def __init__(self, graph: Path, *, device: str = "cpu", threads: int = 1) -> None:
        """Open ``graph``.

        Raises:
            BundleError: onnxruntime cannot load it.
            DeviceError: the device cannot be had, or falls back to another.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Idle threads must sleep: one session's spinning would burn the others' share of the budget.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = providers(device)
        try:
            self._session = ort.InferenceSession(str(graph), options, providers=wanted)
        except Exception as error:  # onnxruntime's own classes derive from Exception alone
            raise BundleError(f"{graph}: onnxruntime cannot load this graph: {error}") from error
        first = wanted[0] if isinstance(wanted[0], str) else wanted[0][0]
        if device != "auto" and first not in self._session.get_providers():
            raise DeviceError(f"device {device!r}: {first} could not be started; see onnxruntime's messages")
        self.inputs = {i.name: (i.type, i.shape) for i in self._session.get_inputs()}
        self.outputs = {o.name: (o.type, o.shape) for o in self._session.get_outputs()}

    def __call__(self, **inputs: np.ndarray[Any, Any]) -> Arrays:
        """Run the graph on named arrays and return its named outputs."""
        values = self._session.run(None, inputs)
        return dict(zip(self.outputs, values, strict=True))
