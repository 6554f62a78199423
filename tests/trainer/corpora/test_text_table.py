"""Corpora of texts as tables: rows, labels, dialogues, and what only one corpus has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.inference.text_tokens import Turn
from trainer.corpora import text_table
from trainer.corpora.text_table import COLUMNS, clean, is_table, one_label
from trainer.errors import CorpusError

HEAD = "\t".join(COLUMNS)
ROWS = (
    "train\tanger\tanger\td0\t0\tWhere were you ?",
    "train\tjoy\tjoy\td0\t1\tAt home!",
    "train\tjoy\tjoy\td0\t2\t...",
    "test\tneutral\tneutral\td0\t0\tIt is noon.",
    "all\tjoy,trust\t\t\t\tThat's it.",
)


def write(folder, *rows, head=HEAD, name="texts.tsv"):
    path = folder / name
    path.write_bytes(("\n".join((head, *rows)) + "\n").encode())
    return path


def test_rows_are_read_in_order_without_those_that_have_no_word(tmp_path):
    found = text_table.load(write(tmp_path, *ROWS), "mine")
    assert [(u.id, u.label, u.split, u.transcript) for u in found] == [
        ("2", "anger", "train", "Where were you?"),
        ("3", "joy", "train", "At home!"),
        ("5", "neutral", "test", "It is noon."),
        ("6", "joy,trust", "", "That's it."),
    ]
    assert {u.corpus for u in found} == {"mine"}


def test_each_has_the_turns_before_it_and_never_those_of_another_split(tmp_path):
    found = text_table.load(write(tmp_path, *ROWS), "mine")
    assert [u.context for u in found] == [(), (Turn("Where were you?"),), (), ()]


def test_of_two_who_take_turns_it_is_known_who_spoke(tmp_path):
    rows = [f"train\tjoy\tjoy\td0\t{i}\tNumber {i}" for i in range(3)]
    found = text_table.load(write(tmp_path, *rows), "mine", sides=True)
    assert found[2].context == (Turn("Number 0", "same"), Turn("Number 1", "other"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("train\tjoy\tjoy", "texts.tsv:2: 3 columns"),
        ("learn\tjoy\tjoy\td\t0\tYes", "no split called 'learn'"),
        ("train\t\tjoy\td\t0\tYes", "texts.tsv:2: without a label"),
        ("train\tjoy\tjoy\td\tone\tYes", "utterance_index is 'one'"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path, row, said):
    with pytest.raises(CorpusError, match=said):
        text_table.load(write(tmp_path, row), "mine")


def test_other_columns_other_bytes_and_no_file_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="expected the columns"):
        text_table.load(write(tmp_path, head="a\tb"), "mine")
    with pytest.raises(CorpusError, match=r"none\.tsv"):
        text_table.load(tmp_path / "none.tsv", "mine")
    path = tmp_path / "latin.tsv"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(CorpusError, match="UTF-8"):
        text_table.load(path, "mine")


def test_a_table_is_known_by_its_name_and_first_line(tmp_path):
    assert is_table(write(tmp_path, *ROWS))
    assert not is_table(write(tmp_path, *ROWS, name="texts.csv"))
    assert not is_table(write(tmp_path, head="audio\tlabel", name="other.tsv"))
    assert not is_table(tmp_path / "none.tsv")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("I do n't know , Anna .", "I don't know, Anna."),
        ("- Where is he ?", "Where is he?"),
        ('"He said ""no"" again"', 'He said "no" again'),
        ("\u266a Happy birthday \u266a", "Happy birthday"),
        ("I won \U0001f600\U0001f600", "I won"),
        ("<i>Go</i> home", "Go home"),
        ("[Doorbell rings] Come in", "Come in"),
        ("5 < 6 and 7 > 6", "5 < 6 and 7 > 6"),
        ("It 's me", "It's me"),
        ("plain words, as they are.", "plain words, as they are."),
    ],
)
def test_what_only_one_corpus_has_is_taken_out(text, cleaned):
    assert clean(text) == cleaned


def test_a_name_stands_in_the_place_of_a_mask_the_same_each_time():
    found = {text: clean(text) for text in (f"[NAME] is {i} years old" for i in range(40))}
    assert not any("[" in text or "NAME" in text for text in found.values())
    assert len({text.split()[0] for text in found.values()}) > 5
    assert all(clean(text) == cleaned for text, cleaned in found.items())


@given(st.text())
def test_any_text_can_be_cleaned_and_stays_clean(text):
    cleaned = clean(text)
    assert "\n" not in cleaned and "\t" not in cleaned
    assert cleaned == " ".join(cleaned.split())


def test_several_labels_count_where_all_of_them_are_one():
    names = {"anger": "angry", "annoyance": "angry", "joy": "happy", "fear": "other", "surprise": "other"}
    assert one_label("anger,annoyance", names) == "angry"
    assert one_label("fear,surprise", names) == "other"
    assert one_label("anger,joy", names) == "anger,joy"
    assert one_label("love", names) == "love"
