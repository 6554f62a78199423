"""From a device's name to onnxruntime sessions: open, forked, closed."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from edge_runtime.errors import BundleError, ClosedError, DeviceError, PicklingError
from edge_runtime.inference.onnx_runtime import ort

Arrays = dict[str, np.ndarray[Any, Any]]
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


def providers(device: str, options: Mapping[str, Any] | None = None) -> list[Any]:
    """Return onnxruntime's execution providers for ``device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Args:
        device: the name.
        options: of the CUDA provider, as onnxruntime documents them, such as ``{"gpu_mem_limit": 1 << 30}``; the
            processor's has none.

    Raises:
        DeviceError: unknown name, CUDA was asked for and this onnxruntime has none, or options for a device that has
            none.
    """
    kind, _, number = device.partition(":")
    has_cuda = CUDA in ort.get_available_providers()
    if device == "cpu" or (device == "auto" and not has_cuda):
        if options and device == "cpu":
            raise DeviceError(f"device 'cpu': has no provider options, and {', '.join(map(str, options))} was given")
        return [CPU]
    if device == "auto":
        return [(CUDA, dict(options)) if options else CUDA, CPU]
    if kind != "cuda" or (":" in device and not (number.isascii() and number.isdigit())):
        raise DeviceError(f"device {device!r}: use 'auto', 'cpu', 'cuda' or 'cuda:N'")
    if not has_cuda:
        raise DeviceError(
            f"device {device!r}: this onnxruntime has no CUDA provider (it has "
            f"{', '.join(ort.get_available_providers())}); install onnxruntime-gpu in its place, or use 'cpu'"
        )
    return [(CUDA, {**(options or {}), "device_id": int(number or 0)})]


class Session:
    """One graph, ready to run; safe to call from several threads, and in a child after ``os.fork``."""

    def __init__(
        self,
        graph: Path,
        *,
        weights: Path | None = None,
        device: str = "cpu",
        threads: int = 1,
        provider_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Open ``graph``.

        Args:
            graph: an ONNX file.
            weights: the file beside it that has its weights; None where the graph itself has them. A file of its own is
                mapped into memory, and of a table only the rows that are looked up are read.
            device: see ``providers``.
            threads: processor threads of each run.
            provider_options: see ``providers``.

        Raises:
            BundleError: onnxruntime cannot load it.
            DeviceError: the device cannot be had, or falls back to another.
        """
        self._graph, self._weights, self._device, self._threads = graph, weights, device, threads
        self._providers = providers(device, provider_options)
        self._closed = False
        session = self._open()
        self._session: ort.InferenceSession | None = session
        try:
            self.inputs = {i.name: (i.type, i.shape) for i in session.get_inputs()}
            self.outputs = {o.name: (o.type, o.shape) for o in session.get_outputs()}
        except UnicodeDecodeError as error:
            raise BundleError(f"{graph}: an input's or output's name is no text") from error
        if threads > 1 and hasattr(os, "register_at_fork"):
            forked = weakref.WeakMethod(self._forked)
            os.register_at_fork(after_in_child=lambda: (method := forked()) and method())

    def __call__(self, **inputs: np.ndarray[Any, Any]) -> Arrays:
        """Run the graph on named arrays and return its named outputs.

        Raises:
            BundleError: the graph fails on them, or gives nothing.
            ClosedError: after ``close``.
        """
        session = self._session
        if session is None:
            if self._closed:
                raise ClosedError(f"{self._graph}: the model is closed; load it again")
            session = self._session = self._open()
        try:
            values = session.run(None, inputs)
        except Exception as error:  # onnxruntime's own classes derive from Exception alone
            raise BundleError(f"{self._graph}: fails on its inputs: {_line(error)}") from error
        for name, value in zip(self.outputs, values, strict=True):
            if not value.size:
                raise BundleError(f"{self._graph}: its output {name} is empty")
        return dict(zip(self.outputs, values, strict=True))

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied, which is what a model would do for each task of a pool of processes."""
        raise PicklingError(
            "a model cannot be pickled or copied, its graphs belong to this process; load it in each process, with "
            "IEmoNet.load() (see docs/embedding.md)"
        )

    def close(self) -> None:
        """Release the graph's memory, once the calls that are under way have ended."""
        self._closed, self._session = True, None

    def _open(self) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # An arena keeps the most that any length of audio ever took; without one calls are as fast.
        options.enable_cpu_mem_arena = False
        # Idle threads must sleep: one session's spinning would burn the others' share of the budget.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            outside = self._graph  # no folder: checksums are of known files, and a graph may not bring in others
            if self._weights is not None and not self._weights.is_symlink():
                outside = self._weights.parent
            elif self._weights is not None:  # onnxruntime follows no link out of the folder, as those of stores lead
                content = self._weights.read_bytes()
                options.add_external_initializers_from_files_in_memory([self._weights.name], [content], [len(content)])
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(outside))
            options.add_session_config_entry("session.load_model_format", "ONNX")
            session = ort.InferenceSession(
                str(self._graph),  # of bytes it would keep a copy
                options,
                providers=self._providers,
                enable_fallback=0,  # it would say so on standard output, where answers go
            )
        except Exception as error:
            raise BundleError(f"{self._graph}: onnxruntime cannot load this graph: {_line(error)}") from error
        first = self._providers[0] if isinstance(self._providers[0], str) else self._providers[0][0]
        if self._device != "auto" and first not in session.get_providers():
            raise DeviceError(f"device {self._device!r}: {first} could not be started; see onnxruntime's messages")
        return session

    def _forked(self) -> None:
        """Forget the parent's session, whose threads are not here; another is opened when it is needed.

        Its destructor would wait for those threads without end, so it never runs: the memory is shared with the
        parent anyway.
        """
        if self._session is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
            self._session = None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


class OpenedLater:
    """A graph that is opened when it is first run; safe to call from several threads."""

    def __init__(self, opening: Callable[[], Session]) -> None:
        """Remember how to open it; what that raises, the first call raises."""
        self._opening, self._closed = opening, False
        self._session: Session | None = None
        self._lock = threading.Lock()

    def __call__(self, **inputs: np.ndarray[Any, Any]) -> Arrays:
        """Run the graph, as a ``Session`` does."""
        with self._lock:
            if self._session is None:
                self._session = self._opening()
                if self._closed:
                    self._session.close()
            session = self._session
        return session(**inputs)

    def close(self) -> None:
        """Release the graph's memory, as a ``Session`` does."""
        with self._lock:
            self._closed = True
            if self._session is not None:
                self._session.close()
