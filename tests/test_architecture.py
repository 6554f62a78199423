"""What docs/architecture.md says of the imports is so, no more and no less."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
BRANCHES = ("speech", "text", "fusion")
TOP = ("edge_runtime", "examples", "trainer", "export", "benchmarks")
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for top in TOP
    for path in (ROOT / top).rglob("*.py")
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
OURS = {module: found & FILES.keys() for module, found in IMPORTS.items()}


def rows(heading: str) -> dict[str, set[str]]:
    """The table that follows ``heading``: what its first column names, and each name in the second."""
    _, _, rest = PAGE.partition(heading)
    table = re.search(r"^\| .*\n\|---\|---\|\n((?:\|.*\n)+)", rest, re.MULTILINE)
    assert table, heading
    cells = [line.strip("|").split("|") for line in table[1].splitlines()]
    return {first.strip(): {n.strip("`") for n in re.findall(r"`[\w.]+`|the rest", second)} for first, second in cells}


def among(part: str, place: Callable[[str], str | None]) -> set[str]:
    """The other parts whose modules those of ``part`` import; ``place`` says in which part a module is, if in any."""
    modules = [module for module in OURS if place(module) == part]
    assert modules, part
    return {other for module in modules for name in OURS[module] if (other := place(name))} - {part}


@pytest.mark.parametrize("top", TOP)
def test_a_folder_imports_what_the_page_says(top: str) -> None:
    said = {name.strip("`"): found for name, found in rows("## What imports what").items()}
    assert said.keys() == set(TOP)
    assert among(top, lambda module: module.split(".")[0]) == said[top]


def test_the_trainer_takes_of_the_runtime_what_the_page_says() -> None:
    said = {name for first in rows("so that training hears") for name in re.findall(r"`(\w+)`", first)}
    taken = {other for module in OURS if module.split(".")[0] == "trainer" for other in OURS[module]}
    assert {other.removeprefix("edge_runtime.") for other in taken if other.startswith("edge_runtime")} == said


FOLDERS = tuple(f"trainer.{folder.name}" for folder in sorted((ROOT / "trainer").iterdir()) if [*folder.glob("*.py")])
COMMANDS = {"trainer.cli", "trainer.recipe"}
"""They know every folder."""


def place(module: str) -> str | None:
    """The folder of the trainer that ``module`` is in, "the rest", or None where it is not of the trainer."""
    if module.split(".", maxsplit=1)[0] != "trainer":
        return None
    return next((folder for folder in FOLDERS if module.startswith(folder)), "the rest")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_of_the_trainer_imports_what_the_page_says(folder: str) -> None:
    said = {name.strip("`"): found for name, found in rows("Inside `trainer`").items()}
    assert said.keys() == set(FOLDERS)
    assert among(folder, place) == said[folder]


def test_branches_read_nothing_of_the_experiment_but_settings() -> None:
    branches = [others for module, others in OURS.items() if place(module) in {f"trainer.{b}" for b in BRANCHES}]
    assert {other for others in branches for other in others if place(other) == "trainer.experiment"} == {
        "trainer.config"
    }


def test_of_the_rest_of_the_trainer_only_the_commands_know_more_than_corpora() -> None:
    tools = [others for module, others in OURS.items() if place(module) == "the rest" and module not in COMMANDS]
    assert {place(other) for others in tools for other in others} == {"the rest", "trainer.corpora", None}
    users = {module for module, others in OURS.items() if others & COMMANDS}
    assert users == {"trainer.cli"}


def test_no_module_imports_itself_through_others() -> None:
    assert [*TopologicalSorter(OURS).static_order()]


def test_gymnasium_is_needed_by_one_module_alone() -> None:
    users = {module for module, found in IMPORTS.items() if any(name.split(".")[0] == "gymnasium" for name in found)}
    assert users == {"edge_runtime.rewards.dialogue_env"}
