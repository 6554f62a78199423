"""Two bundles on the same samples: real ones, and made ones whose differences are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_runtime import IEmoNet
from edge_runtime.errors import AudioError
from edge_runtime.prediction import Scores
from export.evaluation.bundle_pair import side_by_side
from export.evaluation.data import Sample

NOTHING = "there is no recording that both could hear, nor words that both could read"


@dataclass
class Made:
    """Stands in for a model where the answers must be known: recordings are named after what it hears."""

    bundle: Any
    heard: dict[str, tuple[float, str | None]]
    log: list[str]
    reads: str = "happy"

    def __call__(self, audio: Path) -> Any:
        self.log.append(self.bundle.name)
        if audio.name == "damaged":
            raise AudioError(f"{audio}: damaged")
        happy, words = self.heard[audio.name]
        labels = self.bundle.labels
        scores = Scores(labels[0] if happy >= 0.5 else labels[1], {labels[0]: happy, labels[1]: 1 - happy})
        silent = words is None
        return SimpleNamespace(
            label=None if silent else scores.label,
            scores={} if silent else scores.scores,
            speech=None if silent else scores,
            text=None,
            transcript=words,
            timings_ms={"total": 10.0 * len(self.bundle.name), "vad": 1.0},
        )

    def classify_text(self, text: str) -> Scores:
        return Scores(self.reads, {"happy": float(self.reads == "happy"), "sad": float(self.reads == "sad")})


@pytest.fixture
def made(tmp_path: Path) -> Any:
    log: list[str] = []

    def make(name: str, heard: dict[str, tuple[float, str | None]], **other: Any) -> Made:
        folder = tmp_path / name
        folder.mkdir()
        slots = other.get("slots", ("vad", "speech_emotion"))
        for slot in slots:
            (folder / slot).write_bytes(b"x" * 10 * len(name))
        bundle = SimpleNamespace(
            name=name,
            folder=folder,
            labels=other.get("labels", ("happy", "sad")),
            slots={slot: SimpleNamespace(path=folder / slot, weights=None) for slot in slots},
        )
        return Made(bundle, heard, log, other.get("reads", "happy"))

    return make


def sample(name: str, label: str | None = None, words: str | None = None) -> Sample:
    return Sample(Path(name), words, label, name)


def test_what_differs_is_measured(made: Any) -> None:
    a = made("a", {"1": (0.9, "well I am"), "2": (0.8, "so"), "3": (0.2, "No!"), "4": (0.2, None)})
    b = made("bb", {"1": (0.7, "well I was"), "2": (0.4, "so it is"), "3": (0.2, "no"), "4": (0.2, "no")})
    samples = [sample("1", "happy"), sample("2", "happy"), sample("3", "sad"), sample("4", "angry")]
    found = side_by_side((a, b), samples, repeats=2)
    assert (found.heard, found.read) == (4, 0)
    assert found.bytes["vad"] == (10, 20)
    assert found.bytes["all files"] == (20, 40)
    assert found.latency_ms["total"] == (10.0, 20.0)
    fused = found.agreement["fused"]
    assert (fused["n"], fused["same_label"]) == (3, pytest.approx(2 / 3))
    assert fused["mean_difference"] == pytest.approx(0.2)
    assert fused["largest_difference"] == pytest.approx(0.4)
    # Of five words of a, one is another and three were added; what only b heard counts as added.
    assert found.transcripts == {"n": 4, "same": 1, "wer": pytest.approx(4 / 5)}
    assert found.accuracy["n"] == 3
    assert found.accuracy["a"] == {"wa": 1.0, "ua": 1.0}
    assert found.accuracy["b"] == {"wa": pytest.approx(2 / 3), "ua": pytest.approx(3 / 4)}
    assert any("fused: only one of the two answers for 1 of 4" in note for note in found.notes)
    assert any("1 of 4 have a label that not both" in note for note in found.notes)


def test_two_bundles_are_run_in_turns(made: Any) -> None:
    a, b = made("a", {"1": (0.9, "x"), "2": (0.9, "x")}), made("b", {"1": (0.9, "x"), "2": (0.9, "x")})
    side_by_side((a, b), [sample("1"), sample("2")], repeats=2)
    assert "".join(a.log) == "ab" * 5  # once to warm up


def test_an_answer_that_is_missing_is_wrong(made: Any) -> None:
    a, b = made("a", {"1": (0.9, None)}), made("b", {"1": (0.9, "x")})
    found = side_by_side((a, b), [sample("1", "happy")], repeats=1)
    assert [found.accuracy[name]["wa"] for name in "ab"] == [0.0, 1.0]
    assert "fused" not in found.agreement
    assert found.transcripts is None


def test_what_cannot_be_used_is_told_and_the_rest_compared(made: Any) -> None:
    a, b = made("a", {"1": (0.9, "x")}), made("b", {"1": (0.9, "x")})
    found = side_by_side((a, b), [sample("damaged"), Sample(None, "x", name="tweet"), sample("1")], repeats=1)
    assert found.skipped == {"damaged": "damaged: damaged", "tweet": NOTHING}
    assert found.heard == 1


def test_of_other_labels_the_rest_is_compared(made: Any) -> None:
    a = made("a", {"1": (0.9, "well"), "2": (0.1, "so")})
    b = made("b", {"1": (0.9, "well"), "2": (0.1, "so")}, labels=("happy", "grim"))
    found = side_by_side((a, b), [sample("1", "happy"), sample("2", "sad")], repeats=1)
    assert found.agreement == {}
    assert found.transcripts["wer"] == 0
    assert found.accuracy["n"] == 1
    assert "the labels differ (happy, sad; happy, grim)" in found.notes[0]


def test_another_order_of_the_same_labels_is_no_difference(made: Any) -> None:
    a, b = made("a", {"1": (0.9, "x")}), made("b", {"1": (0.1, "x")}, labels=("sad", "happy"))
    found = side_by_side((a, b), [sample("1", "happy")], repeats=1)
    assert found.agreement["fused"]["same_label"] == 1.0
    assert found.agreement["fused"]["largest_difference"] == pytest.approx(0)
    assert found.accuracy["b"]["wa"] == 1.0


def test_where_one_reads_words_alone_both_are_asked_about_words(made: Any) -> None:
    a = made("a", {}, slots=("vad", "speech_emotion", "text_emotion", "fusion"))
    b = made("b", {}, slots=("text_emotion",), reads="sad")
    found = side_by_side((a, b), [sample("1", "sad", "oh no"), sample("2")], repeats=1)
    assert (found.heard, found.read) == (0, 1)
    assert found.latency_ms == {}
    assert found.accuracy == {"n": 1, "a": {"wa": 0.0, "ua": 0.0}, "b": {"wa": 1.0, "ua": 1.0}}
    assert found.skipped == {"2": NOTHING}
    assert found.bytes["vad"] == (10, None)


def test_words_without_a_recording_are_read_where_both_can(made: Any) -> None:
    slots = ("vad", "speech_emotion", "text_emotion", "fusion")
    a, b = made("a", {"1": (0.9, "x")}, slots=slots), made("b", {"1": (0.9, "x")}, slots=slots, reads="sad")
    found = side_by_side((a, b), [sample("1"), Sample(None, "oh no", "sad", "tweet")], repeats=1)
    assert (found.heard, found.read, found.skipped) == (1, 1, {})
    assert found.agreement["fused"] == {"n": 2, "same_label": 0.5, "mean_difference": 0.5, "largest_difference": 1.0}
    assert found.accuracy["b"]["wa"] == 1.0
    assert found.transcripts["n"] == 1


def test_a_voice_and_words_alone_are_compared_in_size(made: Any) -> None:
    found = side_by_side((made("a", {}), made("b", {}, slots=("text_emotion",))), [sample("1")], repeats=1)
    assert found.bytes["text_emotion"] == (None, 10)
    assert found.skipped == {"1": NOTHING}


def test_without_samples_there_are_sizes(made: Any) -> None:
    found = side_by_side((made("a", {}), made("b", {})), [], repeats=1)
    assert (found.heard, found.agreement, found.transcripts, found.accuracy) == (0, {}, None, None)


def test_a_real_bundle_agrees_with_itself(model: IEmoNet, jfk: Path) -> None:
    found = side_by_side((model, model), [Sample(jfk, None, "neutral")], repeats=1)
    for branch in ("fused", "speech", "text"):
        assert found.agreement[branch]["same_label"] == 1.0
        assert found.agreement[branch]["largest_difference"] == 0
    assert found.transcripts == {"n": 1, "same": 1, "wer": 0.0}
    slots = set(model.bundle.slots) - {"transcript_memory", "batch_decoder"}  # times of the encoder and the decoder
    assert set(found.latency_ms) == {"read", *slots, "total"}
    assert np.all(np.array(list(found.latency_ms.values())) >= 0)
