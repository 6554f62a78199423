"""Lists of things that are known: each block becomes an object, and a wrong one is refused."""

from dataclasses import dataclass
from pathlib import Path

import dacite
import pytest

from trainer.toml_file import read_entries


@dataclass(frozen=True)
class Pet:
    name: str
    legs: int
    foods: tuple[str, ...] = ()


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_each_block_becomes_an_object_with_its_name(tmp_path):
    path = written(tmp_path / "pets.toml", '[cat]\nlegs = 4\nfoods = ["fish"]\n["bird.small"]\nlegs = 2\n')
    assert read_entries(path, Pet) == {"cat": Pet("cat", 4, ("fish",)), "bird.small": Pet("bird.small", 2)}


@pytest.mark.parametrize("block", ["", "legs = 4\nwings = 2\n", 'legs = "four"\n'])
def test_a_block_that_lacks_a_field_or_has_a_wrong_one_is_refused(tmp_path, block):
    with pytest.raises(dacite.DaciteError):
        read_entries(written(tmp_path / "pets.toml", f"[cat]\n{block}"), Pet)
