"""``python -m benchmarks whole-tests``: a text branch in torch, in 8 and in 7 bits, on the whole official test part.

The graphs are those that the export makes: layers that cost too much stay exact. Torch answers in batches; a graph
answers text by text, as the runtime asks it, because one scale holds for all the activations of a call.
"""

from __future__ import annotations

import hashlib
import inspect
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.common import results_file, text_graph
from benchmarks.common.paths import Data
from benchmarks.precision.models import test_part
from edge_runtime.inference.session import Session
from edge_runtime.system.writing import writing
from export.evaluation import data as evaluation
from export.evaluation.agreement import accuracy
from export.evaluation.limits import Limits
from export.quantization import embeddings, excluded_layers, outliers, quantize
from export.quantization.calibration import error_metric
from export.quantization.config import QuantizationConfig
from trainer import checkpoints
from trainer.corpora.utterance import Utterance
from trainer.errors import ConfigError
from trainer.modality import predict
from trainer.text import checkpoint
from trainer.text.encoding import LENGTH, Texts
from trainer.text.network import TextEmotion
from trainer.text.tweets import normalize_tweet
from trainer.training_loop import Example

NAME = "whole-tests"
TARGETS = {"7 bits": "avx2", "8 bits": "avx512_vnni"}
"""What the export is told, by what comes out."""
DIGEST = 16
Labels = NDArray[np.intp]


def measure(checkpoint_folder: Path, utterances: Sequence[Utterance], kept: Path) -> dict[str, Any]:
    """Return accuracy of torch and of both int8 graphs, and how many labels of a graph are torch's.

    Args:
        checkpoint_folder: of text emotion.
        utterances: what is asked, all with labels of the checkpoint.
        kept: folder of the graphs and of torch's answers, which another processor is to run too.
    """
    network, texts, config = checkpoint.restore(checkpoint_folder)
    names = list(config["labels"])
    tidy = normalize_tweet if config["settings"].get("normalize_tweets") else str
    examples = texts.encode([tidy(u.transcript or "") for u in utterances])
    truth = np.array([names.index(u.label) for u in utterances])
    kept.mkdir(parents=True, exist_ok=True)
    digest = checkpoints.digest(checkpoint_folder)[:DIGEST]
    exact = _torch(network, texts, examples, kept, digest)
    found: dict[str, Any] = {"n": len(truth), "torch": _accuracy(truth, exact)}
    graphs = {bits: kept / f"{digest}-{_recipe()}-{target}.onnx" for bits, target in TARGETS.items()}
    if not all(path.is_file() for path in graphs.values()):
        _export(network, texts, names, graphs)
    for bits, path in graphs.items():
        guess = _graph(path, examples, bits)
        found[bits] = {
            "mb": round(path.stat().st_size / 1e6, 1),
            **_accuracy(truth, guess),
            "same_label": round(float(np.mean(exact == guess)), 4),
        }
    return found


def _accuracy(truth: Labels, guess: Labels) -> dict[str, float]:
    return {name: round(value, 4) for name, value in accuracy(truth, guess).items()}


def _recipe() -> str:
    """Return what tells a graph that is made otherwise: of the code that makes it."""
    code = "".join(inspect.getsource(module) for module in (quantize, outliers, embeddings, excluded_layers))
    return hashlib.sha256(code.encode()).hexdigest()[:DIGEST]


def _torch(network: TextEmotion, texts: Texts, examples: Sequence[Example], kept: Path, digest: str) -> Labels:
    """Return torch's labels: those that are kept, else they are computed, which takes minutes."""
    asked = hashlib.sha256(repr([example[LENGTH] for example in examples]).encode()).hexdigest()[:DIGEST]
    path = kept / f"{digest}-{asked}.npz"
    if not path.is_file():
        torch.set_num_threads(1)
        logits, _ = predict(network, examples, texts.collate, LENGTH)
        with writing(path) as file:
            np.savez(file, labels=logits.argmax(1))
    with np.load(path) as stored:
        return np.asarray(stored["labels"])


def _export(network: TextEmotion, texts: Texts, names: list[str], targets: Mapping[str, Path]) -> None:
    """Write the graph of each target as the export of a bundle makes it."""
    with tempfile.TemporaryDirectory() as scratch:
        exact = Path(scratch) / "exact.onnx"
        graphs, feeds = text_graph.write_exact(network, texts, exact)
        measured = error_metric(text_graph.SLOT, exact, evaluation.built_in(), names, graphs, Limits().points)
        assert measured is not None
        for bits, path in targets.items():
            config = QuantizationConfig("int8", TARGETS[bits], exact_channels=outliers.TEXT_CHANNELS)
            excluded_layers.search(exact, path, config, *measured, feeds=feeds)


def _graph(path: Path, examples: Sequence[Example], bits: str) -> Labels:
    session = Session(path, threads=1)
    asked = track(examples, bits, console=Console(stderr=True), transient=True)
    inputs = ({name: np.array([values], np.int64) for name, values in e.items()} for e in asked)
    return np.array([session(**given)["logits"][0].argmax() for given in inputs])


def command(
    text: Annotated[list[str], typer.Option(help="A checkpoint of text emotion.", metavar="NAME=FOLDER")],
    data: Data = Path("data"),
    kept: Annotated[
        Path,
        typer.Option(help="Folder of the graphs and torch's answers; another processor takes what is there."),
    ] = Path("runs/whole-tests"),
    name: Annotated[str, typer.Option(help="Of the results' file; another one for another processor.")] = NAME,
) -> None:
    """UA and WA of a text branch in torch and in int8, on all of SemEval's test or of MELD's dev."""
    for title, folder in _named(text).items():
        found, weights = test_part(data, checkpoints.read(folder, checkpoint.KIND)["labels"])
        row = {"weights": weights, **measure(folder, found, kept)}
        known = results_file.read(name).get("checkpoints", {})
        print(results_file.write(name, {"checkpoints": {**known, title: row}}), title)


def _named(given: Sequence[str]) -> Mapping[str, Path]:
    """Return the folders by their names.

    Raises:
        ConfigError: one has no name or no folder, or a name stands twice.
    """
    pairs = [pair.partition("=") for pair in given]
    for pair, (title, _, folder) in zip(given, pairs, strict=True):
        if not title or not folder:
            raise ConfigError(f"--text {pair}: expected NAME=FOLDER")
    found = {title: Path(folder) for title, _, folder in pairs}
    if len(found) < len(pairs):
        raise ConfigError("--text: a name stands twice; give each checkpoint its own")
    return found
