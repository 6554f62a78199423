"""One graph file in fp32 → the same graph in another precision."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

from edge_runtime.system.writing import writing
from export.quantization.config import QuantizationConfig, within
from export.quantization.embeddings import quantize_embeddings, share_tied_embeddings, tied_embeddings
from export.quantization.lm_head import two_stage_lm_head
from export.quantization.outliers import split_outliers
from export.quantization.quantizable_layers import is_recurrent, matmuls, prepare
from trainer.errors import ExportError

NamedFeed = Mapping[str, "np.ndarray[Any, Any]"]
"""The inputs of a graph by name."""


def quantize(source: Path, target: Path, config: QuantizationConfig, feeds: Sequence[NamedFeed] | None = None) -> None:
    """Write the fp32 graph ``source`` as ``target``; the same file gives the same bytes.

    Args:
        source: an ONNX file.
        target: where to write; appears whole or not at all.
        config: the precision, and what is excluded.
        feeds: named inputs like those that it will get, if the configuration needs some.

    Raises:
        ExportError: ``source`` cannot be read or is too large, feeds are missing or do not fit, or a name in
            ``config.exclude`` stands for nothing.
    """
    quantize_prepared(source, prepare(source), target, config, feeds)


def quantize_prepared(
    source: Path,
    prepared: onnx.ModelProto,
    target: Path,
    config: QuantizationConfig,
    feeds: Sequence[NamedFeed] | None = None,
) -> None:
    """Do the same as ``quantize`` with the graph that ``prepare`` made of ``source``, which many calls can share."""
    if config.needs_feeds and not feeds:
        raise ExportError(f"{source}: {_kind(config)} needs inputs to measure activations on, and there are none")
    _check_names(config, [node.name for node in prepared.graph.node], source)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        scratch = Path(folder) / target.name
        try:
            if config.precision == "fp32":
                shutil.copyfile(source, scratch)
                share_tied_embeddings(scratch)
            elif config.precision == "fp16":
                onnx.save(to_fp16(prepared, config), str(scratch))
            else:
                onnx.save(to_int8(prepared, config, Path(folder), feeds or ()), str(scratch))
            onnx.checker.check_model(str(scratch))
        except Exception as error:  # onnx' and onnxruntime's own classes derive from Exception alone
            raise ExportError(f"{source}: cannot be converted to {config.precision}: {error}") from error
        with writing(target) as file:
            file.write(scratch.read_bytes())


def to_int8(
    prepared: onnx.ModelProto,
    config: QuantizationConfig,
    scratch: Path,
    feeds: Sequence[NamedFeed] = (),
    *,
    two_stage: bool = True,
) -> onnx.ModelProto:
    """Return ``prepared`` in int8, with a scale for each output channel; ranges of activations are dynamic or static.

    Graphs with LSTMs get unsigned weights: signed ones made the convolution slower than fp32.

    Args:
        prepared: as ``prepare`` gives it; not changed.
        config: the target, whether static, and what is excluded.
        scratch: folder for files in between.
        feeds: named inputs like those that it will get, if ``config`` needs some.
        two_stage: False reads all bits of a decoder's vocabulary for each token; slow, for comparison.
    """
    model = onnx.ModelProto()
    model.CopyFrom(prepared)
    if two_stage:
        two_stage_lm_head(model, config)
    tied = tied_embeddings(model)
    names = [name for name in matmuls(model) if not config.excludes(name)]
    if config.exact_channels:
        split_outliers(model, names, feeds, config.exact_channels)
    target = scratch / "eight_bits.onnx"
    options: dict[str, Any] = {
        "nodes_to_quantize": names,
        "op_types_to_quantize": ["MatMul", "Conv", "LSTM"] if is_recurrent(model) else ["MatMul"],
        "per_channel": True,
        "reduce_range": config.reduce_range,
        "weight_type": QuantType.QUInt8 if is_recurrent(model) and not config.static else QuantType.QInt8,
    }
    if names and config.static:
        quantize_static(
            model,
            str(target),
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,  # QOperator is slow on x86 where activations are signed
            activation_type=QuantType.QUInt8,
            **options,
        )
        model = onnx.load(str(target))
    elif names:  # without names the quantizer would take every node
        quantize_dynamic(model, str(target), extra_options={"MatMulConstBOnly": True}, **options)
        model = onnx.load(str(target))
    quantize_embeddings(model, tied, config)
    return model


def to_fp16(prepared: onnx.ModelProto, config: QuantizationConfig) -> onnx.ModelProto:
    """Return ``prepared`` in fp16, for CUDA; inputs and outputs stay fp32, so that nothing around the graph changes."""
    model = onnx.ModelProto()
    model.CopyFrom(prepared)
    excluded = [node.name for node in model.graph.node if config.excludes(node.name)]
    converted = ONNXModel(convert_float_to_float16(model, keep_io_types=True, node_block_list=excluded))
    converted.topological_sort()  # casts of inputs come out behind their readers
    result: onnx.ModelProto = converted.model
    return result


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: Sequence[NamedFeed]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        feed = next(self.feeds, None)
        return None if feed is None else dict(feed)


def _kind(config: QuantizationConfig) -> str:
    return "static int8" if config.static else "int8 with exact channels"


def _check_names(config: QuantizationConfig, names: Sequence[str], source: Path) -> None:
    for wanted in config.exclude:
        if not any(within(name, wanted) for name in names):
            raise ExportError(f"{source}: no node or scope {wanted!r} to exclude; names look like {names[0]!r}")
