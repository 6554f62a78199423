"""One graph file in fp32 → the same in another precision."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from edge_runtime.system.writing import writing
from export.quantization.config import Recipe, within
from export.quantization.eight_bits import Feed, eight_bits
from export.quantization.embeddings import share_tables
from export.quantization.half import half
from export.quantization.layers import lookups, prepare, products
from trainer.errors import ExportError


@dataclass(frozen=True)
class Report:
    """What a conversion did.

    Attributes:
        precision: of the file.
        scheme: how its numbers are held, in words.
        bytes_before: size of the fp32 file.
        bytes_after: size of the one written.
        converted: names of the products and lookups in the lower precision.
        kept: names of those that stayed exact.
    """

    precision: str
    scheme: str
    bytes_before: int
    bytes_after: int
    converted: tuple[str, ...]
    kept: tuple[str, ...]


def convert(source: Path, target: Path, recipe: Recipe, feeds: Sequence[Feed] | None = None) -> Report:
    """Write the fp32 graph ``source`` as ``target``; the same file gives the same bytes.

    Args:
        source: an ONNX file.
        target: where to write; appears whole or not at all.
        recipe: what it is to become.
        feeds: named inputs, which static int8 is calibrated with.

    Raises:
        ExportError: ``source`` cannot be read or is too large, calibration feeds are missing or do not fit it, or a
            name in ``recipe.exclude`` stands for nothing.
    """
    prepared = prepare(source)
    return write(source, prepared, target, recipe, feeds)


def write(
    source: Path, prepared: onnx.ModelProto, target: Path, recipe: Recipe, feeds: Sequence[Feed] | None = None
) -> Report:
    """Do what ``convert`` does, with a graph that ``layers.prepare`` has prepared before; many recipes can share it."""
    if recipe.static and not feeds:
        raise ExportError(f"{source}: static int8 needs inputs to calibrate with, and there are none")
    names = [*products(prepared), *(node.name for node in lookups(prepared))]
    _check_names(recipe, [node.name for node in prepared.graph.node], source)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        try:
            if recipe.precision == "fp32":
                shutil.copyfile(source, made)
                share_tables(made)
            else:
                onnx.save(_converted(prepared, recipe, Path(folder), feeds or ()), str(made))
            onnx.checker.check_model(str(made))
        except Exception as error:  # onnx' and onnxruntime's own classes derive from Exception alone
            raise ExportError(f"{source}: cannot be converted to {recipe.precision}: {error}") from error
        with writing(target) as file:
            file.write(made.read_bytes())
    exact = recipe.precision == "fp32"
    kept = tuple(name for name in names if exact or recipe.keeps(name))
    return Report(
        recipe.precision,
        scheme(recipe),
        source.stat().st_size,
        target.stat().st_size,
        tuple(name for name in names if name not in set(kept)),
        kept,
    )


def scheme(recipe: Recipe) -> str:
    """Return in words how a recipe holds numbers."""
    if recipe.precision == "int8":
        ranges = "calibrated ranges" if recipe.static else "ranges as they come"
        return f"weights of {7 if recipe.reduced else 8} bits by channel, activations of 8 bits, {ranges}"
    return {
        "fp32": "as trained",
        "fp16": "weights and activations of 16 bits",
        "int4": "weights of 4 bits by 32, activations as trained",
    }[recipe.precision]


def _converted(model: onnx.ModelProto, recipe: Recipe, scratch: Path, feeds: Sequence[Feed]) -> onnx.ModelProto:
    if recipe.precision == "int8":
        return eight_bits(model, recipe, scratch, feeds)
    if recipe.precision == "fp16":
        return half(model, recipe)
    from export.quantization.four_bits import four_bits  # noqa: PLC0415 - needs onnx_ir

    return four_bits(model, recipe)


def _check_names(recipe: Recipe, names: Sequence[str], source: Path) -> None:
    for wanted in recipe.exclude:
        if not any(within(name, wanted) for name in names):
            raise ExportError(f"{source}: no node or scope {wanted!r} to keep exact; names look like {names[0]!r}")
