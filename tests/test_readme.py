"""What the README tells people to write works as written."""

from __future__ import annotations

import re
from pathlib import Path

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


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    links = [(page, target) for page in pages for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))]
    between = [(page.name, page.parent / target) for page, target in links if not target.startswith("http")]
    assert len(between) > 30
    assert [link for link in between if not link[1].exists()] == []
