"""Text emotion as a modality: any pretrained encoder, fine-tuned as in the paper (section 5.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge_runtime.inference.text_tokens import Turn
from trainer import training_loop
from trainer.config import Text
from trainer.errors import ConfigError, WeightsError
from trainer.modality import CONTEXT, Modality
from trainer.pretrained.download import hub_commit
from trainer.text.encoding import LENGTH, Texts
from trainer.text.network import TextEmotion, load_encoder, load_tokenizer
from trainer.text.tweets import normalize_tweet


def text_modality(
    sentences: Sequence[str],
    labels: Sequence[str],
    settings: Text,
    *,
    weights: Path,
    misrecognized: Sequence[str] | None = None,
    contexts: Sequence[Sequence[Turn]] | None = None,
) -> Modality:
    """Return the modality that ``settings`` describe.

    Args:
        sentences: the transcript of each utterance.
        labels: the labels in order.
        settings: see ``trainer.config.Text``.
        weights: folder of pretrained weights; ``settings.encoder`` may also be another folder or a hub id.
        misrecognized: the same transcripts with recognition errors, to train on as well.
        contexts: the turns before each utterance, the oldest first; they are read where ``settings.context_tokens``
            is above 0. Utterances are tested without them, and with them as the variant ``CONTEXT``.

    Raises:
        ConfigError: the encoder can read no context, and ``settings`` want one.
        WeightsError: there is no such encoder.
    """
    source = locate(settings.encoder, weights)
    texts = Texts(load_tokenizer(source), settings.max_tokens, settings.context_tokens)

    def fresh(_: NDArray[np.intp], seed: int) -> nn.Module:
        torch.manual_seed(seed)
        network = TextEmotion(
            load_encoder(source),
            len(labels),
            hidden=settings.hidden_size,
            dropout=settings.dropout,
            l2=settings.l2,
            context_tokens=settings.context_tokens,
        )
        try:
            network.freeze(settings.frozen_layers)
        except ValueError as error:
            raise ConfigError(f"text.frozen_layers = {settings.frozen_layers}: {error}") from error
        return network

    def encoded(words: Sequence[str], before: Sequence[Sequence[Turn]] | None = None) -> list[training_loop.Example]:
        return texts.encode([normalize_tweet(s) for s in words] if settings.normalize_tweets else words, before)

    examples = encoded(sentences)
    forms = [sentences] if misrecognized is None else [sentences, misrecognized]
    if settings.unpunctuated:
        forms.append([unpunctuated(sentence) for sentence in forms[-1]])
    if contexts is None or not settings.context_tokens:
        trained = [examples, *map(encoded, forms[1:])]
        variants = {}
    else:
        trained = [encoded(form, some_contexts(contexts, seed=copy)) for copy, form in enumerate(forms)]
        variants = {CONTEXT: [[example] for example in encoded(sentences, contexts)]}
    copies = list(zip(*trained, strict=True))
    return Modality(
        name="text",
        examples=examples,
        copies=copies,
        collate=texts.collate,
        fresh=fresh,
        schedule=training_loop.Schedule.of(settings),
        class_weight_power=settings.class_weight_power,
        draws=settings.draws,
        length=LENGTH,
        variants=variants,
    )


def unpunctuated(sentence: str) -> str:
    """Return ``sentence`` in lower case and without marks, as many a recogniser writes it."""
    return " ".join(re.sub(r"[^\w\s'\u2019]|_", " ", sentence.lower()).split())


def some_contexts(contexts: Sequence[Sequence[Turn]], *, seed: int) -> list[Sequence[Turn]]:
    """Return contexts to train on: about half are left out, and half of the rest do not say who spoke.

    So a network learns to do with all that it may get; a single clip has no context, and one channel no speakers.
    """
    forms: Sequence[Callable[[Sequence[Turn]], Sequence[Turn]]] = (
        lambda _: (),
        lambda _: (),
        lambda context: context,
        lambda context: [Turn(turn.text) for turn in context],
    )
    drawn = np.random.default_rng(seed).integers(len(forms), size=len(contexts))
    return [forms[number](context) for number, context in zip(drawn, contexts, strict=True)]


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
