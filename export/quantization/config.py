"""How graphs are quantized: the precision, the kind of processor, and what is excluded."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import ExportError

PRECISIONS = ("fp32", "int8", "fp16")
TARGETS = ("avx2", "avx512_vnni", "arm64")
FEATURE_SCOPES = ("/features",)
"""Scopes that compute features of a waveform stay in fp32: trained weights rest on them, and nothing is gained."""


@dataclass(frozen=True)
class QuantizationConfig:
    """How to quantize a graph.

    Attributes:
        precision: of ``PRECISIONS``. fp16 is for CUDA.
        target: of ``TARGETS``, for int8. ``avx2``, the default, keeps one bit of every weight free: processors
            without VNNI add pairs of products in 16 bits, which saturate otherwise. It is as fast as ``avx512_vnni``
            on every processor, and safe on every processor. The other two use all eight bits; for ``arm64`` that is
            onnxruntime's advice, and was not run.
        static: int8 with ranges of the activations that were calibrated, instead of ranges found at run time.
        exclude: nodes that stay in fp32, by name; a scope, such as ``/encoder/layer.3``, stands for all nodes in it.
        exact_channels: in int8, how many input channels of each matrix product stay in fp32 (``outliers``).
    """

    precision: str = "int8"
    target: str = "avx2"
    static: bool = False
    exclude: tuple[str, ...] = ()
    exact_channels: int = 0

    def __post_init__(self) -> None:
        """Refuse what is not known."""
        if self.precision == "int4":
            raise ExportError(
                "int4 was removed: its graphs were twice as slow as int8's and no bundle was smaller; use int8"
            )
        for name, value, known in (("precision", self.precision, PRECISIONS), ("target", self.target, TARGETS)):
            if value not in known:
                raise ExportError(f"{name} {value!r}: use one of {', '.join(known)}")
        if self.exact_channels < 0:
            raise ExportError(f"exact_channels {self.exact_channels}: use 0 or more")
        if self.static and self.precision != "int8":
            raise ExportError(f"{self.precision} has no static form; only int8 has")

    @property
    def needs_feeds(self) -> bool:
        """Whether real inputs are needed: to calibrate with, or to find the channels that stay in fp32."""
        return self.static or (self.precision == "int8" and self.exact_channels > 0)

    @property
    def reduce_range(self) -> bool:
        """Whether weights take seven bits, so that no sum of two products leaves 16 bits."""
        return self.target == "avx2"

    def excludes(self, node: str) -> bool:
        """Whether the node of this name stays in fp32."""
        return any(within(node, scope) for scope in (*FEATURE_SCOPES, *self.exclude))


def within(node: str, scope: str) -> bool:
    """Whether ``scope`` is the name of the node or one of the scopes that it is in."""
    return node == scope or node.startswith(f"{scope}/")


def detect_target(cpuinfo: Path = Path("/proc/cpuinfo"), architecture: str | None = None) -> str:
    """Return which of ``TARGETS`` this processor is; ``avx2`` where that cannot be told, as it is always safe."""
    if (architecture or platform.machine()).lower() in {"arm64", "aarch64"}:
        return "arm64"
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return "avx2"
    flags = next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set[str]())
    return "avx512_vnni" if flags & {"avx512_vnni", "avx_vnni"} else "avx2"
