"""From a run on somebody's corpus to a bundle: what can be exported, what cannot, and the whole way once."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_runtime import IEmoNet
from edge_runtime.bundle import Bundle
from edge_runtime.errors import CheckpointError, ExportError, IEmoNetError
from export.bundle import Sources, build
from tests.trainer.encoders import write_bert
from trainer import checkpoints

RATE = 16_000


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "my-bundle"


def edit(folder: Path, **changes) -> None:
    path = folder / checkpoints.CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refused(kept: Path, pretrained: Path, target: Path, error: type[IEmoNetError], match: str) -> None:
    """Check that building fails with ``error`` in one line, and leaves nothing."""
    with pytest.raises(error, match=match) as caught:
        build(Sources(pretrained, kept), target, name="b", precision="fp32")
    assert "\n" not in str(caught.value)
    assert not target.exists()


def test_a_run_becomes_a_bundle(pretrained, run_trained, target, run_configs):
    build(Sources(pretrained, run_trained), target, name="my-bundle", precision="fp32")
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


def test_where_nothing_was_held_apart_scores_stay_as_they_are(pretrained, run_trained, target, run_configs):
    names = ("fusion", "fusion_speech_only", "fusion_text_only")
    for part, none in (("speech", None), ("text", None), ("fusion", dict.fromkeys(names))):
        edit(run_trained / part, metrics={**run_configs[part]["metrics"], "calibration": none})
    build(Sources(pretrained, run_trained), target, name="my-bundle", precision="fp32")
    assert set(Bundle.read(target).temperatures.values()) == {1.0}


@pytest.mark.parametrize(
    ("part", "kind", "needed"),
    [
        ("speech", "speech-is09", "--features encoder-states"),
        ("fusion", "fusion-feed-forward", 'block = "evidence"'),
        ("fusion", "fusion-attention", 'block = "evidence"'),
    ],
)
def test_what_the_runtime_cannot_run_is_refused_with_what_it_needs(pretrained, run_trained, target, part, kind, needed):
    edit(run_trained / part, kind=kind)
    refused(run_trained, pretrained, target, ExportError, f"{part}: of kind '{kind}'; the runtime .*{needed}")


@pytest.mark.parametrize(
    ("only", "missing"), [("speech", "text and fusion"), ("text", "speech and fusion"), (None, "fusion")]
)
def test_a_run_of_one_branch_is_refused_with_what_it_lacks(pretrained, run_trained, target, only, missing):
    for part in ("speech", "text", "fusion"):
        if part in missing:
            shutil.rmtree(run_trained / part)
    refused(run_trained, pretrained, target, ExportError, f"a run without {missing}; the runtime needs voice, words")


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
    from trainer.corpora import catalogue
    from trainer.experiment import defaults
    from trainer.experiment.run import Dataset, Place, run

    write_bert(pretrained / "my-bert", ["well", "no"])
    manifest = corpus(tmp_path / "corpus")
    utterances = catalogue.read(manifest)
    labels = catalogue.labels_of(utterances)
    standard = defaults.experiment("manifest", utterances)
    experiment = replace(
        standard,
        speech=replace(standard.speech, copies=0, epochs=2),
        text=replace(standard.text, encoder="my-bert", epochs=2, misheard=0.0),
        fusion=replace(standard.fusion, epochs=1),
    )
    place = Place(tmp_path / "run", pretrained, tmp_path / "cache", quiet=True, say=lambda _: None)
    found = run(experiment, Dataset("manifest", utterances, labels), place)

    build(Sources(pretrained, place.folder / "checkpoints"), target, name="my-bundle", precision="int8")
    bundle = Bundle.read(target)
    temperatures = {name: branch["calibration"]["temperature"] for name, branch in found["branches"].items()}
    assert bundle.temperatures == temperatures
    card = (target / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "12 utterances (glad 6, grim 6)" in card
    assert "Each of 3 parts" in card
    assert "No licence of my-bert is known" in card

    model = IEmoNet.load(target, device="cpu", threads=1)
    answer = model(manifest.parent / "1.wav", transcript="no")
    assert set(answer.scores) == {"glad", "grim"}
    assert sum(answer.scores.values()) == pytest.approx(1.0)
