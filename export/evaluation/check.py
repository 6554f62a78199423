"""Whether a bundle still is what was exported: files, graphs, and what it says on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.pipeline import IEmoNet
from export.evaluation import regression


def check(folder: Path) -> dict[str, Any]:
    """Check the bundle in ``folder`` again.

    Returns:
        ``bundle``, its name and version; ``files``, how many have the checksum that the manifest states; ``graphs``,
        how many opened; what ``export.evaluation.regression`` found, where the manifest says what the bundle said
        when it was made; and ``wrong``, in words, what is.

    Raises:
        BundleNotFoundError, BundleError: it is missing or damaged; the message says where.
    """
    bundle = Bundle.read(folder)
    model = IEmoNet(bundle, device="cpu", threads=1)
    found: dict[str, Any] = {
        "bundle": f"{bundle.name} {bundle.version}",
        "files": len(bundle.slots) + len(bundle.tokenizers),
        "graphs": len(bundle.slots),
    }
    recorded = bundle.manifest.get("verification", {}).get("built_in_answers")
    if recorded is None:
        return found | {"answers": "not recorded when it was made", "wrong": []}
    now = regression.compare(recorded, model)
    wrong = []
    if now["clear_labels_changed"]:
        wrong.append(
            f"{now['clear_labels_changed']} clear labels are others here; was it quantised for another processor?"
        )
    if now["answers_lost"]:
        wrong.append(f"{now['answers_lost']} recordings are answered here or there alone")
    return found | now | {"wrong": wrong}
