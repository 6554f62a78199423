"""EmoDB: what is read from names, and which names are refused."""

import pytest

from trainer.corpora import emodb
from trainer.errors import CorpusError


def test_a_name_tells_label_and_speaker_and_there_are_no_words(tmp_path, clip):
    path = clip(tmp_path / "wav" / "03a01Fa.flac")
    (found,) = emodb.load(tmp_path)
    assert (found.id, found.corpus, found.label) == ("03a01Fa", "emodb", "happy")
    assert (found.speaker, found.session, found.audio) == ("emodb-03", "speaker-03", path)
    assert found.transcript is None


@pytest.mark.parametrize(
    ("letter", "label"),
    [
        ("N", "neutral"),
        ("F", "happy"),
        ("T", "sad"),
        ("W", "angry"),
        ("L", "boredom"),
        ("E", "disgust"),
        ("A", "fear"),
    ],
)
def test_the_german_letters_are_mapped(tmp_path, clip, letter, label):
    clip(tmp_path / f"10b03{letter}b.wav")
    assert [u.label for u in emodb.load(tmp_path)] == [label]


@pytest.mark.parametrize("name", ["notes", "03a01Xa", "3a01Fa", "03a01F", "03a01Fa (1)", "03c01Fa", "03a01FaX"])
def test_another_name_is_refused_and_named(tmp_path, clip, name):
    clip(tmp_path / "03a01Fa.wav")
    clip(tmp_path / f"{name}.wav")
    with pytest.raises(CorpusError) as error:
        emodb.load(tmp_path)
    assert f"{name}.wav" in str(error.value)


@pytest.mark.parametrize("folder", [".", "missing"])
def test_a_folder_without_recordings_is_refused(tmp_path, folder):
    with pytest.raises(CorpusError, match="no EmoDB"):
        emodb.load(tmp_path / folder)
