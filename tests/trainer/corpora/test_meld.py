"""MELD: mapping, splits, and files that are not what they should be."""

import csv
from pathlib import Path

import pytest

from edge_runtime.inference.text_tokens import Turn
from trainer.corpora import meld
from trainer.errors import CorpusError

COLUMNS = ("Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
FIRST = ("1", "It\u2019s, well, \u201cfine\u201d.\nReally.", "Chandler", "joy", "positive", "7", "3")


def write(folder: Path, *, split="dev", rows=None, first=FIRST, without=None) -> Path:
    """Write a split's file whose first row is ``first``."""
    count = meld.COUNTS[split] if rows is None else rows
    lines = [first] + [(str(i), "Hm.", "Ross", "neutral", "neutral", str(i), "0") for i in range(2, count + 1)]
    keep = [i for i, column in enumerate(COLUMNS) if column != without]
    path = folder / meld.FILES[split]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([[line[i] for i in keep] for line in (COLUMNS, *lines[:count])])
    return path


def test_a_row_becomes_an_utterance_with_its_words_untouched(tmp_path):
    write(tmp_path)
    found = meld.load(tmp_path, "dev")
    assert len(found) == meld.COUNTS["dev"]
    first = found[0]
    assert (first.id, first.session, first.split) == ("dev-7-3", "dev-7", "dev")
    assert (first.label, first.speaker, first.audio) == ("happy", "meld-Chandler", None)
    assert first.transcript == FIRST[1]


def test_the_turns_before_are_those_of_its_dialogue(tmp_path):
    write(tmp_path, first=(*FIRST[:5], "2", "0"))  # the second row begins dialogue 2
    first, second, third = meld.load(tmp_path, "dev")[:3]
    assert (first.context, third.context) == ((), ())
    assert second.context == (Turn(FIRST[1], "other"),)


@pytest.mark.parametrize(
    ("emotion", "label"),
    [
        ("neutral", "neutral"),
        ("joy", "happy"),
        ("sadness", "sad"),
        ("anger", "angry"),
        ("surprise", "surprise"),
        ("fear", "fear"),
        ("disgust", "disgust"),
    ],
)
def test_four_emotions_get_the_projects_names(tmp_path, emotion, label):
    write(tmp_path, first=(*FIRST[:3], emotion, *FIRST[4:]))
    assert meld.load(tmp_path, "dev")[0].label == label


@pytest.mark.parametrize("split", ["train", "test"])
def test_each_split_has_its_own_file_and_ids(tmp_path, split):
    write(tmp_path, split=split)
    found = meld.load(tmp_path, split)
    assert {u.split for u in found} == {split}
    assert all(u.id.startswith(f"{split}-") and u.session.startswith(f"{split}-") for u in found)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CorpusError, match="dev_sent_emo"):
        meld.load(tmp_path, "dev")


@pytest.mark.parametrize("column", ["Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID"])
def test_a_missing_column_is_refused(tmp_path, column):
    write(tmp_path, without=column)
    with pytest.raises(CorpusError, match=column):
        meld.load(tmp_path, "dev")


@pytest.mark.parametrize("rows", [1, meld.COUNTS["dev"] - 1, meld.COUNTS["dev"] + 1])
def test_another_number_of_rows_is_refused(tmp_path, rows):
    write(tmp_path, rows=rows)
    with pytest.raises(CorpusError, match=f"{rows} rows"):
        meld.load(tmp_path, "dev")


@pytest.mark.parametrize("content", [b"", b"\n", ",".join(COLUMNS).encode(), b"Utterance\nna\xefve"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / meld.FILES["dev"]).write_bytes(content)
    with pytest.raises(CorpusError, match="dev_sent_emo"):
        meld.load(tmp_path, "dev")


@pytest.mark.parametrize("place", ["dev_splits_complete", "dev/dev_splits_complete"])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".mp4"])
def test_clips_are_found_where_the_raw_release_has_them(tmp_path, place, suffix):
    write(tmp_path)
    (tmp_path / place).mkdir(parents=True)
    for name in ("dia7_utt3", "dia2_utt0", "final_videos_testdia7_utt3", "._dia7_utt3"):
        (tmp_path / place / f"{name}{suffix}").write_bytes(b"")
    first, second, third, *_ = meld.load(tmp_path, "dev", clips=True)
    assert first.audio == tmp_path / place / f"dia7_utt3{suffix}"
    assert second.audio == tmp_path / place / f"dia2_utt0{suffix}"
    assert third.audio == tmp_path / place / f"dia3_utt0{suffix}"  # the release lacks some: a check names them
    assert first.transcript == FIRST[1]


def test_converted_audio_is_preferred_to_the_video(tmp_path):
    write(tmp_path)
    (tmp_path / "dev_splits_complete").mkdir()
    for suffix in (".flac", ".mp4"):
        (tmp_path / "dev_splits_complete" / f"dia7_utt3{suffix}").write_bytes(b"")
    assert meld.load(tmp_path, "dev", clips=True)[0].audio.suffix == ".flac"


def test_without_a_folder_of_clips_or_unasked_there_are_words_alone(tmp_path):
    write(tmp_path)
    (tmp_path / "train_splits").mkdir()
    assert all(u.audio is None for u in meld.load(tmp_path, "dev", clips=True))
    (tmp_path / "dev_splits_complete").mkdir()
    assert all(u.audio is None for u in meld.load(tmp_path, "dev"))
