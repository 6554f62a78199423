"""Checkpoints of a run: which networks they hold, and what they say about themselves."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainer.encoders import write_bert
from trainer import checkpoints, training_loop
from trainer.config import Experiment, Fusion, Speech, Text
from trainer.corpora.dataset import Dataset
from trainer.corpora.protocols import Fold
from trainer.corpora.utterance import Utterance, checksum
from trainer.errors import WeightsError
from trainer.experiment import refit, report
from trainer.experiment.fold import FoldRun, RunContext, run
from trainer.experiment.run_dir import RunPaths
from trainer.fusion import checkpoint as fusion_checkpoint
from trainer.modality import COMPARED, Collate, Modality, Truth, predict
from trainer.speech import checkpoint as speech_checkpoint
from trainer.speech.bilstm import AttentionBiLSTM
from trainer.speech.bilstm import collate as pad
from trainer.speech.network import SpeechEmotion, no_baseline
from trainer.text import checkpoint as text_checkpoint
from trainer.text.modality import text_modality

LABELS = ("calm", "cross", "keen")
N, WIDTH = 24, 4
TRUTH = np.arange(N) % 3
ALL_TRUTH = Truth(TRUTH, LABELS, ["manifest"] * N)
DATASET = Dataset("manifest", [Utterance(f"{i}", "manifest", LABELS[t], "s") for i, t in enumerate(TRUTH)], LABELS)
WORDS = ("well", "no", "yes")
SPEECH, TEXT, FUSION = (
    Speech(epochs=1),
    Text(encoder="bert", epochs=1, learning_rate=1e-3),
    Fusion("product-of-experts", epochs=1),
)
BOTH = Experiment(speech=SPEECH, text=TEXT, fusion=FUSION, seed=5, transcripts="simulated")


def halves() -> list[Fold]:
    rows, none = np.arange(N), np.zeros(0, np.intp)
    return [Fold("1", rows[12:], none, rows[:12]), Fold("2", rows[:12], none, rows[12:])]


def official(*, held: int) -> list[Fold]:
    rows = np.arange(N)
    return [Fold("test", rows[held:15], rows[:held], rows[15:])]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Return a folder of pretrained weights of which only the encoder is looked into."""
    folder = tmp_path_factory.mktemp("home") / "weights"
    write_bert(folder / "bert", list(WORDS))
    for name in ("whisper-tiny.en", "silero-vad", "bert"):
        (folder / name).mkdir(exist_ok=True)
        source = {"name": name, "licence": "MIT", "credit": f"{name} by its makers", "origin": "wheel"}
        (folder / name / "source.json").write_text(json.dumps(source))
    return folder


def states() -> Modality:
    """Return pooled states of which the first value tells the label."""
    pooled = np.random.default_rng(0).normal(0, 1, (N, 5, 2 * WIDTH)).astype(np.float32)
    pooled[:, 0, 0] += 3 * TRUTH

    def fresh(rows: Any, seed: int) -> torch.nn.Module:
        torch.manual_seed(seed)
        network = SpeechEmotion(len(LABELS), width=WIDTH)
        network.fit_features(torch.from_numpy(pooled[rows]), torch.ones(len(rows)))
        return network

    def bind(network: torch.nn.Module) -> Collate:
        def collate(examples: list[training_loop.Example]) -> dict[str, torch.Tensor]:
            states = torch.from_numpy(np.stack([e["pooled"] for e in examples]))
            _, seconds = no_baseline(network)
            features = network.pooled_features(states)
            if "others" not in examples[0]:
                return {"features": features}
            others = network.pooled_features(torch.from_numpy(np.stack([e["others"] for e in examples])))
            return {"features": features, "baseline": others[:, None], "baseline_s": seconds.expand(len(states), 1) + 5}

        return collate

    examples = [{"pooled": p} for p in pooled]
    compared = [[{"pooled": p, "others": pooled[(row + 5) % N]}] for row, p in enumerate(pooled)]
    schedule = training_loop.Schedule(epochs=1, batch_size=8, learning_rate=1e-3)
    return Modality(
        "speech",
        examples,
        [[e] for e in examples],
        training_loop.stack,
        fresh,
        schedule,
        bind=bind,
        variants={COMPARED: compared},
    )


def windows_modality() -> Modality:
    windows = np.random.default_rng(0).normal(0, 1, (N, 3, 384)).astype(np.float32)

    def fresh(_: Any, seed: int) -> torch.nn.Module:
        torch.manual_seed(seed)
        return AttentionBiLSTM(len(LABELS), attention=64)

    examples = [{"windows": w} for w in windows]
    schedule = training_loop.Schedule(epochs=1, batch_size=8, learning_rate=1e-3)
    return Modality("speech", examples, [[e] for e in examples], pad, fresh, schedule, length="windows")


def material(experiment: Experiment, weights: Path) -> RunContext:
    modalities = {}
    if experiment.speech is not None:
        modalities["speech"] = windows_modality() if experiment.speech.features == "is09" else states()
    if experiment.text is not None:
        modalities["text"] = text_modality([WORDS[t] for t in TRUTH], LABELS, experiment.text, weights=weights)
    return RunContext(modalities, ALL_TRUTH, experiment.fusion, quiet=True)


def measured(folder: Path, experiment: Experiment, folds: list[Fold], shared: RunContext) -> tuple[list[FoldRun], Any]:
    """Train and test every fold, and return the units and metrics that a run hands on."""
    units = [FoldRun(folder / "units" / fold.name, fold, experiment.seed) for fold in folds]
    for unit in units:
        run(unit, shared, keep=len(folds) == 1)
    found = {
        "corpus": "manifest",
        "protocol": "speaker" if len(folds) > 1 else "official",
        "branches": report.metrics([units], ALL_TRUTH),
    }
    return units, found


def paths_of(folder: Path, weights: Path) -> RunPaths:
    return RunPaths(folder, weights, folder / "cache", quiet=True)


def fitted(folder: Path, experiment: Experiment, folds: list[Fold], weights: Path) -> tuple[Path, Any]:
    """Run everything and return the checkpoints' folder and the metrics."""
    shared = material(experiment, weights)
    units, found = measured(folder, experiment, folds, shared)
    paths = paths_of(folder, weights)
    assert not refit.done(paths.checkpoints, experiment)
    refit.write(paths, units, shared, experiment, DATASET, found)
    assert refit.done(paths.checkpoints, experiment)
    return paths.checkpoints, found


@pytest.fixture(scope="module")
def crossed(tmp_path_factory, weights) -> tuple[Path, Any]:
    """Return the folder and metrics of a cross-validation of everything."""
    folder = tmp_path_factory.mktemp("crossed")
    return folder, fitted(folder, BOTH, halves(), weights)[1]


def digests(kept: Path) -> dict[str, str]:
    return {path.name: checkpoints.digest(path) for path in kept.iterdir()}


def config_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / checkpoints.CONFIG).read_text())


def test_after_cross_validation_the_networks_have_learned_from_everything(crossed):
    kept, found = crossed[0] / "checkpoints", crossed[1]
    for part in ("speech", "text", "fusion"):
        config = config_of(kept / part)
        assert config["labels"] == list(LABELS)
        assert config["corpora"] == {
            "manifest": {"labels": dict.fromkeys(LABELS, 8), "checksum": checksum(DATASET.utterances)}
        }
        assert (config["protocol"], config["seed"], config["transcripts"]) == ("speaker", 5, "simulated")
    speech = speech_checkpoint.restore(kept / "speech")[0]
    mean = np.stack([e["pooled"] for e in states().examples]).mean(0)[speech.mean_layers, :WIDTH]
    np.testing.assert_allclose(speech.standardizer.mean[: len(speech.mean_layers)], mean, atol=1e-5)
    assert not list((crossed[0] / "units").rglob("*.safetensors"))
    branches = found["branches"]
    assert config_of(kept / "speech")["metrics"] == {**branches["speech"], "compared": branches["speech_compared"]}


def test_temperatures_of_speech_are_inside_its_network_and_the_manifests_is_1(tmp_path, weights):
    """How sure an answer may be depends on the baseline, which the network alone knows."""
    kept, found = fitted(tmp_path / "run", Experiment(speech=SPEECH), halves(), weights)
    branches = found["branches"]
    inside = [branches[name]["calibration"]["temperature"] for name in ("speech", "speech_compared")]
    calibration = config_of(kept / "speech")["metrics"]["calibration"]
    assert (calibration["temperature"], calibration["inside"]) == (1.0, inside)
    assert calibration["ece_after"] == branches["speech"]["calibration"]["ece_after"]
    assert config_of(kept / "speech")["metrics"]["compared"] == branches["speech_compared"]
    np.testing.assert_allclose(speech_checkpoint.restore(kept / "speech")[0].temperatures, inside, rtol=1e-6)
    assert branches["speech"]["calibration"]["temperature"] == inside[0]  # what was measured stays as it was


def test_beside_fusion_that_learned_from_it_speech_is_not_divided_inside(crossed):
    """The block learned from embeddings that nothing had divided."""
    kept, branches = crossed[0] / "checkpoints", crossed[1]["branches"]
    assert config_of(kept / "speech")["metrics"]["calibration"] == branches["speech"]["calibration"]
    assert speech_checkpoint.restore(kept / "speech")[0].temperatures.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ({}, (1.0, 1.0)),
        ({"speech": {"calibration": None}}, (1.0, 1.0)),
        ({"speech": {"calibration": {"temperature": 2.0}}}, (2.0, 2.0)),
        ({"speech": {"calibration": {"temperature": 2.0}}, "speech_compared": {"calibration": None}}, (2.0, 2.0)),
        (
            {
                "speech": {"calibration": {"temperature": 2.0}},
                "speech_compared": {"calibration": {"temperature": 3.0}},
            },
            (2.0, 3.0),
        ),
    ],
)
def test_where_no_temperature_was_fitted_with_a_baseline_it_is_that_without(branches, expected):
    assert refit.temperatures(branches) == expected


def test_after_an_official_split_the_networks_are_those_that_were_tested(tmp_path, weights):
    folds = official(held=5)
    kept, _ = fitted(tmp_path / "run", BOTH, folds, weights)
    told = FoldRun(tmp_path / "run" / "units" / "test", folds[0], 0).answers()
    shared = material(BOTH, weights)
    networks = {
        "speech": speech_checkpoint.restore(kept / "speech")[0],
        "text": text_checkpoint.restore(kept / "text")[0],
    }
    embeddings = {}
    for part, network in networks.items():
        modality = shared.modalities[part]
        asked = [modality.examples[i] for i in (*folds[0].validation, *folds[0].test)]
        logits, embeddings[part] = predict(network, asked, modality.collate_for(network), modality.length)
        np.testing.assert_allclose(logits, told[part], atol=1e-5)
    with torch.no_grad():
        sides = [torch.from_numpy(embeddings[part]) for part in ("speech", "text")]
        fused = fusion_checkpoint.restore(kept / "fusion")[0](*sides, torch.ones(len(told["fusion"]), 2))[0]
    np.testing.assert_allclose(fused, told["fusion"], atol=1e-5)
    assert config_of(kept / "speech")["corpora"]["manifest"]["labels"] == {"calm": 3, "cross": 3, "keen": 4}


def test_fusion_names_its_branches_and_all_its_temperatures(crossed):
    kept, found = crossed[0] / "checkpoints", crossed[1]
    config = config_of(kept / "fusion")
    assert config["branches"] == {part: checkpoints.digest(kept / part) for part in ("speech", "text")}
    assert config["metrics"]["wa"] == found["branches"]["fusion"]["wa"]
    temperatures = {name: c["temperature"] for name, c in config["metrics"]["calibration"].items()}
    assert temperatures == {
        name: found["branches"][name]["calibration"]["temperature"]
        for name in ("fusion", "fusion_speech_only", "fusion_text_only")
    }


def test_where_nothing_was_held_apart_no_temperature_is_made_up(tmp_path, weights):
    kept, _ = fitted(tmp_path / "run", BOTH, official(held=0), weights)
    assert config_of(kept / "speech")["metrics"]["calibration"] is None
    assert set(config_of(kept / "fusion")["metrics"]["calibration"].values()) == {None}


@pytest.mark.parametrize("part", ["speech", "text"])
def test_of_one_branch_one_checkpoint_is_written(tmp_path, weights, part):
    experiment = Experiment(speech=SPEECH if part == "speech" else None, text=TEXT if part == "text" else None)
    kept, _ = fitted(tmp_path / "run", experiment, official(held=0), weights)
    assert [path.name for path in kept.iterdir()] == [part]


@pytest.mark.parametrize(
    ("speech", "block", "kinds"),
    [
        (Speech("is09", epochs=1), "feed-forward", ("speech-is09", "text", "fusion-feed-forward")),
        (SPEECH, "attention", ("speech", "text", "fusion-attention")),
    ],
)
def test_the_kind_says_which_network_it_is(tmp_path, weights, speech, block, kinds):
    experiment = replace(BOTH, speech=speech, fusion=Fusion(block, epochs=1))
    kept, _ = fitted(tmp_path / "run", experiment, official(held=0), weights)
    assert tuple(config_of(kept / part)["kind"] for part in ("speech", "text", "fusion")) == kinds


def test_cut_off_between_two_checkpoints_it_goes_on_to_the_same_ones(tmp_path, weights, crossed, monkeypatch):
    whole, found = crossed
    folder, shared = tmp_path / "cut", material(BOTH, weights)
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("checkpoints", "everything"))
    units = [FoldRun(folder / "units" / fold.name, fold, BOTH.seed) for fold in halves()]

    def power_cut(*_: object) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(refit.text_checkpoint, "write", power_cut)
        with pytest.raises(OSError, match="power cut"):
            refit.write(paths_of(folder, weights), units, shared, BOTH, DATASET, found)
    assert not refit.done(folder / "checkpoints", BOTH)
    refit.write(paths_of(folder, weights), units, shared, BOTH, DATASET, found)
    assert digests(folder / "checkpoints") == digests(whole / "checkpoints")


def test_pretrained_weights_are_credited(crossed):
    kept = crossed[0] / "checkpoints"
    credits = {
        name: source["credit"]
        for part in ("speech", "text")
        for name, source in config_of(kept / part)["pretrained"].items()
    }
    assert credits == {name: f"{name} by its makers" for name in ("whisper-tiny.en", "silero-vad", "bert")}


def test_of_a_users_own_encoder_only_its_name_is_known(tmp_path, weights):
    own = tmp_path / "somewhere" / "my-bert"
    write_bert(own, list(WORDS))
    experiment = Experiment(text=replace(TEXT, encoder=str(own)))
    config = config_of(fitted(tmp_path / "run", experiment, official(held=0), weights)[0] / "text")
    assert config["encoder"] == "my-bert"
    assert config["pretrained"] == {
        "my-bert": {"name": "my-bert", "origin": "folder", "licence": "unknown", "credit": "my-bert"}
    }


def test_an_encoder_of_the_hub_is_named_in_full(tmp_path, weights, monkeypatch):
    experiment = Experiment(text=replace(TEXT, encoder="some/bert"))
    shared = material(Experiment(text=TEXT), weights)
    units, found = measured(tmp_path / "run", experiment, official(held=0), shared)
    tokenizer = refit.load_tokenizer(weights / "bert")
    monkeypatch.setattr(refit, "locate", lambda encoder, _: encoder)
    monkeypatch.setattr(refit, "load_tokenizer", lambda _: tokenizer)
    refit.write(paths_of(tmp_path / "run", weights), units, shared, experiment, DATASET, found)
    source = config_of(tmp_path / "run" / "checkpoints" / "text")["pretrained"]["bert"]
    assert (source["origin"], source["hub"], source["licence"]) == ("hub", "some/bert", "unknown")


def test_every_corpus_of_a_chain_of_warm_starts_is_named(tmp_path, weights):
    """A run that starts from a run that started from MELD owes all three."""
    (tmp_path / "own.csv").write_text("transcript,label\nwell,calm\nno,cross\n")
    first = Experiment(text=replace(TEXT, warm_start=str(tmp_path / "own.csv")))
    kept, _ = fitted(tmp_path / "first", first, official(held=0), weights)
    assert config_of(kept / "text")["warmed_on"] == ["manifest"]
    second = Experiment(text=replace(TEXT, warm_start=str(kept / "text")))
    again, _ = fitted(tmp_path / "second", second, official(held=0), weights)
    assert config_of(again / "text")["warmed_on"] == ["manifest", "manifest"]


def test_missing_speech_weights_are_named(tmp_path):
    weights = tmp_path / "weights"
    with pytest.raises(WeightsError, match=r"whisper-tiny.en.*trainer fetch"):
        fitted(tmp_path / "run", Experiment(speech=SPEECH), official(held=0), weights)
