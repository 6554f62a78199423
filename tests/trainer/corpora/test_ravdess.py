"""RAVDESS: what is read from names, what is passed over, and which names are refused."""

import pytest

from trainer.corpora import ravdess
from trainer.errors import CorpusError

HAPPY = "03-01-03-01-02-01-07"


def test_a_name_tells_label_speaker_session_and_words(tmp_path, clip):
    path = clip(tmp_path / "Actor_07" / f"{HAPPY}.flac")
    (found,) = ravdess.load(tmp_path)
    assert (found.id, found.corpus, found.label) == (HAPPY, "ravdess", "happy")
    assert (found.speaker, found.session) == ("ravdess-07", "actor-07")
    assert (found.audio, found.transcript) == (path, "Dogs are sitting by the door.")


@pytest.mark.parametrize(
    ("code", "label"),
    [("01", "neutral"), ("02", "calm"), ("03", "happy"), ("04", "sad"), ("05", "angry")],
)
def test_each_emotion_keeps_its_name_and_calm_is_not_neutral(tmp_path, clip, code, label):
    clip(tmp_path / f"03-01-{code}-01-01-01-01.wav")
    assert [u.label for u in ravdess.load(tmp_path)] == [label]


def test_song_video_and_other_emotions_are_passed_over(tmp_path, clip):
    song, video, fear = "03-02-03-01-01-01-01", "01-01-03-01-01-01-01", "03-01-06-01-01-01-01"
    for name in (song, video, fear, HAPPY):
        clip(tmp_path / f"{name}.wav")
    assert [u.id for u in ravdess.load(tmp_path)] == [HAPPY]


@pytest.mark.parametrize(
    "name",
    [
        "notes",
        "03-01-03-01-02-01",
        f"{HAPPY}-01",
        "03-01-03-01-03-01-07",  # there are two statements
        f"{HAPPY} (1)",  # downloaded twice: its actor must not count as another speaker
        "03-01-03-01-02-01-xx",
    ],
)
def test_another_name_is_refused_and_named(tmp_path, clip, name):
    clip(tmp_path / f"{HAPPY}.wav")
    clip(tmp_path / f"{name}.wav")
    with pytest.raises(CorpusError) as error:
        ravdess.load(tmp_path)
    assert f"{name}.wav" in str(error.value)


@pytest.mark.parametrize("folder", [".", "missing"])
def test_a_folder_without_clips_is_refused(tmp_path, folder):
    (tmp_path / "README.txt").write_text("nothing here")
    with pytest.raises(CorpusError, match="no RAVDESS"):
        ravdess.load(tmp_path / folder)


def test_the_order_does_not_depend_on_the_file_system(tmp_path, clip):
    names = [f"03-01-0{e}-01-01-01-{a:02}" for a in (3, 1, 2) for e in (4, 1)]
    for name in names:
        clip(tmp_path / f"Actor_{name[-2:]}" / f"{name}.wav")
    first = [u.id for u in ravdess.load(tmp_path)]
    assert len(first) == len(names)
    assert first == sorted(first, key=lambda name: (name[-2:], name))
