"""Which scheme a processor gets, and why the safe one is safe: shown in the very arithmetic of 16-bit sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.quantization.config import Recipe, machine_at_hand
from trainer.errors import ExportError


def sum_of_pairs(activations: np.ndarray, weights: np.ndarray) -> int:
    """Multiply bytes as x86 does without VNNI: pairs of products are added in 16 bits, which saturate."""
    products = activations.astype(np.int64) * weights.astype(np.int64)
    return int(np.clip(products.reshape(-1, 2).sum(1), -(2**15), 2**15 - 1).sum())


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(-64, 64)), min_size=2, max_size=64))
def test_seven_bits_never_saturate(values):
    values = values[: len(values) // 2 * 2]
    activations, weights = np.array(values).T
    assert sum_of_pairs(activations, weights) == int(activations @ weights)


def test_eight_bits_do():
    activations, weights = np.array([255, 255]), np.array([127, 127])
    assert sum_of_pairs(activations, weights) == 2**15 - 1 < int(activations @ weights)


@pytest.mark.parametrize(
    ("flags", "machine"),
    [
        ("fpu avx2 avx512f avx512_vnni", "avx512_vnni"),
        ("fpu avx2 avx_vnni", "avx512_vnni"),
        ("fpu avx2 avx512f", "avx2"),
        ("fpu sse4_2", "avx2"),
    ],
)
def test_the_processor_is_told_by_its_flags(tmp_path, flags, machine):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n")
    assert machine_at_hand(tmp_path / "cpuinfo", "x86_64") == machine


def test_what_cannot_be_told_is_taken_to_be_the_safe_one(tmp_path):
    assert machine_at_hand(tmp_path / "none", "AMD64") == "avx2"
    assert machine_at_hand(tmp_path / "none", "aarch64") == machine_at_hand(tmp_path / "none", "arm64") == "arm64"


def test_the_default_is_safe_everywhere():
    assert Recipe().reduced
    assert not Recipe(machine="avx512_vnni").reduced


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"precision": "int2"}, "fp32, int8, fp16, int4"),
        ({"machine": "sparc"}, "avx2, avx512_vnni, arm64"),
        ({"precision": "fp16", "static": True}, "only int8"),
    ],
)
def test_what_is_not_known_is_refused(settings, said):
    with pytest.raises(ExportError, match=said):
        Recipe(**settings)


def test_a_scope_stands_for_all_nodes_in_it():
    recipe = Recipe(exclude=("/layer.1",))
    assert recipe.keeps("/layer.1") and recipe.keeps("/layer.1/query/MatMul")
    assert not recipe.keeps("/layer.10/query/MatMul")
    assert recipe.keeps("/features/MatMul")
