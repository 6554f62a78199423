"""The bundle: a folder with ``bundle.json`` and the files it names; data only, checked before use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.bundle import contract
from edge_runtime.bundle.files import LARGEST_GRAPH, LARGEST_TOKENIZER, checked, is_file, manifest_text
from edge_runtime.bundle.slot import Slot, Tensor
from edge_runtime.bundle.text_settings import TextSettings, operating_point
from edge_runtime.errors import BundleError, BundleNotFoundError, MissingExtraError
from edge_runtime.inference.asr import Decoding, Language, SpeechEncoder, TranscriptDecoder
from edge_runtime.inference.evidence import NAMES
from edge_runtime.inference.session import Session
from edge_runtime.inference.tokenizer_file import Detokenizer, TextTokenizer, detokenizer, text_tokenizer

Read = TypeVar("Read")

MANIFEST = "bundle.json"
SCHEMA = 4
READABLE = (1, 2, 3, 4)
"""Schema 1 is schema 2 with every slot filled; schema 2 is schema 3 without ``transcript_memory`` and ``weights``;
schema 3 is schema 4 without ``batch_decoder``."""
SLOTS = (
    "vad",
    "speech_encoder",
    "transcript_encoder",
    "transcript_memory",
    "transcript_decoder",
    "batch_decoder",
    "speech_emotion",
    "text_emotion",
    "fusion",
)
TOKENIZERS = {"transcript": "transcript_decoder", "text": "text_emotion"}
"""Which slot each tokenizer is for."""
TEMPERATURES = {
    "speech": "speech_emotion",
    "text": "text_emotion",
    "fusion": "fusion",
    "fusion_speech_only": "fusion",
    "fusion_text_only": "fusion",
}
"""Which slot's logits each temperature divides."""
ALONE = ("fusion_speech_only", "fusion_text_only")
"""Left out where fusion was not trained to do without one branch; the other branch's own answer then counts."""
LOGITS = ("speech_emotion", "text_emotion", "fusion")


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest, checksums and graphs' inputs and outputs (as stated) have been checked.

    Attributes:
        folder: where it is.
        name, version: its own.
        labels: the emotions, in the order of every output.
        slots: the graphs that it has: those of speech, of text, or both and their fusion.
        tokenizers: paths of the tokenizers' files.
        decoding: special tokens of the transcript decoder, None without one.
        temperatures: what logits are divided by before softmax, so that 0.8 means eight in ten.
        manifest: everything in ``bundle.json``: provenance, metrics, credits and so on.
        operating_point: confidence below which an answer is uncertain; 0.0 where the bundle states none.
        text: what it states of words alone.
        evidence: what the fusion is told of the words, by the names of ``Evidence``; empty where it asks for nothing.
    """

    folder: Path
    name: str
    version: str
    labels: tuple[str, ...]
    slots: Mapping[str, Slot]
    tokenizers: Mapping[str, Path]
    decoding: Decoding | None
    temperatures: Mapping[str, float]
    manifest: Mapping[str, Any]
    operating_point: float = 0.0
    text: TextSettings = TextSettings()
    evidence: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Bundle:
        """Read and check the bundle in ``folder``.

        Raises:
            BundleNotFoundError: no such folder, or no manifest in it.
            BundleError: another schema, a missing or altered file, slots that do not make a whole, a graph that does
                not take or give what its slot is for, a wrong label count, or a malformed manifest.
        """
        path = folder / MANIFEST
        if not is_file(path):
            raise BundleNotFoundError(f"{folder}: no bundle here, {MANIFEST} is missing")
        try:
            manifest = json.loads(manifest_text(path))
            _check_version(path, manifest["schema"], manifest["sample_rate"])
            slots = _check_slots(path, manifest["slots"])
            weights = _weights(folder, [manifest["slots"][slot] for slot in slots])
            bundle = cls(
                folder=folder,
                name=_text(manifest["name"]),
                version=_text(manifest["version"]),
                labels=tuple(_text(label) for label in _list(manifest["labels"])),
                slots={slot: _slot(slot, folder, manifest["slots"][slot], weights) for slot in slots},
                tokenizers={
                    name: checked(folder, manifest["tokenizers"][name], LARGEST_TOKENIZER)
                    for name, slot in TOKENIZERS.items()
                    if slot in slots
                },
                decoding=_decoding(manifest["decoding"]) if "transcript_decoder" in slots else None,
                temperatures={
                    name: _positive(manifest["calibration"][name])
                    for name, slot in TEMPERATURES.items()
                    if slot in slots and not (name in ALONE and name not in manifest["calibration"])
                },
                manifest=manifest,
                operating_point=operating_point(manifest),
                text=TextSettings.read(manifest, manifest["labels"]) if "text_emotion" in slots else TextSettings(),
                evidence=_evidence(path, manifest) if "fusion" in slots else (),
            )
        except BundleError:
            raise
        except KeyError as error:
            raise BundleError(f"{path}: {error} is missing; the manifest is damaged") from error
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise BundleError(f"{path}: damaged manifest: {error}") from error
        contract.check(bundle.slots, len(bundle.evidence))
        bundle._check_labels()
        bundle._check_context()
        if bundle.decoding is not None:
            bundle._check_decoding(bundle.decoding)
        return bundle

    def open(
        self, slot: str, *, device: str, threads: int, provider_options: Mapping[str, Any] | None = None
    ) -> Session:
        """Open the graph of ``slot`` and check that it is what the manifest says.

        Raises:
            BundleError: it cannot be loaded, or its inputs or outputs differ from the manifest.
            DeviceError: the device cannot be had.
        """
        entry = self.slots[slot]
        session = Session(
            entry.path, weights=entry.weights, device=device, threads=threads, provider_options=provider_options
        )
        for stated, real in ((entry.inputs, session.inputs), (entry.outputs, session.outputs)):
            found = tuple(Tensor(name, kind, tuple(shape)) for name, (kind, shape) in real.items())
            if found != stated:
                raise BundleError(
                    f"{entry.path}: the graph of slot {slot} has {found}, the manifest says {stated}; "
                    "export the bundle again"
                )
        return session

    def open_recogniser(self, *, device: str = "cpu", threads: int = 1) -> tuple[SpeechEncoder, TranscriptDecoder]:
        """Open the graphs that a transcript needs, without the detector of voices.

        Raises:
            BundleError: a graph cannot be loaded, or the bundle recognises no words.
            DeviceError: the device cannot be had.
        """
        if self.decoding is None:
            raise BundleError(f"{self.folder}: recognises no words; use another bundle")
        encoder, *memory, decoder = (self.open(s, device=device, threads=threads) for s in self.recogniser())
        return SpeechEncoder(encoder, *memory), TranscriptDecoder(decoder, self.open_detokenizer(), self.decoding)

    def open_tokenizer(self) -> TextTokenizer:
        """Open the tokenizer of text emotion.

        Raises:
            BundleError: its file is damaged.
            MissingExtraError: it is of a kind that needs the extra ``tokenizers``.
        """
        return self._read("text", text_tokenizer)

    def open_detokenizer(self) -> Detokenizer:
        """Open what turns the ids of the transcript decoder into text.

        Raises:
            BundleError: its file is damaged.
            MissingExtraError: it is of a kind that needs the extra ``tokenizers``.
        """
        return self._read("transcript", detokenizer)

    def _read(self, name: str, read: Callable[[str], Read]) -> Read:
        path = self.tokenizers[name]
        try:
            return read(path.read_text(encoding="utf-8"))
        except MissingExtraError as error:
            raise MissingExtraError(f"{path}: {error}") from error
        except Exception as error:  # the package tokenizers raises it bare
            raise BundleError(f"{path}: not a tokenizer file: {error}") from error

    def recogniser(self) -> list[str]:
        """Return the slots that a transcript comes from, in the order in which they run."""
        encoder = "transcript_encoder" if "transcript_encoder" in self.slots else "speech_encoder"
        memory = [slot for slot in ("transcript_memory",) if slot in self.slots]
        return [encoder, *memory, "transcript_decoder"]

    def _check_labels(self) -> None:
        if len(set(self.labels)) != len(self.labels) or len(self.labels) < 2:
            raise BundleError(f"{self.folder}: labels {self.labels}; expected two or more different ones")
        for slot in (slot for slot in LOGITS if slot in self.slots):
            shape = self.slots[slot].output("logits").shape
            if not shape or shape[-1] != len(self.labels):
                raise BundleError(
                    f"{self.folder}: slot {slot} gives logits of shape {shape} for {len(self.labels)} labels"
                )

    def _check_context(self) -> None:
        takes = "text_emotion" in self.slots and self.slots["text_emotion"].takes(contract.TYPES)
        if takes != bool(self.text.context_tokens):
            raise BundleError(
                f"{self.folder / MANIFEST}: text_emotion.context belongs to a graph of the slot text_emotion with an "
                f"input {contract.TYPES!r}, and one of the two is missing; export the bundle again"
            )

    def _check_decoding(self, settings: Decoding) -> None:
        (*_, vocabulary) = self.slots["transcript_decoder"].output("logits").shape or (None,)
        tokens = [*settings.prompt, settings.end, *settings.suppress, *settings.begin_suppress]
        tokens += [*settings.languages, *settings.after_language]
        fits = isinstance(vocabulary, int) and all(0 <= token < vocabulary for token in tokens)
        if not fits or not settings.prompt or settings.max_tokens < 1:
            raise BundleError(
                f"{self.folder / MANIFEST}: decoding needs a prompt, room for a token, and ids below {vocabulary}"
            )


def checksums(manifest: Mapping[str, Any], slot: str) -> list[str]:
    """Return the sha256 of the graph of ``slot``, and of its weights where they are a file of their own."""
    entry = manifest["slots"][slot]
    return [entry["sha256"], *([entry["weights"]["sha256"]] if "weights" in entry else [])]


def _check_version(path: Path, schema: Any, sample_rate: Any) -> None:
    if isinstance(schema, bool) or schema not in READABLE:
        raise BundleError(
            f"{path}: schema {schema!r}, and this version reads {' and '.join(map(str, READABLE))}; "
            "update edge-iemonet, or export the bundle again"
        )
    if sample_rate != SAMPLE_RATE:
        raise BundleError(f"{path}: sample rate {sample_rate!r}; this version runs {SAMPLE_RATE}")


def _check_slots(path: Path, stated: Mapping[str, Any]) -> list[str]:
    """Return the names of the slots that are filled, after checking that together they can answer."""
    there = {slot: stated[slot] for slot in SLOTS if slot in stated}
    unknown = sorted(set(stated) - set(SLOTS))
    if unknown:
        raise BundleError(f"{path}: unknown slots {', '.join(map(repr, unknown))}; known are {', '.join(SLOTS)}")
    speech, text = "speech_emotion" in there, "text_emotion" in there
    reads_states = speech and any(t["name"] == "hidden_states" for t in there["speech_emotion"]["inputs"])
    needs = {
        "speech_emotion": "fusion" in there or not text,
        "text_emotion": "fusion" in there,
        "fusion": speech and text,
        "vad": speech or "transcript_decoder" in there,
        "speech_encoder": reads_states
        or "transcript_memory" in there
        or ("transcript_decoder" in there and "transcript_encoder" not in there),
        "transcript_decoder": "transcript_memory" in there or "batch_decoder" in there,
    }
    missing = [slot for slot, needed in needs.items() if needed and slot not in there]
    if missing:
        raise BundleError(
            f"{path}: slot {' and '.join(map(repr, missing))} is missing, which its other slots need "
            f"({', '.join(there) or 'there are none'}); export the bundle again"
        )
    if "transcript_memory" in there and "transcript_encoder" in there:
        raise BundleError(
            f"{path}: slots 'transcript_memory' and 'transcript_encoder' both give what the decoder reads; export the "
            "bundle again"
        )
    return list(there)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} where a word is expected")
    value.encode()  # JSON can hold halves of characters, which can be written nowhere
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} where a list is expected")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} where a whole number is expected")
    return value


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"calibration {value!r}: a temperature is a positive number")
    number = float(value)
    if not 0 < number < float("inf"):
        raise ValueError(f"calibration {value!r}: a temperature is a positive number")
    return number


def _evidence(path: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    if not any(tensor["name"] == "evidence" for tensor in manifest["slots"]["fusion"]["inputs"]):
        return ()
    names = tuple(_text(name) for name in _list(manifest["evidence"]))
    if not names:
        raise ValueError("evidence is empty, and the slot fusion takes some")
    if unknown := [name for name in names if name not in NAMES]:
        raise BundleError(
            f"{path}: evidence {', '.join(map(repr, unknown))} is unknown; known are {', '.join(NAMES)}; "
            "update edge-iemonet, or export the bundle again"
        )
    return names


def _weights(folder: Path, entries: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, Any], Path]:
    """Return the files of weights by name and checksum; two graphs that share one have it read and checked once."""
    stated = {(e["weights"]["file"], e["weights"]["sha256"]): e["weights"] for e in entries if "weights" in e}
    return {key: checked(folder, entry, LARGEST_GRAPH) for key, entry in stated.items()}


def _slot(name: str, folder: Path, entry: Mapping[str, Any], weights: Mapping[tuple[Any, Any], Path]) -> Slot:
    return Slot(
        name=name,
        path=checked(folder, entry, LARGEST_GRAPH),
        weights=weights[entry["weights"]["file"], entry["weights"]["sha256"]] if "weights" in entry else None,
        precision=_text(entry["precision"]),
        inputs=tuple(_tensor(t) for t in _list(entry["inputs"])),
        outputs=tuple(_tensor(t) for t in _list(entry["outputs"])),
    )


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    return Tensor(_text(entry["name"]), _text(entry["dtype"]), tuple(_axis(a) for a in _list(entry["shape"])))


def _axis(value: Any) -> Any:
    """Return an axis: a size, a name, or None where the graph gives a dynamic one no name."""
    return value if value is None or isinstance(value, str) else _whole(value)


def _decoding(entry: Mapping[str, Any]) -> Decoding:
    prompt = _list(entry["prompt"])
    languages = {
        _whole(language["token"]): Language(_text(language["code"]), _text(language["name"]))
        for language in _list(entry.get("languages", []))
    }
    # The language's place in the prompt is empty, so that a reader that cannot tell it refuses the bundle.
    place = prompt.index(None) if "languages" in entry else len(prompt)
    if "languages" in entry and not languages:
        raise ValueError("decoding: languages is empty")
    return Decoding(
        prompt=[_whole(t) for t in prompt[:place]],
        end=_whole(entry["end"]),
        suppress=[_whole(t) for t in _list(entry["suppress"])],
        begin_suppress=[_whole(t) for t in _list(entry["begin_suppress"])],
        max_tokens=_whole(entry["max_tokens"]),
        languages=languages,
        after_language=[_whole(t) for t in prompt[place + 1 :]],
    )
