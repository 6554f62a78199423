"""The corpora of one branch, chosen by their licences."""

from dataclasses import replace

import pytest

from trainer.config import Data, Experiment, Speech
from trainer.corpora import registry
from trainer.corpora.dataset import Dataset
from trainer.corpora.utterance import Utterance
from trainer.errors import ConfigError
from trainer.experiment import branch_data

DATA = Data(("free", "bound"), "corpus", plain=("silent",))


@pytest.fixture
def detected(monkeypatch):
    base = registry.named("emodb")
    corpora = {
        "free": replace(base, name="free", permissive=True),
        "bound": replace(base, name="bound", permissive=False),
        "silent": replace(base, name="silent", plain=True, permissive=True),
    }
    monkeypatch.setattr(registry, "detect", lambda path: corpora[path.name])
    return corpora


def load(folder, **how):
    sentence = Utterance("1", folder.name, "sad", "", transcript=f"what {folder.name} says is this")
    return Dataset(folder.name, [sentence], ("sad",))


def test_all_corpora_are_joined_plain_speech_last(tmp_path, detected):
    found = branch_data.load(tmp_path, "speech", DATA, unlabelled=True, load=load)
    assert found.name == "free+bound+silent"


def test_permissive_ones_alone_are_taken_on_request(tmp_path, detected):
    found = branch_data.load(tmp_path, "speech", DATA, unlabelled=True, load=load, licences="permissive")
    assert found.name == "free+silent"


def test_texts_are_prepared_and_get_fragments(tmp_path, detected):
    data = replace(DATA, plain=())
    plain = branch_data.load(tmp_path, "text", data, unlabelled=False, load=load)
    more = branch_data.load(tmp_path, "text", data, unlabelled=True, load=load)
    assert not plain.unlabelled and {u.label for u in more.unlabelled} == {"fragment"}


def test_where_no_corpus_has_such_a_licence_they_are_named(tmp_path, detected):
    detected["free"] = replace(detected["free"], permissive=False)
    with pytest.raises(ConfigError, match="none of free, bound"):
        branch_data.load(tmp_path, "speech", DATA, unlabelled=True, load=load, licences="permissive")


def test_a_corpus_with_classes_has_no_place_among_plain_speech(tmp_path, detected):
    detected["silent"] = replace(detected["silent"], plain=False)
    with pytest.raises(ConfigError, match="has classes"):
        branch_data.load(tmp_path, "speech", DATA, unlabelled=True, load=load)


def test_licences_choose_among_corpora_alone():
    with pytest.raises(ConfigError, match="--config"):
        branch_data.check_licences("permissive", Experiment(speech=Speech()))
    with pytest.raises(ConfigError, match="--config"):
        branch_data.check_licences("permissive", None)
    branch_data.check_licences("permissive", Experiment(speech=Speech(data=DATA)))
    branch_data.check_licences(None, None)
