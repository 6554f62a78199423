"""Whether a corpus can be trained on: what is refused, how it is divided, and what is noted."""

from dataclasses import replace

import pytest

from trainer.corpora import trainable
from trainer.corpora.trainable import Use
from trainer.corpora.utterance import Utterance

TEXT = Use(speech=False, text=True)
LABELS = ("calm", "furious")


def rows(count: int = 20, *, speakers: int = 4) -> list[Utterance]:
    """Return utterances of two labels, by so many speakers in turn."""
    return [
        Utterance(f"{i}", "manifest", LABELS[i % 2], f"s{i // 2 % speakers}", transcript="hello", line=i + 2)
        for i in range(count)
    ]


def problems(utterances: list[Utterance], use: Use = TEXT) -> list[str]:
    labels = sorted({u.label for u in utterances})
    return trainable.problems("manifest", utterances, labels, use)


def changed(number: int, **changes: str) -> list[Utterance]:
    there = rows()
    there[number] = replace(there[number], **changes)
    return there


def test_a_whole_corpus_has_no_problems():
    assert problems(rows()) == []


@pytest.mark.parametrize("other", ["CALM", "calm ", "c\u200balm", "\uff43alm", "Calm"])
def test_a_label_written_in_two_ways_is_found_with_what_makes_it_one(other):
    (said,) = problems(changed(2, label=other))
    assert f"{other!r} (1: line 4)" in said
    assert "=calm" in said.rsplit("--map ", 1)[1]


@pytest.mark.parametrize(("one", "other"), [("1", "01"), ("1", "1.0"), ("Ann", "ann"), ("J\u00f6rg", "Jo\u0308rg")])
def test_a_speaker_written_in_two_ways_is_found(one, other):
    there = [replace(u, speaker=one if u.speaker == "s0" else u.speaker) for u in rows()]
    there[2] = replace(there[2], speaker=other)
    (said,) = problems(there)
    assert "one speaker written in 2 ways" in said and f"{other!r} (1: line 4)" in said


def test_speakers_that_differ_in_more_are_others():
    assert problems([replace(u, speaker={"s0": "10", "s1": "1", "s2": "s1"}.get(u.speaker, "x")) for u in rows()]) == []


def test_a_blank_speaker_does_not_change_the_protocol_and_is_told():
    (said,) = problems(changed(3, speaker=""))
    assert said.startswith("1 of 20 utterances name no speaker (line 5)")
    assert problems(changed(3, speaker=""), replace(TEXT, protocol="shuffled")) == []


def test_a_blank_split_is_told():
    there = [replace(u, split="train" if i < 16 else "test") for i, u in enumerate(rows())]
    assert problems(there) == []
    there[1] = replace(there[1], split="")
    assert "1 of 20 utterances name no split (line 3)" in problems(there)[0]


def test_a_label_of_one_speaker_cannot_be_divided_by_speakers():
    there = [replace(u, speaker="s0" if u.label == "furious" else u.speaker) for u in rows()]
    (said,) = problems(there)
    assert "no furious is left to train on; each label needs two speakers at least" in said


def test_speakers_who_are_heard_once_are_noted():
    there = [replace(u, speaker=f"clip{i}") for i, u in enumerate(rows())]
    assert "none of the 20 speakers is heard twice" in trainable.notes("manifest", there)[0]
    assert trainable.notes("manifest", rows()) == []


@pytest.mark.parametrize(("speakers", "folds"), [(10, None), (11, 10)])
def test_many_speakers_are_dealt_to_ten_parts(speakers, folds):
    there = rows(44, speakers=speakers)
    assert trainable.division("manifest", there) == ("speaker", folds)
    assert trainable.division("manifest", there, None, 3) == ("speaker", 3)
    assert trainable.division("manifest", there, "shuffled") == ("shuffled", None)


def test_a_corpus_with_a_manifest_may_lack_speakers():
    there = [replace(u, corpus="emospeech_in", speaker="" if u.id == "3" else u.speaker) for u in rows()]
    (said,) = trainable.problems("emospeech_in", there, LABELS, Use(speech=False, text=False))
    assert said.startswith("1 of 20 utterances name no speaker (line 5)")
