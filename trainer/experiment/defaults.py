"""The sensible thing to do with a corpus when nothing else was said."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.corpora import catalogue
from trainer.corpora.records import Utterance
from trainer.experiment.settings import Experiment, Fusion, Speech, Text

MANY = 10
"""Speakers beyond which they are dealt to so many parts, instead of each being left out in turn."""

TEXT = Text(encoder="minilm-l6", epochs=2, rate=5e-5, class_power=0.5, misheard=0.1)
"""Small and fast; its settings were chosen on held-out dialogues of MELD."""
FUSION = Fusion(block="evidence", epochs=4, batch=64, apart=0.15)


def experiment(corpus: str, utterances: Sequence[Utterance], *, asr: bool = False) -> Experiment:
    """Return what the runtime ships, as far as the corpus has what it takes: voice, words, and their fusion.

    Recordings without transcripts train the voice alone, unless our own recogniser (``asr``) is to write the words
    down, which should be English.
    """
    modalities = catalogue.named(corpus).modalities
    voice = "voice" in modalities and all(u.audio is not None for u in utterances)
    words = asr or ("words" in modalities and all(u.transcript is not None for u in utterances))
    return Experiment(
        speech=Speech() if voice else None,
        text=TEXT if words else None,
        fusion=FUSION if voice and words else None,
    )


def protocol(settings: Experiment, corpus: str, utterances: Sequence[Utterance]) -> tuple[str, int | None]:
    """Return the protocol and number of folds: those asked for, or the corpus' natural ones."""
    natural: str = settings.protocol or catalogue.protocol_of(catalogue.named(corpus), utterances)
    folds = settings.folds
    if folds is None and natural == "speaker" and len({u.speaker for u in utterances}) > MANY:
        folds = MANY
    return natural, folds


def labels(corpus: str, utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """Return the corpus' classes in its own order, or a manifest's labels."""
    known = catalogue.named(corpus).labels
    there = {u.label for u in utterances}
    return tuple(label for label in known if label in there) if known else catalogue.labels_of(utterances)
