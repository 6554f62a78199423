"""Tokenizers as the runtime reads them, against the package ``tokenizers``, which defines what is right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.inference.byte_level import ByteLevelText
from edge_runtime.inference.tokenizer_file import detokenizer, text_tokenizer
from edge_runtime.inference.tokenizer_library import LibraryTokenizer
from edge_runtime.inference.wordpiece import WordPiece

BUNDLE = Path(__file__).parents[3] / "models/en-tiny-int8"
PIECES = (
    "the un aff able ing don t ' . , - ? ! : a b e s \u03c3 ss \u65e5 \u672c \uac00 i \u0131 o ##a ##b ##e ##s ##ing "
    "##able ##\u03c3 ##\uac00 ##i ##."
)
MARKS = ["[CLS]", "[SEP]", "[MASK]", "<s>", "[UNK]", "the", " unaffable", "don't", "\u03a3A\u03a3", "\u0130i", "\u00df"]
MARKS += ["e\u0301", "\u200d", "\u2019", "\u2026", "\x85", "\x1c", "\u3000", "\ufffd", "\0"]
SPOKEN = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(MARKS)), max_size=8).map("".join)
"""Any text, with what is spelled as an added token, and with letters that are hard to make small."""
Edit = Callable[[dict[str, Any]], object]


def made(**normaliser: bool | None) -> Tokenizer:
    """A small tokenizer like that of MPNet, behind the replacements that training adds."""
    words = ["[UNK]", *PIECES.split()]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    replace = [normalizers.Replace(Regex("[\u2018\u2019\x92]"), "'"), normalizers.Replace("\u2026", "...")]
    tokenizer.normalizer = normalizers.Sequence([*replace, normalizers.BertNormalizer(**normaliser)])  # type: ignore[arg-type]
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[CLS]", "[SEP]", AddedToken("[MASK]", lstrip=True)])
    tokenizer.add_tokens([AddedToken("<S>", normalized=True)])
    tokenizer.post_processor = processors.RobertaProcessing(("[SEP]", 51), ("[CLS]", 50))
    return tokenizer


def tokenizer_file(name: str) -> str:
    return (BUNDLE / f"{name}_tokenizer.json").read_text(encoding="utf-8")


LIBRARY = {name: LibraryTokenizer(tokenizer_file(name)) for name in ("text", "transcript")}
OURS = WordPiece(json.loads(tokenizer_file("text"))), ByteLevelText(json.loads(tokenizer_file("transcript")))


@given(SPOKEN)
def test_any_text_has_the_ids_of_the_package(text: str) -> None:
    assert OURS[0].encode(text) == LIBRARY["text"].encode(text)


@given(
    SPOKEN,
    st.fixed_dictionaries(
        {
            "clean_text": st.booleans(),
            "handle_chinese_chars": st.booleans(),
            "strip_accents": st.sampled_from([True, False, None]),
            "lowercase": st.booleans(),
        }
    ),
)
def test_each_setting_of_the_normaliser_means_what_it_means_to_the_package(text: str, settings: dict[str, Any]) -> None:
    file = made(**settings).to_str()
    ours = text_tokenizer(file)
    assert isinstance(ours, WordPiece)
    assert ours.encode(text) == LibraryTokenizer(file).encode(text)


@pytest.mark.slow
def test_each_character_has_the_ids_of_the_package_but_few_that_its_tables_do_not_know() -> None:
    unknown = OURS[0].encode("\U0010fffe")
    others, known = [], []
    for code in (code for code in range(0x110000) if not 0xD800 <= code < 0xE000):
        text = f"a{chr(code)}b"
        if OURS[0].encode(text) != (theirs := LIBRARY["text"].encode(text)):
            others.append(code)
            known += [hex(code)] if unknown[0] not in theirs else []
    assert len(others) < 1000
    assert len(known) < 20, known  # each version of Unicode moves a few characters to another class


def test_a_word_of_more_than_a_hundred_characters_is_unknown() -> None:
    for length in (100, 101):
        text = "ab" * (length // 2) + "a" * (length % 2)
        assert OURS[0].encode(text) == LIBRARY["text"].encode(text)
        assert (len(OURS[0].encode(text)) == 1) == (length == 101)


@pytest.mark.parametrize(
    "processor",
    [
        None,
        processors.BertProcessing(("[SEP]", 51), ("[CLS]", 50)),
        processors.RobertaProcessing(("[SEP]", 51), ("[CLS]", 50)),
        processors.ByteLevel(),
        processors.Sequence([processors.ByteLevel(), processors.BertProcessing(("[SEP]", 51), ("[CLS]", 50))]),
        processors.TemplateProcessing(
            single="[CLS] [SEP] $A",
            pair="[CLS] [SEP] $A [CLS] $B:1 [SEP]",
            special_tokens=[("[CLS]", 50), ("[SEP]", 51)],
        ),
    ],
)
def test_special_tokens_stand_where_the_package_puts_them(processor: Any) -> None:
    tokenizer = made()
    if processor is not None:
        tokenizer.post_processor = processor
    else:
        file = json.loads(tokenizer.to_str())
        tokenizer = Tokenizer.from_str(json.dumps({**file, "post_processor": None}))
    ours = text_tokenizer(tokenizer.to_str())
    assert ours.template.around(ours.encode("the a")) == tokenizer.encode("the a").ids
    both = ours.template.around_both(ours.encode("the"), ours.encode("a b"))
    assert both == tokenizer.encode("the", "a b").ids


@given(st.lists(st.one_of(st.integers(0, 300), st.integers(0, 60_000)), max_size=20))
def test_any_ids_have_the_text_of_the_package(ids: list[int]) -> None:
    assert OURS[1].decode(ids) == LIBRARY["transcript"].decode(ids)


def test_an_added_token_that_is_not_special_is_written_as_it_reads() -> None:
    tokenizer = Tokenizer(models.BPE({"Ġa": 0, "é": 1}, []))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(["ha ha"])
    tokenizer.add_special_tokens(["<|end|>"])
    ours = detokenizer(tokenizer.to_str())
    assert isinstance(ours, ByteLevelText)
    assert ours.decode([0, 2, 3, 0, 1, 9]) == tokenizer.decode([0, 2, 3, 0, 1, 9]) == " aha ha a\ufffd"


KINDS: dict[str, Edit] = {
    "another model": lambda file: file["model"].update(type="WordLevel"),
    "another splitter": lambda file: file.update(pre_tokenizer={"type": "Whitespace"}),
    "another normaliser": lambda file: file.update(normalizer={"type": "NFKC"}),
    "a real regular expression": lambda file: file["normalizer"]["normalizers"][0].update(pattern={"Regex": "a+|[^b]"}),
    "words of their own": lambda file: file["added_tokens"][1].update(single_word=True),
    "no unknown token": lambda file: file["model"].update(unk_token="[unknown]"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_another_kind_is_left_to_the_package(kind: str) -> None:
    file = json.loads(made().to_str())
    KINDS[kind](file)
    if kind == "another model":
        file["model"] = {"type": "WordLevel", "vocab": file["model"]["vocab"], "unk_token": "[UNK]"}
    assert isinstance(text_tokenizer(json.dumps(file)), LibraryTokenizer)


@pytest.mark.parametrize("name", ["text", "transcript"])
def test_without_the_package_another_kind_names_the_extra(tiny_bundle: Path, name: str) -> None:
    code = (
        "import sys; sys.modules['tokenizers'] = None\n"
        "from pathlib import Path\n"
        "from edge_runtime.bundle.bundle import Bundle\n"
        f"bundle = Bundle.read(Path({str(tiny_bundle)!r}))\n"
        f"try: bundle.{'open_tokenizer' if name == 'text' else 'open_detokenizer'}()\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    path = tiny_bundle / f"{name}_tokenizer.json"
    command = "pip install 'edge-iemonet[tokenizers]'"
    assert done.stdout == f"MissingExtraError {path}: this kind of tokenizer needs the package tokenizers: {command}\n"


def test_the_committed_bundle_does_without_the_package() -> None:
    code = (
        "import sys; sys.modules['tokenizers'] = None\n"
        "from edge_runtime import IEmoNet\n"
        f"model = IEmoNet.load({str(BUNDLE)!r}, device='cpu', threads=1)\n"
        f"print(model({str(BUNDLE.parents[1] / 'examples/jfk.wav')!r}).transcript)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "what you can do for your country" in done.stdout


DAMAGE: dict[str, Edit] = {
    "a vocabulary that is a list": lambda file: file["model"].update(vocab=["a"]),
    "an empty vocabulary": lambda file: file["model"].update(vocab={}),
    "an id that is a text": lambda file: file["model"]["vocab"].update(a="1"),
    "an id that is true": lambda file: file["model"]["vocab"].update(a=True),
    "an id below zero": lambda file: file["model"]["vocab"].update(a=-1),
    "half a character": lambda file: file["model"]["vocab"].update({"\ud800": 7}),
    "an added token without an id": lambda file: file["added_tokens"][0].pop("id"),
    "an added token below zero": lambda file: file["added_tokens"][0].update(id=-3),
    "no model": lambda file: file.pop("model"),
}


@pytest.mark.parametrize("read", [text_tokenizer, detokenizer])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused(damage: str, read: Callable[[str], object]) -> None:
    file = json.loads(made().to_str())
    if read is detokenizer:
        file |= {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, "decoder": {"type": "ByteLevel"}}
    DAMAGE[damage](file)
    with pytest.raises((KeyError, TypeError, ValueError)):
        read(json.dumps(file))


POST_DAMAGE: dict[str, Any] = {
    "an unknown kind": {"type": "Other"},
    "no texts": {"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}},
    "an unknown token": {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [],
        "special_tokens": {},
    },
    "an id that is a text": {"type": "BertProcessing", "cls": ["[CLS]", "1"], "sep": ["[SEP]", 2]},
    "two that add tokens": {
        "type": "Sequence",
        "processors": [{"type": "BertProcessing", "cls": ["[CLS]", 1], "sep": ["[SEP]", 2]}] * 2,
    },
}


@pytest.mark.parametrize("damage", POST_DAMAGE)
def test_special_tokens_that_cannot_be_placed_are_refused(damage: str) -> None:
    file = json.loads(made().to_str()) | {"post_processor": POST_DAMAGE[damage]}
    with pytest.raises((KeyError, TypeError, ValueError)):
        text_tokenizer(json.dumps(file))


def test_a_bundle_of_the_package_s_own_kinds_still_answers(tiny_bundle: Path) -> None:
    bundle = Bundle.read(tiny_bundle)
    theirs = Tokenizer.from_file(str(bundle.tokenizers["text"]))
    text = bundle.open_tokenizer()
    assert text.template.around(text.encode("hello so what")) == theirs.encode("hello so what").ids
    assert bundle.open_detokenizer().decode([1, 2, 3]) == theirs.decode([1, 2, 3])
