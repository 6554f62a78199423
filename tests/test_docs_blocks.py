"""Every page of the documentation that holds code does what it says; and what runs the pages is itself right."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import docs_blocks

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [page for page in sorted(DOCS.glob("*.md")) if docs_blocks.runnable(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_s_code_runs(page: Path, tmp_path: Path, repository: Path) -> None:
    shell = [block.code for block in docs_blocks.blocks(page) if block.language == "sh run"]
    if any("ffmpeg" in code for code in shell) and not shutil.which("ffmpeg"):
        pytest.skip("needs ffmpeg")
    docs_blocks.run(page, tmp_path, repository)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_python_blocks_share_names_and_shell_runs_where_marked(page: Path, folder: Path, repository: Path) -> None:
    page.write_text(
        "# A page\n\n```python\nfrom pathlib import Path\nx = 3\n```\n\n```sh\nfalse\n```\n\n"
        "- in a list\n\n  ```python\n  if x:\n      print(x, Path('clip.wav').exists())\n  ```\n\n"
        "```sh run\npython -c 'import edge_runtime' && ls examples\n```\n\n```json\n{\n```\n"
    )
    assert docs_blocks.run(page, folder, repository) == "3 True\njfk.wav\n"


def test_an_error_names_the_line_of_the_page(page: Path, folder: Path, repository: Path) -> None:
    page.write_text("one\n\n```python\nx = 1\n```\n\nseven\n\n```python\n\nraise RuntimeError('here')\n```\n")
    with pytest.raises(AssertionError, match=r"(?s)page\.md\.py\", line 11.*here"):
        docs_blocks.run(page, folder, repository)


@pytest.mark.parametrize("command", ["false", "false | true", "echo $unset_name"])
def test_a_failing_shell_block_fails(command: str, page: Path, folder: Path, repository: Path) -> None:
    page.write_text(f"```sh run\n{command}\ntrue\n```\n")
    with pytest.raises(AssertionError):
        docs_blocks.run(page, folder, repository)


def test_a_block_that_is_not_closed_is_refused(page: Path) -> None:
    page.write_text("```python\nx = 1\n")
    with pytest.raises(AssertionError, match="line 2 is not closed"):
        docs_blocks.blocks(page)


def test_a_page_without_code_is_not_run(page: Path) -> None:
    page.write_text("text\n\n```sh\nrm -rf everything\n```\n")
    assert not docs_blocks.runnable(page)


def test_what_the_page_about_rewards_says_is_printed(tmp_path: Path, repository: Path) -> None:
    first, second, *turns = docs_blocks.run(DOCS / "rewards.md", tmp_path, repository).splitlines()
    assert first == "None"
    assert float(second) > 0
    assert len(turns) == 12
