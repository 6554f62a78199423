"""What bundles are compared on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_runtime.errors import AudioNotFoundError
from export.evaluation.recordings import gather
from trainer.errors import CorpusError


@pytest.fixture
def calls(tmp_path: Path, jfk: Path) -> Path:
    """A manifest of twenty utterances, the first without a recording, and a sound file beside it."""
    shutil.copy(jfk, tmp_path / "jfk.wav")
    rows = [
        f"{i},{'' if i == 0 else 'jfk.wav'},{'well' if i < 10 else ''},{'glad' if i % 2 else 'grim'}" for i in range(20)
    ]
    (tmp_path / "calls.csv").write_text("id,audio,transcript,label\n" + "\n".join(rows) + "\n")
    return tmp_path / "calls.csv"


def test_nothing_given_is_the_example_if_it_is_there(
    monkeypatch: pytest.MonkeyPatch, repository: Path, tmp_path: Path
) -> None:
    monkeypatch.chdir(repository)
    (sample,) = gather([], limit=1, seed=0)
    assert (sample.name, sample.label) == ("examples/jfk.wav", None)
    monkeypatch.chdir(tmp_path)
    assert gather([], limit=1, seed=0) == []


def test_files_and_corpora_are_read_in_the_order_given(calls: Path) -> None:
    clip = calls.with_name("jfk.wav")
    found = gather([clip, calls], limit=100, seed=0)
    assert [s.audio for s in found[:3]] == [clip, None, clip]
    assert [s.label for s in found[:3]] == [None, "grim", "glad"]
    assert [found[1].words, found[-1].words] == ["well", None]
    assert len(found) == 21


def test_a_draw_is_of_the_seed(calls: Path) -> None:
    draws = [[s.name for s in gather([calls], limit=8, seed=seed)] for seed in (0, 0, 1)]
    assert len(draws[0]) == 8
    assert draws[0] == draws[1] != draws[2]


def test_what_is_not_there_is_said(tmp_path: Path, jfk: Path) -> None:
    with pytest.raises(AudioNotFoundError, match=r"nowhere\.wav: no such file"):
        gather([jfk, tmp_path / "nowhere.wav"], limit=1, seed=0)
    with pytest.raises(CorpusError, match="looks like none of"):
        gather([tmp_path], limit=1, seed=0)
    with pytest.raises(CorpusError, match="given twice"):
        gather([jfk, jfk], limit=1, seed=0)
