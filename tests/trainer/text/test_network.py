"""Text emotion's network: padding, its penalty, and quotes that tokenise alike."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoConfig, AutoModel, BertConfig, BertModel, PreTrainedTokenizerFast

from trainer.text.network import TextEmotion, encoder_options, load_encoder, load_tokenizer

CONFIG = BertConfig(
    vocab_size=40,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=64,
    initializer_range=0.3,
)
WORDS = ("i", "don", "t", "know", "well", "'", '"', "-", ".", "##s")


@pytest.fixture(scope="module")
def network() -> TextEmotion:
    torch.manual_seed(0)
    return TextEmotion(BertModel(CONFIG, add_pooling_layer=False), 4, hidden=12).eval()


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder as `trainer fetch` leaves it: tiny weights and a WordPiece tokenizer."""
    vocabulary = {word: i for i, word in enumerate(("[PAD]", "[UNK]", *WORDS))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(tmp_path)
    torch.manual_seed(0)
    BertModel(CONFIG).save_pretrained(tmp_path)
    return tmp_path


@torch.no_grad()
@pytest.mark.parametrize("filler", [0, 7])
def test_padding_and_other_rows_of_a_batch_do_not_change_the_answer(network, filler):
    alone = network(torch.tensor([[3, 4, 5]]), torch.ones(1, 3, dtype=torch.int64))
    ids = torch.tensor([[3, 4, 5, filler, filler], [9, 8, 7, 6, 5]])
    together = network(ids, torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]))
    for one, two in zip(alone, together, strict=True):
        torch.testing.assert_close(two[:1], one, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_other_words_or_another_order_change_the_answer(network):
    mask = torch.ones(3, 3, dtype=torch.int64)
    logits, embedding = network(torch.tensor([[3, 4, 5], [5, 4, 3], [3, 4, 6]]), mask)
    assert logits.shape == (3, 4) and embedding.shape == (3, 12)
    assert torch.pdist(logits).min() > 1e-4


@torch.no_grad()
def test_a_row_of_padding_alone_has_a_finite_answer(network):
    logits, _ = network(torch.zeros(1, 4, dtype=torch.int64), torch.zeros(1, 4, dtype=torch.int64))
    assert logits.isfinite().all()


@torch.no_grad()
def test_the_context_is_heard_through_attention_and_is_no_part_of_the_mean():
    torch.manual_seed(0)
    network = TextEmotion(BertModel(CONFIG, add_pooling_layer=False), 4, hidden=12, context_tokens=8).eval()
    ids, mask = torch.tensor([[3, 4, 5, 8, 9]]), torch.ones(1, 5, dtype=torch.int64)
    types = torch.tensor([[0, 0, 0, 1, 1]])
    found, _ = network(ids, mask, types)
    states = network.encoder(input_ids=ids, attention_mask=mask, token_type_ids=types)["last_hidden_state"]
    torch.testing.assert_close(found, network.classifier(torch.relu(network.hidden(states[:, :3].mean(1)))))
    assert (found - network(ids[:, :3], mask[:, :3])[0]).abs().max() > 1e-4
    assert (found - network(ids.flip(1), mask, types)[0]).abs().max() > 1e-4


@torch.no_grad()
@pytest.mark.parametrize("kind", ["bert", "mpnet", "roberta", "distilbert"])
def test_types_of_an_utterance_alone_change_nothing(kind):
    torch.manual_seed(0)
    sizes = {"distilbert": {"vocab_size": 20, "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32}}
    usual = {"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.for_model(kind, **sizes.get(kind, usual | {"intermediate_size": 32}))
    encoder = AutoModel.from_config(config, **encoder_options(config))
    network = TextEmotion(encoder, 4, hidden=12, context_tokens=8).eval()
    ids, mask = torch.tensor([[3, 4, 5]]), torch.ones(1, 3, dtype=torch.int64)
    torch.testing.assert_close(network(ids, mask, torch.zeros_like(ids)), network(ids, mask), rtol=0, atol=0)
    assert network(ids, mask, torch.tensor([[0, 0, 1]]))[0].isfinite().all()


def test_the_penalty_is_the_added_layers_squares(network):
    expected = 0.03 * (network.hidden.weight**2).sum().item()
    assert network.penalty().item() == pytest.approx(expected, rel=1e-5)
    network.penalty().backward()
    assert network.hidden.weight.grad.abs().sum() > 0
    assert network.classifier.weight.grad is None
    network.zero_grad()


def test_an_encoder_is_loaded_without_its_pooler(folder):
    encoder = load_encoder(folder)
    assert encoder.pooler is None
    assert encoder.config._attn_implementation == "eager"
    assert "add_pooling_layer" not in encoder_options(type("Other", (), {"model_type": "distilbert"})())


@pytest.mark.parametrize(
    ("typographic", "plain"),
    [
        ("I don\u2019t know", "I don't know"),
        ("\u2018Well\u2019", "'Well'"),
        ("don\u0092t", "don't"),
        ("\u201cWell\u201d", '"Well"'),
        ("\u0093Well\u0094", '"Well"'),
        ("well \u2014 I\u2013I", "well - I-I"),
        ("well\u2026", "well..."),
        ("well\u0085", "well..."),
    ],
)
def test_typographic_marks_are_the_plain_ones(folder, typographic, plain):
    tokenizer = load_tokenizer(folder)
    ids = tokenizer(typographic)["input_ids"]
    assert ids == tokenizer(plain)["input_ids"]
    assert tokenizer.unk_token_id not in ids


def test_the_tokenizers_own_normalisation_stays(folder):
    tokenizer = load_tokenizer(folder)
    assert tokenizer("WELL")["input_ids"] == tokenizer("well")["input_ids"] != [tokenizer.unk_token_id]
