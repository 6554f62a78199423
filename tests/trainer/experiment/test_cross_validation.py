"""A whole experiment on sixteen clips: what it leaves, and that a run that was cut off ends as one that was not."""

import csv
import json
import logging
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from edge_runtime.inference.text_tokens import Turn
from tests.trainer.encoders import write_bert, write_xlnet
from trainer import modality as branches
from trainer.config import Experiment, Fusion, Speech, Text
from trainer.corpora import registry
from trainer.corpora.dataset import Dataset
from trainer.corpora.protocols import Fold, plan
from trainer.corpora.utterance import Utterance, checksum
from trainer.errors import CheckpointError, ConfigError, CorpusError
from trainer.experiment import cross_validation, fold, refit
from trainer.experiment.cross_validation import truth_of, with_unlabelled
from trainer.experiment.run_dir import RunPaths
from trainer.modality import predict
from trainer.speech.bilstm import AttentionBiLSTM
from trainer.speech.features import PooledStates
from trainer.text import checkpoint as text_checkpoint
from trainer.text.encoding import LENGTH
from trainer.text.network import TextEmotion

pytestmark = pytest.mark.usefixtures("quick_collection")
SPEECH = Speech(features="is09", attention_size=8, epochs=2, batch_size=8)
TEXT = Text(encoder="bert", epochs=2, batch_size=4, learning_rate=1e-3)
FUSION = Fusion(epochs=2, batch_size=8, joint_epochs=1)
ALL = Experiment(protocol="speaker", folds=2, speech=SPEECH, text=TEXT, fusion=FUSION)
RESULTS = ("metrics.json", "predictions.csv")


def corpus_of(manifest: Path, **changes: object) -> Dataset:
    found = [replace(u, **changes) for u in registry.read(manifest)]
    return Dataset("manifest", found, registry.labels_of(found))


@pytest.fixture(scope="module", autouse=True)
def fewer_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.metrics.RESAMPLES", 20)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory, talks) -> Path:
    """Return a folder with a corpus, two encoders and a cache."""
    folder = tmp_path_factory.mktemp("home")
    talks(folder)
    known = " ".join(u.transcript or "" for u in corpus_of(folder / "talks.csv").utterances).split()
    write_bert(folder / "weights" / "bert", known)
    write_xlnet(folder / "weights" / "xlnet", known)
    return folder


@pytest.fixture(scope="module")
def corpus(home) -> Dataset:
    return corpus_of(home / "talks.csv")


@pytest.fixture
def no_pictures(monkeypatch):
    """Pictures take longer than all the rest of so small a run."""
    monkeypatch.setattr(cross_validation.report, "draw", lambda *_: None)


@pytest.fixture
def place(home, tmp_path, no_pictures) -> RunPaths:
    return RunPaths(tmp_path / "run", home / "weights", home / "cache", quiet=True)


@pytest.fixture(scope="module")
def whole(home, corpus, tmp_path_factory) -> Path:
    """Return the folder of an uninterrupted run of everything."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    cross_validation.run(ALL, corpus, RunPaths(folder, home / "weights", home / "cache", quiet=True))
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def no_training(monkeypatch) -> None:
    def never(*_, **__):
        raise AssertionError("something was trained")

    monkeypatch.setattr(fold, "train", never)
    monkeypatch.setattr(fold.training_loop, "train", never)


def test_a_run_answers_for_every_utterance_once(whole, corpus):
    answers = rows(whole)
    asked = Counter((row["branch"], row["id"]) for row in answers)
    assert set(asked) == {(b, u.id) for b in ("speech", "text", "fusion", "joint") for u in corpus.utterances}
    assert set(asked.values()) == {1}
    label = {u.id: u.label for u in corpus.utterances}
    for row in answers:
        shares = {name: float(row[f"p({name})"]) for name in corpus.labels}
        assert sum(shares.values()) == pytest.approx(1, abs=2e-4)
        assert row["guess"] in {name for name, share in shares.items() if share == max(shares.values())}
        assert row["label"] == label[row["id"]]


def test_metrics_of_a_run_are_those_of_its_predictions(whole):
    found = metrics(whole)
    assert (found["corpus"], found["protocol"], found["labels"]) == ("manifest", "speaker", ["calm", "furious"])
    for name, measured in found["branches"].items():
        mine = [row for row in rows(whole) if row["branch"] == name]
        by_part = [
            [row["guess"] == row["label"] for row in mine if row["part"] == part] for part in ("s0, s2", "s1, s3")
        ]
        assert [len(part) for part in by_part] == [8, 8]
        accuracies = [np.mean(part) for part in by_part]
        assert measured["wa"]["mean"] == pytest.approx(np.mean(accuracies), abs=1e-4)
        assert measured["wa"]["std"] == pytest.approx(np.std(accuracies), abs=1e-4)
        assert measured["n"] == 16 and np.sum(measured["confusion"]) == 16


def test_speech_that_tells_the_label_is_learned(whole):
    assert metrics(whole)["branches"]["speech"]["ua"]["mean"] > 0.8


def test_words_are_tested_after_what_was_said_before_as_well(place, corpus):
    official = [
        replace(u, split="test" if i < 8 else "train", context=(Turn("really", "other"),))
        for i, u in enumerate(corpus.utterances)
    ]
    experiment = Experiment(validation_percent=0, protocol="official", text=replace(TEXT, context_tokens=8))
    cross_validation.run(experiment, replace(corpus, utterances=official), place)
    found = metrics(place.run_dir)["branches"]
    assert {name: (found[name]["n"], found[name]["calibration"]) for name in found} == {
        "text": (8, None),
        "text_context": (8, None),
    }
    guesses = {(row["branch"], row["id"]): row["p(calm)"] for row in rows(place.run_dir)}
    assert any(guesses["text", u.id] != guesses["text_context", u.id] for u in official[:8])
    network, texts, config = text_checkpoint.restore(place.checkpoints / "text")
    assert (network.context_tokens, texts.context_tokens) == (8, 8)
    assert config["metrics"]["context"] == found["text_context"]


def test_the_run_folder_states_experiment_corpus_and_versions(whole, corpus):
    config = json.loads((whole / "config.json").read_text())
    assert config["experiment"]["seed"] == 0 and config["experiment"]["text"]["learning_rate"] == 1e-3
    assert config["corpus"]["checksum"] == checksum(corpus.utterances)
    assert config["corpus"]["labels"] == {"calm": 8, "furious": 8}
    assert {"torch", "transformers", "python"} <= set(config["versions"])
    for name in ("curves", "confusion-speech", "confusion-text", "confusion-fusion", "confusion-joint"):
        assert (whole / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_checkpoints_of_a_cross_validation_have_learned_from_everything(whole):
    for name, kind in (("speech", "speech-is09"), ("text", "text"), ("fusion", "fusion-feed-forward")):
        config = json.loads((whole / "checkpoints" / name / "config.json").read_text())
        assert config["kind"] == kind
        assert config["labels"] == ["calm", "furious"]
        assert config["corpora"]["manifest"]["labels"] == {"calm": 8, "furious": 8}
    assert not list(whole.rglob("units/**/*.safetensors")) and not list(whole.rglob("*.partial"))


def test_the_same_seed_gives_the_same_results(whole, corpus, place):
    cross_validation.run(ALL, corpus, place, export=False)
    for name in RESULTS:
        assert (place.run_dir / name).read_bytes() == (whole / name).read_bytes()
    assert not (place.run_dir / "checkpoints").exists()


class _Stop:
    """Cuts a run off when something is said, or at the n-th step of a kind of network."""

    def __init__(self, monkeypatch, network: type, step: int, how: str) -> None:
        self.left, original = step, network.forward

        def forward(this, *args, **kwargs):
            if this.training:
                self.left -= 1
                if self.left == 0 and how == "killed":
                    raise KeyboardInterrupt
                if self.left == 0:
                    signal.raise_signal(signal.SIGTERM if how == "told to end" else signal.SIGINT)
            return original(this, *args, **kwargs)

        monkeypatch.setattr(network, "forward", forward)


def check_the_rest_is_the_same(place: RunPaths, corpus: Dataset, whole: Path) -> None:
    cross_validation.run(ALL, corpus, replace(place, resume=True))
    for name in RESULTS:
        assert (place.run_dir / name).read_bytes() == (whole / name).read_bytes(), name
    for name in ("speech", "text", "fusion"):
        weights = Path("checkpoints") / name / "weights.safetensors"
        assert (place.run_dir / weights).read_bytes() == (whole / weights).read_bytes(), name


@pytest.mark.parametrize(
    ("network", "step", "how"),
    [
        (AttentionBiLSTM, 1, "killed"),  # at once
        (TextEmotion, 3, "killed"),  # of 4 steps of text, 2 of speech and 1 jointly in each part
        (TextEmotion, 2, "asked"),
        (TextEmotion, 4, "told to end"),  # at the very last step
        (TextEmotion, 5, "asked"),  # of joint fine-tuning
        (TextEmotion, 8, "asked"),  # in the second part
        (TextEmotion, 13, "asked"),  # of the networks to keep
    ],
    ids=lambda value: value if isinstance(value, str | int) else value.__name__,
)
def test_a_run_cut_off_within_a_training_ends_as_one_that_was_not(
    network, step, how, place, corpus, whole, monkeypatch
):
    with monkeypatch.context() as patch:
        stop = _Stop(patch, network, step, how)
        with pytest.raises(KeyboardInterrupt):
            cross_validation.run(ALL, corpus, place)
        assert stop.left <= 0
    check_the_rest_is_the_same(place, corpus, whole)


@pytest.mark.parametrize(
    "what", ["run 1 of 1, part 1", "text, 8", "fusion, 8", "fusion together", "part 2", "the networks to keep"]
)
def test_a_run_cut_off_between_trainings_ends_as_one_that_was_not(what, place, corpus, whole, monkeypatch, caplog):
    caplog.set_level(logging.INFO)

    def interrupt(record: logging.LogRecord) -> bool:
        if what in record.getMessage():
            raise KeyboardInterrupt
        return True

    with monkeypatch.context() as patch:
        for name in ("cross_validation", "fold", "refit"):
            patch.setattr(logging.getLogger(f"trainer.experiment.{name}"), "filters", [interrupt])
        with pytest.raises(KeyboardInterrupt):
            cross_validation.run(ALL, corpus, place)
    check_the_rest_is_the_same(place, corpus, whole)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (fold.np, "savez"),
        (cross_validation.report, "metrics"),
        (cross_validation.report, "draw"),
        (refit, "write_fusion"),
    ],
    ids=["answers", "metrics", "pictures", "checkpoints"],
)
def test_a_run_cut_off_while_writing_ends_as_one_that_was_not(module, name, place, corpus, whole, monkeypatch):
    def cut(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, cut)
        with pytest.raises(KeyboardInterrupt):
            cross_validation.run(ALL, corpus, place)
    check_the_rest_is_the_same(place, corpus, whole)


def test_a_finished_run_trains_nothing_more(place, corpus, monkeypatch):
    experiment = replace(ALL, speech=None, fusion=None)
    first = cross_validation.run(experiment, corpus, place).metrics
    before = {path: path.stat().st_mtime_ns for path in place.run_dir.rglob("*") if "checkpoints" in path.parts}
    no_training(monkeypatch)
    assert cross_validation.run(experiment, corpus, replace(place, resume=True)).metrics == first
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_run_killed_after_its_report_still_gets_its_checkpoints(place, corpus, monkeypatch):
    experiment = replace(ALL, protocol="shuffled", speech=None, fusion=None)
    cross_validation.run(experiment, corpus, place, export=False)
    cross_validation.run(experiment, corpus, replace(place, resume=True))
    assert (place.run_dir / "checkpoints" / "text" / "config.json").is_file()


def test_another_experiment_or_corpus_in_the_folder_is_refused(whole, corpus, place, home, talks, tmp_path):
    here = replace(place, run_dir=whole)
    with pytest.raises(ConfigError, match="--resume"):
        cross_validation.run(ALL, corpus, here)
    here = replace(here, resume=True)
    with pytest.raises(ConfigError, match=r"experiment\.text\.learning_rate"):
        cross_validation.run(replace(ALL, text=replace(TEXT, learning_rate=2e-3)), corpus, here)
    with pytest.raises(ConfigError, match=r"corpus"):
        cross_validation.run(ALL, corpus_of(talks(tmp_path / "other", seed=1)), here)


@pytest.mark.parametrize("change", ["order", "speakers"])
def test_another_division_of_the_same_utterances_is_refused(change, whole, corpus, place):
    there = list(corpus.utterances)
    if change == "order":
        there.reverse()
    else:  # the same speakers under other names, dealt otherwise
        swap = {"s0": "s1", "s1": "s0"}
        there = [replace(u, speaker=swap.get(u.speaker, u.speaker)) for u in there]
    with pytest.raises(ConfigError, match="division"):
        cross_validation.run(ALL, Dataset("manifest", there, corpus.labels), replace(place, run_dir=whole, resume=True))


@pytest.mark.parametrize("case", ["xlnet", "attention", "apart"])
def test_other_encoders_and_blocks(case, place, corpus):
    experiment = {
        "xlnet": replace(ALL, text=replace(TEXT, encoder="xlnet")),
        "attention": replace(ALL, fusion=replace(FUSION, block="attention")),
        "apart": replace(ALL, fusion=replace(FUSION, fusion_holdout=0.25, joint_epochs=0)),
    }[case]
    found = cross_validation.run(experiment, corpus, place).metrics
    assert set(found["branches"]) == {"speech", "text", "fusion"} | ({"joint"} if case != "apart" else set())
    assert all(0 <= b["ua"]["mean"] <= 1 and b["n"] == 16 for b in found["branches"].values())
    kind = json.loads((place.run_dir / "checkpoints" / "fusion" / "config.json").read_text())["kind"]
    assert kind == ("fusion-attention" if case == "attention" else "fusion-feed-forward")
    encoder = json.loads((place.run_dir / "checkpoints" / "text" / "encoder.json").read_text())
    assert encoder["model_type"] == ("xlnet" if case == "xlnet" else "bert")


def made_states(utterances, _weights, *, encoder, augmentations, seed, cache, quiet=False):
    """Return states that tell the label, in place of those of a speech encoder that is not there."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 0.3, (len(utterances), 1 + augmentations, 5, 16))
    sign = np.array([1.0 if u.label == "calm" else -1.0 for u in utterances])
    states = (noise + sign[:, None, None, None]).astype(np.float16)
    return PooledStates(states, np.full(states.shape[:2], 2.0, np.float32))


def test_the_runtimes_branches_answer_with_either_side_alone(place, corpus, monkeypatch):
    monkeypatch.setattr("trainer.speech.modality.pooled_states", made_states)
    monkeypatch.setattr(refit.download, "provenance", lambda folder: {"name": folder.name})
    speech, fusion = (
        Speech(augmentations=2, epochs=8, batch_size=8),
        Fusion(block="product-of-experts", epochs=2, fusion_holdout=0.25),
    )
    found = cross_validation.run(replace(ALL, speech=speech, fusion=fusion), corpus, place).metrics
    alone = {"fusion_speech_only", "fusion_text_only"}
    assert set(found["branches"]) == {"speech", "speech_compared", "text", "fusion"} | alone
    assert found["branches"]["fusion_speech_only"]["ua"]["mean"] > 0.8
    config = json.loads((place.run_dir / "checkpoints" / "fusion" / "config.json").read_text())
    assert config["kind"] == "fusion"
    assert set(config["metrics"]["calibration"]) == {"fusion", *alone}
    assert all(0.05 <= c["temperature"] <= 20 for c in config["metrics"]["calibration"].values())


NOBODY = np.zeros(0, np.intp)


def mixed() -> Dataset:
    """Return two corpora of two classes, each with recordings of another emotion, and one of plain speech."""
    made = [
        Utterance(f"{corpus}{speaker}{label}{n}", corpus, label, f"{corpus}-{speaker}", audio=Path("none.wav"))
        for corpus in ("first", "second")
        for speaker in ("anna", "ben", "chris", "dora")
        for label in ("calm", "furious", "other")
        for n in range(3)
    ]
    plain = [
        Utterance(f"p{n}", "books", "unlabelled", "anna" if n < 2 else "", audio=Path("none.wav")) for n in range(4)
    ]
    classes = [u for u in made if u.label != "other"]
    others = [u for u in made if u.label == "other"]
    return Dataset("first+second+books", classes, ("calm", "furious"), [*others, *plain])


def folds_of(dataset: Dataset, protocol: str, **settings: object) -> list[Fold]:
    return with_unlabelled(plan(dataset.utterances, protocol, **settings), dataset, protocol)


def test_what_has_no_class_is_never_tested():
    dataset = mixed()
    for protocol in ("speaker", "corpus", "shuffled"):
        for fold_ in folds_of(dataset, protocol):
            assert max(*fold_.test, *fold_.validation, 0) < len(dataset.utterances)
            assert len(set(fold_.train)) == len(fold_.train)
            assert not set(fold_.train) & set(fold_.test)


def test_of_a_tested_speaker_nothing_without_a_class_is_learned_and_of_all_others_everything():
    dataset = mixed()
    for number, fold_ in enumerate(folds_of(dataset, "speaker", folds=4)):
        tested = {(dataset.utterances[row].corpus, dataset.utterances[row].speaker) for row in fold_.test}
        learned = {dataset.everything[row].id for row in fold_.train if row >= len(dataset.utterances)}
        silent = {"books"} if number == 0 else set()
        expected = [u for u in dataset.unlabelled if (u.corpus, u.speaker) not in tested and u.corpus not in silent]
        assert learned == {u.id for u in expected}
        # Anna of another corpus is another Anna, and who is not named is nobody.
        assert ({"p0", "p2"} <= learned) == (number > 0)
        left_out = set(range(len(dataset.utterances), len(dataset.everything))) - set(fold_.train)
        assert left_out == set(fold_.unlabelled)


def test_each_corpus_of_plain_speech_is_left_out_of_one_fold_if_there_are_several():
    dataset = mixed()
    plain = {row for row, u in enumerate(dataset.everything) if u.corpus == "books"}
    assert [plain <= set(f.unlabelled) for f in folds_of(dataset, "speaker", folds=4)] == [True, False, False, False]
    (whole,) = with_unlabelled([Fold("all", np.arange(48), NOBODY, NOBODY)], dataset, "official")
    assert plain <= set(whole.train)


def test_of_a_tested_corpus_nothing_without_a_class_is_learned():
    dataset = mixed()
    parts = folds_of(dataset, "corpus")
    assert len(parts) == 2
    for fold_, silent in zip(parts, ("books", "none"), strict=True):
        (tested,) = {dataset.utterances[row].corpus for row in fold_.test}
        learned = [dataset.everything[row] for row in fold_.train if row >= len(dataset.utterances)]
        assert {u.corpus for u in learned} == {"first", "second", "books"} - {tested, silent}


def test_without_rows_of_no_class_the_folds_stay_as_they_are():
    dataset = replace(mixed(), unlabelled=())
    for one, other in zip(plan(dataset.utterances, "corpus"), folds_of(dataset, "corpus"), strict=True):
        np.testing.assert_array_equal(one.train, other.train)


def test_labels_beyond_the_classes_say_which_kind_of_none_it_is():
    dataset = mixed()
    truth = truth_of(dataset, Experiment(speech=replace(SPEECH, unlabelled_weight=0.4)))
    assert truth.soft_weight == 0.4
    assert truth.labels[: len(dataset.utterances)].tolist() == dataset.label_ids
    kinds = {
        u.label: label for u, label in zip(dataset.unlabelled, truth.labels[len(dataset.utterances) :], strict=True)
    }
    assert kinds == {"other": 2, "unlabelled": 3}
    assert truth.corpora == [u.corpus for u in dataset.everything]


def test_a_run_reports_only_what_has_a_class_and_its_checkpoint_names_all_corpora(place, monkeypatch):
    monkeypatch.setattr("trainer.speech.modality.pooled_states", made_states)
    monkeypatch.setattr(refit.download, "provenance", lambda folder: {"name": folder.name})
    for module in (cross_validation, "trainer.corpora.dataset"):
        monkeypatch.setattr(f"{module if isinstance(module, str) else module.__name__}.checksum", lambda _: "0")
    dataset = mixed()
    speech = Speech(augmentations=1, epochs=2, batch_size=8, unlabelled_weight=0.4)
    found = cross_validation.run(Experiment(protocol="corpus", speech=speech), dataset, place).metrics
    assert {name: found["branches"][name]["n"] for name in found["branches"]} == {"speech": 48, "speech_compared": 48}
    assert np.sum(found["branches"]["speech"]["confusion"]) == 48
    with np.load(place.run_dir / "units" / "run-1-part-1" / "answers.npz") as answers:
        assert answers["speech_unlabelled"].shape == (16, 2)  # a corpus' other emotions, and plain speech
    with (place.run_dir / "predictions.csv").open(newline="") as file:
        assert {row["label"] for row in csv.DictReader(file)} == {"calm", "furious"}
    corpora = json.loads((place.run_dir / "checkpoints" / "speech" / "config.json").read_text())["corpora"]
    assert {name: entry["labels"] for name, entry in corpora.items()} == {
        "first": {"calm": 12, "furious": 12, "other": 12},
        "second": {"calm": 12, "furious": 12, "other": 12},
        "books": {"unlabelled": 4},
    }


OFFICIAL = ["train"] * 12 + ["test"] * 4


def test_an_official_split_ships_the_network_that_was_tested(place, home, talks, tmp_path):
    corpus = corpus_of(talks(tmp_path / "split", split=OFFICIAL))
    experiment = Experiment(repeats=3, validation_percent=30, text=replace(TEXT, learning_rate=1e-2))
    found = cross_validation.run(experiment, corpus, place).metrics
    assert found["protocol"] == "official"
    text = found["branches"]["text"]
    assert (text["n"], text["runs"], text["folds"]) == (4, 3, 1)
    assert text["wa"]["std"] == pytest.approx(np.std(text["wa"]["by_run"]), abs=1e-4)
    assert text["calibration"] is not None
    network, texts, _ = text_checkpoint.restore(place.run_dir / "checkpoints" / "text")
    tested = [row for row in rows(place.run_dir) if row["run"] == "1"]
    by_id = {u.id: u.transcript for u in corpus.utterances}
    logits, _ = predict(network, texts.encode([by_id[row["id"]] for row in tested]), texts.collate, LENGTH)
    assert [corpus.labels[g] for g in logits.argmax(1)] == [row["guess"] for row in tested]
    probabilities = [float(row["p(calm)"]) for row in tested]
    np.testing.assert_allclose(softmax(logits, axis=1)[:, 0], probabilities, atol=1e-4)


def test_repeats_are_trained_with_other_seeds(place, corpus):
    found = cross_validation.run(replace(ALL, repeats=2, speech=None, fusion=None), corpus, place, export=False).metrics
    assert found["branches"]["text"]["runs"] == 2
    shares = [[row["p(calm)"] for row in rows(place.run_dir) if row["run"] == number] for number in "12"]
    assert len(shares[0]) == len(shares[1]) == 16 and shares[0] != shares[1]


@pytest.mark.parametrize("source", ["corpus", "checkpoint"])
def test_a_warm_start_begins_with_weights_learned_elsewhere(source, whole, place, corpus, home, monkeypatch):
    there = str(home / "talks.csv" if source == "corpus" else whole / "checkpoints" / "text")
    cold = Experiment(protocol="shuffled", folds=2, text=TEXT)
    warm = replace(cold, text=replace(cold.text, warm_start=there, warm_epochs=3))
    seen = []
    fresh = branches.Modality.__init__

    def spy(this, *args, **kwargs):
        fresh(this, *args, **kwargs)
        seen.append(this)

    monkeypatch.setattr(branches.Modality, "__init__", spy)
    cross_validation.run(warm, corpus, place)
    network = seen[-1].fresh(np.arange(4), 0)
    pretrained = seen[0].fresh(np.arange(4), 0)
    moved = sum(
        (a - b).abs().sum().item()
        for a, b in zip(network.encoder.parameters(), pretrained.encoder.parameters(), strict=True)
    )
    assert moved > 1
    assert not list(place.run_dir.glob("warm-*"))


def test_a_warm_start_cut_off_goes_on(place, corpus, home, monkeypatch):
    warm = replace(TEXT, warm_start=str(home / "talks.csv"), warm_epochs=2)
    experiment = Experiment(protocol="shuffled", folds=2, text=warm)
    cross_validation.run(experiment, corpus, place)
    again = replace(place, run_dir=place.run_dir.with_name("again"))
    with monkeypatch.context() as patch:
        _Stop(patch, TextEmotion, 3, "asked")
        with pytest.raises(KeyboardInterrupt):
            cross_validation.run(experiment, corpus, again)
    cross_validation.run(experiment, corpus, replace(again, resume=True))
    assert (again.run_dir / "predictions.csv").read_bytes() == (place.run_dir / "predictions.csv").read_bytes()


def test_a_warm_start_from_an_unusable_source_is_refused(place, corpus, home, whole):
    def warm(start: Path, encoder: str = "bert") -> Experiment:
        return replace(ALL, speech=None, fusion=None, text=replace(TEXT, encoder=encoder, warm_start=str(start)))

    with pytest.raises(CorpusError, match="no such file"):
        cross_validation.run(warm(home / "nowhere"), corpus, place)
    for number, (experiment, error) in enumerate(
        [
            (warm(whole / "checkpoints" / "speech"), CheckpointError),
            (warm(whole / "checkpoints" / "text", "xlnet"), ConfigError),
        ]
    ):
        with pytest.raises(error):
            cross_validation.run(experiment, corpus, replace(place, run_dir=place.run_dir / str(number)))


def test_missing_audio_is_refused_where_it_is_needed(place, home):
    mute = corpus_of(home / "talks.csv", audio=None)
    with pytest.raises(CorpusError, match="16 of 16 utterances have no audio"):
        cross_validation.run(ALL, mute, place)
    with pytest.raises(CorpusError, match="no audio"):
        cross_validation.run(replace(ALL, speech=None, fusion=None, transcripts="asr"), mute, place)
    cross_validation.run(replace(ALL, speech=None, fusion=None), mute, place, export=False)


def test_missing_transcripts_are_refused_before_the_folder_is_taken(place, home):
    with pytest.raises(CorpusError, match="16 of 16 utterances have no words"):
        cross_validation.run(ALL, corpus_of(home / "talks.csv", transcript=None), place)
    assert not place.run_dir.exists()


def test_four_recordings_are_refused_with_what_would_be_enough(place, corpus):
    with pytest.raises(CorpusError, match=r"calm 2, furious 2; each of the 2 labels needs 5.*so 10 in all"):
        cross_validation.run(ALL, Dataset("manifest", corpus.utterances[:4], corpus.labels), place)
    assert not place.run_dir.exists()


def test_one_label_is_not_enough(place, corpus):
    calm = [u for u in corpus.utterances if u.label == "calm"]
    with pytest.raises(CorpusError, match="two at least"):
        cross_validation.run(ALL, Dataset("manifest", calm, ("calm",)), place)


def test_a_label_that_is_only_tested_is_refused(place, corpus):
    there = [replace(u, speaker="s0") if u.label == "furious" else u for u in corpus.utterances]
    with pytest.raises(CorpusError, match="no furious is left to train on"):
        cross_validation.run(ALL, Dataset("manifest", there, corpus.labels), place)


@pytest.mark.parametrize(
    ("protocol", "named"),
    [("speaker", "16 of 16 utterances name no speaker"), ("official", "16 of 16 utterances name no split")],
)
def test_a_protocol_that_the_corpus_cannot_have_is_refused(place, home, protocol, named):
    with pytest.raises(CorpusError, match=named):
        cross_validation.run(replace(ALL, protocol=protocol), corpus_of(home / "talks.csv", speaker=""), place)


def test_text_alone_needs_no_room_for_features(place, corpus, monkeypatch):
    asked = []
    monkeypatch.setattr(cross_validation, "check_room", lambda folder, needed: asked.append((folder, needed)))
    words = replace(ALL, speech=None, fusion=None)
    cross_validation.run(words, corpus, place, export=False)
    assert dict(asked)[place.cache] == 0
    with pytest.raises(ConfigError, match="--resume"):
        cross_validation.run(ALL, corpus, place)
    assert dict(asked)[place.cache] >= 16 * 384 * 384 * 4


def test_the_time_left_is_logged_from_the_second_part_on(place, corpus, caplog):
    caplog.set_level(logging.INFO)
    cross_validation.run(replace(ALL, speech=None, fusion=None), corpus, place, export=False)
    assert any(text.startswith("run 1 of 1, part 2 of 2; less than a minute left") for text in caplog.messages)
