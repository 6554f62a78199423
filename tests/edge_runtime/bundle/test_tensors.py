"""Tensors of torch, which the runtime itself does not need, are taken for arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_runtime import AudioError, IEmoNet

torch = pytest.importorskip("torch", reason="torch is not installed, and the runtime does without")
RATE = 16_000


@pytest.fixture(scope="module")
def speech(jfk: Path) -> np.ndarray:
    """Two seconds of speech, in 16 bits."""
    samples: np.ndarray = soundfile.read(jfk, dtype="int16")[0][: 2 * RATE]
    return samples


@pytest.mark.parametrize(
    "tensor",
    [
        torch.from_numpy,
        lambda x: torch.from_numpy(x / np.float32(32_768)).requires_grad_(),
        lambda x: torch.from_numpy(x)[:, None].expand(-1, 2),
    ],
    ids=["integers", "with-gradients", "stereo"],
)
def test_a_tensor_is_taken_for_an_array(
    model: IEmoNet, speech: np.ndarray, tensor: Callable[[np.ndarray], Any]
) -> None:
    given = tensor(speech)
    expected = model(speech, RATE)
    assert expected.transcript
    assert model(given, RATE).scores == expected.scores
    stream = model.stream(RATE)
    assert [event.segment.transcript for event in stream.feed(given) + stream.close()] == [
        segment.transcript for segment in model.timeline(speech, RATE)
    ]


@pytest.mark.parametrize(
    ("dtype", "device", "shape", "reason"),
    [
        ("bfloat16", "cpu", (100,), "Tensor that cannot be made a numpy array.*BFloat16"),
        ("float32", "meta", (100,), "Tensor that cannot be made a numpy array.*meta"),
        ("int64", "cpu", (100,), "of int64; the type does not tell"),
        ("float32", "cpu", (1, 100), r"looks like \(channels, samples\); turn it round: array\.T"),
    ],
)
def test_a_tensor_that_cannot_be_samples_is_refused_with_the_cause(
    model: IEmoNet, dtype: str, device: str, shape: tuple[int, ...], reason: str
) -> None:
    tensor = torch.zeros(shape, dtype=getattr(torch, dtype), device=device)
    with pytest.raises(AudioError, match=reason):
        model(tensor, RATE)
    with pytest.raises(AudioError, match=reason):
        model.stream(RATE).feed(tensor)
