"""Text emotion as a branch: any pretrained encoder, fine-tuned as in the paper (section 5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainer import training_loop
from trainer.config import Text
from trainer.errors import ConfigError, WeightsError
from trainer.modality import Branch
from trainer.pretrained.download import hub_commit
from trainer.text.fit import Texts
from trainer.text.network import TextEmotion, load_encoder, load_tokenizer
from trainer.text.tweets import normalize_tweet


def text_branch(
    sentences: Sequence[str],
    labels: Sequence[str],
    settings: Text,
    *,
    weights: Path,
    warm: Mapping[str, Tensor] | None = None,
    heard: Sequence[str] | None = None,
) -> Branch:
    """Return the branch that ``settings`` describe.

    Args:
        sentences: the words of each utterance.
        labels: the labels in order.
        settings: see ``trainer.config.Text``.
        weights: folder of pretrained weights; ``settings.encoder`` may also be another folder or a hub id.
        warm: weights of an encoder that was trained on another corpus first.
        heard: the same utterances' words otherwise written down (with recognition errors, say), to train on as well.

    Raises:
        WeightsError: there is no such encoder.
    """
    source = locate(settings.encoder, weights)
    texts = Texts(load_tokenizer(source), settings.max_tokens)

    def fresh(_: NDArray[np.intp], seed: int) -> nn.Module:
        torch.manual_seed(seed)
        network = TextEmotion(
            load_encoder(source), len(labels), hidden=settings.hidden, dropout=settings.dropout, l2=settings.l2
        )
        if warm is not None:
            network.encoder.load_state_dict(warm)
        try:
            network.freeze(settings.frozen)
        except ValueError as error:
            raise ConfigError(f"text.frozen = {settings.frozen}: {error}") from error
        return network

    def encoded(words: Sequence[str]) -> list[training_loop.Example]:
        return texts.encode([normalize_tweet(s) for s in words] if settings.plain_tweets else words)

    examples = encoded(sentences)
    copies = [[e] for e in examples]
    if heard is not None:
        copies = [[*clean, other] for clean, other in zip(copies, encoded(heard), strict=True)]
    return Branch(
        name="text",
        examples=examples,
        copies=copies,
        collate=texts.collate,
        fresh=fresh,
        schedule=training_loop.Schedule(
            epochs=settings.epochs, batch=settings.batch, rate=settings.rate, precision=settings.precision
        ),
        class_power=settings.class_power,
        length="input_ids",
    )


def locate(encoder: str, weights: Path) -> str:
    """Return the folder of the pretrained encoder called ``encoder``, or its hub id when there is no such folder.

    Raises:
        WeightsError: neither the folder is there nor the hub knows it.
    """
    for folder in (weights / encoder, Path(encoder)):
        if (folder / "config.json").is_file():
            return str(folder)
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - only a hub id needs the hub

    try:
        if not isinstance(try_to_load_from_cache(encoder, "config.json"), str):
            hub_commit(encoder)
    except (WeightsError, ValueError) as error:
        raise WeightsError(
            f"no encoder {encoder!r}: not in {weights}, no folder of that name, and not to be had from the model hub; "
            "`trainer fetch` gets what it knows"
        ) from error
    return encoder
