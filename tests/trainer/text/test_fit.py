"""Text emotion of the default bundle: what is learned from, held out and measured on."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trainer import training_loop
from trainer.corpora.utterance import LABELS, Utterance
from trainer.text import fit
from trainer.text.fit import Settings, TextCorpus


def said(split: str, dialogues: int) -> list[Utterance]:
    """Return dialogues of one sentence of each label, and of one that is not learned."""
    return [
        Utterance(f"{split}-{d}-{label}", "meld", label, "", session=f"{split}-{d}", transcript=f"{split} {d} {label}")
        for d in range(dialogues)
        for label in (*LABELS, "disgust")
    ]


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch) -> TextCorpus:
    monkeypatch.setattr(fit.meld, "load", lambda _, split: said(split, {"train": 300, "dev": 20}[split]))
    return TextCorpus(Path("meld"))


def test_whole_dialogues_are_held_out_of_what_is_learned(corpus: TextCorpus) -> None:
    learned, held = ({u.session for u in part} for part in (corpus.learned, corpus.held))
    assert not learned & held
    assert learned | held == {f"train-{d}" for d in range(300)}
    assert len(held) / 300 == pytest.approx(0.15, abs=0.05)
    assert {u.session for u in corpus.dev} == {f"dev-{d}" for d in range(20)}
    assert {u.label for part in (corpus.learned, corpus.held, corpus.dev) for u in part} == set(LABELS)


class Errors:
    """Writes ``heard`` in front of what is said."""

    def __init__(self, sentences: Sequence[str] = (), **options: Any) -> None:
        self.learned, self.options = list(sentences), options

    def corrupt(self, sentences: Sequence[str]) -> list[str]:
        return [f"heard {s}" for s in sentences]


def test_each_sentence_is_learned_twice_once_with_errors_and_both_times_with_its_label(corpus: TextCorpus) -> None:
    texts = SimpleNamespace(encode=lambda sentences: [{"sentence": s} for s in sentences])
    examples = fit._examples(corpus, texts, Errors(), Settings(class_power=1.0))  # type: ignore[arg-type]
    count = len(corpus.learned)
    assert [e["sentence"].split()[-1] for e in examples] == [u.label for u in corpus.learned] * 2
    assert ["heard" in e["sentence"] for e in examples] == [False] * count + [True] * count
    assert [LABELS[e[training_loop.TARGET].argmax()] for e in examples] == [u.label for u in corpus.learned] * 2


def test_rare_labels_weigh_more_by_the_power_that_is_set(corpus: TextCorpus) -> None:
    one, other = LABELS[:2]
    corpus.learned = [u for u in corpus.learned if u.label == one][:40] + [
        u for u in corpus.learned if u.label == other
    ][:10]
    texts = SimpleNamespace(encode=lambda sentences: [{"sentence": s} for s in sentences])
    for power in (0.0, 0.5, 1.0):
        examples = fit._examples(corpus, texts, Errors(), Settings(class_power=power))  # type: ignore[arg-type]
        weights = [float(e[training_loop.TARGET].sum()) for e in examples]
        assert weights[40] / weights[0] == pytest.approx(4**power)


def test_the_temperature_is_fitted_on_what_was_held_out_and_dev_only_measures(
    corpus: TextCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is right about everything held out, and wrong about all of dev that it hears well."""
    monkeypatch.setattr("trainer.metrics.RESAMPLES", 20)
    monkeypatch.setattr(fit, "RecognitionErrors", Errors)

    def run(_: Any, sentences: Sequence[str]) -> tuple[Any, None]:
        right = np.array([LABELS.index(s.split()[-1]) for s in sentences])
        right[[s.startswith("dev") for s in sentences]] += 1
        return np.eye(len(LABELS), dtype=np.float32)[right % len(LABELS)], None

    found = fit._measure(None, SimpleNamespace(run=run), corpus, 0, None)  # type: ignore[arg-type]
    assert (found["held_out"]["wa"], found["dev"]["wa"], found["dev_with_recognition_errors"]["wa"]) == (1, 0, 1)
    assert found["held_out"]["n"] == len(corpus.held)
    assert found["calibration"]["temperature"] == pytest.approx(0.05, abs=0.01)  # as cold as it may be
    assert found["calibration"]["ece_after"] > found["calibration"]["ece_before"]
