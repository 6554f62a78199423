"""What bundles are tried on: built in, or of a corpus, by a seed."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_runtime.errors import AudioError, AudioNotFoundError
from export.evaluation import data
from trainer.corpora.registry import LoadOptions
from trainer.errors import CorpusError, ExportError
from trainer.experiment.run_dir import Source

RATE = 16_000


@pytest.fixture
def corpus(tmp_path):
    rows = []
    for i in range(12):
        soundfile.write(tmp_path / f"{i}.wav", np.full(RATE // 10, i / 20), RATE)
        split = "train" if i < 4 else "dev" if i < 8 else "test"
        rows.append((f"{i}.wav", f"words {i}", ("joy", "gloom")[i % 2], split))
    with (tmp_path / "calls.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("audio", "transcript", "label", "split"), *rows])
    return tmp_path / "calls.csv"


def test_built_in_samples_have_sound_or_text(all_samples):
    found = all_samples
    assert len(found.waveforms) == 1 + len(data.PAUSES_S)
    assert sum(map(len, found.waveforms)) == 11 * RATE
    assert found.sentences == list(data.SENTENCES)
    assert all(s.label is None for s in found.samples)


def test_a_corpus_gives_its_dev_part_which_chooses_nothing_that_the_test_part_measures(corpus):
    found = data.of_corpus(corpus, ("joy", "gloom"), limit=9, seed=0)
    assert sorted(found.sentences) == [f"words {i}" for i in range(4, 8)]
    assert found.source.startswith("4 of ") and found.source.endswith(", dev")
    assert {s.label for s in found.samples} == {"joy", "gloom"}
    assert all(len(w) == RATE // 10 for w in found.waveforms)


def test_the_choice_is_by_seed(corpus):
    one, same, other = (data.of_corpus(corpus, ("joy", "gloom"), limit=2, seed=seed).sentences for seed in (0, 0, 3))
    assert one == same != other


def test_labels_are_renamed_and_those_of_others_left_out(corpus):
    found = data.of_corpus(corpus, ("happy",), limit=9, seed=0, renamed={"joy": "happy", "anger": "angry"})
    assert [s.label for s in found.samples] == ["happy", "happy"]


def test_labels_that_do_not_fit_are_named(corpus):
    with pytest.raises(ExportError, match=r"gloom, joy.*happy, sad.*--map"):
        data.of_corpus(corpus, ("happy", "sad"), limit=9, seed=0)


def test_a_corpus_that_is_none_is_refused(tmp_path):
    with pytest.raises(CorpusError):
        data.of_corpus(tmp_path / "nowhere", ("happy",), limit=9, seed=0)


def noted(run: Path, path: Path, skip_bad: bool = False, **reading: object) -> None:
    """Write what `trainer fit` notes in a run's folder."""
    run.mkdir()
    (run / "config.json").write_text(json.dumps(Source(path, LoadOptions(**reading), skip_bad).noted()))


def test_a_run_is_tried_on_what_it_was_trained_on_as_it_was_read(corpus, tmp_path):
    noted(tmp_path / "run", corpus, label_map={"joy": "happy", "gloom": "sad"})
    found = data.of_run(tmp_path / "run", ("happy", "sad"), limit=9, seed=0)
    assert sorted(found.sentences) == [f"words {i}" for i in range(4, 8)]
    assert found.source.endswith(", which was trained on")
    assert {s.label for s in found.samples} == {"happy", "sad"}


@pytest.mark.parametrize("content", [None, "{}", "[]", "{", '{"source": {"path": 3}}'])
def test_what_no_run_noted_is_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    assert data.of_run(tmp_path, ("happy",), limit=9, seed=0) is None


def test_recordings_that_the_run_left_out_are_left_out_and_others_missed(corpus, tmp_path):
    (tmp_path / "5.wav").write_bytes(b"RIFF but no wave")
    noted(tmp_path / "run", corpus)
    with pytest.raises(AudioError, match=r"5\.wav"):
        data.of_run(tmp_path / "run", ("joy", "gloom"), limit=9, seed=0)
    noted(tmp_path / "lenient", corpus, skip_bad=True)
    assert len(data.of_run(tmp_path / "lenient", ("joy", "gloom"), limit=9, seed=0).samples) == 3


def test_what_has_no_words_gets_the_built_in_sentences():
    spoken = data.Sample(np.zeros(RATE, np.float32), None, "joy")
    found = data.with_sentences(data.EvaluationSet("calls", [spoken]))
    assert found.sentences == list(data.SENTENCES) and found.samples[0] is spoken
    read = data.EvaluationSet("calls", [data.Sample(None, "hello", "joy")])
    assert data.with_sentences(read) is read


@pytest.fixture
def calls(tmp_path, jfk):
    """A manifest of twenty utterances, the first without a recording, and a sound file beside it."""
    shutil.copy(jfk, tmp_path / "jfk.wav")
    rows = [
        f"{i},{'' if i == 0 else 'jfk.wav'},{'well' if i < 10 else ''},{'glad' if i % 2 else 'grim'}" for i in range(20)
    ]
    (tmp_path / "calls.csv").write_text("id,audio,transcript,label\n" + "\n".join(rows) + "\n")
    return tmp_path / "calls.csv"


def test_without_places_the_example_is_taken_if_it_is_there(monkeypatch, tmp_path):
    (sample,) = data.gather([], limit=1, seed=0)
    assert (sample.audio, sample.label) == (data.EXAMPLE, None)
    monkeypatch.setattr(data, "EXAMPLE", tmp_path / "gone.wav")
    assert data.gather([], limit=1, seed=0) == []


def test_files_and_corpora_are_read_in_the_order_given(calls):
    clip = calls.with_name("jfk.wav")
    found = data.gather([clip, calls], limit=100, seed=0)
    assert [s.audio for s in found[:3]] == [clip, None, clip]
    assert [s.label for s in found[:3]] == [None, "grim", "glad"]
    assert [found[1].transcript, found[-1].transcript] == ["well", None]
    assert len(found) == 21


def test_a_draw_is_of_the_seed(calls):
    draws = [[s.name for s in data.gather([calls], limit=8, seed=seed)] for seed in (0, 0, 1)]
    assert len(draws[0]) == 8
    assert draws[0] == draws[1] != draws[2]


def test_what_is_not_there_is_said(tmp_path, jfk):
    with pytest.raises(AudioNotFoundError, match=r"nowhere\.wav: no such file"):
        data.gather([jfk, tmp_path / "nowhere.wav"], limit=1, seed=0)
    with pytest.raises(CorpusError, match="looks like none of"):
        data.gather([tmp_path], limit=1, seed=0)
    with pytest.raises(CorpusError, match="given twice"):
        data.gather([jfk, jfk], limit=1, seed=0)
