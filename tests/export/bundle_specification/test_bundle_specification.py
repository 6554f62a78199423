"""docs/bundle.md is enough to run a bundle: a reader written from it alone answers as the runtime does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime import IEmoNet
from edge_runtime.bundle.bundle import ALONE, MANIFEST, SLOTS, TEMPERATURES, TOKENIZERS
from edge_runtime.inference.evidence import NAMES
from edge_runtime.inference.segmenter import Segmenter
from export.inspect_bundle import schema_errors

Edit = Callable[[dict[str, Any]], Any]
READER = Path(__file__).with_name("minimal_reader.py")
NEAR = 1e-4
"""Levels and means may be added in another order; int8 then rounds a little otherwise."""


def read(bundle: Path, *clips: Path, context: str = "") -> list[dict[str, Any]]:
    before = [f"CONTEXT={context}"] if context else []
    command = [sys.executable, "-I", str(READER), str(bundle), *before, *map(str, clips)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def same(bundle: Path, model: IEmoNet, *clips: Path) -> None:
    """Check that the reader and the runtime cut ``clips`` at the same places, and say the same of every piece."""
    for clip, found in zip(clips, read(bundle, *clips), strict=True):
        expected = model(clip)
        pieces = [(s["start_s"], s["end_s"], s["transcript"]) for s in found["segments"]]
        assert pieces == [(s.start_s, s.end_s, s.transcript) for s in expected.segments]
        assert (found["label"], found["transcript"]) == (expected.label, expected.transcript)
        assert found["uncertain"] == expected.uncertain
        assert found["scores"] == pytest.approx(dict(expected.scores), abs=NEAR)
        for piece, segment in zip(found["segments"], expected.segments, strict=True):
            assert piece["scores"] == pytest.approx(dict(segment.fused.scores if segment.fused else {}), abs=NEAR)


def altered(bundle: Path, folder: Path, edit: Edit) -> Path:
    """Make ``folder`` the bundle, with a manifest that ``edit`` has changed in place."""
    manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    edit(manifest)
    assert schema_errors(manifest) == []
    folder.mkdir()
    for file in bundle.iterdir():
        if file.name != MANIFEST:
            shutil.copyfile(file, folder / file.name)  # onnxruntime reads no weights behind a link
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def write(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.clip(samples, -32_768, 32_767).astype(np.int16).tobytes())
    return path


@pytest.fixture
def speech(jfk: Path) -> np.ndarray:
    """The samples of the example: speech of 0.3 to 10.8 s, with pauses of about half a second."""
    with wave.open(str(jfk)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


@pytest.fixture
def clip(tmp_path: Path, speech: np.ndarray) -> Callable[[Callable[[np.ndarray], np.ndarray]], Path]:
    """``clip(change)`` writes what ``change`` makes of the example's samples as a recording."""
    return lambda change: write(tmp_path / "clip.wav", change(speech))


def test_a_reader_written_from_the_page_gives_the_same_answer(bundle_folder: Path, jfk: Path, model: IEmoNet) -> None:
    same(bundle_folder, model, jfk)


@pytest.fixture
def too_long(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collects how many windows are cut off each time that 15 s have no pause, so that a test can tell it was tried."""
    cuts: list[int] = []
    split_point = Segmenter._split_point
    monkeypatch.setattr(Segmenter, "_split_point", lambda self: cuts.append(split_point(self)) or cuts[-1])
    return cuts


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(16_000 * seconds))


def test_the_minimal_reader_agrees_on_a_recording_longer_than_an_utterance(
    bundle_folder: Path, tmp_path: Path, speech: np.ndarray, model: IEmoNet
) -> None:
    pauses = [silence(2.3), speech, silence(0.8), speech[:25_000], silence(1.5), speech[130_000:] // 30]
    long = write(tmp_path / "long.wav", np.concatenate(pauses))
    assert len(model(long).segments) > 3
    same(bundle_folder, model, long)


@pytest.mark.slow
def test_the_minimal_reader_agrees_on_two_minutes(
    bundle_folder: Path, tmp_path: Path, speech: np.ndarray, model: IEmoNet, too_long: list[int]
) -> None:
    """Pauses of every length, speech without one, softly and loudly, amid noise, and an end in the midst of a word."""
    random = np.random.default_rng(0)
    at_once = speech // 3 + np.roll(speech, 30_000) // 3 + np.roll(speech, 75_000) // 3
    parts = [silence(3.1), speech, speech, np.tile(at_once, 3), silence(5)]
    for pause in (0.2, 0.45, 0.55, 0.9, 1.05, 2.0):
        parts += [speech[4_000:20_000], silence(pause), speech[84_000:150_000] // 40, silence(pause)]
    parts += [speech * 4, silence(1.3), speech[:100_000], np.tile(speech, 3)]
    minutes = np.concatenate(parts)[: 120 * 16_000 + 123]
    assert len(minutes) > 120 * 16_000
    recording = write(tmp_path / "minutes.wav", minutes + random.normal(0, 5, len(minutes)))
    too_long.clear()
    segments = model(recording).segments
    assert len(segments) > 12
    assert min(segment.end_s - segment.start_s for segment in segments) < 3
    assert too_long
    same(bundle_folder, model, recording)


def test_both_cut_sound_of_every_rhythm_at_the_same_places(
    tiny_bundle: Path, tmp_path: Path, too_long: list[int]
) -> None:
    """To the tiny bundle a window is a voice where it is loud, so that rhythms of bursts try every rule."""
    random = np.random.default_rng(0)
    clips = []
    for number, pauses in enumerate([(0.1, 0.3), (0.1, 0.3, 0.48, 0.6), (0.6, 1.2), (0.3, 4), (0.05, 0.2, 0.4), (2,)]):
        bursts = []
        while sum(map(len, bursts)) < 16_000 * 40:
            noise = random.normal(0, 1, round(16_000 * random.choice([0.05, 0.3, 1.2, 2.5])))
            bursts += [noise * random.choice([300, 1_500, 3_000]), silence(random.choice(pauses))]
        clips.append(write(tmp_path / f"{number}.wav", np.concatenate(bursts)[: 16_000 * 40 - 37 * number]))
    model = IEmoNet.load(tiny_bundle, device="cpu", threads=1)
    lengths = [segment.end_s - segment.start_s for clip in clips for segment in model(clip).segments]
    assert min(lengths) < 1
    assert max(lengths) > 11
    assert len(set(too_long)) > 3
    same(tiny_bundle, model, *clips)


@pytest.mark.parametrize(("point", "uncertain"), [(0.3, False), (1, True)])
def test_the_minimal_reader_agrees_on_a_bundle_that_takes_a_baseline(
    comparing_bundle: Path, tmp_path: Path, jfk: Path, point: float, uncertain: bool
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["operating_point"] = {"confidence": point}

    model = IEmoNet.load(altered(comparing_bundle, tmp_path / "bundle", edit), device="cpu", threads=1)
    assert model(jfk).uncertain is uncertain
    same(tmp_path / "bundle", model, jfk)


@pytest.mark.parametrize("context", ["", "not", "other: ask what you can do", "same: " + "country can " * 20])
def test_the_minimal_reader_agrees_on_what_was_said_before(
    context_bundle: Path, tmp_path: Path, jfk: Path, context: str
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        for slot in ("fusion", "speech_emotion"):
            del manifest["slots"][slot]
        manifest["calibration"] = {"text": 1.5}
        manifest["text_emotion"]["operating_point"] = {"confidence": 1}

    folder = altered(context_bundle, tmp_path / "bundle", edit)
    model = IEmoNet.load(folder, device="cpu", threads=1)
    (found,) = read(folder, jfk, context=context)
    expected = model(jfk, context=[context] if context else [])
    assert found["scores"] == pytest.approx(dict(expected.scores), abs=NEAR)
    assert found["uncertain"] is expected.uncertain is True
    assert (expected.scores == model(jfk).scores) == (not context)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "its beginning": lambda samples: samples[:31_234],
    "softly": lambda samples: samples // 50,
    "a loop": lambda samples: np.tile(samples[5_000:12_000], 20),
    "silence": lambda samples: samples[:20_000] * 0,
    "a click": lambda samples: samples[:700],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_the_minimal_reader_agrees_on_other_recordings(
    bundle_folder: Path, clip: Callable[..., Path], model: IEmoNet, name: str
) -> None:
    same(bundle_folder, model, clip(CHANGES[name]))


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
def test_the_minimal_reader_agrees_with_parts_left_out(
    bundle_folder: Path, tmp_path: Path, jfk: Path, left_out: tuple[str, ...], temperatures: tuple[str, ...]
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        gone = {*left_out, *(["transcript_memory", "batch_decoder"] if "transcript_decoder" in left_out else [])}
        slots = {slot: entry for slot, entry in manifest["slots"].items() if slot not in gone}
        temperatures_kept = {n for n in TEMPERATURES if TEMPERATURES[n] in slots and n not in ALONE} | set(temperatures)
        manifest |= {
            "slots": slots,
            "tokenizers": {n: e for n, e in manifest["tokenizers"].items() if TOKENIZERS[n] in slots},
            "calibration": {n: manifest["calibration"].get(n, 1.0) for n in temperatures_kept},
        }

    folder = altered(bundle_folder, tmp_path / "bundle", edit)
    same(folder, IEmoNet.load(folder, device="cpu", threads=1), jfk)


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
def test_the_minimal_reader_agrees_with_other_decoding(
    bundle_folder: Path, tmp_path: Path, clip: Callable[..., Path], model: IEmoNet, name: str
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        DECODING[name](manifest["decoding"])

    folder = altered(bundle_folder, tmp_path / "bundle", edit)
    short = clip(lambda samples: samples[:31_234])
    changed = IEmoNet.load(folder, device="cpu", threads=1)
    assert changed(short).transcript != model(short).transcript
    same(folder, changed, short)


@pytest.mark.slow
@pytest.mark.parametrize(("judged", "used"), [(["en"], ("voice", "words")), (["pl"], ("voice",))])
def test_the_minimal_reader_agrees_on_a_language_that_is_told(
    bundle_folder: Path, tmp_path: Path, jfk: Path, model: IEmoNet, judged: list[str], used: tuple[str, ...]
) -> None:
    """The second token of an English prompt stands for the language."""

    def edit(manifest: dict[str, Any]) -> None:
        first, second = manifest["decoding"]["prompt"]
        told = [{"token": second, "code": "en", "name": "English"}, {"token": 0, "code": "xx", "name": "None"}]
        manifest["decoding"] |= {"prompt": [first, None], "languages": told}
        manifest["text_emotion"] = {**manifest.get("text_emotion", {}), "languages": judged}

    folder = altered(bundle_folder, tmp_path / "bundle", edit)
    changed = IEmoNet.load(folder, device="cpu", threads=1)
    found = changed(jfk)
    assert (found.language, found.transcript, found.used) == ("en", model(jfk).transcript, used)
    same(folder, changed, jfk)


@pytest.mark.slow
def test_the_minimal_reader_agrees_with_an_encoder_for_the_transcript_alone(
    tiny_bundle: Path, tmp_path: Path, jfk: Path
) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["slots"]["transcript_encoder"] = manifest["slots"]["speech_encoder"]

    folder = altered(tiny_bundle, tmp_path / "bundle", edit)
    same(folder, IEmoNet.load(folder, device="cpu", threads=1), jfk)


def test_the_page_names_everything_that_the_reader_of_the_runtime_knows(repository: Path) -> None:
    page = (repository / "docs" / "bundle.md").read_text(encoding="utf-8")
    for name in (*SLOTS, *TOKENIZERS, *TEMPERATURES, *NAMES):
        assert f"`{name}`" in page
    assert "\n- **3**: " in page
