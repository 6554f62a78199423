"""What is inside a bundle, and what is wrong with it; as far as it can be told of a damaged one."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import onnx
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from tokenizers import Tokenizer

from edge_runtime.bundle.bundle import MANIFEST, Bundle
from edge_runtime.bundle.files import is_file
from edge_runtime.errors import BundleNotFoundError, IEmoNetError
from trainer.errors import ExportError

SCHEMA_FILE = Path(__file__).with_name("bundle.schema.json")
LONGEST_MESSAGE = 160
"""Characters of an error of the schema, which may quote a whole manifest."""


@dataclass(frozen=True)
class GraphFacts:
    """What was counted in a graph, subgraphs of its operators included.

    Attributes:
        operators: how often each occurs, the most frequent first; without ``Constant``, which computes nothing.
        weights: numbers stored, scales and zero points of quantised ones too.
        opset: version of the standard operators.
    """

    operators: dict[str, int]
    weights: int
    opset: int


@dataclass(frozen=True)
class BundleFile:
    """A file that the manifest names.

    Attributes:
        stated: what the manifest says of it.
        bytes: its size, of a graph with that of its weights; None where it is not there.
        graph: what was counted in it, if it is a graph.
        vocabulary: tokens that it knows, if it is a tokenizer.
    """

    stated: Mapping[str, Any]
    bytes: int | None
    graph: GraphFacts | None = None
    vocabulary: int | None = None


@dataclass
class BundleReport:
    """What is inside a bundle.

    Attributes:
        folder: where it is.
        manifest: all of ``bundle.json``; {} where it cannot be read.
        slots: the graphs that it names.
        tokenizers: the tokenizers that it names.
        files: bytes of every file in the folder, named in the manifest or not.
        problems: what is wrong, a line each.
    """

    folder: Path
    manifest: Mapping[str, Any] = field(default_factory=dict)
    slots: dict[str, BundleFile] = field(default_factory=dict)
    tokenizers: dict[str, BundleFile] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(self.files.values())

    @property
    def takes_baseline(self) -> bool:
        """Whether a recording can be compared with others of its speaker."""
        speech = self.slots.get("speech_emotion")
        inputs = speech.stated.get("inputs") if speech is not None else None
        return isinstance(inputs, list) and any(isinstance(i, dict) and i.get("name") == "baseline" for i in inputs)

    @property
    def context_tokens(self) -> int:
        """How many tokens of what was said before are read; 0 of none."""
        found = _objects({"text": self.manifest.get("text_emotion")}).get("text", {}).get("context")
        tokens = found.get("max_tokens") if isinstance(found, dict) else None
        return tokens if isinstance(tokens, int) else 0

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        plain = asdict(self)
        return {
            **plain,
            "folder": str(self.folder),
            "bytes": self.bytes,
            "takes_baseline": self.takes_baseline,
            "context_tokens": self.context_tokens,
            "whole": not self.problems,
        }


def inspect_bundle(folder: Path) -> BundleReport:
    """Return what is inside the bundle in ``folder``, and everything that is wrong with it.

    Raises:
        BundleNotFoundError: no such folder, or no manifest in it.
    """
    path = folder / MANIFEST
    if not is_file(path):
        raise BundleNotFoundError(f"{folder}: no bundle here, {MANIFEST} is missing")
    found = BundleReport(folder, files={f.name: f.stat().st_size for f in sorted(folder.iterdir()) if f.is_file()})
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        found.problems.append(f"{MANIFEST}: not JSON: {error}")
        return found
    found.problems += [f"{MANIFEST}: {error}" for error in schema_errors(manifest)]
    found.manifest = manifest if isinstance(manifest, dict) else {}
    for slot, stated in _objects(found.manifest.get("slots")).items():
        found.slots[slot] = _part(found, stated, is_graph=True)
    for name, stated in _objects(found.manifest.get("tokenizers")).items():
        found.tokenizers[name] = _part(found, stated, is_graph=False)
    if not found.problems:
        found.problems += _refused(folder)
    return found


def _objects(value: Any) -> dict[str, Mapping[str, Any]]:
    return {k: v for k, v in value.items() if isinstance(v, dict)} if isinstance(value, dict) else {}


def _part(found: BundleReport, stated: Mapping[str, Any], *, is_graph: bool) -> BundleFile:
    """Return what is known of a file; what is wrong with it is added to the problems."""
    size = _check_file(found, stated)
    if size is None:
        return BundleFile(stated, None)
    if is_graph and isinstance(stated.get("weights"), dict):
        weights = _check_file(found, stated["weights"]) or 0
        shared = any(part.stated.get("weights") == stated["weights"] for part in found.slots.values())
        size += 0 if shared else weights  # two decoders have one file
    path = found.folder / stated["file"]
    try:
        if is_graph:
            return BundleFile(stated, size, graph=graph_facts(path))
        return BundleFile(stated, size, vocabulary=_vocabulary(path))
    except ExportError as error:
        found.problems.append(str(error).replace(f"{path}: ", f"{path.name}: ", 1))
        return BundleFile(stated, size)


def _check_file(found: BundleReport, stated: Mapping[str, Any]) -> int | None:
    """Return the size of a file, None where it is not there; what is wrong with it is added to the problems."""
    name = stated.get("file")
    if not isinstance(name, str) or name not in found.files:
        if isinstance(name, str):
            found.problems.append(f"{name}: missing")
        return None
    size = found.files[name]
    if isinstance(stated.get("bytes"), int) and stated["bytes"] != size:
        found.problems.append(f"{name}: {size:,} bytes, and the manifest says {stated['bytes']:,}")
    try:
        if hashlib.sha256((found.folder / name).read_bytes()).hexdigest() != stated.get("sha256"):
            found.problems.append(f"{name}: sha256 differs from the manifest's")
    except OSError as error:
        found.problems.append(str(error).replace(f"{found.folder / name}: ", f"{name}: ", 1))
    return size


def _vocabulary(path: Path) -> int:
    try:
        return int(Tokenizer.from_file(str(path)).get_vocab_size())
    except Exception as error:  # the library raises bare Exception
        raise ExportError(f"{path}: not a tokenizer file: {error}") from error


def _refused(folder: Path) -> list[str]:
    """Return why the runtime would not take the bundle, or a graph of it."""
    try:
        bundle = Bundle.read(folder)
    except IEmoNetError as error:
        return [str(error)]
    problems = []
    for slot in bundle.slots:
        try:
            bundle.open(slot, device="cpu", threads=1)
        except IEmoNetError as error:
            problems.append(str(error))
    return problems


def graph_facts(path: Path) -> GraphFacts:
    """Return what the graph in ``path`` holds.

    Raises:
        ExportError: it is no ONNX file.
    """
    try:
        model = onnx.load(path, load_external_data=False)
        graphs = list(_graphs(model.graph))
    except Exception as error:  # protobuf's class differs between its implementations
        raise ExportError(f"{path}: not an ONNX graph: {error}") from error
    nodes = [node for graph in graphs for node in graph.node]
    if not nodes:
        raise ExportError(f"{path}: not an ONNX graph: there is no operator in it")
    constants = [a.t for node in nodes if node.op_type == "Constant" for a in node.attribute if a.HasField("t")]
    tensors = [*constants, *(tensor for graph in graphs for tensor in graph.initializer)]
    return GraphFacts(
        operators=dict(Counter(node.op_type for node in nodes if node.op_type != "Constant").most_common()),
        weights=sum(math.prod(tensor.dims) for tensor in tensors),
        opset=max((o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}), default=0),
    )


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(inner)


def schema_errors(manifest: Any) -> list[str]:
    """Return where ``manifest`` departs from the schema and how, a line for each; [] if it does not."""
    validator = Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(manifest), key=lambda error: error.json_path)
    return list(dict.fromkeys(f"{error.json_path.removeprefix('$.')}: {_message(error)}" for error in errors))


def _message(error: ValidationError) -> str:
    if error.validator == "anyOf":
        return "needs " + " or ".join(name for choice in error.validator_value for name in choice["required"])
    if error.validator == "contains" and "const" in error.validator_value:
        return "null is not among them, the place of the language"
    if error.validator == "contains":
        name = error.validator_value["properties"]["name"]
        return f"{name.get('const') or name['pattern']!r} is not among them with the dtype and shape that it must have"
    if error.validator == "required" and error.instance == {}:
        return f"{error.message} (it is empty)"
    message = " ".join(error.message.split())
    return (
        message
        if len(message) <= LONGEST_MESSAGE
        else f"{message[: LONGEST_MESSAGE // 2]} … {message[-LONGEST_MESSAGE // 2 :]}"
    )
