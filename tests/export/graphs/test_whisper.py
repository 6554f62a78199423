"""Any Whisper: its graphs on onnxruntime against the modules they were traced from, and how it is decoded."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from transformers import GenerationConfig

from export.graphs import whisper
from export.graphs.torch_export import write
from export.graphs.whisper import decoder_graph, encoder_graph, key_value_names
from trainer.errors import CheckpointError, ExportError
from trainer.pretrained.whisper import SAMPLE_RATE, SpeechEncoder, TranscriptDecoder

TOLERANCE = {"atol": 1e-4, "rtol": 1e-3}


@pytest.fixture(scope="module", params=[True, False], ids=["stitched", "full"])
def encoder(request, tmp_path_factory, tiny_whisper):
    """Return the module and its graph."""
    path = tmp_path_factory.mktemp("encoder") / "speech_encoder.onnx"
    write(encoder_graph(tiny_whisper, stitched=request.param), path)
    return SpeechEncoder(tiny_whisper, stitched=request.param).eval(), path


@pytest.fixture(scope="module")
def decoder(tmp_path_factory, tiny_whisper):
    path = tmp_path_factory.mktemp("decoder") / "transcript_decoder.onnx"
    write(decoder_graph(tiny_whisper), path)
    return TranscriptDecoder(tiny_whisper).eval(), path


@torch.no_grad()
@pytest.mark.parametrize("samples", [999, 3 * SAMPLE_RATE + 1, 29 * SAMPLE_RATE + 500, 30 * SAMPLE_RATE])
def test_the_encoder_answers_alike_at_any_length(encoder, run, samples):
    module, path = encoder
    x = 0.1 * torch.randn(1, samples)
    for found, expected in zip(run(path, x), module(x), strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected.numpy(), **TOLERANCE)


@torch.no_grad()
def test_the_encoder_takes_several_waveforms(encoder, run):
    module, path = encoder
    x = 0.1 * torch.randn(3, SAMPLE_RATE)
    for found, expected in zip(run(path, x), module(x), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), **TOLERANCE)


def test_the_encoders_axes_are_named(encoder):
    session = ort.InferenceSession(str(encoder[1]))
    (waveform,) = session.get_inputs()
    shapes = {o.name: o.shape for o in session.get_outputs()}
    assert (waveform.name, waveform.shape) == ("waveform", ["batch", "samples"])
    assert shapes["hidden_states"] == ["batch", 4, "states", 16]
    assert shapes["cross_bias"] == ["positions"]
    for name in key_value_names("cross", 2):
        assert shapes[name] == ["batch", 2, "positions", 8]


@torch.no_grad()
@pytest.mark.parametrize(("new", "old"), [(2, 0), (1, 2), (1, 17), (3, 4)])
@pytest.mark.parametrize("positions", [150, 1500])
def test_the_decoder_answers_alike_with_and_without_a_past(decoder, run, new, old, positions):
    module, path = decoder
    tokens = torch.randint(0, 60, (1, new))
    bias = torch.randn(positions)
    past = [torch.randn(1, 2, old, 8) for _ in range(4)]
    cross = [torch.randn(1, 2, positions, 8) for _ in range(4)]
    found = run(path, tokens, bias, *past, *cross)
    expected = module(tokens, bias, *past, *cross)
    assert found[1].shape == (1, 2, old + new, 8)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), **TOLERANCE)


def test_the_decoders_inputs_match_the_encoders_outputs(encoder, decoder):
    given = {o.name: o.shape[1:] for o in ort.InferenceSession(str(encoder[1])).get_outputs()}
    session = ort.InferenceSession(str(decoder[1]))
    taken = {i.name: i.shape[1:] for i in session.get_inputs()}
    present = [o.name.replace("present", "past") for o in session.get_outputs()][1:]
    assert {k: v for k, v in given.items() if k != "hidden_states"}.items() <= taken.items()
    assert set(taken) == {"tokens", *given, *present} - {"hidden_states"}


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
    found = whisper.decoding(generation())
    assert found == {
        "prompt": [51, 52],
        "end": 50,
        "suppress": [1],
        "begin_suppress": [3, 50],
        "max_tokens": 224,
        "language": "en",
    }
    assert whisper.decoding(generation(), language="en") == found


def test_a_multilingual_one_is_told_what_it_hears_and_what_to_do(multilingual):
    found = whisper.decoding(multilingual, language="de")
    assert (found["prompt"], found["language"]) == ([51, 61, 71, 52], "de")
    assert "languages" not in found


def test_a_multilingual_one_that_is_told_no_language_tells_it_itself(multilingual):
    multilingual.lang_to_id["<|jw|>"] = 62
    found = whisper.decoding(multilingual)
    assert found["prompt"] == [51, None, 71, 52]
    assert found["languages"] == [
        {"token": 60, "code": "en", "name": "English"},
        {"token": 61, "code": "de", "name": "German"},
        {"token": 62, "code": "jv", "name": "Javanese"},  # Whisper writes jw
    ]
    assert "language" not in found


def test_its_languages_are_named_where_it_does_not_know_one(multilingual):
    with pytest.raises(ExportError, match=r"does not know 'xx'.*--language \(de, en\)"):
        whisper.decoding(multilingual, language="xx")


def test_an_english_one_cannot_hear_german():
    with pytest.raises(ExportError, match="needs a multilingual one"):
        whisper.decoding(generation(), language="de")


def test_what_is_none_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="need a Whisper"):
        whisper.load(str(tmp_path))


@torch.no_grad()
@pytest.mark.parametrize("layers", [0, 2, 3])
@pytest.mark.parametrize("stitched", [True, False])
def test_an_encoder_in_two_graphs_answers_as_one(tmp_path, run, tiny_whisper, layers, stitched):
    module = SpeechEncoder(tiny_whisper, stitched=stitched).eval()
    first, alone, last = (tmp_path / f"{name}.onnx" for name in ("first", "alone", "last"))
    write(whisper.states_graph(module, layers, passes_on=True), first)
    write(whisper.states_graph(module, layers, passes_on=False), alone)
    write(whisper.memory_graph(module, layers), last)
    for samples in (999, 3 * SAMPLE_RATE + 1, 30 * SAMPLE_RATE):
        x = 0.1 * torch.randn(2, samples)
        hidden, *memory = module(x)
        states, encoded = run(first, x)
        np.testing.assert_allclose(states, hidden[:, : layers + 1], **TOLERANCE)
        np.testing.assert_array_equal(states, run(alone, x)[0])
        for found, expected in zip(run(last, torch.from_numpy(encoded)), memory, strict=True):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, **TOLERANCE)
