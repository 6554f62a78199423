"""The tokens of a text and of the turns before it, by tokenizers like those of BERT, MPNet and XLNet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from edge_runtime.inference.text_tokens import TextTokens, Turn
from edge_runtime.inference.tokenizer_file import text_tokenizer

WORDS = ["[CLS]", "[SEP]", "[UNK]", ":", "same", "other", "yes", "no", "why", "so"]
TEMPLATES = {
    "bert": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"),
    "mpnet": ("[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]"),
    "xlnet": ("$A [SEP] [CLS]", "$A [SEP] $B [SEP] [CLS]"),
}
SEPARATORS = {"bert": 1, "mpnet": 2}
spoken = st.lists(st.sampled_from(WORDS[6:]), max_size=12).map(" ".join)
turns = st.lists(st.builds(Turn, spoken, st.sampled_from(["same", "other", None])), max_size=6)


def tokens_of(kind: str, *, max_tokens: int = 20, context_tokens: int = 0) -> TextTokens:
    """What the runtime makes of a tokenizer of this kind."""
    found = text_tokenizer(tokenizer(kind).to_str())
    return TextTokens(found, max_tokens=max_tokens, context_tokens=context_tokens)


def tokenizer(kind: str) -> Tokenizer:
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    single, pair = TEMPLATES[kind]
    special = [(word, WORDS.index(word)) for word in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)
    return made


def read(tokens: TextTokens, text: str, context: list[Turn]) -> tuple[str, str]:
    ids, types = tokens(text, context)
    return " ".join(WORDS[i] for i in ids), "".join(map(str, types))


def test_the_text_comes_first_and_turns_follow_with_who_spoke() -> None:
    tokens = tokens_of("bert", context_tokens=9)
    context = [Turn("why", "other"), Turn("so", "same"), Turn("no")]
    found = read(tokens, "yes yes", context)
    assert found == ("[CLS] yes yes [SEP] other : why same : so no [SEP]", "000011111111")


def test_the_oldest_turn_is_cut_from_its_beginning() -> None:
    tokens = tokens_of("bert", context_tokens=4)
    found, _ = read(tokens, "yes", [Turn("why", "other"), Turn("so so no"), Turn("why")])
    assert found == "[CLS] yes [SEP] so so no why [SEP]"


def test_separators_between_the_two_belong_to_the_context() -> None:
    tokens = tokens_of("mpnet", context_tokens=4)
    assert read(tokens, "yes", [Turn("no")]) == ("[CLS] yes [SEP] [SEP] no [SEP]", "000111")


def test_a_tokenizer_that_ends_with_its_first_token_is_refused_for_a_context_alone() -> None:
    tokens_of("xlnet")
    with pytest.raises(ValueError, match="behind two texts"):
        tokens_of("xlnet", context_tokens=4)


def test_padding_and_truncation_of_the_file_do_not_count() -> None:
    made = tokenizer("bert")
    made.enable_padding(length=30)
    made.enable_truncation(3)
    tokens = TextTokens(text_tokenizer(made.to_str()), max_tokens=20)
    assert read(tokens, "yes yes yes", []) == (
        "[CLS] yes yes yes [SEP]",
        "00000",
    )


@given(text=spoken, context=turns, kind=st.sampled_from(["bert", "mpnet"]), limit=st.integers(2, 14))
def test_the_text_is_encoded_as_if_it_were_alone_and_the_context_keeps_its_limit(
    text: str, context: list[Turn], kind: str, limit: int
) -> None:
    usual = tokenizer(kind)
    usual.enable_truncation(limit)
    alone = usual.encode(text).ids
    assert tokens_of(kind, max_tokens=limit)(text, context) == (alone, [0] * len(alone))
    ids, types = tokens_of(kind, max_tokens=limit, context_tokens=5)(text, context)
    assert ids[: len(alone)] == alone and len(ids) == len(types)
    rest = len(ids) - len(alone)
    assert types == [0] * len(alone) + [1] * rest
    said = [WORDS.index(w) for turn in context for w in turn.marked.replace(":", " :").split()]
    separators = SEPARATORS[kind] if said else 0
    assert rest == min(5, len(said)) + separators
    assert ids[len(ids) - rest + separators - 1 : -1] == said[-5:] or not said


@given(turns, spoken.filter(bool))
def test_what_is_older_than_the_limit_changes_nothing(context: list[Turn], text: str) -> None:
    tokens = tokens_of("bert", context_tokens=3)
    recent = [*context, Turn("so so no")]
    assert tokens(text, recent) == tokens(text, [Turn("why why", "other"), *recent])
