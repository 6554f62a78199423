"""What the trainer's tests share: short recordings and networks with random weights."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's client is imported, in the fixtures below


@pytest.fixture
def clip() -> Callable[..., Path]:
    """Return a function that writes a short recording of noise."""

    def write(path: Path, *, seconds: float = 0.1, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).uniform(-0.3, 0.3, int(seconds * 16_000))
        soundfile.write(path, noise, 16_000)
        return path

    return write


@pytest.fixture(scope="session")
def tiny_whisper() -> torch.nn.Module:
    """Return a Whisper of two narrow layers on each side, whose random weights are large enough to matter."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(0)
    special = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 50)
    config = WhisperConfig(
        vocab_size=60,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        init_std=0.2,
        decoder_start_token_id=51,
        suppress_tokens=[],
        begin_suppress_tokens=[],
        **special,
    )
    return WhisperForConditionalGeneration(config).eval()
