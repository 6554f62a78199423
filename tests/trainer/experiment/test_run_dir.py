"""A run's folder holds one run."""

import json
import shutil
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from trainer.config import Text
from trainer.errors import ConfigError
from trainer.experiment.run_dir import CONFIG, check_room, open_run, write_json

RUN = {
    "experiment": {"seed": 0, "text": {"rate": 1e-5}},
    "corpus": {"checksum": "a"},
    "division": "d",
    "begun": "now",
}


def changed(**what: object) -> dict:
    return {**RUN, **what}


def test_a_new_run_folder_states_its_experiment(tmp_path):
    open_run(tmp_path / "run", RUN, resume=False)
    assert json.loads((tmp_path / "run" / CONFIG).read_text()) == RUN


def test_a_run_folder_that_exists_is_refused_without_resume(tmp_path):
    open_run(tmp_path, RUN, resume=False)
    with pytest.raises(ConfigError, match="--resume"):
        open_run(tmp_path, RUN, resume=False)


def test_the_same_run_goes_on_and_keeps_its_beginning(tmp_path):
    open_run(tmp_path, RUN, resume=True)
    open_run(tmp_path, changed(begun="later"), resume=True)
    assert json.loads((tmp_path / CONFIG).read_text())["begun"] == "now"


def test_a_run_goes_on_though_a_later_version_has_more_settings(tmp_path):
    text = json.loads(json.dumps(asdict(Text(l2=0.1))))
    earlier = {name: value for name, value in text.items() if name != "teacher_share"}
    open_run(tmp_path, changed(experiment={"seed": 0, "text": earlier}), resume=True)
    open_run(tmp_path, changed(experiment={"seed": 0, "text": text}), resume=True)
    other = changed(experiment={"seed": 0, "text": {**text, "teacher_share": 0.3}})
    with pytest.raises(ConfigError, match="teacher_share"):
        open_run(tmp_path, other, resume=True)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (changed(experiment={"seed": 1, "text": {"rate": 1e-5}}), "experiment.seed"),
        (changed(experiment={"seed": 0, "text": {"rate": 2e-5}}), "experiment.text.rate"),
        (changed(experiment={"seed": 0, "text": None}), "experiment.text"),
        (changed(corpus={"checksum": "b"}), "corpus.checksum"),
        (changed(division="e"), "division"),
    ],
)
def test_a_different_experiment_cannot_resume_a_run(tmp_path, other, named):
    open_run(tmp_path, RUN, resume=False)
    with pytest.raises(ConfigError, match=named):
        open_run(tmp_path, other, resume=True)


def test_a_run_of_version_0_1_is_refused_as_such(tmp_path):
    open_run(tmp_path, changed(experiment={"seed": 0, "held_percent": 10}), resume=False)
    with pytest.raises(ConfigError, match=r"a run of version 0\.1, which cannot go on"):
        open_run(tmp_path, RUN, resume=True)


def test_a_damaged_config_is_named(tmp_path):
    (tmp_path / CONFIG).write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        open_run(tmp_path, RUN, resume=True)


def test_a_full_disk_is_told_before_hours_are_spent(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    check_room(tmp_path / "run", 1e9)
    with pytest.raises(OSError, match=r"1\.0 GB free, 3\.3 GB needed"):
        check_room(tmp_path / "run", 3.3e9)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        check_room(tmp_path / "file" / "run", 1)


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
