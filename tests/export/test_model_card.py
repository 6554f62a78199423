"""The model card: every ingredient, every figure, and what must not be hidden; and the header that the hub reads."""

import json
import re

import pytest
import yaml

from export import model_card
from trainer.corpora.protocols import PROTOCOLS
from trainer.experiment.separate_corpora import PAIRS

HUB = {"name": "bert", "origin": "hub", "hub": "some/bert", "revision": "c0de", "licence": "Zlib", "credit": "BERT"}
FOLDER = {"name": "my-bert", "origin": "folder", "licence": "unknown", "credit": "my-bert"}
WHEEL = {
    "name": "silero-vad",
    "origin": "wheel",
    "wheel": "some-wheel",
    "version": "1.2.3",
    "sha256": "abc",
    "licence": "MIT",
    "credit": "Silero",
}
PARTS = ("speech", "text", "fusion")
SLOTS = ("vad", "speech_encoder", "speech_emotion", "transcript_decoder", "text_emotion", "fusion")


def manifest_of(configs, sources=(), **more) -> dict:
    return {
        "name": "my-bundle",
        "version": "9.8.7",
        "labels": next(iter(configs.values()))["labels"],
        "slots": dict.fromkeys(SLOTS),
        "decoding": {"prompt": [1, 2], "language": "en"},
        "metrics": {part: config["metrics"] for part, config in configs.items()},
        "provenance": configs,
        "credits": model_card.credits_of(configs, {source["name"]: source for source in sources}),
        "toolchain": {"python": "3.99", "torch": "77.0"},
        **more,
    }


def card_of(configs, sources=(), **more) -> str:
    """Return the card of the bundle that checkpoints with these configs make."""
    return model_card.render(manifest_of(configs, sources, **more))


def header_of(text: str) -> dict:
    _, header, _ = text.split("---\n", 2)
    return yaml.safe_load(header)


def everywhere(configs, **changes):
    """Return the configs, changed in every component."""
    return {part: {**config, **changes} for part, config in configs.items()}


def row(text: str, begin: str) -> str:
    (line,) = [line for line in text.split("\n") if line.startswith(f"| {begin}")]
    return line


def test_the_card_names_the_bundle_its_data_and_its_settings(run_configs):
    text = card_of(run_configs)
    assert "\n# my-bundle 9.8.7\n\nThis bundle recognises glad, grim, so-so in speech and text." in text
    assert "39 utterances (glad 11, grim 23, so-so 5)" in text
    assert "python 3.99, torch 77.0" in text
    for part in PARTS:
        for name in ("epochs",):
            assert f"`{name}` {run_configs[part]['settings'][name]}" in text
    assert "tiny-bert" in text


def test_every_score_is_stated_with_its_deviation_and_interval(run_configs):
    text = card_of(run_configs)
    for name, part in zip(("speech", "text", "fused"), PARTS, strict=True):
        found = run_configs[part]["metrics"]
        wa, ua, f1 = (f"{found[k]['mean']:.3f} ± {found[k]['std']:.3f}" for k in ("wa", "ua", "f1"))
        low, high = found["ua"]["interval"]
        cells = f"| {found['n']} | {wa} | {ua} | {low:.3f} to {high:.3f} | {f1} |"
        assert f"| {name} | held-out utterances {cells}" in text


def test_scores_of_each_corpus_are_stated_where_there_are_several(configs):
    by_corpus = {name: {"n": n, "wa": 0.5, "ua": 0.25, "f1": 0.125} for name, n in (("ravdess", 11), ("emodb", 22))}
    configs["speech"]["metrics"]["by_corpus"] = by_corpus
    text = card_of(configs)
    assert "| speech | ravdess | 11 | 0.500 | 0.250 |  | 0.125 |" in text
    assert "| speech | emodb | 22 | 0.500 | 0.250 |  | 0.125 |" in text


def test_every_temperature_is_stated_with_the_calibration_error_before_and_after(run_configs):
    text = card_of(run_configs)
    found = [
        run_configs["speech"]["metrics"]["calibration"],
        run_configs["text"]["metrics"]["calibration"],
        *run_configs["fusion"]["metrics"]["calibration"].values(),
    ]
    assert len(found) == 5
    for c in found:
        assert f"| {c['temperature']:.2f} | {c['ece_before']:.3f} | {c['ece_after']:.3f} |" in text
    assert "No data was held apart" not in text


def test_a_temperature_without_held_out_data_is_said_to_be_none(run_configs):
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
    (line,) = [line for line in text.split("\n") if credit in line and line.startswith("|")]
    assert licence in line and "trains speech emotion, text emotion and fusion" in line
    assert "*Yours*" not in text


def test_an_ingredient_is_credited_with_the_components_that_it_trained(configs):
    text = card_of(configs)
    assert "| trains speech emotion and fusion |" in row(text, "RAVDESS")
    assert "| trains text emotion and fusion |" in row(text, "MELD")


def test_a_licence_that_bars_commercial_use_is_said_in_words(configs, run_configs):
    assert "CC-BY-NC-SA-4.0, which bars commercial use" in card_of(configs)
    assert "commercial" not in card_of(run_configs)


def test_the_corpus_of_a_warm_start_is_credited_too(run_configs):
    run_configs["text"]["warmed_on"] = ["semeval"]
    assert "trained text emotion before | Twitter's terms" in row(card_of(run_configs), "SemEval")


def test_the_origin_of_pretrained_weights_is_stated(run_configs):
    text = card_of(run_configs, [HUB, FOLDER, WHEEL])
    assert row(text, "BERT") == "| BERT | text encoder, fine-tuned | Zlib | hub some/bert@c0de |"
    assert row(text, "my-bert") == "| my-bert | text encoder, fine-tuned | unknown | a folder called my-bert |"
    assert row(text, "Silero") == "| Silero | voice activity detection | MIT | wheel some-wheel==1.2.3, sha256 abc |"
    assert "No licence of my-bert is known" in text
    assert "No licence of BERT" not in text


@pytest.mark.parametrize(
    ("use", "parts"),
    [
        ("trains speech emotion and fusion", {"speech", "fusion"}),
        ("trained text emotion before", {"text"}),
        ("text encoder, fine-tuned", {"text"}),
        ("trains the voice branch, the words branch and fusion", {"speech", "text", "fusion"}),
        ("speech encoder and transcript decoder", set()),
        ("voice activity detection", set()),
    ],
)
def test_the_use_of_an_ingredient_tells_the_components_that_it_trained(use, parts):
    assert model_card.trained_components(use) == parts


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("speaker", "nobody is both trained and tested on"),
        ("session", "By session"),
        ("shuffled", "the same voices are trained and tested on"),
        ("official", "the corpus' own split"),
    ],
)
def test_the_protocol_is_said_in_words(run_configs, protocol, said):
    assert said in card_of(everywhere(run_configs, protocol=protocol))


def test_networks_that_were_tested_are_told_from_those_that_were_not(run_configs):
    text = card_of(run_configs)
    assert "Each of 6 parts" in text and "not quite one that was tested" in text
    for config in run_configs.values():
        config["metrics"] |= {"folds": 1, "runs": 3}
    text = card_of(run_configs)
    assert "the network in this bundle is the first that was tested" in text
    assert "3 times" in text and "Each of" not in text


@pytest.mark.parametrize(
    ("transcripts", "said", "warned"),
    [
        ("provided", "came with the corpus.", True),
        ("simulated", "with simulated recognition errors", True),
        ("asr", "the runtime's own recogniser", False),
    ],
)
def test_the_origin_of_the_transcripts_is_said(run_configs, transcripts, said, warned):
    text = card_of(everywhere(run_configs, transcripts=transcripts))
    assert said in text
    assert ("Text was measured on given transcripts" in text) == warned


def test_fusion_of_pairs_that_were_made_of_two_corpora_is_warned_of(configs, run_configs):
    assert "pairs that were made of both" in card_of(configs)
    assert "pairs that were made of both" not in card_of(run_configs)


def test_misuse_is_ruled_out_on_every_card(run_configs):
    assert "It must not decide about people" in card_of(run_configs)


def test_a_product_of_both_branches_is_said_not_to_be_trained(run_configs):
    del run_configs["fusion"]
    text = card_of(run_configs, swapped={"from": "base 1.0", "parts": ["text"]})
    assert "never trained together" in text
    assert "made from the bundle base 1.0, of which text was" in text
    assert "the bundle as a whole was not" in text


def test_the_conversion_is_told_with_its_shortfall(run_configs):
    output = {"n": 60, "same_label": 0.95, "wa": {"points_lost": 1.5}, "ua": {"points_lost": -0.25}}
    verification = {
        "converted": {"samples": "some", "text": output, "transcripts": {"word_error_rate_against_exact": 0.125}},
        "kept_exact": {"text_emotion": {"layers": ["/layer.0"]}},
        "shortfall": ["text: WA falls"],
    }
    text = card_of(run_configs, verification=verification)
    assert "| text | 60 | 95.0% | -1.50 | +0.25 |" in text
    for said in (
        "12.5% of the words",
        "Of `text_emotion`, /layer.0 stayed in fp32",
        "**Falls short**: text: WA falls.",
    ):
        assert said in text
    assert "Conversion" not in card_of(run_configs)


@pytest.mark.parametrize(
    ("decoding", "language", "said"),
    [
        ({"prompt": [1, 2]}, "en", "The recogniser writes English"),
        ({"prompt": [1, 2, 3, 4]}, None, None),
        ({"prompt": [1, 2, 3, 4], "language": "de"}, "de", "The recogniser writes de,"),
    ],
)
def test_the_language_is_that_of_the_recogniser(run_configs, decoding, language, said):
    text = card_of(run_configs, decoding=decoding)
    assert header_of(text).get("language") == language
    assert ("The recogniser writes" in text) == (said is not None)
    assert said is None or said in text


def test_a_recogniser_that_tells_the_language_is_told_of_with_the_languages_that_are_judged(run_configs):
    languages = [{"token": 3, "code": "en", "name": "English"}, {"token": 4, "code": "pl", "name": "Polish"}]
    decoding = {"prompt": [1, None, 2], "languages": languages}
    text = card_of(run_configs, decoding=decoding, text_emotion={"languages": ["pl"]})
    assert "language" not in header_of(text)
    assert "tells which of 2 languages is spoken" in text
    assert "Words are judged in Polish alone." in text
    assert "Words are judged in" not in card_of(run_configs, decoding=decoding)
    assert "tells which of" not in card_of(run_configs)


def test_the_header_states_licence_tags_datasets_and_results(configs):
    configs["speech"]["metrics"]["by_corpus"] = {"ravdess": {"n": 1, "wa": 0.5, "ua": 0.25, "f1": 0.125}}
    header = header_of(card_of(configs))
    assert (header["license"], header["library_name"]) == ("other", "edge-iemonet")
    assert header["pipeline_tag"] == "audio-classification"
    assert header["datasets"] == ["emodb", "meld", "ravdess"]
    assert {"emotion-recognition", "onnx"} <= set(header["tags"])
    (index,) = header["model-index"]
    assert index["name"] == "my-bundle"
    found = {
        (result["dataset"]["type"], metric["name"]): metric["value"]
        for result in index["results"]
        for metric in result["metrics"]
    }
    assert found[("ravdess", "WA, speech, fp32")] == 0.5
    assert found[("ravdess", "UA, speech, fp32")] == 0.25
    assert found[("meld", "WA, text, fp32")] == configs["text"]["metrics"]["wa"]["mean"]


def test_the_header_of_a_bundle_of_own_data_names_no_public_dataset(run_configs):
    header = header_of(card_of(run_configs))
    assert "datasets" not in header
    assert {result["dataset"]["type"] for result in header["model-index"][0]["results"]} == {"own-data"}


def test_text_alone_is_text_classification(run_configs):
    configs = {"text": run_configs["text"]}
    text = card_of(configs, slots={"text_emotion": None})
    assert header_of(text)["pipeline_tag"] == "text-classification"
    assert "in text." in text and "The recogniser writes" not in text


def test_tables_are_whole_and_nothing_is_left_unfilled(run_configs):
    text = card_of(run_configs, [{**FOLDER, "credit": "a|b"}])
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) == 3
    for found in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in found.strip().split("\n")}) == 1
    assert not re.search(r"\bNone\b|\bnan\b|[{}]|\n\n\n", text)


def test_the_figures_of_an_older_bundle_are_stated_by_their_names(bundle_folder):
    """The metrics of bundles of 0.1 are a tree of their own."""
    manifest = json.loads((bundle_folder / "bundle.json").read_text(encoding="utf-8"))
    measured = {"n": 560, "wa": 0.82, "ua": 0.825, "ua_interval": [0.795, 0.856]}
    manifest["metrics"]["speech"] = {"speaker_exclusive": {"ravdess": {"clean": measured}}}
    text = model_card.render(manifest)
    cells = "| 560 | 0.820 | 0.825 | 0.795 to 0.856 |  |"
    assert f"| speech | speaker exclusive, ravdess, clean {cells}" in text
    assert header_of(text)["language"] == "en"
    assert not re.search(r"\bNone\b|\bnan\b|[{}]", text)


def test_every_protocol_of_the_trainer_has_a_sentence():
    assert set(model_card.PROTOCOLS) == {*PROTOCOLS, PAIRS}


def with_baseline(configs) -> dict:
    """Return configs whose speech was measured with a baseline too, and divides its logits itself."""
    speech = configs["speech"]
    fitted = {"temperature": 2.5, "ece_before": 0.21, "ece_after": 0.034}
    compared = {**speech["metrics"], "calibration": fitted}
    inside = {"temperature": 1.0, "inside": [1.5, 2.5], "ece_before": 0.3, "ece_after": 0.045}
    return {
        **configs,
        "speech": {**speech, "metrics": {**speech["metrics"], "calibration": inside, "compared": compared}},
    }


def test_a_bundle_that_takes_a_baseline_says_so_and_what_it_reaches_with_one(run_configs):
    takes = {**{slot: {} for slot in SLOTS}, "speech_emotion": {"inputs": [{"name": "spoken"}, {"name": "baseline"}]}}
    text = card_of(with_baseline(run_configs), slots=takes, operating_point={"confidence": 0.625})
    assert "It can compare a recording with a baseline" in text and "takes no baseline" not in text
    assert "An answer whose confidence is below 0.62 is called uncertain." in text
    assert "1.50 without a baseline and 2.50 with a long" in text
    assert "the same, with a baseline" in text
    assert row(text, "speech, with a baseline |").split(" | ")[1:] == ["1.00", "0.210", "0.034 |"]


def test_a_bundle_without_baseline_or_operating_point_says_so(run_configs):
    text = card_of(run_configs, slots={slot: {} for slot in SLOTS})
    assert "It takes no baseline" in text and "can compare" not in text
    assert "It states no operating point" in text
    assert "temperatures of its own" not in text


def test_every_corpus_of_speech_is_credited_those_without_labels_too(run_configs):
    speech = {"emodb": "sad", "librispeech": "unlabelled", "asterisk_prompts_8k": "unlabelled"}
    corpora = {name: {"labels": {label: 3}, "checksum": "0" * 64} for name, label in speech.items()}
    text = card_of({**run_configs, "speech": {**run_configs["speech"], "corpora": corpora}})
    assert "CC-BY-SA-3.0" in row(text, "telephone prompts at 8 kHz")
    assert "trains speech emotion" in row(text, "LibriSpeech")
    assert "3 utterances (unlabelled 3)" in text
