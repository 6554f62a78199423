"""A text encoder that was trained on another corpus first (the paper's future work)."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from torch import Tensor, nn

from edge_runtime.system.writing import writing
from trainer import checkpoints
from trainer.config import Text
from trainer.corpora import registry
from trainer.corpora.utterance import label_ids
from trainer.errors import ConfigError
from trainer.modality import Modality, Truth, train
from trainer.text import checkpoint
from trainer.text.modality import text_modality
from trainer.text.network import TextEmotion

log = logging.getLogger(__name__)


def warmed(modality: Modality, settings: Text, folder: Path, weights: Path, *, seed: int, quiet: bool) -> Modality:
    """Return ``modality`` whose fresh networks start from an encoder trained on ``settings.warm_start``.

    Args:
        modality: of text.
        settings: its settings, which name a corpus, or a checkpoint of text emotion that was trained on one.
        folder: keeps the encoder, so that it is trained once for each seed.
        weights: folder of pretrained weights.
        seed: of that training.
        quiet: no progress bar.

    Raises:
        ConfigError: the other corpus has no text, or the other checkpoint another encoder.
    """
    assert settings.warm_start is not None
    state = _encoder(settings, settings.warm_start, folder, weights, seed, quiet)

    def fresh(rows: Any, initial: int) -> nn.Module:
        network = modality.fresh(rows, initial)
        assert isinstance(network, TextEmotion)
        try:
            network.encoder.load_state_dict(state)
        except RuntimeError as error:
            raise ConfigError("warm_start: its encoder is another than the one to train") from error
        return network

    return replace(modality, fresh=fresh)


def forget(folder: Path) -> None:
    """Delete the encoders that ``warmed`` keeps in ``folder``."""
    for path in folder.glob("warm-*.safetensors"):
        path.unlink()


def corpora(source: str) -> list[str]:
    """Return the names of the corpora that a warm start learns from: their terms bind the result too."""
    if (Path(source) / checkpoints.CONFIG).is_file():
        config = checkpoints.read(Path(source), checkpoint.KIND)
        return [*config["corpora"], *config.get("warmed_on", ())]
    return [registry.detect(Path(source)).name]


def _encoder(settings: Text, source: str, folder: Path, weights: Path, seed: int, quiet: bool) -> dict[str, Tensor]:
    if (Path(source) / checkpoints.CONFIG).is_file():
        return {k: v.detach() for k, v in checkpoint.restore(Path(source))[0].encoder.state_dict().items()}
    path = folder / f"warm-{seed}.safetensors"
    if path.is_file():
        return safetensors.torch.load_file(path)
    corpus = registry.detect(Path(source))
    utterances = [u for u in registry.read(Path(source)) if u.split in {"", "train"} and u.transcript]
    if not utterances:
        raise ConfigError(f"{source}: nothing to warm up on; a corpus with transcripts is needed")
    labels = registry.labels_of(utterances)
    log.info("warm start on %s, %d utterances", corpus.name, len(utterances))
    first = replace(settings, epochs=settings.warm_epochs, warm_start=None)
    truth = Truth(np.array(label_ids(utterances, labels)), labels, [u.corpus for u in utterances])
    partial = folder / f"warm-{seed}.partial"
    network, _ = train(
        text_modality([u.transcript or "" for u in utterances], labels, first, weights=weights),
        np.arange(len(utterances)),
        truth,
        partial=partial,
        seed=seed,
        resume=True,
        quiet=quiet,
    )
    assert isinstance(network, TextEmotion)
    state = {k: v.detach().contiguous() for k, v in network.encoder.state_dict().items()}
    with writing(path) as file:
        file.write(safetensors.torch.save(state))
    shutil.rmtree(partial, ignore_errors=True)
    return state
