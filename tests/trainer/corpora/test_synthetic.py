"""The synthetic corpus: shaped like IEMOCAP, marked as synthetic, the same for one seed, and learnable in part."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from trainer.corpora import iemocap, registry, synthetic
from trainer.corpora.check import examine
from trainer.corpora.utterance import LABELS
from trainer.errors import CorpusError

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "release"
    assert synthetic.iemocap_tree(folder, dialogs_per_session=2, utterances_per_dialog=6, seed=3) == 60
    return folder


@needs_espeak
def test_a_synthetic_corpus_is_read_as_iemocap_is(tree):
    found = iemocap.load(tree)
    assert len(found) == 60
    assert set(LABELS) < {u.label for u in iemocap.load(tree)}
    assert {u.session for u in found} == {f"Session{i}" for i in range(1, 6)}
    assert {u.speaker for u in found} == {f"iemocap-{i}{who}" for i in range(1, 6) for who in "FM"}
    for session in range(1, 6):
        assert set(LABELS) <= {u.label for u in found if u.session == f"Session{session}"}
    labels = Counter(u.label for u in iemocap.load(tree))
    assert Counter(u.label for u in iemocap.load(tree, merge_excited=True))["happy"] > labels["happy"]


@needs_espeak
def test_a_synthetic_corpus_is_whole_and_its_times_are_those_of_its_recordings(tree):
    found = registry.read(tree)
    assert {u.corpus for u in found} == {"synthetic"}
    result = examine(found, expected=registry.expected(registry.detect(tree)))
    assert result.fine
    seconds = {u.id: soundfile.info(u.audio).duration for u in iemocap.load(tree)}
    middle = float(np.median(list(seconds.values())))
    longer = {u.id for u in iemocap.load(tree, shortest_s=middle)}
    assert 0 < len(longer) < 60
    assert all((name in longer) == (length > middle) for name, length in seconds.items() if abs(length - middle) > 1e-3)


@needs_espeak
def test_recordings_hold_speech_and_the_voices_differ(tree):
    for utterance in iemocap.load(tree):
        samples, rate = soundfile.read(utterance.audio)
        assert rate == 16_000
        assert 0.5 < len(samples) / rate < 20
        assert 0.005 < np.sqrt(np.mean(samples**2)) < 0.5


@needs_espeak
def test_every_file_says_that_it_is_synthetic(tree):
    files = [path for path in tree.rglob("*") if path.is_file()]
    assert len(files) > 60
    assert [path for path in files if b"ynthetic" not in path.read_bytes()] == []
    comments = [soundfile.SoundFile(path).comment for path in files if path.suffix == ".wav"]
    assert len(comments) > 20
    assert [comment for comment in comments if "ynthetic" not in comment] == []


@needs_espeak
def test_one_seed_gives_one_corpus(tree, tmp_path):
    synthetic.iemocap_tree(tmp_path / "again", dialogs_per_session=2, utterances_per_dialog=6, seed=3)

    def content(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    assert content(tmp_path / "again") == content(tree)


def test_another_seed_gives_other_labels_words_and_voices():
    one, same, other = (synthetic._plan(1, ["Ses01F_impro01"], 12, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one == same
    for name in ("emotion", "words", "pitch", "speed", "amplitude"):
        assert [getattr(t, name) for t in one["Ses01F_impro01"]] != [getattr(t, name) for t in other["Ses01F_impro01"]]


def test_words_tell_the_emotion_often_but_not_always():
    random = np.random.default_rng(0)
    truth = random.choice(["neu", "hap", "sad", "ang"], 1200)
    words = [synthetic._words(emotion, random) for emotion in truth]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=500)).fit(words[:600], truth[:600])
    assert 0.6 < model.score(words[600:], truth[600:]) < 0.85


def test_the_voice_differs_by_emotion_within_one_speaker_but_overlaps():
    random = np.random.default_rng(0)
    (turns,) = synthetic._plan(1, ["Ses01F_impro01"], 2000, random).values()
    pitch = {e: [t.pitch for t in turns if t.emotion == e and t.id[-4] == "F"] for e in ("hap", "sad")}
    assert np.mean(pitch["hap"]) > np.mean(pitch["sad"]) + 20
    assert np.min(pitch["hap"]) < np.max(pitch["sad"])


@needs_espeak
def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for folder in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(CorpusError, match="holds something"):
            synthetic.iemocap_tree(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_too_few_utterances_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="at least 12"):
        synthetic.iemocap_tree(tmp_path / "new", dialogs_per_session=1, utterances_per_dialog=11)


def test_without_espeak_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CorpusError, match="apt-get install espeak-ng"):
        synthetic.iemocap_tree(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("script", ["echo no such voice >&2; exit 1", "exit 0"])
def test_when_espeak_fails_nothing_is_left_behind(tmp_path, monkeypatch, script):
    broken = tmp_path / "bin" / "espeak-ng"
    broken.parent.mkdir()
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:/usr/bin:/bin")
    with pytest.raises(CorpusError, match="could not speak"):
        synthetic.iemocap_tree(tmp_path / "made" / "new")
    assert not list((tmp_path / "made").iterdir())
