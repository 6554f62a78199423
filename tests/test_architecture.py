"""Imports follow the direction that docs/architecture.md states, and no folder imports itself through others."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("edge_runtime", "examples", "trainer", "export", "benchmarks")
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "build" not in path.parts
}


def imported(path: Path) -> set[str]:
    """The modules that ``path`` names in its import statements, wherever they stand; those for types alone too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import; name the module"
            assert node.level == 0, f"{path}: a relative import; name the module"
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (whole & FILES.keys()) or {node.module}
    return found


IMPORTS = {module: imported(path) for module, path in FILES.items()}


def package(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def unit(module: str) -> str:
    """The folder of ``module`` right below its package; a module that lies in no such folder is a unit of its own."""
    return ".".join(module.split(".")[:2]).replace("__main__", "cli")


def graph(node: Callable[[str], str]) -> dict[str, set[str]]:
    """What each package or unit imports of the others."""
    found: dict[str, set[str]] = {node(module): set() for module in FILES}
    for module, names in IMPORTS.items():
        found[node(module)] |= {node(name) for name in names & FILES.keys()} - {node(module)}
    return found


def stated() -> dict[str, list[list[str]]]:
    """The table of the page: for the packages, and for the folders of each package, names from the top down."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("## The direction of imports")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `?(\w+)`? \| (.+) \|$", section, re.MULTILINE)
    return {name: [re.findall(r"`(\w+)`", names) for names in order.split("→")] for name, order in rows}


def contradiction(imports: dict[str, set[str]], order: list[list[str]]) -> list[str]:
    """A circle of imports and of what ``order`` allows; empty where the imports follow the order."""
    for above, below in pairwise(order):
        for name in above:
            imports[name].update(below)
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_folder_imports_itself_through_others() -> None:
    assert contradiction(graph(unit), []) == []


def test_packages_import_in_the_stated_direction() -> None:
    order = stated()["packages"]
    assert {name for names in order for name in names} == set(PACKAGES)
    assert contradiction(graph(package), order) == []


@pytest.mark.parametrize("package", ["edge_runtime", "trainer", "export", "benchmarks"])
def test_folders_import_in_the_stated_direction(package: str) -> None:
    order = [[f"{package}.{name}" for name in names] for names in stated()[package]]
    folders = {f"{package}.{path.parent.name}" for path in (ROOT / package).glob("*/__init__.py")}
    assert {name for names in order for name in names} == folders
    inside = {name: others for name, others in graph(unit).items() if name.startswith(package)}
    assert contradiction(inside, order) == []


def test_gymnasium_is_needed_by_one_module_alone() -> None:
    users = {module for module, found in IMPORTS.items() if any(name.split(".")[0] == "gymnasium" for name in found)}
    assert users == {"edge_runtime.rewards.dialogue_env"}


def test_the_runtime_needs_tokenizers_in_one_module_alone() -> None:
    users = {module for module, found in IMPORTS.items() if any(name.split(".")[0] == "tokenizers" for name in found)}
    assert {m for m in users if m.startswith("edge_runtime")} == {"edge_runtime.inference.tokenizer_library"}


def test_the_extra_of_the_service_is_needed_by_its_folder_alone() -> None:
    extra = {"fastapi", "h11", "prometheus_client", "starlette", "uvicorn", "websockets"}
    users = {module for module, found in IMPORTS.items() if extra & {name.split(".")[0] for name in found}}
    assert {unit(module) for module in users} == {"edge_runtime.serve", "benchmarks.serving"}
    folder = {module for module in FILES if module.startswith("edge_runtime.serve")}
    assert {module for module in FILES if IMPORTS[module] & folder} - folder == {"edge_runtime.cli.serve"}


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md", "docs/training.md"])
def test_each_named_path_exists(page: str) -> None:
    named = re.findall(
        r"`((?:edge_runtime|trainer|export|benchmarks|tests|examples)/[\w./]*)`", (ROOT / page).read_text("utf-8")
    )
    assert len(named) > 1
    assert [path for path in named if not (ROOT / path).exists() and "NAME" not in path] == []
