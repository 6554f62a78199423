"""The documentation builds as a site without a warning: links and anchors lead somewhere, docstrings parse."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import edge_runtime

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", str(DOCS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_every_public_name_of_the_runtime_is_in_the_reference(site: Path) -> None:
    page = (site / "api.html").read_text(encoding="utf-8")
    assert [name for name in edge_runtime.__all__ if f'id="edge_runtime.{name}"' not in page] == []
    assert 'id="edge_runtime.IEmoNet.__call__"' in page


@pytest.mark.slow
def test_every_page_is_in_the_menu(site: Path) -> None:
    menu = re.findall(r'class="reference internal" href="([^"#]+)"', (site / "index.html").read_text(encoding="utf-8"))
    assert {f"{page.stem}.html" for page in DOCS.glob("*.md")} - {"index.html"} <= set(menu)


@pytest.mark.slow
def test_pages_load_nothing_from_other_sites(site: Path) -> None:
    loaded = r"""<(?:script|img|iframe)[^>]+src=["']?(?:https?:)?//|<link[^>]+href=["']?(?:https?:)?//"""
    pages = [*site.glob("*.html")]
    assert len(pages) > 15
    assert [page.name for page in pages if re.search(loaded, page.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("project", [".", "edge_runtime"])
def test_the_changelog_has_a_section_for_the_version_and_one_for_what_comes_next(project: str) -> None:
    version = re.search(
        r'^version = "(.+)"$', (DOCS.parent / project / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    changelog = (DOCS.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    assert version
    assert f"\n## {version[1]}, " in changelog
    assert "\n## Unreleased\n" in changelog
