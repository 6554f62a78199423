"""What callers give by mistake: each is taken as it was meant, or refused with the cause and what to do."""

from __future__ import annotations

import codecs
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_runtime import AudioError, IEmoNet, Prediction
from edge_runtime.audio.recording import Recording

RATE = 16_000


@pytest.fixture(scope="module")
def speech(jfk: Path) -> np.ndarray:
    """Two seconds of speech, in 16 bits."""
    samples: np.ndarray = soundfile.read(jfk, dtype="int16")[0][: 2 * RATE]
    return samples


@pytest.fixture(scope="module")
def answer(model: IEmoNet, speech: np.ndarray) -> Prediction:
    answer = model(speech, RATE)
    assert answer.transcript
    return answer


def samples_of(audio: object, rate: object = RATE) -> np.ndarray:
    return np.concatenate(list(Recording(audio, rate).blocks()))  # type: ignore[arg-type]


def refused(model: IEmoNet, audio: object) -> str:
    """The message of the error, which is the same wherever the samples are given, but for what they are called."""
    with pytest.raises(AudioError) as called:
        model(audio, RATE)  # type: ignore[call-overload]
    with pytest.raises(AudioError) as timed:
        model.timeline(audio, RATE)  # type: ignore[arg-type]
    with pytest.raises(AudioError) as fed:
        model.stream(RATE).feed(audio)  # type: ignore[arg-type]
    message = str(called.value)
    assert message == str(timed.value)
    assert message.removeprefix("array: ") == str(fed.value).removeprefix("stream: ")
    return message


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_of_64_bits_are_refused_with_how_to_convert_them(
    model: IEmoNet, speech: np.ndarray, answer: Prediction, dtype: type
) -> None:
    array = np.array(json.loads(json.dumps(speech.tolist())))
    assert array.dtype == np.int64
    message = refused(model, array.astype(dtype))
    assert np.dtype(dtype).name in message
    assert "array.astype(np.int16)" in message
    assert model(array.astype(np.int16), RATE).scores == answer.scores


@pytest.mark.parametrize(("dtype", "middle"), [("uint16", 32_768), ("uint32", 32_768 << 16)])
def test_unsigned_integers_without_a_middle_are_refused_with_how_to_convert_them(
    model: IEmoNet, speech: np.ndarray, dtype: str, middle: int
) -> None:
    array = (speech.astype(np.int64) * (middle // 32_768) + middle).astype(dtype)
    message = refused(model, array)
    assert f"array / {middle} - 1" in message
    np.testing.assert_allclose(samples_of(array / middle - 1), speech / 32_768, atol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", ">i2", "float16", "float64", "longdouble"])
def test_integers_are_scaled_by_their_type_and_floats_are_not(dtype: str) -> None:
    wanted = np.array([0.0, 0.5, -1.0, 0.25])
    scale = {"int8": 128, "uint8": 128, "int16": 1 << 15, ">i2": 1 << 15, "int32": 1 << 31}.get(dtype, 1)
    given = (wanted * scale + (128 if dtype == "uint8" else 0)).astype(dtype)
    np.testing.assert_array_equal(samples_of(given), wanted.astype(np.float32))


def test_floats_on_the_scale_of_16_bits_are_answered_as_floats_of_full_scale(
    model: IEmoNet, speech: np.ndarray, answer: Prediction
) -> None:
    floats = model(speech.astype(np.float32), RATE)
    assert (floats.label, floats.transcript) == (answer.label, answer.transcript)


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (
            np.zeros((2, 160_000), np.float32),
            r"of shape \(2, 160000\), which looks like \(channels, samples\); turn it round: array\.T",
        ),
        (np.zeros((1, 160_000), np.float32), r"looks like \(channels, samples\)"),
        (np.zeros((64, 65), np.float32), r"looks like \(channels, samples\)"),
        (np.zeros((100, 65), np.float32), "65 channels"),
        (np.zeros((2, 3, 4), np.float32), "of shape"),
        (np.float32(0.5), "of shape"),
        (np.ma.masked_greater(np.arange(100.0), 50), r"some samples are masked; fill them \(array\.filled\(0\)\)"),
        (np.array([1, 2, None]), "of object; give float samples"),
        (np.zeros(100, np.complex64), "of complex64; give float samples"),
        (np.zeros(100, np.bool_), "of bool; give float samples"),
        ([0.0, 0.1], r"a list of numbers; a list stands for several recordings.*np\.array\(samples, np\.float32\)"),
        ((0.0, 0.1), "a list of numbers"),
        ([1, -2], r"np\.array\(samples, np\.int16\)"),
        ([np.float32(0.1)], "a list of numbers"),
    ],
)
def test_what_cannot_be_samples_is_refused_with_the_cause(model: IEmoNet, audio: object, reason: str) -> None:
    message = refused(model, audio)
    assert len(message.splitlines()) == 1
    with pytest.raises(AudioError, match=reason):
        raise AudioError(message)


def test_lists_in_lists_of_numbers_are_refused_as_numbers(model: IEmoNet) -> None:
    with pytest.raises(AudioError, match="a list of numbers"):
        model([[0.0, 0.1], [0.2, 0.3]], RATE)  # type: ignore[list-item]


def test_an_empty_list_has_no_answers(model: IEmoNet) -> None:
    assert model([]) == []


def test_a_timeline_is_of_one_recording(model: IEmoNet, jfk: Path) -> None:
    for several in ([jfk], (jfk, jfk), []):
        with pytest.raises(AudioError, match="give one recording"):
            model.timeline(several)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="array: a list of numbers"):
        model.timeline([0.1, 0.2])  # type: ignore[arg-type]


def laid_out(array: np.ndarray, way: str, folder: Path) -> np.ndarray:
    if way == "fortran":
        return np.asfortranarray(array)
    if way == "strided":
        return np.repeat(array, 2, axis=0)[::2]
    if way == "masked nowhere":
        return np.ma.array(array)
    if way == "mapped":
        np.save(folder / "samples.npy", array)
        return np.load(folder / "samples.npy", mmap_mode="r")  # type: ignore[no-any-return]
    copy = array.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize("way", ["fortran", "strided", "masked nowhere", "mapped", "read-only"])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("split", [False, True])
def test_the_layout_in_memory_does_not_matter(tmp_path: Path, way: str, dtype: str, split: bool) -> None:
    scale = 1.0 if dtype == "float32" else 32_767
    array = (np.random.default_rng(1).uniform(-scale, scale, (60_000, 3))).astype(dtype)
    for rate in (8_000, RATE):
        expected = np.concatenate(list(Recording(array, rate).blocks(split=split)))
        found = np.concatenate(list(Recording(laid_out(array, way, tmp_path), rate).blocks(split=split)))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("rate", [16_000.0, np.int32(16_000), np.float32(16_000), Fraction(16_000)])
def test_a_rate_may_be_any_number(model: IEmoNet, speech: np.ndarray, rate: Any) -> None:
    np.testing.assert_array_equal(samples_of(speech, rate), samples_of(speech))
    assert model.stream(rate).feed(speech[:100]) == []


@pytest.mark.parametrize("rate", ["16000", b"16000", True, [16_000], 1j, float("nan"), float("inf"), -1, 0, 10**400])
def test_what_is_no_usable_rate_is_refused_by_its_value(model: IEmoNet, speech: np.ndarray, rate: Any) -> None:
    for use in (lambda: model(speech, rate), lambda: model.timeline(speech, rate), lambda: model.stream(rate)):
        with pytest.raises(AudioError, match=r"sample rate.*(16000|1000 to 768000)"):
            use()


def test_a_rate_with_bytes_is_refused_with_what_makes_an_array_of_bare_samples(
    model: IEmoNet, speech: np.ndarray
) -> None:
    with pytest.raises(AudioError, match=r"np\.frombuffer\(data, np\.int16\)"):
        model(speech.tobytes(), RATE)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (b"Hello.", r"of type bytes.*decode them: \w+\.decode\(\)"),
        (["Hello."], "of type list"),
        (3, "of type int"),
    ],
)
def test_words_that_are_no_text_are_refused_by_type(
    model: IEmoNet, speech: np.ndarray, words: Any, reason: str
) -> None:
    with pytest.raises(TypeError, match=f"^transcript is {reason}"):
        model(speech, RATE, transcript=words)
    with pytest.raises(TypeError, match=f"^text is {reason}"):
        model.classify_text(words)


def test_no_text_at_all_is_refused_by_type(model: IEmoNet) -> None:
    with pytest.raises(TypeError, match="text is of type NoneType"):
        model.classify_text(None)  # type: ignore[arg-type]


def test_a_stream_left_at_its_end_is_read_from_its_beginning(jfk: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(jfk)
    written = io.BytesIO()
    soundfile.write(written, samples, rate, format="WAV")
    assert written.tell() == len(written.getvalue())
    np.testing.assert_array_equal(samples_of(written, None), samples_of(jfk, None))
    with (tmp_path / "clip.wav").open("w+b") as file:
        file.write(jfk.read_bytes())
        np.testing.assert_array_equal(samples_of(file, None), samples_of(jfk, None))


def test_a_stream_in_the_middle_of_a_file_is_read_from_there(jfk: Path) -> None:
    stream = io.BytesIO(b"something else" + jfk.read_bytes())
    stream.seek(len(b"something else"))
    np.testing.assert_array_equal(samples_of(stream, None), samples_of(jfk, None))


def test_a_stream_that_gives_no_bytes_is_refused_with_the_cause(jfk: Path, tmp_path: Path) -> None:
    closed = jfk.open("rb")
    closed.close()
    with (
        jfk.open(encoding="latin-1") as text,
        codecs.open(str(jfk), encoding="latin-1") as decoded,
        (tmp_path / "new.wav").open("wb") as written,
    ):
        cases: list[tuple[Any, str]] = [
            (text, rf"^{jfk}: opened as text; open it with mode 'rb'$"),
            (decoded, "opened as text"),
            (io.StringIO("words"), "^stream: opened as text"),
            (written, rf"^{tmp_path / 'new.wav'}: cannot be read"),
            (closed, rf"^{jfk}: cannot be read \(.*closed file\)$"),
        ]
        for stream, reason in cases:
            with pytest.raises(AudioError, match=reason):
                Recording(stream)
