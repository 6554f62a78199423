"""The slim Whisper against transformers' own: spectrogram, encoder, decoder, and what stitching changes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import WhisperFeatureExtractor

from trainer.pretrained.whisper import (
    CONTEXT,
    ENCODER_HOP,
    PEAK,
    POOL,
    QUIETEST_PEAK,
    SAMPLE_RATE,
    TAIL,
    LogMel,
    SpeechEncoder,
    TranscriptDecoder,
    peak_normalize,
)

PROMPT = [51, 52]
SAMPLES = 2 * SAMPLE_RATE + 123


def waveform(samples: int = SAMPLES, batch: int = 1, seed: int = 0) -> torch.Tensor:
    return 0.2 * torch.randn(batch, samples, generator=torch.Generator().manual_seed(seed)).clamp(-4, 4)


def reference_mel(x: torch.Tensor) -> torch.Tensor:
    extract = WhisperFeatureExtractor()
    return extract(list(x.numpy()), sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features


@pytest.fixture(scope="module")
def full(tiny_whisper) -> SpeechEncoder:
    return SpeechEncoder(tiny_whisper, stitched=False).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def stitched(tiny_whisper) -> SpeechEncoder:
    return SpeechEncoder(tiny_whisper).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def decoder(tiny_whisper) -> TranscriptDecoder:
    return TranscriptDecoder(tiny_whisper).eval().requires_grad_(False)


def empty_past(cross: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    return [c[:, :, :0] for c in cross]


@pytest.mark.parametrize("seconds", [0.5, 7.3, 30])
def test_log_mel_equals_that_of_transformers(seconds):
    x = waveform(int(seconds * SAMPLE_RATE))
    padded = torch.nn.functional.pad(x, (0, 30 * SAMPLE_RATE - x.shape[1]))
    torch.testing.assert_close(LogMel()(padded), reference_mel(x), atol=1e-4, rtol=0)


def test_log_mel_of_silence_is_finite():
    assert LogMel()(torch.zeros(1, SAMPLE_RATE)).isfinite().all()


def test_log_mel_of_a_batch_is_that_of_each_recording():
    quiet, loud = waveform(8000) * 0.01, waveform(8000, seed=1)
    together = LogMel()(torch.cat([quiet, loud]))
    torch.testing.assert_close(together[:1], LogMel()(quiet))
    torch.testing.assert_close(together[1:], LogMel()(loud))


@torch.no_grad()
def test_hidden_states_equal_those_of_transformers(tiny_whisper, full):
    x = waveform(batch=2)
    hidden = full(x)[0]
    states = math.ceil(SAMPLES / ENCODER_HOP)
    expected = tiny_whisper.model.encoder(reference_mel(peak_normalize(x)), output_hidden_states=True).hidden_states
    assert hidden.shape == (2, 3, states, 16)
    for layer in (0, 1):
        torch.testing.assert_close(hidden[:, layer], expected[layer][:, :states], atol=1e-4, rtol=1e-4)
    normed = tiny_whisper.model.encoder.layer_norm(hidden[:, 2])
    torch.testing.assert_close(normed, expected[2][:, :states], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_greedy_decoding_equals_that_of_transformers(tiny_whisper, full, decoder):
    x = waveform()
    features, tokens = reference_mel(peak_normalize(x)), torch.tensor([PROMPT])
    _, bias, *cross = full(x)
    past, new = empty_past(cross), tokens
    for _ in range(6):
        logits, *past = decoder(new, bias, *past, *cross)
        expected = tiny_whisper(input_features=features, decoder_input_ids=tokens).logits[:, -1]
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
        # Random weights would say one word for ever, so what was said is not said again.
        new = logits.index_fill(1, tokens[0], -torch.inf).argmax(1, keepdim=True)
        tokens = torch.cat([tokens, new], dim=1)


@torch.no_grad()
@settings(max_examples=15)
@given(st.lists(st.integers(0, 59), min_size=2, max_size=9), st.data())
def test_decoding_token_by_token_equals_decoding_at_once(stitched, decoder, tokens, data):
    _, bias, *cross = stitched(waveform(SAMPLE_RATE))
    ids, past = torch.tensor([tokens]), empty_past(cross)
    whole, *present = decoder(ids, bias, *past, *cross)
    cut = data.draw(st.integers(1, len(tokens) - 1))
    _, *past = decoder(ids[:, :cut], bias, *past, *cross)
    for i in range(cut, len(tokens)):
        logits, *past = decoder(ids[:, i : i + 1], bias, *past, *cross)
    torch.testing.assert_close(logits, whole, atol=1e-4, rtol=1e-4)
    for one, other in zip(past, present, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_later_tokens_do_not_change_the_past(stitched, decoder):
    _, bias, *cross = stitched(waveform(SAMPLE_RATE))
    short, long = torch.tensor([[*PROMPT, 3]]), torch.tensor([[*PROMPT, 3, 9]])
    _, *before = decoder(short, bias, *empty_past(cross), *cross)
    _, *after = decoder(long, bias, *empty_past(cross), *cross)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other[:, :, :3], one)


lengths = st.integers(ENCODER_HOP, 30 * SAMPLE_RATE) | st.sampled_from(
    [ENCODER_HOP, 29 * SAMPLE_RATE + 1, 30 * SAMPLE_RATE]
)


@torch.no_grad()
@settings(max_examples=12)
@given(lengths)
def test_stitched_positions_are_whole_pools_of_which_the_silent_ones_count_more(stitched, samples):
    hidden, bias, *cross = stitched(waveform(samples))
    states = math.ceil(samples / ENCODER_HOP)
    own = int((bias == 0).sum())
    assert hidden.shape[2] == states
    assert own % POOL == 0
    assert min(states + TAIL, CONTEXT) <= own <= CONTEXT
    assert own + POOL * (len(bias) - own) == CONTEXT
    torch.testing.assert_close(bias[own:], torch.full_like(bias[own:], math.log(POOL)))
    assert {c.shape for c in cross} == {(1, 2, len(bias), 8)}


@torch.no_grad()
def test_a_pooled_position_counts_as_so_many_alike_ones(stitched, decoder):
    _, bias, *cross = stitched(waveform())
    silent = int((bias == 0).sum())
    spread = [torch.cat([c[:, :, :silent], c[:, :, silent:].repeat_interleave(POOL, 2)], dim=2) for c in cross]
    tokens, past = torch.tensor([PROMPT]), empty_past(cross)
    pooled = decoder(tokens, bias, *past, *cross)[0]
    torch.testing.assert_close(decoder(tokens, torch.zeros(CONTEXT), *past, *spread)[0], pooled, atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["full", "stitched"])
def test_a_batch_gives_the_encoding_of_each_recording(kind, request):
    encoder = request.getfixturevalue(kind)
    x = torch.cat([waveform(SAMPLE_RATE) * 0.1, waveform(SAMPLE_RATE, seed=1)])
    together = encoder(x)
    for i in range(2):
        alone = encoder(x[i : i + 1])
        torch.testing.assert_close(alone[1], together[1])
        for one, both in zip((alone[0], *alone[2:]), (together[0], *together[2:]), strict=True):
            torch.testing.assert_close(one, both[i : i + 1], atol=1e-4, rtol=1e-3)


@torch.no_grad()
@settings(max_examples=10)
@given(st.floats(0.1, 2.0))
def test_gain_does_not_change_what_is_encoded(stitched, gain):
    x = waveform(SAMPLE_RATE)
    for one, other in zip(stitched(x), stitched(x * gain), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


@given(st.floats(-5, 0.5).map(lambda e: 10**e))
def test_every_peak_becomes_the_same_but_near_silence_is_not_amplified(peak):
    x = torch.tensor([[0.5, -1.0, 0.25]]) * peak
    found = peak_normalize(x).abs().max().item()
    assert found == pytest.approx(PEAK * min(1.0, peak / QUIETEST_PEAK), rel=1e-4)


def test_each_recording_of_a_batch_has_its_own_gain_and_silence_stays_silent():
    x = torch.stack([torch.zeros(8), torch.full((8,), 0.1), torch.full((8,), -0.9)])
    assert peak_normalize(x).abs().amax(1).tolist() == pytest.approx([0.0, PEAK, PEAK])


@torch.no_grad()
def test_silence_is_encoded_to_something_finite(stitched):
    assert all(part.isfinite().all() for part in stitched(torch.zeros(1, SAMPLE_RATE)))
