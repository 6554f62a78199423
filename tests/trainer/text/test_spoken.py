"""Texts that are spoken by espeak-ng and written down by a recogniser."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from trainer.errors import CorpusError
from trainer.text import spoken


@pytest.fixture
def heard(monkeypatch):
    """Put a recogniser that says how much it heard, and espeak-ng, in the place of real ones."""
    asked = []

    class Deaf:
        def __init__(self, _bundle):
            pass

        def __call__(self, audio, sample_rate):
            asked.append(len(audio))
            return f"heard {len(audio)} at {sample_rate}"

    class NoBundle:
        @staticmethod
        def read(_folder):
            return None

    monkeypatch.setattr(spoken, "Recogniser", Deaf)
    monkeypatch.setattr(spoken, "Bundle", NoBundle)
    monkeypatch.setattr(spoken, "locate", lambda bundle: bundle)
    monkeypatch.setattr(spoken, "key_of", lambda _bundle: "key")
    monkeypatch.setattr(spoken.shutil, "which", lambda _name: "/bin/espeak-ng")
    return asked


def speak(monkeypatch, output=b"h" * spoken.HEADER + bytes(8)):
    monkeypatch.setattr(
        spoken.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess((), 0, stdout=output, stderr=b"")
    )


def test_sentences_are_heard_once_and_kept(tmp_path, monkeypatch, heard):
    speak(monkeypatch)
    first = spoken.recognised(["Hello there.", "Go home."], tmp_path, quiet=True)
    assert first == ["heard 4 at 22050"] * 2
    assert spoken.recognised(["Go home."], tmp_path, quiet=True) == first[:1]
    assert len(heard) == 2
    lines = (tmp_path / "spoken-key.jsonl").read_text().splitlines()
    assert [json.loads(line)["sentence"] for line in lines] == ["Hello there.", "Go home."]


def test_half_a_line_of_a_killed_run_is_heard_again(tmp_path, monkeypatch, heard):
    speak(monkeypatch)
    (tmp_path / "spoken-key.jsonl").write_text('{"sentence": "Go home.", "te')
    assert spoken.recognised(["Go home."], tmp_path, quiet=True) == ["heard 4 at 22050"]


def test_without_espeak_the_way_out_is_named(tmp_path, monkeypatch, heard):
    monkeypatch.setattr(spoken.shutil, "which", lambda _name: None)
    with pytest.raises(CorpusError, match="spoken_texts = 0"):
        spoken.recognised(["Go home."], tmp_path)


def test_a_failing_espeak_is_an_error_that_names_the_sentence(tmp_path, monkeypatch, heard):
    def fail(*_, **__):
        raise subprocess.CalledProcessError(1, "espeak-ng", stderr=b"no voice")

    monkeypatch.setattr(spoken.subprocess, "run", fail)
    with pytest.raises(CorpusError, match=r"'Go home\.' \(no voice\)"):
        spoken.recognised(["Go home."], tmp_path, quiet=True)


def test_sentences_of_usual_length_are_chosen_and_none_that_is_tested():
    sentences = [f"this is sentence {i}" for i in range(50)] + ["short", "long " * 40]
    chosen = spoken.choose(sentences, 10, tested={1, 2, 3})
    assert chosen == spoken.choose(sentences, 10, tested={1, 2, 3})
    assert len(set(chosen)) == 10 and not set(chosen) & {1, 2, 3, 50, 51}
    assert set(spoken.choose(sentences, 100)) == set(range(50))


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_espeak_gives_samples_of_the_stated_rate():
    samples = spoken._speak("This sentence takes about two seconds to say.")
    assert samples.dtype == np.float32
    assert 1 < len(samples) / spoken.SAMPLE_RATE < 6
    assert 0.05 < np.abs(samples).max() <= 1
