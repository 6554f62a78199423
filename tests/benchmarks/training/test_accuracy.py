"""Experiments of the trainer: a name that is none is refused before anything is trained."""

import pytest
from typer import BadParameter

from benchmarks.training import accuracy


def test_an_unknown_experiment_is_named_before_the_others_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "measure", lambda *_: pytest.fail("it began"))
    with pytest.raises(BadParameter, match=r"unknown: nonsense; there are .*meld-minilm"):
        accuracy.command(["meld-minilm", "nonsense"])
