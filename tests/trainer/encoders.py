"""A tiny encoder with its tokenizer, as `trainer fetch` leaves one: for whoever trains in a test."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, XLNetConfig, XLNetModel


def write_tokenizer(folder: Path, words: list[str]) -> int:
    """Write a tokenizer that knows ``words``; return the size of its vocabulary."""
    vocabulary = {word: i for i, word in enumerate(("[PAD]", "[UNK]", *dict.fromkeys(words)))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)
    return len(vocabulary)


def write_bert(folder: Path, words: list[str]) -> Path:
    """Write a BERT of two narrow layers."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=write_tokenizer(folder, words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def write_xlnet(folder: Path, words: list[str]) -> Path:
    """Write an XLNet of two narrow layers."""
    torch.manual_seed(0)
    config = XLNetConfig(
        vocab_size=write_tokenizer(folder, words), d_model=16, n_layer=2, n_head=2, d_inner=32, initializer_range=0.3
    )
    XLNetModel(config).save_pretrained(folder)
    return folder
