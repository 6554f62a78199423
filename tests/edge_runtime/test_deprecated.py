"""Import paths of version 0.1 work for one version more."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import IEmoNet, Recording
from edge_runtime.deprecated import MOVED, RENAMED

NAMES = [old for old in MOVED if old.rpartition(".")[2][0].isupper() and old not in RENAMED]
MODULES = [old for old in MOVED if old.rpartition(".")[2][0].islower()]


@pytest.mark.parametrize("old", NAMES)
def test_old_path_of_a_name_gives_the_same_object_with_a_warning(old: str) -> None:
    place, _, name = old.rpartition(".")
    new_place, _, new_name = MOVED[old].rpartition(".")
    with pytest.warns(DeprecationWarning, match=f"{old} is now {MOVED[old]}") as warned:
        found = getattr(import_module(place), name)
    assert found is getattr(import_module(new_place), new_name)
    assert warned[0].filename == __file__


@pytest.mark.parametrize("old", MODULES)
def test_old_path_of_a_module_gives_the_names_of_the_new_one_with_a_warning(old: str) -> None:
    new = import_module(MOVED[old]) if "dialogue_env" not in old else pytest.importorskip(MOVED[old])
    names = [name for name, value in vars(new).items() if getattr(value, "__module__", None) == MOVED[old]]
    assert names
    for name in names:
        with pytest.warns(DeprecationWarning, match=f"{old}.{name} is now"):
            assert getattr(import_module(old), name) is getattr(new, name)


@pytest.mark.parametrize("place", ["edge_runtime.audio", "edge_runtime.errors", "edge_runtime.reward"])
def test_name_that_never_was_is_an_import_error(place: str) -> None:
    with pytest.raises(ImportError, match="nothing_of_this_name"):
        exec(f"from {place} import nothing_of_this_name")


def test_module_that_never_was_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"edge_runtime\.nothing_of_this_name"):
        import_module("edge_runtime.nothing_of_this_name")


def test_old_class_of_the_user_takes_its_old_keywords() -> None:
    from edge_runtime.rewards.user_simulator import UserParameters

    with pytest.warns(DeprecationWarning, match="Temper is now"):
        from edge_runtime.interlocutor import Temper
    old, new = Temper(lingering=0.5, hearing=0.1, noise=0.2), UserParameters(0.5, observation_noise=0.1, noise=0.2)
    assert asdict(old) == asdict(new)
    assert (old.lingering, old.hearing) == (0.5, 0.1)
    assert isinstance(old, Temper) and isinstance(old, UserParameters)


def test_old_class_of_the_user_is_pickled_and_a_pickle_of_version_0_1_is_read() -> None:
    with pytest.warns(DeprecationWarning, match="Temper is now"):
        from edge_runtime.interlocutor import Temper

        assert asdict(pickle.loads(pickle.dumps(Temper(lingering=0.5)))) == asdict(Temper(lingering=0.5))
    stored = Temper.__new__(Temper)
    stored.__setstate__({"lingering": 0.25, "uptake": 0.3, "spread": 1.5, "noise": 0.3, "hearing": 0.125})
    assert (stored.mood_decay, stored.observation_noise) == (0.25, 0.125)


def test_old_simulator_takes_its_old_keyword() -> None:
    with pytest.warns(DeprecationWarning, match=r"Interlocutor is now|Temper is now"):
        from edge_runtime.interlocutor import Interlocutor, Temper
    person = Interlocutor(temper=Temper(lingering=0.0), random=np.random.default_rng(0))
    assert person.mood == 0.0


def test_all_names_of_an_old_module_are_imported_by_a_star() -> None:
    found: dict[str, object] = {}
    with pytest.warns(DeprecationWarning):
        exec("from edge_runtime.reward import *", found)
    assert "EmotionValues" in found


def test_environment_takes_its_user_by_the_old_keyword() -> None:
    environments = pytest.importorskip("edge_runtime.rewards.dialogue_env")
    from edge_runtime.rewards.user_simulator import UserParameters

    with pytest.warns(DeprecationWarning, match="temper"):
        env = environments.DialogueEnv(temper=UserParameters(mood_decay=0.0))
    assert env.user == UserParameters(mood_decay=0.0)


def test_length_of_a_recording_has_its_old_name(model: IEmoNet, jfk: Path) -> None:
    for recording in (Recording(jfk), model.timeline(jfk)):
        with pytest.warns(DeprecationWarning, match="promised_s is now header_duration_s"):
            assert recording.promised_s == recording.header_duration_s == 11.0


def test_package_does_not_import_the_old_paths() -> None:
    code = "import sys, edge_runtime, edge_runtime.pipeline; sys.exit('edge_runtime.deprecated' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
