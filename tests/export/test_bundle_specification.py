"""docs/bundle.md is enough to run a bundle: a reader written from it alone answers as the runtime does."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime import IEmoNet
from edge_runtime.bundle import MANIFEST, SLOTS, TEMPERATURES, TOKENIZERS
from export import schema

READER = Path(__file__).with_name("minimal_reader.py")
NEAR = 1e-4
"""Graphs run with another number of threads may add in another order; int8 then rounds a little otherwise."""


def read(bundle: Path, clip: Path) -> dict[str, Any]:
    command = [sys.executable, "-I", str(READER), str(bundle), str(clip)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def same(bundle: Path, clip: Path, model: IEmoNet) -> None:
    found, expected = read(bundle, clip), model(clip)
    assert (found["label"], found["transcript"]) == (expected.label, expected.transcript)
    assert found["scores"] == pytest.approx(dict(expected.scores), abs=NEAR)


@pytest.fixture
def clip(tmp_path: Path, jfk: Path) -> Callable[[Callable[[np.ndarray], np.ndarray]], Path]:
    """``clip(change)`` writes what ``change`` makes of the example's samples as a recording."""

    def write(change: Callable[[np.ndarray], np.ndarray]) -> Path:
        with wave.open(str(jfk)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        with wave.open(str(tmp_path / "clip.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(change(samples).astype(np.int16).tobytes())
        return tmp_path / "clip.wav"

    return write


def test_a_reader_written_from_the_page_gives_the_same_answer(bundle_folder: Path, jfk: Path, model: IEmoNet) -> None:
    same(bundle_folder, jfk, model)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "its beginning": lambda samples: samples[:31_234],
    "softly": lambda samples: samples // 50,
    "a loop": lambda samples: np.tile(samples[5_000:12_000], 20),
    "silence": lambda samples: samples[:20_000] * 0,
    "a click": lambda samples: samples[:700],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_so_it_does_of_other_recordings(
    bundle_folder: Path, clip: Callable[..., Path], model: IEmoNet, name: str
) -> None:
    same(bundle_folder, clip(CHANGES[name]), model)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left_out", "temperatures"),
    [
        (("fusion", "text_emotion", "transcript_decoder"), ()),
        (("fusion", "speech_emotion"), ()),
        (("fusion", "text_emotion"), ()),
        (("transcript_decoder",), ("fusion_speech_only",)),
        (("transcript_decoder",), ()),
    ],
)
def test_so_it_does_with_parts_left_out(
    bundle_folder: Path, tmp_path: Path, jfk: Path, left_out: tuple[str, ...], temperatures: tuple[str, ...]
) -> None:
    manifest = json.loads((bundle_folder / MANIFEST).read_text(encoding="utf-8"))
    slots = {slot: entry for slot, entry in manifest["slots"].items() if slot not in left_out}
    alone = ("fusion_speech_only", "fusion_text_only")
    manifest |= {
        "schema": 2,
        "slots": slots,
        "tokenizers": {n: e for n, e in manifest["tokenizers"].items() if TOKENIZERS[n] in slots},
        "calibration": {n: t for n, t in manifest["calibration"].items() if TEMPERATURES[n] in slots and n not in alone}
        | {n: manifest["calibration"][n] for n in temperatures},
    }
    assert schema.faults(manifest) == []
    for entry in [*slots.values(), *manifest["tokenizers"].values()]:
        (tmp_path / entry["file"]).symlink_to(bundle_folder / entry["file"])
    (tmp_path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    same(tmp_path, jfk, IEmoNet.load(tmp_path, device="cpu", threads=1))


def test_the_page_names_everything_that_the_reader_of_the_runtime_knows(repository: Path) -> None:
    page = (repository / "docs" / "bundle.md").read_text(encoding="utf-8")
    for name in (*SLOTS, *TOKENIZERS, *TEMPERATURES):
        assert f"`{name}`" in page
    assert "\n- **2**: " in page
