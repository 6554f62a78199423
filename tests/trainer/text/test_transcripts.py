"""Whose words: the corpus' own, simulated ones, or our own recogniser's, which are kept."""

import json

import numpy as np
import pytest
import soundfile

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.errors import BundleNotFoundError
from trainer.corpora.utterance import Utterance
from trainer.errors import CorpusError
from trainer.text import transcripts
from trainer.text.transcripts import Recognised, Recogniser
from trainer.text.wer import word_error_rate


def utterance(number, **fields):
    return Utterance(id=f"u{number}", corpus="made-up", label="sad", speaker="s", **fields)


class Ear:
    """Stands in for the recogniser: hears a recording's name, and stops after so many."""

    def __init__(self, monkeypatch, patience=99) -> None:
        self.heard, self.patience, self.graphs = [], patience, "abc"
        monkeypatch.setattr(transcripts, "Recogniser", lambda _: self)
        monkeypatch.setattr(transcripts, "locate", lambda bundle: bundle)
        monkeypatch.setattr(Bundle, "read", lambda _: self)

    @property
    def slots(self):
        return ("vad", "speech_encoder", "transcript_decoder")

    @property
    def manifest(self):
        return {"slots": {slot: {"sha256": f"{slot}-{self.graphs}"} for slot in self.slots}}

    def recogniser(self):
        return list(self.slots[1:])

    def recognise(self, path):
        if len(self.heard) == self.patience:
            raise KeyboardInterrupt
        self.heard.append(path.stem)
        return Recognised(f"heard {path.stem} \u2019n all", (-0.5, -2.0, 3.0, float(len(self.heard))))


@pytest.fixture
def ear(monkeypatch):
    return Ear(monkeypatch)


@pytest.fixture
def recorded(tmp_path, clip):
    return [utterance(i, audio=clip(tmp_path / "audio" / f"{i}.wav", seed=i)) for i in range(4)]


@pytest.fixture
def give(tmp_path):
    """Return a function that gives the transcripts of a kind."""

    def call(utterances, kind, **changes):
        options = {"rate": 0.1, "seed": 0, "weights": tmp_path / "weights", "cache": tmp_path / "cache", "quiet": True}
        return transcripts.transcripts(utterances, kind, **options | changes)

    return call


@pytest.fixture
def spoken(tmp_path):
    folder = tmp_path / "weights" / "cmudict"
    folder.mkdir(parents=True)
    (folder / "source.json").write_text("{}")
    (folder / "cmudict.dict").write_text("no N OW1\nknow N OW1\nnow N AW1\n")
    return [utterance(i, transcript=f"No, {w} now!") for i, w in enumerate(["know", "now", "no"] * 40)]


def test_provided_words_are_given_as_they_are(give):
    assert give([utterance(0, transcript="So\u2014what?"), utterance(1, transcript="")], "provided") == [
        "So\u2014what?",
        "",
    ]
    assert give([], "provided") == []


@pytest.mark.parametrize("kind", ["provided", "simulated"])
def test_missing_words_are_counted_and_the_first_is_named(give, kind):
    some = [utterance(i, transcript=None if i % 2 else "yes") for i in range(5)]
    with pytest.raises(CorpusError, match=r"made-up: 2 of 5 .*u1"):
        give(some, kind)


def test_simulated_words_have_the_rate_and_the_seed_asked_for(give, spoken):
    provided = give(spoken, "provided")
    heard = give(spoken, "simulated")
    assert word_error_rate(provided, heard) == pytest.approx(0.1, abs=0.005)
    assert heard == give(spoken, "simulated") != give(spoken, "simulated", seed=1)
    assert word_error_rate(provided, give(spoken, "simulated", rate=0.3)) == pytest.approx(0.3, abs=0.005)


def test_recognised_words_are_recognised_once(give, ear, recorded):
    heard = give(recorded, "asr")
    assert heard == [f"heard {i} \u2019n all" for i in range(4)]
    assert give(recorded[::-1], "asr") == heard[::-1]
    assert len(ear.heard) == 4


def test_the_evidence_of_the_words_is_kept_with_them(ear, recorded, tmp_path):
    first = transcripts.recognised(recorded, tmp_path / "cache", quiet=True)
    assert [one.evidence for one in first] == [(-0.5, -2.0, 3.0, float(n)) for n in (1, 2, 3, 4)]
    assert transcripts.recognised(recorded, tmp_path / "cache", quiet=True) == first


def test_the_same_recording_under_another_name_is_known(give, ear, recorded, tmp_path, clip):
    give(recorded, "asr")
    again = utterance(9, audio=clip(tmp_path / "again.wav", seed=2))
    assert give([again], "asr") == ["heard 2 \u2019n all"]
    clip(tmp_path / "again.wav", seed=7)  # another recording under that name
    assert give([again], "asr") == ["heard again \u2019n all"]


def test_another_bundle_recognises_the_recordings_again(give, ear, recorded):
    give(recorded, "asr")
    ear.graphs = "another"
    give(recorded, "asr")
    assert len(ear.heard) == 8


@pytest.mark.parametrize("torn", [0, 1, 20])
def test_a_run_that_was_killed_goes_on_where_it_was(give, monkeypatch, recorded, tmp_path, torn):
    first = Ear(monkeypatch, patience=2)
    with pytest.raises(KeyboardInterrupt):
        give(recorded, "asr")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[: -torn or None])
    second = Ear(monkeypatch)
    heard = give(recorded, "asr")
    assert heard == [f"heard {i} \u2019n all" for i in range(4)]
    assert first.heard + second.heard == (["0", "1", "2", "3"] if not torn else ["0", "1", "1", "2", "3"])
    assert len([json.loads(line) for line in kept.read_text().splitlines()]) == 4
    assert give(recorded, "asr") == heard


@pytest.mark.parametrize("content", ["nonsense\n", "[]\n", '{"audio": 1}\n', "\x00\n"])
def test_a_foreign_file_in_the_cache_is_named(give, ear, recorded, tmp_path, content):
    give(recorded, "asr")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text(content)
    with pytest.raises(CorpusError, match=f"{kept.name}.*delete it"):
        give(recorded, "asr")


def test_without_audio_nothing_can_be_recognised(give, ear, recorded):
    with pytest.raises(CorpusError, match=r"made-up: 2 of 6 .*u7"):
        give([*recorded, utterance(7, transcript="a"), utterance(8, transcript="b")], "asr")
    assert not ear.heard


def test_a_missing_bundle_and_an_unknown_kind_are_refused(give, recorded, tmp_path):
    with pytest.raises(BundleNotFoundError):
        give(recorded, "asr", bundle=tmp_path / "none")
    with pytest.raises(ValueError, match=r"'guessed'.*'asr'"):
        give(recorded, "guessed")


def test_recognised_transcripts_are_those_of_the_runtime(give, model, bundle_folder, jfk, tmp_path):
    quiet = tmp_path / "silence.wav"
    soundfile.write(quiet, np.zeros(16_000), 16_000)
    waveform, rate = soundfile.read(jfk, dtype="float32")
    long = tmp_path / "long.wav"
    soundfile.write(long, np.tile(waveform, 2), rate)
    heard = give([utterance(i, audio=path) for i, path in enumerate((jfk, quiet, long))], "asr", bundle=bundle_folder)
    assert heard == [model(jfk).transcript, "", model(long).transcript]
    assert "country" in heard[0]
    recogniser = Recogniser(model.bundle)
    assert recogniser(waveform, rate) == heard[0]
    assert recogniser.recognise(quiet) == Recognised("", (0.0, 0.0, 0.0, 0.0))
    mean, lowest, words_per_s, spoken = recogniser.recognise(waveform, rate).evidence
    assert np.exp(mean) == pytest.approx(model(jfk).transcript_confidence)
    assert lowest < mean < 0
    assert 1 < words_per_s < 4
    assert 0.8 < spoken <= 1
    twice = recogniser.recognise(long).evidence
    assert twice[1] <= lowest + 0.5
    assert mean - 0.5 < twice[0] < 0
