"""What the package gives by name, which is fetched when it is asked for."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle

import pytest

import edge_runtime
from edge_runtime import IEmoNet, PicklingError


@pytest.mark.parametrize("name", edge_runtime.__all__)
def test_each_public_name_can_be_imported(name: str) -> None:
    assert getattr(edge_runtime, name) is not None
    assert name in dir(edge_runtime)


def test_imports_for_type_checkers_name_the_modules_that_are_loaded() -> None:
    tree = ast.parse(inspect.getsource(edge_runtime))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "typing"]
    stated = {alias.name: node.module for node in imports for alias in node.names} | {"import_module": "importlib"}
    assert set(stated) - {"import_module"} == set(edge_runtime.__all__)
    for name in edge_runtime.__all__:
        module = edge_runtime._MODULES.get(name, "errors")
        assert stated[name] == f"edge_runtime.{module}"


def test_a_name_that_the_package_lacks_raises_import_error() -> None:
    with pytest.raises(ImportError, match="IEmoNett"):
        from edge_runtime import IEmoNett  # type: ignore[attr-defined]  # noqa: F401


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_model_that_is_pickled_or_copied_says_to_load_it_in_each_process(model: IEmoNet, copied) -> None:
    if copied is copy.copy:
        copied = lambda model: copy.copy(model._vad)  # noqa: E731 - a shallow copy of a model shares its graphs
    with pytest.raises(PicklingError, match=r"load it in each process") as found:
        copied(model)
    assert isinstance(found.value, TypeError)


def test_an_answer_can_be_pickled(model: IEmoNet) -> None:
    answer = model.classify_text("fine")
    assert pickle.loads(pickle.dumps(answer)) == answer
