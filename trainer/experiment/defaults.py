"""The sensible thing to do with a corpus when nothing else was said."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.config import Experiment, Fusion, Speech, Text
from trainer.corpora import registry, trainable
from trainer.corpora.trainable import Use
from trainer.corpora.utterance import Utterance

TEXT = Text(encoder="minilm-l6", epochs=2, rate=5e-5, class_power=0.5, misheard=0.1)
"""Small and fast; its settings were chosen on held-out dialogues of MELD."""
FUSION = Fusion(block="evidence", epochs=4, batch=64, apart=0.15)


def experiment(corpus: str, utterances: Sequence[Utterance], *, asr: bool = False) -> Experiment:
    """Return what the runtime ships, as far as the corpus has what it takes: voice, words, and their fusion.

    Recordings without transcripts train the voice alone, unless our own recogniser (``asr``) is to write the words
    down, which should be English.
    """
    voice, words = trainable.modalities(corpus, utterances)
    words = words or asr
    return Experiment(
        speech=Speech() if voice else None,
        text=TEXT if words else None,
        fusion=FUSION if voice and words else None,
    )


def use(settings: Experiment) -> Use:
    """Return what the settings need of a corpus."""
    return Use(
        speech=settings.speech is not None or settings.transcripts == "asr",
        text=settings.text is not None and settings.transcripts != "asr",
        protocol=settings.protocol,
        folds=settings.folds,
        seed=settings.seed,
        held_percent=settings.held_percent,
    )


def labels(corpus: str, utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """Return the corpus' classes in its own order, or a manifest's labels."""
    return registry.labels_of(utterances, registry.named(corpus))
