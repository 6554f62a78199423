"""The committed bundle with a decoder of several utterances; made of its own decoder until it is exported with one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from edge_runtime.bundle.bundle import MANIFEST, SCHEMA, Bundle
from export.bundle_writer import slot_entry, write_manifest
from export.quantization.batch_decoder import write_batch_decoder


def batching(folder: Path, target: Path) -> Path:
    """Return ``folder`` if the bundle in it decodes several utterances; else ``target``, where the same bundle does."""
    bundle = Bundle.read(folder)
    if "batch_decoder" in bundle.slots:
        return folder
    shutil.copytree(folder, target)
    decoder, graph = target / "transcript_decoder.onnx", target / "batch_decoder.onnx"
    write_batch_decoder(decoder, graph)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    own = manifest["slots"]["transcript_decoder"]
    shared = {"weights": own["weights"]} if "weights" in own else {}
    manifest["slots"]["batch_decoder"] = {**slot_entry(graph, own["precision"]), **shared}
    write_manifest(target, manifest | {"schema": SCHEMA})
    return target
