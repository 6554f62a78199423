"""What the README tells people to write works as written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_its_python_runs(monkeypatch, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("EDGE_IEMONET_BUNDLE", str(ROOT / "models" / "en-tiny-int8"))
    exec(compile(block, "README.md", "exec"), {})
    label, confidence, *words = capsys.readouterr().out.split()
    assert label in {"neutral", "happy", "sad", "angry"}
    assert 0.25 <= float(confidence) <= 1
    assert "country" in " ".join(words)


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda p: p.name)
def test_its_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
