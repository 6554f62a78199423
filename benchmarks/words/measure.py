"""``python -m benchmarks words``: the words branch on corpora that it never met, and on text as a recogniser writes.

It reads a finished run of ``trainer fit`` with the bundle's configuration, and trains the variants that are not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from scipy.special import softmax

from benchmarks.common import results_file
from benchmarks.common.names import check_known
from benchmarks.common.paths import BUNDLE, Cache, Data, Weights
from benchmarks.words import variants
from edge_runtime import IEmoNet
from edge_runtime.inference.text_tokens import Turn
from trainer import config
from trainer.corpora import trainable
from trainer.corpora.dataset import Dataset, fragments
from trainer.corpora.protocols import Fold
from trainer.corpora.utterance import Utterance
from trainer.experiment.fold import FoldRun
from trainer.metrics import scores
from trainer.modality import Float, predict
from trainer.text import checkpoint, spoken, transcripts
from trainer.text.encoding import LENGTH, Texts
from trainer.text.modality import unpunctuated
from trainer.text.network import TextEmotion
from trainer.text.recognition_errors import strip_exclamations
from trainer.text.wer import word_error_rate
from trainer.toml_file import read_toml

PLAIN = Path(__file__).with_name("plain_sentences.toml")
OF_FIVE = ("meld", "dailydialog", "xed_en", "emorynlp", "goemotions")
"""The corpora whose mean is stated when each is left out; chat and talk on set topics are apart."""
DIALOGUES = ("meld", "dailydialog", "emorynlp")
"""Corpora on which words are also read after what was said before."""
ERROR_RATE = 0.06
"""Word error rate of simulated errors: the paper's."""
MOST = 2_000
"""So many texts of a tested corpus are asked of a network that is only compared: MELD's dev part is smaller."""


@dataclass(frozen=True)
class Network:
    """A trained text network, and what its answers need."""

    network: TextEmotion
    texts: Texts
    config: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path) -> Network:
        """Return the network in the checkpoint ``folder``."""
        return cls(*checkpoint.restore(folder))

    def logits(self, sentences: Sequence[str], contexts: Sequence[Sequence[Turn]] | None = None) -> Float:
        """Return logits (n, classes)."""
        examples = self.texts.encode(sentences, contexts)
        return predict(self.network, examples, self.texts.collate, LENGTH)[0]


@dataclass(frozen=True)
class Shipped:
    """The words branch of a bundle, as the runtime answers to words alone."""

    model: IEmoNet

    def logits(self, sentences: Sequence[str]) -> Float:
        """Return log-probabilities (n, classes); where there are no words, all classes are alike."""
        labels = self.model.bundle.labels
        alike = dict.fromkeys(labels, 1 / len(labels))
        scores = [self.model.classify_text(text).scores if text.strip() else alike for text in sentences]
        found: Float = np.log([[one[label] + 1e-12 for label in labels] for one in scores])
        return found


def measure(
    dataset: Dataset, folds: Sequence[Fold], run: Path, before: Shipped, compared: Mapping[str, Path], forms: Forms
) -> dict[str, Any]:
    """Return every figure.

    Args:
        dataset: the corpora of text.
        folds: one for each corpus that is left out.
        run: of ``trainer fit`` on them: a folder with ``text/`` and ``checkpoints/``.
        before: the bundle that the left-out corpora are compared with.
        compared: checkpoints by the names of variants.
        forms: MELD's dev part in every form.
    """
    seeds = {"seed 0": run / "checkpoints" / "text"} | {
        name.replace("-", " "): folder for name, folder in compared.items() if name.startswith("seed")
    }
    kept = Network.of(run / "checkpoints" / "text")
    calibration = kept.config["metrics"]["calibration"]
    others = {name: Network.of(folder) for name, folder in compared.items() if not name.startswith("seed")}
    return {
        "left_out": _left_out(dataset, folds, run, before),
        "calibration": calibration,
        "priors": kept.config.get("priors"),
        "meld": {
            "n": len(forms.labels),
            "wer": forms.wer,
            "before": forms.scores(before),
            **{name: forms.ask(Network.of(folder)) for name, folder in seeds.items()},
        },
        "context": {fold.name: _context(dataset, fold, kept) for fold in folds if fold.name in DIALOGUES},
        "compared": results_file.read("words").get("compared", {})  # those that are not asked for this time stay
        | {
            name: {"meld": forms.ask(network), "tested": _tested(dataset, folds, network)}
            for name, network in {"bundle": kept, **others}.items()
        },
        "plain_sentences": _plain_sentences(kept),
        "fragments": _fragments(kept, calibration),
    }


@dataclass(frozen=True)
class Forms:
    """MELD's dev part as it is written and as a recogniser would write it.

    Attributes:
        utterances: of a class.
        labels: index of each one's label (n,).
        sentences: by form.
        wer: word error rate of the form that was spoken and recognised.
    """

    utterances: Sequence[Utterance]
    labels: Any
    sentences: Mapping[str, Sequence[str]]
    wer: float

    @classmethod
    def of(cls, dataset: Dataset, rows: Sequence[int], weights: Path, cache: Path, bundle: Path) -> Forms:
        """Write the utterances of ``rows`` down in every form."""
        utterances = [dataset.utterances[row] for row in rows]
        written = [u.transcript or "" for u in utterances]
        heard = spoken.recognised(written, cache, bundle=bundle, quiet=True)
        errors = transcripts.simulated(written, rate=ERROR_RATE, seed=7, weights=weights)
        sentences = {
            "written": written,
            "errors": errors,
            "as_recognised": [strip_exclamations(text) for text in errors],
            "unpunctuated": [unpunctuated(text) for text in written],
            "spoken": heard,
        }
        return cls(utterances, np.array(dataset.label_ids)[rows], sentences, round(word_error_rate(written, heard), 4))

    def scores(self, branch: Network | Shipped) -> dict[str, dict[str, float]]:
        """Return the scores of a words branch on each form."""
        return {name: _scores(self.labels, branch.logits(words)) for name, words in self.sentences.items()}

    def ask(self, network: Network) -> dict[str, dict[str, float]]:
        """Return the scores of a network on each form; after a context too where it reads one."""
        found = self.scores(network)
        if network.texts.context_tokens:
            contexts = [u.context for u in self.utterances]
            found["context"] = _scores(self.labels, network.logits(self.sentences["written"], contexts))
        if priors := network.config.get("priors"):
            balanced = network.logits(self.sentences["written"]) - np.log([priors[x] for x in network.config["labels"]])
            found["written, classes taken as equally frequent"] = _scores(self.labels, balanced)
        return found


def _scores(labels: Any, logits: Float) -> dict[str, float]:
    return {name: round(value, 4) for name, value in scores(labels, logits.argmax(1)).items()}


def _left_out(dataset: Dataset, folds: Sequence[Fold], run: Path, before: Shipped) -> dict[str, Any]:
    """Return the scores on each corpus of the network that had not met it, and of the network before."""
    labels = np.array(dataset.label_ids)
    corpora: dict[str, dict[str, Any]] = {}
    for number, fold in enumerate(folds, start=1):
        answers = FoldRun(run / "text" / "units" / f"run-1-part-{number}", fold, 0).answers()
        sentences = [dataset.utterances[row].transcript or "" for row in fold.test]
        corpora[fold.name] = {
            "n": len(fold.test),
            "before": _scores(labels[fold.test], before.logits(sentences)),
            "left_out": _scores(labels[fold.test], answers["text"][len(fold.validation) :]),
            "left_out_context": _scores(labels[fold.test], answers["text_context"][:, 0]),
        }
    five = [corpora[name] for name in OF_FIVE if name in corpora]
    means = {
        key: {score: round(float(np.mean([c[key][score] for c in five])), 4) for score in ("wa", "ua")}
        for key in ("before", "left_out")
    }
    return {"corpora": corpora, "mean_of_five": means}


def _some(rows: Any) -> Any:
    return rows if len(rows) <= MOST else np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))


def _context(dataset: Dataset, fold: Fold, network: Network) -> dict[str, Any]:
    """Return the scores of the network that is kept, without and with what was said before."""
    rows = _some(fold.test)
    utterances = [dataset.utterances[row] for row in rows]
    labels, words = np.array(dataset.label_ids)[rows], [u.transcript or "" for u in utterances]
    return {
        "n": len(rows),
        "without": _scores(labels, network.logits(words)),
        "with": _scores(labels, network.logits(words, [u.context for u in utterances])),
    }


def _tested(dataset: Dataset, folds: Sequence[Fold], network: Network) -> dict[str, Any]:
    """Return the scores on the official test part of each corpus that has one."""
    found = {}
    for fold in folds:
        if len(fold.validation):
            rows = _some(fold.test)
            words = [dataset.utterances[row].transcript or "" for row in rows]
            found[fold.name] = _scores(np.array(dataset.label_ids)[rows], network.logits(words))
    return found


def _plain_sentences(network: Network) -> dict[str, Any]:
    """Return how many of the sentences that were written before the training are right, and which are not."""
    asked = [(label, text) for label, sentences in read_toml(PLAIN).items() for text in sentences]
    guesses = network.logits([text for _, text in asked]).argmax(1)
    names = network.config["labels"]
    wrong = [
        {"text": text, "label": label, "guess": names[guess]}
        for (label, text), guess in zip(asked, guesses, strict=True)
        if names[guess] != label
    ]
    return {"n": len(asked), "right": len(asked) - len(wrong), "wrong": wrong}


def _fragments(network: Network, calibration: Mapping[str, float]) -> dict[str, Any]:
    """Return how many fragments, of those that are learned as such, are answered for as uncertain."""
    texts = [u.transcript or "" for u in fragments()]
    confidence = softmax(network.logits(texts) / calibration["temperature"], axis=1).max(1)
    return {"n": len(texts), "uncertain": int((confidence < calibration["operating_point"]).sum())}


def command(
    run: Annotated[Path, typer.Option(help="Folder of a finished `trainer fit --config en-tiny`.")] = Path(
        "runs/en-tiny"
    ),
    before: Annotated[Path, typer.Option(help="Folder of the bundle to compare with.")] = Path("before"),
    trained: Annotated[Path, typer.Option(help="Folder of the variants; those that are missing are trained.")] = Path(
        "runs/words"
    ),
    only: Annotated[list[str] | None, typer.Option(help="Variants; all by default.")] = None,
    bundle: Annotated[Path, typer.Option(help="Whose recogniser writes spoken text down.")] = BUNDLE,
    data: Data = Path("data"),
    weights: Weights = Path("weights"),
    cache: Cache = Path("cache"),
) -> None:
    """Measure the words branch on corpora it never met, on texts as a recogniser writes them, and its variants."""
    names = list(variants.VARIANTS) if only is None else only
    check_known(names, variants.VARIANTS)
    folders = {name: variants.train(name, data, weights, cache, trained) for name in names}
    experiment = variants.bundle_text()
    dataset = variants.texts(data, experiment)
    folds = trainable.folds(dataset.name, dataset.utterances, experiment.use)
    rows = next(fold.test for fold in folds if fold.name == "meld")
    forms = Forms.of(dataset, rows.tolist(), weights, cache, bundle)
    settings = config.read(config.BUNDLE).text
    assert settings is not None
    with IEmoNet.load(before, device="cpu", threads=1) as shipped:
        result = measure(dataset, folds, run, Shipped(shipped), folders, forms)
    result |= {
        "before": f"{shipped.bundle.name} {shipped.bundle.version}",
        "draws": settings.draws,
        "left_out_draws": settings.left_out_draws,
        "error_rate": ERROR_RATE,
    }
    Console(stderr=True).print(f"written: {results_file.write('words', result)}")
