"""Which scheme a processor gets, and why the safe one is safe: shown in the very arithmetic of 16-bit sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.quantization.config import QuantizationConfig, detect_target
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


def test_eight_bits_saturate():
    activations, weights = np.array([255, 255]), np.array([127, 127])
    assert sum_of_pairs(activations, weights) == 2**15 - 1 < int(activations @ weights)


@pytest.mark.parametrize(
    ("flags", "target"),
    [
        ("fpu avx2 avx512f avx512_vnni", "avx512_vnni"),
        ("fpu avx2 avx_vnni", "avx512_vnni"),
        ("fpu avx2 avx512f", "avx2"),
        ("fpu sse4_2", "avx2"),
    ],
)
def test_the_target_follows_from_the_flags_of_the_processor(tmp_path, flags, target):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n")
    assert detect_target(tmp_path / "cpuinfo", "x86_64") == target


def test_an_unknown_processor_gets_the_safe_target(tmp_path):
    assert detect_target(tmp_path / "none", "AMD64") == "avx2"
    assert detect_target(tmp_path / "none", "aarch64") == detect_target(tmp_path / "none", "arm64") == "arm64"


def test_the_default_is_safe_everywhere():
    assert QuantizationConfig().reduce_range
    assert not QuantizationConfig(target="avx512_vnni").reduce_range


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"precision": "int2"}, "fp32, int8, fp16"),
        ({"target": "sparc"}, "avx2, avx512_vnni, arm64"),
        ({"precision": "fp16", "static": True}, "only int8"),
        ({"precision": "int4"}, "int4 was removed.*use int8"),
    ],
)
def test_unknown_settings_are_refused(settings, said):
    with pytest.raises(ExportError, match=said):
        QuantizationConfig(**settings)


def test_a_scope_stands_for_all_nodes_in_it():
    config = QuantizationConfig(exclude=("/layer.1",))
    assert config.excludes("/layer.1") and config.excludes("/layer.1/query/MatMul")
    assert not config.excludes("/layer.10/query/MatMul")
    assert config.excludes("/features/MatMul")


def test_a_negative_number_of_exact_channels_is_refused():
    with pytest.raises(ExportError, match="exact_channels -1: use 0 or more"):
        QuantizationConfig(exact_channels=-1)
