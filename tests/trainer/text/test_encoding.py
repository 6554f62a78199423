"""Token ids in batches, alone and with what was said before."""

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from edge_runtime.inference.text_tokens import Turn
from tests.trainer.encoders import write_tokenizer
from trainer.errors import ConfigError
from trainer.text.encoding import Texts
from trainer.text.network import load_tokenizer

SENTENCES = ["no", "fine thanks no", ""]


@pytest.fixture
def tokenizer(tmp_path):
    write_tokenizer(tmp_path, ["fine", "thanks", "no", "other", ":"])
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    return load_tokenizer(tmp_path)


def test_without_a_context_length_there_are_no_token_types(tokenizer):
    texts = Texts(tokenizer, 48)
    examples = texts.encode(SENTENCES, [[Turn("fine")]] * 3)
    assert examples == texts.encode(SENTENCES)
    assert examples[1] == {"input_ids": [2, 3, 4], "attention_mask": [1, 1, 1]}
    assert texts.collate(examples).keys() == {"input_ids", "attention_mask"}


def test_a_context_is_told_by_its_type_and_padding_is_none(tokenizer):
    texts = Texts(tokenizer, 48, context_tokens=4)
    batch = texts.collate(texts.encode(SENTENCES, [[Turn("fine", "other")], [], []]))
    assert batch["input_ids"].tolist() == [[4, 5, 6, 2], [2, 3, 4, 0], [0, 0, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 0]]
    assert batch["token_type_ids"].dtype == torch.int64


def test_each_sentence_has_its_context(tokenizer):
    with pytest.raises(ValueError, match="shorter"):
        Texts(tokenizer, 48, context_tokens=4).encode(SENTENCES, [[]])


def test_a_tokenizer_that_ends_with_its_first_token_is_refused(tokenizer):
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A [PAD]", pair="$A $B [PAD]", special_tokens=[("[PAD]", 0)]
    )
    Texts(tokenizer, 48)
    with pytest.raises(ConfigError, match=r"text\.context_tokens = 4: the tokenizer.*another encoder"):
        Texts(tokenizer, 48, context_tokens=4)
