"""The README's picture shows what the committed bundle answers."""

import html
import re
from pathlib import Path

from benchmarks.common.paths import ANGRY_EXAMPLE, EXAMPLE, ROOT
from benchmarks.report import terminal_screenshot

POINTS = 1
"""So much a share may differ from one processor to another."""


def shown(picture: Path) -> tuple[list[str], list[int]]:
    """Return the words in a picture, without bars and times, and its shares in per cent."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", picture.read_text(encoding="utf-8").partition("</style>")[2]))
    text = re.sub(r"\d+\s+ms\s+\([^)]*\)", "", text)  # a step of less than a millisecond is not named
    return re.findall(r"[A-Za-z.]{2,}", text), [int(share) for share in re.findall(r"(\d+)%", text)]


def test_the_picture_is_what_is_printed(tmp_path: Path, bundle_folder: Path) -> None:
    clips = [EXAMPLE, ANGRY_EXAMPLE]
    names = [str(clip.relative_to(ROOT)) for clip in clips]
    terminal_screenshot.draw(bundle_folder, clips, names, tmp_path / "now.svg")
    (words, shares), (before, shares_before) = (
        shown(path) for path in (tmp_path / "now.svg", ROOT / "docs/classify.svg")
    )
    assert words == before
    assert len(shares) == len(shares_before)
    assert max(abs(one - other) for one, other in zip(shares, shares_before, strict=True)) <= POINTS
