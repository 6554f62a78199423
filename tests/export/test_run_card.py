"""The card of a bundle trained on somebody's corpus: what it was made of, every figure, and what it must not hide."""

import re

import pytest

from export import model_card

HUB = {"name": "bert", "origin": "hub", "hub": "some/bert", "revision": "c0de", "licence": "Zlib", "credit": "BERT"}
FOLDER = {"name": "my-bert", "origin": "folder", "licence": "unknown", "credit": "my-bert"}
PARTS = ("speech", "text", "fusion")


def card_of(configs, sources=()) -> str:
    """Return the card of the bundle that checkpoints with these configs make."""
    return model_card.render(
        {
            "name": "my-bundle",
            "version": "9.8.7",
            "labels": configs["speech"]["labels"],
            "metrics": {part: config["metrics"] for part, config in configs.items()},
            "provenance": configs,
            "credits": model_card.credits_of(configs, {source["name"]: source for source in sources}),
            "toolchain": {"python": "3.99", "torch": "77.0"},
        }
    )


def everywhere(configs, **changes):
    """Return the configs, changed in every part."""
    return {part: {**config, **changes} for part, config in configs.items()}


def row(text: str, begin: str) -> str:
    (line,) = [line for line in text.split("\n") if line.startswith(f"| {begin}")]
    return line


def test_it_says_what_was_trained_on_what(run_configs):
    text = card_of(run_configs)
    assert text.startswith("# my-bundle 9.8.7\n\nRecognises glad, grim, so-so ")
    assert "39 utterances (glad 11, grim 23, so-so 5)" in text
    assert "python 3.99, torch 77.0" in text
    for part in PARTS:
        assert f"`rate` {run_configs[part]['settings']['rate']}" in text
    assert "tiny-bert" in text


def test_every_score_is_told_with_its_deviation_and_interval(run_configs):
    text = card_of(run_configs)
    for name, part in zip(("voice", "words", "fused"), PARTS, strict=True):
        found = run_configs[part]["metrics"]
        wa, ua, f1 = (f"{found[k]['mean']:.3f} ± {found[k]['std']:.3f}" for k in ("wa", "ua", "f1"))
        low, high = found["ua"]["interval"]
        assert f"| {name} | {found['n']} | {wa} | {ua} | {low:.3f} to {high:.3f} | {f1} |" in text


def test_every_temperature_is_told_with_what_it_mends(run_configs):
    text = card_of(run_configs)
    found = [
        run_configs["speech"]["metrics"]["calibration"],
        run_configs["text"]["metrics"]["calibration"],
        *run_configs["fusion"]["metrics"]["calibration"].values(),
    ]
    assert len(found) == 5
    for c in found:
        assert f"| {c['temperature']:.2f} | {c['ece_before']:.3f} | {c['ece_after']:.3f} |" in text
    assert "Nothing was held apart" not in text


def test_a_temperature_that_nothing_was_held_apart_for_is_said_to_be_none(run_configs):
    for config in run_configs.values():
        config["metrics"]["calibration"] = None
    names = ("fusion", "fusion_speech_only", "fusion_text_only")
    run_configs["fusion"]["metrics"]["calibration"] = dict.fromkeys(names)
    text = card_of(run_configs)
    assert text.count("| 1.00 | not measured | not measured |") == 5
    assert "need not mean eight in ten" in text


def test_a_users_own_corpus_is_theirs(run_configs):
    text = card_of(run_configs)
    line = row(text, "your own data")
    assert "| yours |" in line and "sha256 c0ffee" in line
    assert "*Yours*" in text


@pytest.mark.parametrize(
    ("corpus", "licence", "credit"),
    [
        ("ravdess", "CC-BY-NC-SA-4.0", "Livingstone and Russo 2018"),
        ("iemocap", "for research, on request", "Busso et al. 2008"),
        ("meld", "GPL-3.0", "Poria et al. 2019"),
    ],
)
def test_a_published_corpus_has_its_licence_and_credit(run_configs, corpus, licence, credit):
    entry = run_configs["speech"]["corpora"]["manifest"]
    text = card_of(everywhere(run_configs, corpora={corpus: entry}))
    (line,) = [line for line in text.split("\n") if credit in line]
    assert licence in line and "trains the voice branch, the words branch and fusion" in line
    assert "*Yours*" not in text


def test_what_the_words_learned_from_before_is_credited_too(run_configs):
    run_configs["text"]["warmed_on"] = ["semeval"]
    assert "trained the words branch before | Twitter's terms" in row(card_of(run_configs), "SemEval")


def test_of_pretrained_weights_what_is_known_is_told(run_configs):
    text = card_of(run_configs, [HUB, FOLDER])
    assert row(text, "BERT") == "| BERT | text encoder, fine-tuned | Zlib | hub some/bert@c0de |"
    assert row(text, "my-bert") == "| my-bert | text encoder, fine-tuned | unknown | a folder called my-bert |"
    assert "No licence of my-bert is known" in text
    assert "No licence of BERT" not in text


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("speaker", "nobody is both trained and tested on"),
        ("session", "By session"),
        ("shuffled", "the same voices are trained and tested on"),
        ("official", "the corpus' own split"),
    ],
)
def test_how_it_was_tested_is_said_in_words(run_configs, protocol, said):
    assert said in card_of(everywhere(run_configs, protocol=protocol))


def test_the_networks_that_were_tested_are_told_from_those_that_were_not(run_configs):
    assert "Each of 6 parts" in card_of(run_configs)
    assert "not quite those that were tested" in card_of(run_configs)
    for config in run_configs.values():
        config["metrics"] |= {"folds": 1, "runs": 3}
    text = card_of(run_configs)
    assert "the networks in this bundle are the first that were tested" in text
    assert "3 times" in text and "parts" not in text


@pytest.mark.parametrize(
    ("transcripts", "said", "warned"),
    [
        ("provided", "came with the corpus.", True),
        ("simulated", "with simulated recognition errors", True),
        ("asr", "the runtime's own recogniser", False),
    ],
)
def test_whose_transcripts_were_learned_from_is_said(run_configs, transcripts, said, warned):
    text = card_of(everywhere(run_configs, transcripts=transcripts))
    assert said in text
    assert ("Words were measured on given transcripts" in text) == warned


def test_what_it_must_not_be_used_for_is_on_every_card(run_configs):
    assert "It must not decide about people" in card_of(run_configs)


def test_tables_are_whole_whatever_things_are_called(run_configs):
    text = card_of(run_configs, [{**FOLDER, "credit": "a|b"}])
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) == 3
    for found in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in found.strip().split("\n")}) == 1
    assert not re.search(r"\bNone\b|\bnan\b|[{}]", text)
