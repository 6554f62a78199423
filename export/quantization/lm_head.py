"""A decoder's vocabulary in two steps: half of every weight's bits find the likeliest tokens, all of them score those.

A greedy decoder multiplies one state by the whole vocabulary for each token that it writes, which takes as long as
reading the weights does. So they are held in two halves of four bits. The upper ones alone are multiplied by every
state; the tokens that this puts first are scored again by all eight bits, and the rest keep their rough score. The
same two halves are what a token's embedding is read from, so that the file is no larger than one of eight bits.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export.graphs.edit import drop_unused_constants, replace_node
from export.quantization.config import QuantizationConfig
from export.quantization.embeddings import tied_embeddings
from export.quantization.quantizable_layers import embedding_gathers

BLOCK = 64
"""So many weights share a scale."""
CANDIDATES = 16
"""Of 1355 tokens that Whisper tiny.en wrote, the upper halves ranked the right one sixth at worst."""
LARGEST = 119
"""The largest value of eight bits whose upper half, rounded, still fits four: 7 * 16 + 7."""
IN_EIGHT_BITS = 4
"""The kernel's accuracy level at which it multiplies in eight bits, the fastest."""
CONTRIB = "com.microsoft"


def two_stage_lm_head(model: onnx.ModelProto, config: QuantizationConfig) -> None:
    """Rewrite an output (batch, tokens) that is a product with the transpose of an embedding table, where there is one.

    Args:
        model: a graph in fp32; changed in place.
        config: names the nodes that are excluded; a vocabulary that one of them reads is left alone.
    """
    graph = model.graph
    lines = {value.name for value in graph.output if len(value.type.tensor_type.shape.dim) == 2}
    held = {i.name: i for i in graph.initializer}
    for table, twin in tied_embeddings(model).items():
        looked_up = [n for n in embedding_gathers(model) if n.input[0] == table]
        used = [n for n in graph.node if twin in n.input]
        weights = numpy_helper.to_array(held[table])
        if (
            [n.op_type for n in used] != ["MatMul"]
            or used[0].output[0] not in lines
            or any(config.excludes(n.name) for n in (*used, *looked_up))
            or weights.shape[1] % BLOCK
            or len(weights) <= CANDIDATES
        ):
            continue
        vocabulary = _Vocabulary(table, weights)
        replace_node(graph, used[0], _named(used[0], vocabulary.score(used[0].input[0], used[0].output[0])))
        for lookup in looked_up:
            replace_node(graph, lookup, _named(lookup, vocabulary.rows(lookup.input[1], lookup.output[0])))
        graph.initializer.extend(vocabulary.tensors())
        if not any(o.domain == CONTRIB for o in model.opset_import):
            model.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    drop_unused_constants(graph)


def split_nibbles(weights: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    """Cut each weight (rows, columns) of eight bits into its upper and its lower four.

    Returns:
        The upper and the lower four bits (rows, blocks, ``BLOCK`` / 2), two weights a byte, the first in its lower
        bits; and what the upper ones count (rows, blocks): a weight is (upper - 8 + (lower - 8) / 16) * scale.
    """
    cut = weights.reshape(len(weights), -1, BLOCK)
    scale = np.maximum(np.abs(cut).max(2), 1e-9).astype(np.float32) / np.float32(LARGEST)
    eight = np.round(cut / scale[..., None]).astype(np.int32)
    upper = (eight + 8) >> 4
    lower = eight - 16 * upper
    return _packed(upper), _packed(lower), 16 * scale


def _packed(values: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return values from -8 to 7 as unsigned ones, two a byte."""
    shifted = (values + 8).astype(np.uint8)
    packed: NDArray[np.uint8] = shifted[..., ::2] + np.uint8(16) * shifted[..., 1::2]
    return packed


class _Vocabulary:
    """The nodes that score tokens and look them up, and the tensors that these share."""

    def __init__(self, name: str, weights: NDArray[np.float32]) -> None:
        self._name, (self._tokens, self._width) = name, weights.shape
        upper, lower, scale = split_nibbles(weights)
        self._arrays: dict[str, NDArray[np.generic]] = {
            "upper": upper,
            "lower": lower,
            "scale": scale.reshape(-1),
            "scale_shape": np.array([*scale.shape, 1, 1], np.int64),
            "candidates": np.array([CANDIDATES], np.int64),
            "four": np.array(4, np.uint8),
            "last_axis": np.array([-1], np.int64),
            "rows_shape": np.array([0, 0, self._width], np.int64),
            "sixteenth": np.array(1 / 16, np.float32),
            "middle": np.array(8.5, np.float32),
        }

    def tensors(self) -> list[onnx.TensorProto]:
        return [numpy_helper.from_array(array, self._of(key)) for key, array in self._arrays.items()]

    def score(self, state: str, out: str) -> list[onnx.NodeProto]:
        """States (batch, width) → scores of all tokens (batch, tokens)."""
        rough, best, place, rows = (f"{out}_{part}" for part in ("rough", "best", "candidates", "candidate_rows"))
        column, exact, line = (f"{out}_{part}" for part in ("state_column", "exact_column", "exact"))
        return [
            helper.make_node(
                "MatMulNBits", [state, self._of("upper"), self._of("scale")], [rough], domain=CONTRIB,
                K=self._width, N=self._tokens, bits=4, block_size=BLOCK, accuracy_level=IN_EIGHT_BITS,
            ),
            helper.make_node("TopK", [rough, self._of("candidates")], [best, place], axis=1, sorted=0),
            *self.rows(place, rows),
            helper.make_node("Unsqueeze", [state, self._of("last_axis")], [column]),
            helper.make_node("MatMul", [rows, column], [exact]),
            helper.make_node("Squeeze", [exact, self._of("last_axis")], [line]),
            helper.make_node("ScatterElements", [rough, place, line], [out], axis=1),
        ]  # fmt: skip

    def rows(self, ids: str, out: str) -> list[onnx.NodeProto]:
        """Ids (batch, n) → the rows of the table (batch, n, width)."""
        scales, scale = f"{out}_scales", f"{out}_scale"
        upper, lower, finer, value, shifted, scaled = (
            f"{out}_{part}" for part in ("upper", "lower", "finer", "value", "shifted", "scaled")
        )
        return [
            *self._unpacked("upper", ids, upper),
            *self._unpacked("lower", ids, lower),
            helper.make_node("Mul", [lower, self._of("sixteenth")], [finer]),
            helper.make_node("Add", [upper, finer], [value]),
            helper.make_node("Sub", [value, self._of("middle")], [shifted]),
            helper.make_node("Reshape", [self._of("scale"), self._of("scale_shape")], [scales]),
            helper.make_node("Gather", [scales, ids], [scale], axis=0),
            helper.make_node("Mul", [shifted, scale], [scaled]),
            helper.make_node("Reshape", [scaled, self._of("rows_shape")], [out]),
        ]

    def _unpacked(self, half: str, ids: str, out: str) -> list[onnx.NodeProto]:
        """Ids (batch, n) → the half's numbers from 0 to 15 (batch, n, blocks, BLOCK / 2, 2)."""
        four, last = self._of("four"), self._of("last_axis")
        pair, up, first, second, one, other, both = (
            f"{out}_{part}" for part in ("bytes", "up", "first", "second", "first_column", "second_column", "pairs")
        )
        return [
            helper.make_node("Gather", [self._of(half), ids], [pair], axis=0),
            helper.make_node("BitShift", [pair, four], [up], direction="LEFT"),
            helper.make_node("BitShift", [up, four], [first], direction="RIGHT"),
            helper.make_node("BitShift", [pair, four], [second], direction="RIGHT"),
            helper.make_node("Unsqueeze", [first, last], [one]),
            helper.make_node("Unsqueeze", [second, last], [other]),
            helper.make_node("Concat", [one, other], [both], axis=-1),
            helper.make_node("Cast", [both], [out], to=TensorProto.FLOAT),
        ]

    def _of(self, part: str) -> str:
        return f"{self._name}_{part}"


def _named(node: onnx.NodeProto, instead: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Name what stands for ``node`` as if it were inside of it."""
    for new in instead:
        new.name = f"{node.name}/{new.output[0]}"
    return instead
