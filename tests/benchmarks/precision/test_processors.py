"""The answers of one bundle on two processors, compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.common import results_file
from benchmarks.precision import processors
from benchmarks.precision.processors import BRANCHES, compare, measure
from benchmarks.report import precisions_page
from edge_runtime import IEmoNet
from trainer.corpora.utterance import Utterance
from trainer.errors import ConfigError

CALM, ANGRY = [0.9, 0.1], [0.2, 0.8]
MACHINE = {"machine": {"processor": {"name": "a processor", "features": ["avx2"]}}, "date": "today"}


def result(scores: list[Any], transcripts: list[str | None] | None = None, **more: Any) -> dict[str, Any]:
    return {
        **MACHINE,
        "bundle": {"name": "tiny", "version": "1", "sha256": "0"},
        "labels": ["calm", "angry"],
        "clips": [f"savee {n}" for n in range(len(scores))],
        "transcripts": transcripts or ["0"] * len(scores),
        **dict.fromkeys(BRANCHES, scores),
        **more,
    }


def test_labels_transcripts_and_differences_are_counted() -> None:
    one = result([CALM, CALM, ANGRY, ANGRY], ["0", "1", "2", None], words=[None, CALM, ANGRY, ANGRY])
    other = result([CALM, ANGRY, [0.3, 0.7], ANGRY], ["0", "1", "3", None], words=[None, None, ANGRY, ANGRY])
    found = compare(one, other)
    assert (found["clips"], found["same_transcript"]) == (4, 0.75)
    assert found["voice"] == {"n": 4, "same_label": 0.75, "largest_difference": 0.7}
    # Nobody answers the first, one alone the second.
    assert found["words"] == {"n": 3, "same_label": round(2 / 3, 4), "largest_difference": 0.0}
    assert found["words_of_the_same_transcript"] == {"n": 2, "same_label": 0.5, "largest_difference": 0.0}
    assert not found["met"]


def test_each_corpus_is_counted_apart() -> None:
    clips = {"clips": ["ravdess 1", "savee 1", "ravdess 2"]}
    found = compare(result([CALM] * 3, **clips), result([CALM, ANGRY, CALM], ["0", "0", "1"], **clips))
    apart = found["by_corpus"]
    assert {name: (of["clips"], of["same_transcript"], of["fused"]["same_label"]) for name, of in apart.items()} == {
        "ravdess": (2, 0.5, 1.0),
        "savee": (1, 1.0, 0.0),
    }


SCORES = st.lists(st.one_of(st.none(), st.tuples(st.floats(0, 1), st.floats(0, 1)).map(list)), min_size=1, max_size=20)


@given(SCORES, st.data())
def test_a_result_agrees_with_itself_and_order_does_not_matter(one: list[Any], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.sampled_from([None, CALM, ANGRY]), min_size=len(one), max_size=len(one)))
    same = compare(result(one), result(one))
    assert same["met"] and same["same_transcript"] == 1
    assert {(same[b]["same_label"], same[b]["largest_difference"]) for b in BRANCHES} == {(1.0, 0.0)}
    assert compare(result(one), result(other)) == compare(result(other), result(one))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("bundle", {"name": "tiny", "version": "2", "sha256": "1"}, "another bundle"),
        ("clips", ["savee 7"], "other recordings"),
        ("labels", ["angry", "calm"], "other labels"),
    ],
)
def test_results_of_other_things_are_not_compared(key: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        compare(result([CALM]), result([CALM], **{key: value}))


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{}", b'{"clips": []}'])
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"other\.json: no result of"):
        processors.read(tmp_path / "other.json")


def test_without_a_corpus_it_is_said_which_are_wanted(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds none of the corpora ravdess"):
        processors.recordings(tmp_path, 3, 0)


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of two corpora, of two and of nine recordings."""

    class Tiny:
        def __init__(self, folder: Path) -> None:
            self.name = folder.name

        def load(self, folder: Path) -> list[Utterance]:
            files = {f"{self.name}-{n}": folder / f"{n}.wav" for n in range(9 if self.name == "savee" else 2)}
            mute = [Utterance("mute", self.name, "sad", "")]
            return [*mute, *(Utterance(id_, self.name, "sad", "", audio=file) for id_, file in files.items())]

    for name in ("ravdess", "savee"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(processors.registry, "detect", Tiny)
    return tmp_path


def test_corpora_are_drawn_from_in_turn_and_alike_for_a_seed(corpora: Path) -> None:
    drawn = [u.id for u in processors.recordings(corpora, 6, 0)]
    assert [name.partition("-")[0] for name in drawn] == ["ravdess", "savee", "ravdess", "savee", "savee", "savee"]
    assert len(set(drawn)) == 6 and "mute" not in drawn
    assert drawn == [u.id for u in processors.recordings(corpora, 6, 0)]
    assert drawn != [u.id for u in processors.recordings(corpora, 6, 1)]
    assert len(processors.recordings(corpora, 100, 0)) == 11


def test_a_bundle_answers_to_each_recording_and_silence_has_no_scores(
    comparing: IEmoNet, tmp_path: Path, positive: Callable[[Any], bool]
) -> None:
    loud = 0.5 * np.sin(np.arange(16_000))
    utterances = []
    for name, samples in (("loud", loud), ("silent", 0 * loud)):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000)
        utterances.append(Utterance(name, "tiny", "sad", "", audio=tmp_path / f"{name}.wav"))
    found = measure(comparing, utterances)
    assert found["clips"] == ["tiny loud", "tiny silent"]
    answer = comparing(tmp_path / "loud.wav")
    assert answer.transcript is not None and found["transcripts"][0] == processors._digest(answer.transcript)
    assert found["labels"][int(np.argmax(found["fused"][0]))] == answer.label
    assert positive({branch: found[branch][0] for branch in BRANCHES})
    assert [found[branch][1] for branch in (*BRANCHES, "transcripts")] == [None] * 4


def test_a_second_run_is_compared_with_the_file_of_the_first(
    comparing_bundle: Path, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(9):
        for name in ("ravdess", "savee"):
            soundfile.write(tmp_path / name / f"{n}.wav", 0.5 * np.sin(np.arange(8_000) * (1 + n)), 16_000)
    monkeypatch.setattr(results_file, "RESULTS", tmp_path / "results")
    processors.command(corpora, comparing_bundle, clips=4)
    first = tmp_path / "results" / "processors.json"
    processors.command(corpora, comparing_bundle, clips=4, compare_with=first, name="processors-again")
    found = json.loads((tmp_path / "results" / "processors-again.json").read_text())
    assert found["compared"]["met"] and found["compared"]["clips"] == 4
    assert found["compared"]["with"]["machine"] == found["machine"]
    with pytest.raises(ConfigError, match="other recordings"):
        processors.command(corpora, comparing_bundle, clips=5, compare_with=first, name="processors-again")


def test_the_page_says_whether_the_bar_is_met() -> None:
    one = result([CALM] * 200)
    for wrong, said in ((1, "is met"), (3, "is missed")):
        other = result([ANGRY] * wrong + [CALM] * (200 - wrong))
        text = precisions_page._processors({**one, "compared": {**compare(one, other), "with": MACHINE}})
        assert f"The bar of 99% of the labels of every branch {said}" in text
        assert f"| SAVEE | 200 | 100.0% | {1 - wrong / 200:.1%} |" in text
        assert "0.700 of speech, 0.700 of text, 0.700 of fused" in text
