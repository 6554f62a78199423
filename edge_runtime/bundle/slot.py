"""A graph of a bundle as its manifest states it: where it is, and what it takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import BundleError


@dataclass(frozen=True)
class Tensor:
    """Name, dtype and shape of a graph's input or output; a string in the shape is a dynamic axis."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Slot:
    """One graph of a bundle, what it is for, and the file of its weights where that is another."""

    name: str
    path: Path
    precision: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: Path | None = None

    def output(self, name: str) -> Tensor:
        """Return the output called ``name``.

        Raises:
            BundleError: there is none.
        """
        return self._named(name, self.outputs, "output")

    def input(self, name: str) -> Tensor:
        """Return the input called ``name``.

        Raises:
            BundleError: there is none.
        """
        return self._named(name, self.inputs, "input")

    def takes(self, name: str) -> bool:
        """Whether the graph has an input called ``name``."""
        return any(tensor.name == name for tensor in self.inputs)

    def gives(self, name: str) -> bool:
        """Whether the graph has an output called ``name``."""
        return any(tensor.name == name for tensor in self.outputs)

    def error(self, problem: str) -> BundleError:
        """Return the error that says what is wrong with this graph, to be raised."""
        return BundleError(f"{self.path}: slot {self.name} {problem}; export the bundle again")

    def _named(self, name: str, tensors: tuple[Tensor, ...], kind: str) -> Tensor:
        for tensor in tensors:
            if tensor.name == name:
                return tensor
        raise self.error(f"has no {kind} {name!r}")
