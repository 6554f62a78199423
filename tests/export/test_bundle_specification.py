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
from edge_runtime.bundle import ALONE, MANIFEST, SLOTS, TEMPERATURES, TOKENIZERS
from export import schema

Edit = Callable[[dict[str, Any]], Any]
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


def altered(bundle: Path, folder: Path, edit: Edit) -> Path:
    """Make ``folder`` the bundle, with a manifest that ``edit`` has changed in place."""
    manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    edit(manifest)
    assert schema.faults(manifest) == []
    folder.mkdir()
    for file in bundle.iterdir():
        if file.name != MANIFEST:
            (folder / file.name).symlink_to(file)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


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
    def edit(manifest: dict[str, Any]) -> None:
        slots = {slot: entry for slot, entry in manifest["slots"].items() if slot not in left_out}
        temperatures_kept = {n for n in TEMPERATURES if TEMPERATURES[n] in slots and n not in ALONE} | set(temperatures)
        manifest |= {
            "schema": 2,
            "slots": slots,
            "tokenizers": {n: e for n, e in manifest["tokenizers"].items() if TOKENIZERS[n] in slots},
            "calibration": {n: manifest["calibration"][n] for n in temperatures_kept},
        }

    folder = altered(bundle_folder, tmp_path / "bundle", edit)
    same(folder, jfk, IEmoNet.load(folder, device="cpu", threads=1))


DECODING: dict[str, Edit] = {
    "begun otherwise": lambda how: how.update(begin_suppress=[*how["begin_suppress"], 843]),
    "few tokens": lambda how: how.update(max_tokens=3),
    "a phrase again and again": lambda how: how.update(
        suppress=[token for token in range(51_864) if token not in {464, 2506, 262}]
    ),
    "no end": lambda how: how.update(suppress=[*how["suppress"], how["end"], 13, 11, 986]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DECODING)
def test_so_it_does_with_other_decoding(
    bundle_folder: Path, tmp_path: Path, clip: Callable[..., Path], model: IEmoNet, name: str
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        DECODING[name](manifest["decoding"])

    folder = altered(bundle_folder, tmp_path / "bundle", edit)
    short = clip(lambda samples: samples[:31_234])
    changed = IEmoNet.load(folder, device="cpu", threads=1)
    assert changed(short).transcript != model(short).transcript
    same(folder, short, changed)


@pytest.mark.slow
def test_so_it_does_with_an_encoder_for_the_transcript_alone(bundle_folder: Path, tmp_path: Path, jfk: Path) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["schema"] = 2
        manifest["slots"]["transcript_encoder"] = manifest["slots"]["speech_encoder"]

    folder = altered(bundle_folder, tmp_path / "bundle", edit)
    same(folder, jfk, IEmoNet.load(folder, device="cpu", threads=1))


def test_the_page_names_everything_that_the_reader_of_the_runtime_knows(repository: Path) -> None:
    page = (repository / "docs" / "bundle.md").read_text(encoding="utf-8")
    for name in (*SLOTS, *TOKENIZERS, *TEMPERATURES):
        assert f"`{name}`" in page
    assert "\n- **2**: " in page
