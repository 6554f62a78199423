"""The check: each kind of fault is found and named, and what is bad is refused or left out."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from trainer.corpora.check import examine, usable
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError


def spoken(path: Path | None, name: str = "a", **changes) -> Utterance:
    return replace(Utterance(name, "iemocap", "sad", "one", audio=path, transcript="No."), **changes)


def test_a_whole_corpus_is_fine_and_counted(tmp_path, clip):
    paths = [clip(tmp_path / f"{i}.wav", seconds=3.6) for i in range(3)]
    found = [
        spoken(paths[0], "a", session="S1", split="train"),
        spoken(paths[1], "b", label="happy", session="S1", split="dev"),
        spoken(paths[2], "c", speaker="two", session="S2", split="train"),
        spoken(None, "d"),
    ]
    result = examine(found)
    assert result.fine
    assert (result.utterances, result.recordings) == (4, 3)
    assert result.hours == pytest.approx(3 * 3.6 / 3600)
    assert result.labels == {"sad": 3, "happy": 1}
    assert result.speakers == {"one": 3, "two": 1}
    assert result.sessions == {"S1": 2, "S2": 1, "": 1}
    assert result.splits == {"train": 2, "dev": 1, "": 1}
    assert usable(found, result, skip=False) == usable(found, result, skip=True) == found


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def noise(path: Path) -> None:
    path.write_bytes(b"RIFF" + os.urandom(500))


def nan(path: Path) -> None:
    soundfile.write(path, np.full(1600, np.nan), 16_000, "FLOAT", format="WAV")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (empty, "empty"),
        (cut, "ends early or is damaged: 0.5 s of the 1.0 s"),
        (noise, "not audio"),
        (nan, "NaN"),
        (folder, "not a file"),
    ],
)
def test_a_damaged_recording_is_named_with_the_reason(tmp_path, clip, spoil, reason):
    good, bad = clip(tmp_path / "good.wav", seconds=1.0), clip(tmp_path / "bad.wav", seconds=1.0)
    spoil(bad)
    result = examine([spoken(good, "a"), spoken(bad, "b")])
    (fault,) = result.damaged
    assert fault.audio == bad
    assert reason in fault.reason
    assert str(bad) not in fault.reason
    assert "ffmpeg" not in fault.reason
    assert (result.fine, result.recordings, result.missing) == (False, 1, ())


def test_flac_that_is_damaged_late_is_found_by_decoding_all_of_it(tmp_path, clip):
    path = clip(tmp_path / "a.flac", seconds=3.0)
    data = bytearray(path.read_bytes())
    data[-4000:] = bytes(4000)
    path.write_bytes(data)
    assert soundfile.info(path).frames == 48_000  # its head tells nothing
    assert [fault.audio for fault in examine([spoken(path)]).damaged] == [path]


def test_a_video_is_told_with_how_to_convert_it(tmp_path):
    path = tmp_path / "dia0_utt0.mp4"
    path.write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(100))
    (fault,) = examine([spoken(path)]).damaged
    assert f"ffmpeg -i {path} -vn {path.with_suffix('.flac')}" in fault.reason


def test_files_that_are_whole_though_their_headers_state_no_length_are_fine(tmp_path, clip, ffmpeg):
    killed, vbr, wav = (clip(tmp_path / f"{name}.wav", seconds=3.0) for name in ("killed", "vbr", "mp3"))
    data = bytearray(killed.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = bytes(4)
    killed.write_bytes(data)
    ffmpeg("-i", vbr, "-q:a", 2, "-write_xing", 0, vbr.with_suffix(".mp3"))
    ffmpeg("-i", vbr, "-c:a", "libmp3lame", wav)
    result = examine([spoken(killed, "a"), spoken(vbr.with_suffix(".mp3"), "b"), spoken(wav, "c")])
    assert result.fine
    assert result.hours == pytest.approx(9 / 3600, rel=0.05)


def test_missing_recordings_are_not_damaged_ones(tmp_path):
    result = examine([spoken(tmp_path / "none.wav")])
    assert [fault.audio.name for fault in result.missing] == ["none.wav"]
    assert not result.damaged


def test_words_that_should_be_there_are_missed_and_others_are_not():
    found = [spoken(None, n, transcript=t) for n, t in (("a", ""), ("b", " \t"), ("c", None), ("d", "Yes."))]
    result = examine(found)
    assert result.wordless == ("a", "b")
    assert not result.fine


def test_differences_are_told_by_split_and_label():
    found = [
        spoken(None, "a", split="train"),
        spoken(None, "b", split="train"),
        spoken(None, "c", split="train", label="odd"),
    ]
    published = {"train": {"sad": 1200, "happy": 3, "odd": 1}, "test": {"sad": 1000, "happy": 234}}
    assert examine(found, expected=published).differences == (
        "train: 0 happy where 3 are published",
        "train: 2 sad where 1,200 are published",
        "test: none of the 1,234 published utterances is there",
    )
    assert examine(found, expected={"train": {"sad": 2, "odd": 1}}).fine
    assert examine(found, expected={"train": {"sad": 2}}).differences == ("train: 1 odd where 0 are published",)


def test_bad_recordings_are_refused_counted_and_the_first_named(tmp_path, clip):
    good = [spoken(clip(tmp_path / "good.wav"), "good"), spoken(None, "words")]
    bad = [spoken(tmp_path / f"gone{i}.wav", f"gone{i}") for i in range(4)]
    spoilt = clip(tmp_path / "spoilt.wav")
    empty(spoilt)
    found = [*good, *bad, spoken(spoilt, "spoilt")]
    result = examine(found)
    with pytest.raises(CorpusError) as error:
        usable(found, result, skip=False)
    message = str(error.value)
    assert "4 recordings of 7 utterances are missing and 1 damaged" in message
    assert "gone0.wav" in message
    assert "gone3.wav" not in message
    assert message.endswith("and 2 more")
    assert usable(found, result, skip=True) == good


def test_skipping_everything_is_refused(tmp_path):
    found = [spoken(tmp_path / "none.wav")]
    with pytest.raises(CorpusError, match="no other is there"):
        usable(found, examine(found), skip=True)


def test_progress_is_shown_only_if_asked_for(tmp_path, clip, capsys):
    found = [spoken(clip(tmp_path / "a.wav"))]
    examine(found)
    assert capsys.readouterr() == ("", "")
    examine(found, quiet=False)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "reading" in shown.err
