"""int4: weights of matrix products in four bits, a scale for each 32 of them; activations stay fp32."""

from __future__ import annotations

import onnx
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

from export.quantization.config import Recipe
from export.quantization.embeddings import quantise_tables
from export.quantization.layers import products

BLOCK_SIZE = 32
IN_EIGHT_BITS = 4
"""The kernel's accuracy level at which it multiplies in eight bits, the fastest."""


def four_bits(prepared: onnx.ModelProto, recipe: Recipe) -> onnx.ModelProto:
    """Return ``prepared`` with the weights of its products in four bits; tables that are looked up in eight."""
    model = onnx.ModelProto()
    model.CopyFrom(prepared)
    wanted = set(products(model))
    quantiser = MatMulNBitsQuantizer(
        model,
        block_size=BLOCK_SIZE,
        is_symmetric=True,
        accuracy_level=IN_EIGHT_BITS,
        nodes_to_exclude=[n.name for n in model.graph.node if n.name not in wanted or recipe.keeps(n.name)],
    )
    quantiser.process()
    result: onnx.ModelProto = quantiser.model.model
    quantise_tables(result, {}, recipe)
    return result
