"""From a run on somebody's corpus to a bundle: what can be exported, what cannot, and the whole way once."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors
import soundfile
import torch

from edge_runtime import IEmoNet
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.errors import IEmoNetError
from export.build import Sources, build
from export.bundle_writer import Options
from export.quantization.config import QuantizationConfig
from tests.export.tiny import edit
from tests.trainer.encoders import write_bert
from trainer import checkpoints
from trainer.errors import CheckpointError, ExportError
from trainer.fusion import checkpoint as fusion_checkpoint
from trainer.fusion.blocks import AttentionFusion, FeedForwardFusion
from trainer.speech import checkpoint as speech_checkpoint
from trainer.speech.bilstm import AttentionBiLSTM

RATE = 16_000
EXAMPLE = Path(__file__).parents[2] / "examples" / "jfk.wav"
FP32 = Options(QuantizationConfig("fp32"))


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "my-bundle"


def refused(kept: Path, pretrained: Path, target: Path, error: type[IEmoNetError], match: str) -> None:
    """Check that building fails with ``error`` in one line, and leaves nothing."""
    with pytest.raises(error, match=match) as caught:
        build(Sources(pretrained, kept), target, FP32)
    assert "\n" not in str(caught.value)
    assert not target.exists()


def test_a_run_becomes_a_bundle(pretrained, run_trained, target, run_configs):
    build(Sources(pretrained, run_trained), target, FP32)
    bundle = Bundle.read(target)
    assert bundle.labels == ("glad", "grim", "so-so")
    assert bundle.temperatures == {
        **{part: run_configs[part]["metrics"]["calibration"]["temperature"] for part in ("speech", "text")},
        **{name: c["temperature"] for name, c in run_configs["fusion"]["metrics"]["calibration"].items()},
    }
    assert bundle.manifest["provenance"]["speech"]["corpora"] == run_configs["speech"]["corpora"]
    licences = [credit["licence"] for credit in bundle.manifest["credits"]]
    assert licences == ["MIT", "BSD-2-Clause", "Apache-2.0", "yours"]
    assert "glad 11, grim 23, so-so 5" in (target / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("block", [FeedForwardFusion, AttentionFusion])
def test_the_papers_networks_become_a_bundle(pretrained, run_trained, target, run_configs, block):
    """IS09, TDNN, BiLSTM and attention from the waveform, and a block that knows both branches alone."""
    torch.manual_seed(0)
    voice = AttentionBiLSTM(3)
    speech_checkpoint.write(run_trained / "speech", voice, run_configs["speech"])
    config = json.loads((run_trained / "fusion" / checkpoints.CONFIG).read_text())
    config["metrics"]["calibration"] = {"fusion": config["metrics"]["calibration"]["fusion"]}
    width = run_text_width(run_trained)
    branches = {part: run_trained / part for part in ("speech", "text")}
    fusion_checkpoint.write(run_trained / "fusion", block(3, speech=4 * 64, text=width), branches, config)
    build(Sources(pretrained, run_trained), target, Options())
    bundle = Bundle.read(target)
    assert [i.name for i in bundle.slots["speech_emotion"].inputs] == ["waveform"]
    assert "fusion_speech_only" not in bundle.temperatures
    model = IEmoNet.load(target, device="cpu", threads=1)
    wave = soundfile.read(EXAMPLE, dtype="float32")[0]
    both = model(wave, RATE, transcript="well")
    alone = model(wave, RATE, transcript="")
    assert both.used == ("voice", "words")
    assert alone.used == ("voice",)
    assert alone.scores == pytest.approx(alone.speech.scores)
    assert model.classify_text("no").label in bundle.labels


def run_text_width(folder: Path) -> int:
    with safetensors.safe_open(str(folder / "text" / checkpoints.WEIGHTS), "pt") as stored:
        return stored.get_slice("hidden.weight").get_shape()[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "named", "slots"),
    [
        ("speech", "voice", {"vad", "speech_encoder", "speech_emotion"}),
        ("text", "words", {"vad", "speech_encoder", "transcript_decoder", "batch_decoder", "text_emotion"}),
    ],
)
def test_a_run_of_one_branch_becomes_a_bundle_of_it(pretrained, run_trained, target, kept, named, slots):
    for part in {"speech", "text", "fusion"} - {kept}:
        shutil.rmtree(run_trained / part)
    build(Sources(pretrained, run_trained), target, FP32)
    assert set(Bundle.read(target).slots) == slots
    card = (target / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"trains {kept} emotion" in card
    model = IEmoNet.load(target, device="cpu", threads=1)
    assert model(EXAMPLE).duration_s == 11.0
    # What a random recogniser hears, if anything, is left open: words are given.
    assert model(EXAMPLE, transcript="well").used == (named,)


@pytest.mark.slow
def test_branches_without_fusion_are_multiplied_when_told_to(pretrained, run_trained, target):
    shutil.rmtree(run_trained / "fusion")
    refused(run_trained, pretrained, target, ExportError, "--untrained-fusion")
    build(Sources(pretrained, run_trained), target, FP32, untrained_fusion=True)
    model = IEmoNet.load(target, device="cpu", threads=1)
    answer = model(EXAMPLE, transcript="well")
    product = {k: answer.speech.scores[k] * answer.text.scores[k] for k in model.labels}
    assert answer.scores == pytest.approx({k: v / sum(product.values()) for k, v in product.items()}, rel=1e-4)
    assert "never trained together" in (target / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_the_runs_folder_instead_of_its_checkpoints_is_a_hint(pretrained, run_trained, target):
    refused(run_trained.parent, pretrained, target, CheckpointError, f"did you mean {run_trained}?")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kind": "speech", "labels"'])
def test_a_damaged_config_is_named(pretrained, run_trained, target, content):
    (run_trained / "speech" / checkpoints.CONFIG).write_text(content)
    refused(run_trained, pretrained, target, CheckpointError, "speech.*damaged")


def test_parts_of_two_runs_do_not_make_a_bundle(pretrained, run_trained, target):
    config = json.loads((run_trained / "fusion" / checkpoints.CONFIG).read_text())
    edit(run_trained / "fusion", branches={**config["branches"], "text": "0" * 64})
    refused(run_trained, pretrained, target, ExportError, "another text checkpoint; take all three of one run")


def corpus(folder: Path) -> Path:
    """Write soft tones that say well, and loud noise that says no; return the manifest."""
    folder.mkdir()
    random, rows = np.random.default_rng(0), []
    for i in range(12):
        glad = i % 2 == 0
        tone = 0.05 * np.sin(np.arange(RATE // 2) * 0.05)
        soundfile.write(folder / f"{i}.wav", tone if glad else random.uniform(-0.5, 0.5, RATE // 2), RATE)
        rows.append((f"{i}.wav", "well" if glad else "no", "glad" if glad else "grim", f"s{i // 4}"))
    with (folder / "calls.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("audio", "transcript", "label", "speaker"), *rows])
    return folder / "calls.csv"


@pytest.mark.slow
def test_the_whole_way_from_a_manifest_to_an_answer(pretrained, target, tmp_path):
    """What `trainer fit` leaves is what `export` reads: neither side is made up here."""
    from trainer import config
    from trainer.corpora import registry
    from trainer.experiment.cross_validation import Dataset, RunPaths, run

    write_bert(pretrained / "my-bert", ["well", "no"])
    manifest = corpus(tmp_path / "corpus")
    utterances = registry.read(manifest)
    labels = registry.labels_of(utterances)
    standard = config.default(speech=True, text=True)
    experiment = replace(
        standard,
        speech=replace(standard.speech, augmentations=0, epochs=2),
        text=replace(standard.text, encoder="my-bert", epochs=2, asr_error_rate=0.0),
        fusion=replace(standard.fusion, epochs=1),
    )
    place = RunPaths(tmp_path / "run", pretrained, tmp_path / "cache", quiet=True)
    found = run(experiment, Dataset("manifest", utterances, labels), place).metrics

    build(Sources(pretrained, place.checkpoints), target, Options())
    bundle = Bundle.read(target)
    # The speech branch divides its logits itself where there is a baseline.
    temperatures = {
        name: branch["calibration"]["temperature"]
        for name, branch in found["branches"].items()
        if name != "speech_compared"
    }
    assert bundle.temperatures == temperatures
    card = (target / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "12 utterances (glad 6, grim 6)" in card
    assert "Each of 3 parts" in card
    assert "No licence of my-bert is known" in card

    model = IEmoNet.load(target, device="cpu", threads=1)
    answer = model(manifest.parent / "1.wav", transcript="no")
    assert set(answer.scores) == {"glad", "grim"}
    assert sum(answer.scores.values()) == pytest.approx(1.0)


SETTINGS = """
folds = 2
[speech]
augmentations = 0
epochs = 24
[text]
encoder = "my-bert"
epochs = 12
learning_rate = 1e-3
[fusion]
block = "product-of-experts"
epochs = 2
fusion_holdout = 0.15
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "each"),
    [(("None", "0"), 8), (("fröhlich", 'it\'s "fine"', "sad, really", "a=b $HOME", "--out"), 12)],
    ids=["two labels, sixteen clips", "five labels"],
)
def test_the_export_command_that_fit_prints_works_as_printed(pretrained, tmp_path, labels, each):
    place = tmp_path / "somebody's place"
    place.mkdir()
    shutil.move(pretrained, place / "my weights")
    words = [f"word{i}" for i in range(len(labels))]
    write_bert(place / "my weights" / "my-bert", words)
    random, rows = np.random.default_rng(0), []
    for i in range(each * len(labels)):
        label = i % len(labels)
        wave = 0.3 * np.sin(np.arange(RATE // 2) * 0.02 * 3**label) + random.normal(0, 0.01, RATE // 2)
        soundfile.write(place / f"{i}.wav", wave, RATE)
        rows.append((f"{i}.wav", " ".join([words[label]] * random.integers(1, 5)), labels[label], f"s{i // 10}"))
    with (place / "my calls.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("audio", "transcript", "label", "speaker"), *rows])
    (place / "small.toml").write_text(SETTINGS)
    fit = [sys.executable, "-m", "trainer", "fit", "my calls.csv", "--config", "small.toml", "--weights", "my weights"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    trained = subprocess.run(fit, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stderr
    command = trained.stderr.rsplit("next: ", 1)[1]
    exported = subprocess.run(
        command, shell=True, cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert exported.returncode == 0, exported.stderr
    assert f"on {len(rows)} of your own data" in exported.stdout
    assert set(Bundle.read(place / "my-bundle").labels) == set(labels)
