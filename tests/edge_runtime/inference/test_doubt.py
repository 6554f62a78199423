"""Speech in another language gets a note that its words are doubtful; English does not, nor do given words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_runtime import IEmoNet
from edge_runtime.inference.asr import Transcript
from edge_runtime.prediction import DOUBTFUL, not_judged, notes_of


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng, which reads a German sentence aloud, is not installed")
    path = tmp_path_factory.mktemp("german") / "german.wav"
    sentence = "Guten Morgen, ich möchte morgen mit dem Zug nach München fahren."
    subprocess.run(["espeak-ng", "-v", "de", "-w", str(path), sentence], check=True)
    return path


def test_english_gets_no_note(model: IEmoNet, jfk: Path) -> None:
    answer = model(jfk)
    assert answer.notes == ()
    assert [segment.notes for segment in answer.segments] == [()]


def test_another_language_gets_one_and_the_answer_stays(model: IEmoNet, german: Path) -> None:
    answer = model(german)
    assert answer.notes == notes_of({DOUBTFUL: 1}, 1)
    assert answer.notes[0].startswith("the words are doubtful: ")
    assert answer.segments[0].notes == (DOUBTFUL,)
    assert answer.used == ("voice", "words")
    assert answer.to_dict()["segments"][0]["notes"] == (DOUBTFUL,)


def test_words_that_are_given_or_not_recognised_are_not_doubted(model: IEmoNet, german: Path) -> None:
    assert model(german, transcript="good morning").notes == ()
    assert model(german, asr=False).notes == ()


def test_a_timeline_says_at_its_end_in_how_many_utterances(model: IEmoNet, german: Path, jfk: Path) -> None:
    spoken, rate = soundfile.read(german, dtype="float32")
    english, of_english = soundfile.read(jfk, dtype="float32")
    resampled = np.interp(np.arange(0, len(spoken), rate / of_english), np.arange(len(spoken)), spoken)
    pause = np.zeros(2 * of_english)
    timeline = model.timeline(np.concatenate([english, pause, resampled]).astype(np.float32), of_english)
    segments = list(timeline)
    doubted = [DOUBTFUL in segment.notes for segment in segments]
    assert doubted[-1]
    assert not doubted[0]
    assert timeline.notes == notes_of({DOUBTFUL: sum(doubted)}, len(doubted))
    assert f"in {sum(doubted)} of {len(doubted)} utterances" in timeline.notes[0]


@pytest.mark.parametrize(
    ("text", "log_probability", "ended", "doubtful"),
    [
        ("fine", -0.64, True, False),
        ("fine", -0.66, True, True),
        ("fine", -0.1, False, True),  # cut off in a loop, or at the longest that can be said
        ("", -9.0, False, False),
    ],
)
def test_a_transcript_is_doubtful_when_improbable_or_cut_off(
    text: str, log_probability: float, ended: bool, doubtful: bool
) -> None:
    assert Transcript(text, log_probability, ended).doubtful == doubtful


def test_notes_say_in_how_many_utterances_unless_it_is_in_all() -> None:
    assert notes_of({}, 3) == ()
    polish = not_judged("Polish")
    assert notes_of({polish: 2}, 2) == ("spoken in Polish: the words are not judged",)
    found = notes_of({DOUBTFUL: 1, polish: 2}, 3)
    assert found[0].startswith("the words are doubtful in 1 of 3 utterances: ")
    assert found[1] == "spoken in Polish in 2 of 3 utterances: the words are not judged"
