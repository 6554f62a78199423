"""Accuracy under corruptions, small: results are there and counted as they are to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.robustness import measure
from benchmarks.robustness.corruptions import corruptions
from benchmarks.robustness.held_out_speakers import FoldNetworks, FrontEnd, TextBranch
from edge_runtime.bundle.bundle import Bundle
from trainer.audio import load_audio
from trainer.corpora.utterance import LABELS, Utterance
from trainer.fusion.network import FusionEmotion
from trainer.speech.network import SpeechEmotion


@pytest.mark.slow
def test_four_people_who_are_one_recording_get_one_answer_of_four_right(
    monkeypatch: pytest.MonkeyPatch, bundle_folder: Path, jfk: Path, positive
) -> None:
    clip = load_audio(jfk)[:32000]
    monkeypatch.setattr(measure, "synthetic", lambda sentences: [clip] * len(sentences))
    torch.manual_seed(0)
    bundle = Bundle.read(bundle_folder)
    words = TextBranch(bundle)
    speech = SpeechEmotion(4, width=384).eval()
    widths = {"speech": speech.classifier.in_features, "text": words.classifier.in_features}
    fold = FoldNetworks(speech, FusionEmotion(4, **widths).eval())
    people = [Utterance(label, "test", label, "someone", audio=jfk, transcript="ask not") for label in LABELS]
    scene = measure.Scene(people, [fold] * 4, people[:2], [0, 1, 0, 1], FrontEnd(bundle), words)
    chosen = [c for c in corruptions([clip] * 6) if (c.kind, c.level) in {("white noise", 0.0), ("telephone", 1.0)}]
    rows = [scene.scores(c, [0]) for c in chosen]
    assert len(rows) == 2 and positive(rows)
    assert all(row["voice"]["ua"] == row["both_with_its_own_sentence"]["ua"] == 0.25 for row in rows)


def test_silence_has_no_speech_and_no_words(bundle_folder: Path) -> None:
    front_end = FrontEnd(Bundle.read(bundle_folder))
    nothing = front_end(np.zeros(16000, np.float32))
    assert nothing.pooled is None and nothing.transcript == ""


def test_utterance_in_which_no_speech_is_found_counts_as_wrong() -> None:
    assert measure.accuracy(np.array([0, 0, 1, 1]), [0, measure.NOT_FOUND, 1, 1])["ua"] == 0.75


def test_balanced_choice_has_as_many_of_each_label_as_there_are() -> None:
    labels = ["neutral"] * 5 + ["sad"] * 1 + ["angry"] * 3 + ["happy"] * 2
    chosen = measure.balanced(range(len(labels)), labels, 8, np.random.default_rng(0))
    assert [labels[i] for i in chosen] == ["neutral"] * 2 + ["happy"] * 2 + ["sad"] + ["angry"] * 2
