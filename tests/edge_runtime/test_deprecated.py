"""Import paths of version 0.1 work for one version more."""

from __future__ import annotations

from importlib import import_module

import pytest

from edge_runtime.deprecated import MOVED

NAMES = [old for old in MOVED if old.rpartition(".")[2][0].isupper()]
MODULES = [old for old in MOVED if old not in NAMES]


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
