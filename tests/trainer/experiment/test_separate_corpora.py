"""Speech and text with corpora of their own: two runs, and fusion out of pairs of both."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainer.encoders import write_bert
from trainer import calibration, checkpoints
from trainer.config import Data, Experiment, Fusion, Speech, Text
from trainer.corpora import registry
from trainer.corpora.dataset import Dataset, join
from trainer.errors import ConfigError
from trainer.experiment import fold, refit, separate_corpora, stacking
from trainer.experiment.run_dir import RunPaths
from trainer.fusion import checkpoint as fusion_checkpoint
from trainer.fusion.gated import GatedFusion
from trainer.fusion.modality import BOTH, SPEECH_ONLY, TEXT_ONLY, inputs
from trainer.fusion.pairs import Words
from trainer.modality import predict
from trainer.speech import checkpoint as speech_checkpoint
from trainer.speech.features import PooledStates
from trainer.text.transcripts import Recognised
from trainer.training_loop import stack

pytestmark = pytest.mark.usefixtures("quick_collection")
SPLIT = ["train"] * 32 + ["test"] * 16
SPEECH = Speech(augmentations=2, epochs=20, batch_size=8, data=Data(("first", "second"), "speaker", folds=2))
TEXT = Text(
    "bert", epochs=6, batch_size=4, learning_rate=1e-2, data=Data(("lines",), "official", validation_percent=50)
)
FUSION = Fusion("product-of-experts", epochs=2, batch_size=16, pairs=200)
BOTH_BRANCHES = Experiment(speech=SPEECH, text=TEXT, fusion=FUSION)


def pooled(utterances, _weights, *, seed, **_):
    """Return states that tell the label, in place of those of a speech encoder that is not there."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 0.3, (len(utterances), 3, 5, 16))
    sign = np.array([1.0 if u.label == "calm" else -1.0 for u in utterances])
    states = (noise + sign[:, None, None, None]).astype(np.float16)
    return PooledStates(states, np.full(states.shape[:2], 2.0, np.float32))


@pytest.fixture(scope="module")
def home(tmp_path_factory, talks) -> Path:
    """Return a folder of three corpora, which share no utterance, and an encoder."""
    folder = tmp_path_factory.mktemp("home")
    for seed, name in enumerate(("first", "second")):
        talks(folder / name, seed=seed)
    talks(folder / "lines", speakers=12, seed=3, split=SPLIT, session=[f"d{i // 2}" for i in range(48)])
    words = [u.transcript or "" for u in registry.read(folder / "lines" / "talks.csv")]
    write_bert(folder / "weights" / "bert", " ".join(words).split())
    return folder


def load(home: Path, branch: str, data: Data) -> Dataset:
    found = []
    for name in data.corpora:
        utterances = [replace(u, corpus=name) for u in registry.read(home / name / "talks.csv")]
        silent = {"transcript": None} if name == "second" else {}
        mute = {"audio": None} if branch == "text" else {}
        found.append(Dataset(name, [replace(u, **silent, **mute) for u in utterances], ("calm", "furious")))
    return join(found)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("trainer.metrics.RESAMPLES", 20)
    monkeypatch.setattr("trainer.experiment.report.draw", lambda *_: None)
    monkeypatch.setattr("trainer.speech.modality.pooled_states", pooled)
    monkeypatch.setattr(refit.download, "provenance", lambda folder: {"name": folder.name})
    monkeypatch.setattr("trainer.text.transcripts.simulated", lambda sentences, **_: sentences)


@pytest.fixture
def paths(home, tmp_path) -> RunPaths:
    return RunPaths(tmp_path / "run", home / "weights", tmp_path / "cache", quiet=True)


def run(home, paths, experiment=BOTH_BRANCHES):
    return separate_corpora.run_all(experiment, lambda branch, data: load(home, branch, data), paths)


def test_three_checkpoints_belong_together_and_name_their_corpora(home, paths):
    found = run(home, paths)
    configs = {name: checkpoints.read(paths.checkpoints / name, name) for name in ("speech", "text", "fusion")}
    assert set(configs["speech"]["corpora"]) == {"first", "second"} and set(configs["text"]["corpora"]) == {"lines"}
    digests = {name: checkpoints.digest(paths.checkpoints / name) for name in ("speech", "text")}
    assert configs["fusion"]["branches"] == digests
    assert json.loads((paths.run_dir / "metrics.json").read_text()) == found
    assert set(found["branches"]["speech"]["by_corpus"]) == {"first", "second"}
    cases = {"fusion", "fusion_speech_only", "fusion_text_only"}
    assert set(configs["fusion"]["metrics"]["calibration"]) >= cases
    assert all(configs["fusion"]["metrics"]["calibration"][case]["temperature"] > 0 for case in cases)


def test_fusion_of_branches_that_know_the_label_knows_it_and_one_branch_alone_is_enough(home, paths):
    found = run(home, paths)["branches"]
    for name in ("speech", "fusion", "fusion_speech_only"):
        assert found[name]["ua"]["mean"] > 0.9, name
    assert found["fusion"]["n"] == 32  # every recording once
    assert found["fusion_text_only"]["n"] == 16  # every test sentence once
    assert found["fusion_own_sentence"]["n"] == 16  # of the corpus whose transcripts are known


def test_the_kept_fusion_answers_to_the_kept_branches(home, paths):
    """The block learned from logits; the checkpoint reads embeddings, through the branches' own classifiers."""
    run(home, paths)
    speech, _ = speech_checkpoint.restore(paths.checkpoints / "speech")
    fusion, _ = fusion_checkpoint.restore(paths.checkpoints / "fusion")
    states = pooled(load(home, "speech", SPEECH.data).utterances, None, seed=0, cache="").states[:, 0]
    features = speech.pooled_features(torch.from_numpy(states).float()).detach().numpy()
    logits, embeddings = predict(speech, [{"features": row} for row in features], stack)
    text = np.zeros((len(states), 768), np.float32)
    fused, _ = predict(fusion, inputs(embeddings, text, SPEECH_ONLY), stack)
    assert (fused.argmax(1) == logits.argmax(1)).mean() > 0.9


def test_a_finished_run_resumes_to_the_same_metrics_and_weights(home, paths):
    first = run(home, paths)
    before = {name: checkpoints.digest(paths.checkpoints / name) for name in ("speech", "text", "fusion")}
    assert run(home, replace(paths, resume=True)) == first
    assert before == {name: checkpoints.digest(paths.checkpoints / name) for name in before}


def test_one_branch_alone_is_trained_without_fusion(home, paths):
    found = run(home, paths, BOTH_BRANCHES.only("text"))
    assert set(found["branches"]) == {"text"}
    assert [path.name for path in paths.checkpoints.iterdir()] == ["text"]


def test_fusion_without_validation_text_is_refused_with_what_to_set(home, paths):
    text = replace(TEXT, data=replace(TEXT.data, validation_percent=0))
    with pytest.raises(ConfigError, match="validation_percent above 0"):
        run(home, paths, replace(BOTH_BRANCHES, text=text))


def test_where_corpora_of_text_are_left_out_in_turn_fusion_learns_from_their_validation_parts(home, paths):
    """Of a corpus without an official split nothing is learned by fusion."""

    def both(branch, data):
        if branch == "speech":
            return load(home, branch, data)
        found = load(home, branch, TEXT.data)
        more = [replace(u, corpus="more", split="", id=f"more-{u.id}") for u in found.utterances[:24]]
        return join([found, Dataset("more", more, found.labels)])

    text = replace(TEXT, data=Data(("lines", "more"), "corpus"))
    found = separate_corpora.run_all(replace(BOTH_BRANCHES, text=text), both, paths)["branches"]
    assert {name: c["n"] for name, c in found["text"]["by_corpus"].items()} == {"lines": 16, "more": 24}
    assert found["fusion_text_only"]["n"] == 16
    assert found["text"]["calibration"]["temperature"] > 0
    config = checkpoints.read(paths.checkpoints / "text", "text")
    assert {name: sum(c["labels"].values()) for name, c in config["corpora"].items()} == {"lines": 32, "more": 24}
    assert sum(config["priors"].values()) == pytest.approx(1, abs=1e-3)


def test_networks_that_are_tested_and_not_kept_may_be_trained_for_a_shorter_time(home, paths, monkeypatch):
    seen = []
    real = fold.train
    monkeypatch.setattr(
        fold, "train", lambda modality, *args, **kw: seen.append(modality.draws) or real(modality, *args, **kw)
    )
    text = replace(TEXT, epochs=1, draws=24, left_out_draws=8, data=Data(("lines", "more"), "corpus"))

    def both(branch, data):
        lines = load(home, "text", Data(("lines",), "corpus"))
        return join([lines, Dataset("more", [replace(u, corpus="more") for u in lines.utterances], lines.labels)])

    separate_corpora.run_all(Experiment(text=text), both, paths)
    assert seen == [8, 8, 24]


def logits(labels: list[int], folds: list[int], seed: int = 0) -> stacking.BranchLogits:
    random = np.random.default_rng(seed)
    values = 2 * np.eye(2)[[label % 2 for label in labels]] + random.normal(0, 0.5, (len(labels), 2))
    return stacking.BranchLogits(
        values[:, None].astype(np.float32), np.array(labels), np.array(folds), ["own"] * len(labels),
        np.arange(len(labels)),
    )  # fmt: skip


def said(branch: stacking.BranchLogits, *, there: bool = True) -> Words:
    """Return words of which every second is nonsense in doubt, and the others say the label."""
    values = branch.copies[:, 0].copy()
    values[::2] = values[::2, ::-1]
    doubt = np.where(np.arange(len(values)) % 2, -0.1, -1.0)
    evidence = np.stack([doubt, doubt - 1, np.full(len(values), 2.5), np.ones(len(values))], axis=1)
    return Words(values if there else np.full_like(values, np.nan), evidence.astype(np.float32))


def material(branch: stacking.BranchLogits, test: stacking.BranchLogits, *, there: bool = True) -> stacking.Material:
    text = branch.where(branch.labels < 2)
    return stacking.Material(branch, text, test, said(branch, there=there))


GATED = replace(FUSION, block="gated-experts", learning_rate=1e-2, class_weight_power=0.0)


def test_no_fold_is_answered_by_fusion_that_learned_from_it(monkeypatch):
    seen = []
    train = stacking.train_fusion

    def spy(speech, text, *rest):
        seen.append((set(speech.folds.tolist()), set(text.folds.tolist())))
        return train(speech, text, *rest)

    monkeypatch.setattr(stacking, "train_fusion", spy)
    labels, folds = [0, 1] * 8, [i // 4 for i in range(16)]
    found = stacking.measure(
        material(logits(labels, folds), logits(labels, folds, 1), there=False), ("a", "b"), FUSION, 0
    )
    assert seen == [({0, 1, 2, 3} - {fold},) * 2 for fold in range(4)]
    assert {name: found[name]["n"] for name in found} == dict.fromkeys(
        ("fusion", "fusion_speech_only", "fusion_text_only"), 16
    )


def test_the_temperature_of_both_is_that_of_recordings_with_their_own_words():
    labels, folds = [0, 1] * 12, [i // 6 for i in range(24)]
    made = material(logits(labels, folds), logits(labels, folds, 1))
    found = stacking.measure(made, ("a", "b"), GATED, 0)
    assert set(found) == {"fusion", "fusion_own_sentence"}  # with one branch alone, that branch answers
    answered = stacking.answers(made, ("a", "b"), GATED, 0)["fusion_own_sentence"]
    truth = np.concatenate([part.rows.labels for part in answered])
    own = np.concatenate([part.logits for part in answered]).astype(np.float64)
    expected = calibration.cross_fitted(truth, own, np.repeat(np.arange(4), 6))
    assert found["fusion"]["calibration"] == expected


def test_plain_speech_is_answered_and_not_measured():
    labels, folds = [0, 1, 0, 1, 0, 1, 3, 3] * 3, [i // 8 for i in range(24)]
    made = material(logits(labels, folds), logits([0, 1] * 9, [i // 6 for i in range(18)], 1))
    answered = stacking.answers(made, ("neutral", "b"), GATED, 0)
    assert [len(part.logits) for part in answered["plain"]] == [2, 2, 2]
    assert {part.rows.labels.max() for part in answered["plain"]} == {3}
    assert stacking.measure(made, ("neutral", "b"), GATED, 0)["fusion_own_sentence"]["n"] == 18


def test_a_voice_beside_a_baseline_is_fused_with_its_own_words():
    labels, folds = [0, 1, 0, 1, 0, 1, 3, 3] * 3, [i // 8 for i in range(24)]
    alone = logits(labels, folds)
    unsure = replace(alone, copies=alone.copies * np.float32(0.01))
    beside = replace(unsure, compared=(9 * np.eye(2)[np.array(labels) % 2]).astype(np.float32))
    test = logits([0, 1] * 9, [i // 6 for i in range(18)], 1)
    words = said(alone)
    found = stacking.answers(stacking.Material(beside, test, test, words), ("neutral", "b"), GATED, 0)
    compared = found["fusion_compared"]
    assert [len(part.logits) for part in compared] == [6, 6, 6]  # plain speech is no case of it
    for part, own in zip(compared, found["fusion_own_sentence"], strict=True):
        assert part.rows.rows_of.tolist() == own.rows.rows_of.tolist()
        assert part.logits.argmax(1).tolist() == part.rows.labels.tolist()
        assert not np.allclose(part.logits, own.logits)
    assert "fusion_compared" not in stacking.answers(
        stacking.Material(unsure, test, test, words), ("neutral", "b"), GATED, 0
    )


def test_a_gate_learns_to_shut_out_nonsense():
    labels, folds = [0, 1] * 40, [i % 4 for i in range(80)]
    branch = logits(labels, folds)
    network = stacking.train_fusion(branch, branch, said(branch), ("a", "b"), replace(GATED, pairs=4000), 0).eval()
    rows, present = torch.from_numpy(branch.copies[:, 0]), torch.ones(80, 2)
    gate = network(rows, rows, present, torch.from_numpy(said(branch).evidence))[1][:, 0]
    assert gate[1::2].mean() > gate[::2].mean() + 0.3


def test_a_label_that_no_sentence_of_a_part_has_is_named():
    speech, text = logits([0, 1] * 4, [0, 0, 0, 0, 1, 1, 1, 1]), logits([0, 1, 0, 0], [0, 0, 1, 1])
    with pytest.raises(ConfigError, match="no text labelled b in one of the parts"):
        stacking.measure(stacking.Material(speech, text, text, said(speech)), ("a", "b"), FUSION, 0)


def test_an_identity_layer_leaves_logits_as_they_are():
    branch = logits([0, 1, 1], [0, 0, 0])
    network = stacking.train_fusion(branch, branch, said(branch, there=False), ("a", "b"), replace(FUSION, pairs=20), 0)
    network.adopt(stacking.identity(2), stacking.identity(2))
    rows = branch.copies[:, 0]
    assert np.isfinite(predict(network, inputs(rows, rows, BOTH), stack)[0]).all()
    assert np.isfinite(predict(network, inputs(rows, rows, TEXT_ONLY), stack)[0]).all()


def test_a_gated_fusion_reads_what_is_recognised(home, paths, monkeypatch):
    heard = []

    def recognised(utterances, cache, *, quiet):
        heard.append((len(utterances), cache))
        return [Recognised("well", (-0.1, -1.0, 2.5, 1.0)) for _ in utterances]

    monkeypatch.setattr(separate_corpora.transcripts, "recognised", recognised)
    found = run(home, paths, replace(BOTH_BRANCHES, fusion=GATED))["branches"]
    assert heard == [(32, paths.cache)]
    assert found["fusion_own_sentence"]["n"] == 32
    config = checkpoints.read(paths.checkpoints / "fusion", "fusion-gated")
    assert config["metrics"]["calibration"]["fusion"]["temperature"] > 0
    network, _ = fusion_checkpoint.restore(paths.checkpoints / "fusion")
    assert isinstance(network, GatedFusion)
