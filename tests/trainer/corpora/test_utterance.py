"""Records: what a checksum depends on and what it does not, and label ids."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.corpora.utterance import LABELS, Utterance, checksum, label_ids, places, relabel, summary
from trainer.errors import CorpusError

ONE = Utterance("a", "meld", "sad", "meld-Ross", transcript="No.")
TWO = Utterance("b", "meld", "happy", "meld-Joey", transcript="Yes.")


@pytest.mark.parametrize(
    "change",
    [{"label": "angry"}, {"transcript": "no."}, {"transcript": None}, {"id": "c"}, {"corpus": "other"}],
)
def test_checksum_changes_with_what_is_learned_from(change):
    assert checksum([replace(ONE, **change), TWO]) != checksum([ONE, TWO])


def test_checksum_changes_when_an_utterance_is_lost():
    assert len({checksum([]), checksum([ONE]), checksum([TWO]), checksum([ONE, TWO])}) == 4


def test_checksum_changes_with_one_byte_of_audio(tmp_path):
    path = tmp_path / "a.wav"
    heard = replace(ONE, audio=path)
    path.write_bytes(b"RIFF0")
    before = checksum([heard, TWO])
    path.write_bytes(b"RIFF1")
    assert checksum([heard, TWO]) != before


def test_checksum_does_not_depend_on_where_the_audio_lies(tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.wav").write_bytes(b"RIFF")
    here, there = (replace(ONE, audio=tmp_path / folder / "a.wav") for folder in ("here", "there"))
    assert checksum([here]) == checksum([there])


ids = st.lists(st.tuples(st.sampled_from(["ravdess", "meld"]), st.text(max_size=3)), unique=True, max_size=6)


@given(st.data(), ids)
def test_checksum_does_not_depend_on_order(data, names):
    records = [Utterance(name, corpus, "sad", "x", transcript=name) for corpus, name in names]
    assert checksum(data.draw(st.permutations(records))) == checksum(records)


def test_label_ids_follow_the_order_of_labels():
    assert label_ids([ONE, TWO]) == [LABELS.index("sad"), LABELS.index("happy")]
    assert label_ids([ONE], labels=["happy", "sad"]) == [1]


def test_a_label_that_is_not_learned_is_refused():
    with pytest.raises(ValueError):
        label_ids([replace(ONE, label="boredom")])


def test_summary_names_the_most_frequent_first():
    assert list(summary([TWO, ONE, ONE]).items()) == [("sad", 2), ("happy", 1)]


def test_labels_are_renamed_merged_or_left_out_and_nothing_else_changes():
    calm = replace(ONE, id="c", label="calm")
    assert relabel([ONE, TWO, calm], {"calm": "sad", "happy": ""}) == [ONE, replace(calm, label="sad")]
    assert relabel([ONE, TWO], {}) == [ONE, TWO]


def test_renaming_a_label_that_is_not_there_is_refused():
    with pytest.raises(CorpusError, match="'clam'"):
        relabel([ONE], {"clam": "neutral"})


def test_lines_are_named_and_the_rest_counted():
    there = [replace(ONE, id=str(i), line=i + 2) for i in range(20)]
    assert places(there[:1]) == "line 2"
    assert places(there) == "lines 2, 3, 4, 5, 6 and 15 more"
    assert places([replace(u, line=None) for u in there[:2]]) == "0, 1"
