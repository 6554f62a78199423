"""Every page of the documentation that holds code does what it says; and what runs the pages is itself right."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import docs_blocks

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "edge_runtime/README.md")),
    *sorted(DOCS.glob("*.md")),
]
ELSEWHERE = {"own-data.md", "bundle.md", "rewards.md"}
"""Pages that tests of their own run."""
ALONE = [page for page in PAGES if docs_blocks.runnable(page) and page.name not in ELSEWHERE]
NOT_RUN = {
    "README.md": 2,  # what a test compares with the Makefile, and with another page
    "CONTRIBUTING.md": 2,  # an installation; the tests themselves
    "edge_runtime/README.md": 1,  # an installation
    "docs/bundle.md": 1,  # needs a corpus
    "docs/export.md": 4,  # what own-data.md has run; need classifiers of the reader's own, or corpora
    "docs/live.md": 1,  # needs a microphone
    "docs/multilingual.md": 2,  # need corpora and an hour, and what comes of it
    "docs/own-data.md": 2,  # an installation; a longer training
    "docs/paper.md": 2,  # need corpora, the model hub, hours
    "docs/service.md": 1,  # an installation
    "docs/training.md": 1,  # needs corpora
    "docs/words.md": 2,  # need corpora
}
"""How many blocks of each page nothing runs. Their pages say why."""


def run(page: Path, folder: Path, repository: Path) -> None:
    shell = [block.code for block in docs_blocks.blocks(page) if block.language == "sh"]
    if any("ffmpeg" in code for code in shell) and not shutil.which("ffmpeg"):
        pytest.skip("needs ffmpeg")
    docs_blocks.clone(folder, repository)
    docs_blocks.run(page, folder, repository)


@pytest.mark.slow
@pytest.mark.parametrize("page", ALONE, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_s_code_runs(page: Path, tmp_path: Path, repository: Path) -> None:
    run(page, tmp_path, repository)


@pytest.mark.slow
def test_make_demo_makes_the_environment_in_which_the_readme_runs(tmp_path: Path, repository: Path) -> None:
    shutil.copy(repository / "Makefile", tmp_path)
    for folder in ("edge_runtime", "models", "examples"):
        junk = shutil.ignore_patterns("*.egg-info", "build", "__pycache__")
        shutil.copytree(repository / folder, tmp_path / folder, ignore=junk)
    use = next(
        block for block in docs_blocks.blocks(ROOT / "README.md") if block.language == "sh" and not block.not_run
    )
    (tmp_path / "use.sh").write_text(use.code, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    for command in (["make", "demo", f"PYTHON={sys.executable}"], ["bash", "-euo", "pipefail", "use.sh"]):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "country" in done.stdout
    assert "<html" in (tmp_path / "jfk.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_about_bundles_runs(tmp_path: Path, repository: Path) -> None:
    run(DOCS / "bundle.md", tmp_path, repository)


@pytest.mark.slow
def test_own_recordings_are_trained_on_and_exported_as_the_page_says(tmp_path: Path, repository: Path) -> None:
    run(DOCS / "own-data.md", tmp_path, repository)
    assert (tmp_path / "my-bundle" / "bundle.json").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_that_are_not_run_state_a_reason_and_are_counted(page: Path) -> None:
    left_out = [block for block in docs_blocks.blocks(page) if block.not_run]
    assert all(block.language in docs_blocks.CODE for block in left_out)
    assert len(left_out) == NOT_RUN.get(str(page.relative_to(ROOT)), 0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_stands_in_fences_of_a_known_language(page: Path) -> None:
    assert docs_blocks.indented(page) == []
    assert {block.language for block in docs_blocks.blocks(page)} <= {
        *docs_blocks.CODE,
        "ini",
        "js",
        "nginx",
        "text",
        "toml",
        "{eval-rst}",
        "{toctree}",
    }


def commands(block: docs_blocks.Block) -> list[str]:
    lines = [re.sub(r"\s+#.*", "", line) for line in block.code.splitlines()]
    return [part.strip() for line in lines for part in line.split("&&") if part.strip()]


def test_the_readme_installs_by_the_commands_of_make_demo() -> None:
    install = next(block for block in docs_blocks.blocks(ROOT / "README.md") if block.language == "sh")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(PYTHON)", "python3").replace(" --quiet", "")
    assert len(commands(install)) == 2
    assert [command for command in commands(install) if f"\t{command}\n" not in makefile] == []


def test_contributors_check_what_make_test_checks() -> None:
    page = [command for block in docs_blocks.blocks(ROOT / "CONTRIBUTING.md") for command in commands(block)]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    tested = re.search(r"^test:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert tested
    made = [line.strip().removeprefix(".venv/bin/").replace('"', "") for line in tested[1].splitlines()]
    assert made == [command for command in made if command in [line.replace('"', "") for line in page]]


def test_the_readme_trains_by_the_commands_of_the_page_about_it() -> None:
    whole = [block for block in docs_blocks.blocks(ROOT / "README.md") if "trainer fit" in block.code]
    page = [command for block in docs_blocks.blocks(DOCS / "own-data.md") for command in commands(block)]
    assert [command for block in whole for command in commands(block) if command not in page] == []


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.md"


@pytest.fixture
def folder(tmp_path: Path, repository: Path) -> Path:
    (tmp_path / "work").mkdir()
    return docs_blocks.clone(tmp_path / "work", repository)


def test_python_blocks_share_names_and_shell_blocks_a_shell(page: Path, folder: Path, repository: Path) -> None:
    page.write_text(
        "# A page\n\n```python\nfrom pathlib import Path\nx = 3\n```\n\n"
        "<!-- not run: it fails -->\n```sh\nfalse\n```\n\n"
        "- in a list\n\n  ```python\n  if x:\n      print(x, Path('examples/jfk.wav').exists())\n  ```\n\n"
        "<!-- file: x.json -->\n```json\n{\n```\n\n"
        "```sh\n. .venv/bin/activate && cd .venv\n```\n\n"
        "```sh\npython -c 'import edge_runtime'; cat ../x.json; ls\n```\n"
    )
    assert docs_blocks.run(page, folder, repository).out == "3 True\n{\nbin\n"


def test_an_error_names_the_line_of_the_page(page: Path, folder: Path, repository: Path) -> None:
    page.write_text("one\n\n```python\nx = 1\n```\n\nseven\n\n```python\n\nraise RuntimeError('here')\n```\n")
    with pytest.raises(AssertionError, match=r"(?s)page\.md\.py\", line 11.*here"):
        docs_blocks.run(page, folder, repository)


def test_a_block_may_state_its_exit_code_and_what_is_printed(page: Path, folder: Path, repository: Path) -> None:
    page.write_text(
        "```sh\n. .venv/bin/activate\n```\n\n<!-- exit code: 3 -->\n```sh\necho no >&2\nexit 3\n```\n\n"
        "<!-- printed by: it -->\n```text\nno\n```\n"
    )
    assert docs_blocks.run(page, folder, repository) == ("", "no\n")


@pytest.mark.parametrize(
    ("code", "said", "error"), [("exit 0", "x", "line 2"), ("exit 2", "x", "line 2"), ("exit 1", "y", "not printed")]
)
def test_another_exit_code_or_message_fails(
    code: str, said: str, error: str, page: Path, folder: Path, repository: Path
) -> None:
    block = f"<!-- exit code: 1 -->\n```sh\necho x; {code}\n```\n\n"
    page.write_text(f"{block}<!-- printed by: it -->\n```text\n{said}\n```\n")
    with pytest.raises(AssertionError, match=error):
        docs_blocks.run(page, folder, repository)


@pytest.mark.parametrize("command", ["false", "false | true", "echo $unset_name"])
def test_a_failing_shell_block_fails(command: str, page: Path, folder: Path, repository: Path) -> None:
    page.write_text(f"one\n\n```sh\n\n{command}\ntrue\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md\.sh(, | : )?line 5|page\.md\.sh: line 5"):
        docs_blocks.run(page, folder, repository)


def test_a_block_that_is_not_closed_is_refused(page: Path) -> None:
    page.write_text("```python\nx = 1\n")
    with pytest.raises(AssertionError, match="line 2 is not closed"):
        docs_blocks.blocks(page)


def test_a_page_without_code_is_not_run(page: Path) -> None:
    page.write_text("text\n\n<!-- not run: it is dangerous -->\n```sh\nrm -rf everything\n```\n")
    assert not docs_blocks.runnable(page)


def test_code_by_indentation_is_found_but_not_in_a_list(page: Path) -> None:
    page.write_text("text\n\n    rm -rf everything\n\n- item\n\n    more of it\n\ntext\n\n\tls\n")
    assert docs_blocks.indented(page) == [3, 11]


def test_a_reason_that_no_block_follows_is_refused(page: Path) -> None:
    page.write_text("<!-- not run: hours -->\n\n```sh\nls\n```\n")
    with pytest.raises(AssertionError, match="line 1: a comment that no block follows"):
        docs_blocks.blocks(page)


def test_the_page_about_rewards_prints_its_rewards(tmp_path: Path, repository: Path) -> None:
    folder = docs_blocks.clone(tmp_path, repository)
    first, second, *turns = docs_blocks.run(DOCS / "rewards.md", folder, repository).out.splitlines()
    assert first == "None"
    assert float(second) > 0
    assert len(turns) == 12
