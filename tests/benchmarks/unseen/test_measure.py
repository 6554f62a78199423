"""What networks answer to what they never met, small: nothing that is tested was learned from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.unseen import measure, voices
from benchmarks.unseen.voices import Reader, Voices


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.intp]]:
    """Return the rows of every network that is trained, as they come."""
    monkeypatch.setattr("trainer.metrics.RESAMPLES", 20)
    rows: list[NDArray[np.intp]] = []
    train = Voices.train

    def spy(self: Voices, mine: NDArray[np.intp], seed: int) -> Any:
        rows.append(mine)
        return train(self, mine, seed)

    monkeypatch.setattr(Voices, "train", spy)
    return rows


def pieces_of(tiny: Voices) -> dict[int, NDArray[np.float32]]:
    """Return states that stand for a second of every recording."""
    return {row: states.astype(np.float32) for row, states in enumerate(tiny.pooled.states[:, 0])}


def test_everything_is_reported_of_networks_that_never_met_it(
    tiny_voices: Voices, learned: list[NDArray[np.intp]], positive: Callable[[Any], bool]
) -> None:
    found = measure.measure(tiny_voices, pieces_of(tiny_voices), range(1))
    assert positive(found)
    assert list(found["corpora"]) == ["first", "second"]
    corpora = np.array(tiny_voices.truth.corpora)
    for number, (corpus, silent) in enumerate([("first", "books"), ("second", "calls"), ("emogator", "books")]):
        assert set(corpora[learned[number]]) == set(corpora) - {corpus, silent}
    assert len(learned) == 3 + voices.MANY_SPEAKERS
    assert (found["corpora"]["first"]["n"], found["corpora"]["first"]["speakers"]) == (33, 4)
    assert set(found["plain"]) == {"books", "calls"} and found["plain"]["books"]["n"] == 4
    assert {name: row["n"] for name, row in found["unknown_speakers"].items()} == {
        "first": 32,
        "second": 32,
        "emogator": 32,
    }


def test_a_length_counts_where_speakers_say_enough(tiny_voices: Voices, learned: list[NDArray[np.intp]]) -> None:
    """Each speaker has 14 s beside a recording: 10 s and half of 30 s nearly, but never half of a minute."""
    reader = Reader(tiny_voices, tiny_voices.train(tiny_voices.left_out(["first"]), 0))
    rows = tiny_voices.rows_of("first")
    found = measure._conditions(tiny_voices, reader, rows, pieces_of(tiny_voices), 0)
    assert set(found) == {"none", "1 s", "3 s", "10 s"}
    assert len(found["none"][0]) == 33
    assert len(found["10 s"][0]) == 32  # one of them names nobody


def test_a_longer_baseline_counts_as_long_as_was_asked_for(tiny_voices: Voices) -> None:
    reader = Reader(tiny_voices, tiny_voices.train(tiny_voices.left_out(["first"]), 0))
    rows = tiny_voices.rows_of("second")[:5]

    def all_others(row: int, _: np.random.Generator) -> NDArray[np.intp]:
        return tiny_voices.speakers.others(row)

    _, whole = reader.logits(rows, all_others, 0)
    _, cut = reader.logits(rows, all_others, 0, longest_s=3.0)
    np.testing.assert_allclose(whole, 14.0, rtol=1e-5)
    np.testing.assert_allclose(cut, 3.0, rtol=1e-5)


def test_no_baseline_is_the_same_as_none(tiny_voices: Voices) -> None:
    reader = Reader(tiny_voices, tiny_voices.train(tiny_voices.left_out(["first"]), 0))
    rows = tiny_voices.rows_of("first")
    nobody = np.zeros(0, np.intp)
    one, seconds = reader.logits(rows, lambda *_: nobody, 0)
    other, _ = reader.logits(rows, None, 0)
    np.testing.assert_array_equal(one, other)
    assert not seconds.any()


def test_a_piece_of_a_second_counts_as_a_second_and_of_nobody_as_none(tiny_voices: Voices) -> None:
    reader = Reader(tiny_voices, tiny_voices.train(tiny_voices.left_out(["first"]), 0))
    rows = tiny_voices.rows_of("first")
    found, had = reader.with_pieces(rows, pieces_of(tiny_voices), 1.0, 0)
    nobody = np.array([not tiny_voices.dataset.utterances[row].speaker for row in rows])
    assert had[~nobody].tolist() == [1.0] * 32 and had[nobody].tolist() == [0.0]
    alone, _ = reader.logits(rows, None, 0)
    np.testing.assert_allclose(found[nobody], alone[nobody], atol=1e-5)
    assert not np.allclose(found[~nobody], alone[~nobody])


def test_a_fold_tests_named_speakers_alone_and_learns_from_nobodys(tiny_voices: Voices) -> None:
    utterances = tiny_voices.dataset.everything
    folds = tiny_voices.speaker_folds()
    nobody = next(i for i, u in enumerate(utterances) if not u.speaker)
    tested = np.concatenate([fold.test for fold in folds])
    assert len(folds) == voices.MANY_SPEAKERS
    assert sorted(tested) == [i for i, u in enumerate(tiny_voices.dataset.utterances) if u.speaker]
    missing = []
    for fold in folds:
        assert nobody in fold.train
        who = {utterances[row].speaker for row in fold.test}
        assert not who & {utterances[row].speaker for row in fold.train}
        missing += {"books", "calls"} - {utterances[row].corpus for row in fold.train}
    assert sorted(missing) == ["books", "calls"]  # each corpus of plain speech is held out once


def test_speakers_of_whom_there_is_no_other_piece_are_compared_with_nothing(tiny_voices: Voices) -> None:
    reader = Reader(tiny_voices, tiny_voices.train(tiny_voices.left_out(["first"]), 0))
    rows = tiny_voices.rows_of("first")[:8]  # of one speaker
    only = {int(rows[0]): pieces_of(tiny_voices)[int(rows[0])]}
    _, had = reader.with_pieces(rows, only, 1.0, 0)
    assert had.tolist() == [0.0] + [1.0] * 7  # a recording is never compared with a piece of itself
