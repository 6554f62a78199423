"""Any Whisper: English or multilingual, with the ids that decoding begins with."""

import pytest
from transformers import GenerationConfig

from export.graphs import recogniser
from trainer.errors import CheckpointError, ExportError


def generation(**more) -> GenerationConfig:
    config = GenerationConfig(eos_token_id=50, decoder_start_token_id=51, max_length=448, suppress_tokens=[1], **more)
    config.no_timestamps_token_id = 52
    config.begin_suppress_tokens = [3, 50]
    return config


@pytest.fixture
def multilingual() -> GenerationConfig:
    config = generation()
    config.lang_to_id = {"<|en|>": 60, "<|de|>": 61}
    config.task_to_id = {"translate": 70, "transcribe": 71}
    return config


def test_an_english_one_begins_with_two_ids():
    found = recogniser.decoding(generation())
    assert found == {"prompt": [51, 52], "end": 50, "suppress": [1], "begin_suppress": [3, 50], "max_tokens": 224}
    assert recogniser.decoding(generation(), language="en") == found


def test_a_multilingual_one_is_told_what_it_hears_and_what_to_do(multilingual):
    assert recogniser.decoding(multilingual, language="de")["prompt"] == [51, 61, 71, 52]


@pytest.mark.parametrize(("language", "match"), [(None, "it is multilingual"), ("xx", "does not know 'xx'")])
def test_its_languages_are_named_where_one_is_missing(multilingual, language, match):
    with pytest.raises(ExportError, match=rf"{match}.*--language \(de, en\)"):
        recogniser.decoding(multilingual, language=language)


def test_an_english_one_cannot_hear_german():
    with pytest.raises(ExportError, match="needs a multilingual one"):
        recogniser.decoding(generation(), language="de")


def test_what_is_none_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="need a Whisper"):
        recogniser.load(str(tmp_path))
