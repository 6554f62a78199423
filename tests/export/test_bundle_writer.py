"""The files of a bundle: a transcript's tokenizer without what only encoding needs."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from edge_runtime.bundle.bundle import Bundle
from export.bundle_writer import decoder_alone
from tests import tiny_bundle

FOLDER = Path(__file__).parents[2] / "models" / "en-tiny-int8"
WHOLE = Tokenizer.from_file(str(Bundle.read(FOLDER).tokenizers["transcript"]))
SHORT = Tokenizer.from_str(decoder_alone(WHOLE.to_str()))


@given(st.lists(st.integers(0, WHOLE.get_vocab_size() - 1)))
def test_without_merges_ids_become_the_same_text(ids: list[int]) -> None:
    assert SHORT.decode(ids, skip_special_tokens=True) == WHOLE.decode(ids, skip_special_tokens=True)
    assert json.loads(SHORT.to_str())["model"]["merges"] == []


def test_a_tokenizer_of_another_kind_stays_as_it_is(tmp_path: Path) -> None:
    tokenizer = Bundle.read(tiny_bundle.build(tmp_path / "tiny")).tokenizers["transcript"].read_text()
    assert json.loads(decoder_alone(tokenizer)) == json.loads(tokenizer)
