"""What the trainer's tests share: short recordings and networks with random weights."""

import gc
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

WORDS = {"calm": ("fine", "good", "thanks", "gladly"), "furious": ("no", "never", "bad", "stop")}
"""Of the two labels of the corpus below: voice and words both tell them apart."""


@pytest.fixture
def clip() -> Callable[..., Path]:
    """Return a function that writes a short recording of noise."""

    def write(path: Path, *, seconds: float = 0.1, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).uniform(-0.3, 0.3, int(seconds * 16_000))
        soundfile.write(path, noise, 16_000)
        return path

    return write


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Callable[[int], Path]]:
    """Return a function that gives a disk of so many kilobytes, or makes the one it gave so large."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(kilobytes: int) -> Path:
        options = f"size={kilobytes}k" + (",remount" if folder.is_mount() else "")
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount a small disk")
        return folder

    yield mount
    if folder.is_mount():
        # Lazily: the traceback of what was raised may hold a file open still.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def quick_collection():
    """Leave what is loaded already out of the garbage collection that begins each training, a third of a second."""
    gc.freeze()
    yield
    gc.unfreeze()


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


@pytest.fixture(scope="session")
def talks() -> Callable[..., Path]:
    """Return a function that writes a corpus of ``speakers`` times four clips, and its manifest.

    A calm clip is a soft tone, a furious one loud noise; ``columns`` are added to the manifest, a value to a row.
    """

    def write(folder: Path, *, speakers: int = 4, seconds: float = 0.5, seed: int = 0, **columns: list[str]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(seed)
        time = np.arange(int(seconds * 16_000)) / 16_000
        rows = [["audio", "transcript", "label", "speaker", *columns]]
        for number in range(4 * speakers):
            label = list(WORDS)[number % 2]
            calm = 0.05 * np.sin(2 * np.pi * random.uniform(100, 200) * time)
            sound = calm if label == "calm" else random.uniform(-0.8, 0.8, len(time))
            soundfile.write(folder / f"{number:02}.wav", sound, 16_000)
            words = " ".join(random.choice(WORDS[label], random.integers(2, 6)))
            more = [values[number] for values in columns.values()]
            rows.append([f"{number:02}.wav", words, label, f"s{number // 4}", *more])
        manifest = folder / "talks.csv"
        manifest.write_text("".join(",".join(row) + "\n" for row in rows))
        return manifest

    return write
