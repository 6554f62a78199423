"""Settings of the documentation site: Sphinx reads the pages beside this file, and the docstrings of the code.

`make docs` builds the site, and treats each warning as an error: a link or an anchor that leads nowhere, a page that no
menu names, a docstring that does not parse. Nothing is fetched: the theme has its own styles, and no link to another
site is followed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent

project = html_title = "edge-iemonet"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
myst_heading_anchors = 4
html_copy_source = False
html_show_copyright = False
autodoc_member_order = "bysource"
autodoc_type_aliases = {"Audio": "edge_runtime.Audio"}
napoleon_use_ivar = True
python_use_unqualified_type_names = True

ELSEWHERE = {
    "index": ROOT / "README.md",
    "contributing": ROOT / "CONTRIBUTING.md",
    "changelog": ROOT / "CHANGELOG.md",
    "model-card": ROOT / "models" / "en-tiny-int8" / "MODEL_CARD.md",
}
"""Pages of the site whose text is a file outside of this folder, which the repository's web view shows too."""
PAGES = {path: DOCS / f"{name}.md" for name, path in ELSEWHERE.items()}
LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#]+)")


def read(_app: Sphinx, page: str, source: list[str]) -> None:
    """Put the text of a file outside of this folder before its page, with links relative to this folder."""
    path = ELSEWHERE.get(page, DOCS / f"{page}.md")

    def link(match: re.Match[str]) -> str:
        target = (path.parent / match[1]).resolve()
        return os.path.relpath(PAGES.get(target, target), DOCS)

    text = path.read_text(encoding="utf-8") + "\n" + source[0] if page in ELSEWHERE else source[0]
    source[0] = LINK.sub(link, text)


def setup(app: Sphinx) -> None:
    """Register what this file adds."""
    app.connect("source-read", read)
