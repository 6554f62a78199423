"""int8: weights a scale for each output channel; activations quantised as they come, or by calibrated ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from export.quantization.config import Recipe
from export.quantization.embeddings import quantise_tables, tied_tables
from export.quantization.layers import is_recurrent, products
from export.quantization.vocabulary import screen_vocabulary

Feed = Mapping[str, "np.ndarray[Any, Any]"]


def eight_bits(
    prepared: onnx.ModelProto, recipe: Recipe, scratch: Path, feeds: Sequence[Feed] = (), *, screened: bool = True
) -> onnx.ModelProto:
    """Return ``prepared`` in int8.

    Graphs with LSTMs get unsigned weights: signed ones made the convolution slower than fp32.

    Args:
        prepared: as ``layers.prepare`` gives it; not changed.
        recipe: its machine, whether static, and what stays exact.
        scratch: folder for files in between.
        feeds: named inputs to calibrate with, where static.
        screened: False reads all bits of a decoder's vocabulary for each token; slow, for comparison.
    """
    model = onnx.ModelProto()
    model.CopyFrom(prepared)
    if screened:
        screen_vocabulary(model, recipe)
    tied = tied_tables(model)
    names = [name for name in products(model) if not recipe.keeps(name)]
    target = scratch / "eight_bits.onnx"
    options: dict[str, Any] = {
        "nodes_to_quantize": names,
        "op_types_to_quantize": ["MatMul", "Conv", "LSTM"] if is_recurrent(model) else ["MatMul"],
        "per_channel": True,
        "reduce_range": recipe.reduced,
        "weight_type": QuantType.QUInt8 if is_recurrent(model) and not recipe.static else QuantType.QInt8,
    }
    if names and recipe.static:
        quantize_static(
            model,
            str(target),
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,  # QOperator is slow on x86 where activations are signed
            activation_type=QuantType.QUInt8,
            **options,
        )
        model = onnx.load(str(target))
    elif names:  # without names the quantiser would take every node
        quantize_dynamic(model, str(target), extra_options={"MatMulConstBOnly": True}, **options)
        model = onnx.load(str(target))
    quantise_tables(model, tied, recipe)
    return model


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: Sequence[Feed]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        feed = next(self.feeds, None)
        return None if feed is None else dict(feed)
