"""A checkpoint of speech emotion, of either network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainer import checkpoints
from trainer.errors import CheckpointError
from trainer.speech.bilstm import AttentionBiLSTM
from trainer.speech.network import SpeechEmotion

KIND, IS09_KIND = "speech", "speech-is09"


def write(out: Path, network: SpeechEmotion | AttentionBiLSTM, config: dict[str, Any]) -> None:
    """Write the checkpoint ``out``, all of it or nothing."""
    if isinstance(network, SpeechEmotion):
        sizes = {"width": network.width, "features": network.features, "members": network.members}
        config = {**config, "kind": KIND, **sizes}
    else:
        config = {**config, "kind": IS09_KIND}
    checkpoints.write(out, network, config)


def restore(folder: Path) -> tuple[SpeechEmotion | AttentionBiLSTM, dict[str, Any]]:
    """Return the network in the checkpoint ``folder``, and its config.

    Raises:
        CheckpointError: there is none, or it is of another kind.
    """
    network: SpeechEmotion | AttentionBiLSTM
    if checkpoints.kind(folder) == IS09_KIND:
        config = checkpoints.read(folder, IS09_KIND)
        settings = config["settings"]
        size = settings.get("attention_size", settings.get("attention"))  # version 0.1 said attention
        network = AttentionBiLSTM(len(config["labels"]), attention=size, masked=settings["masked"])
    else:
        config = checkpoints.read(folder, KIND)
        if "features" not in config:
            raise CheckpointError(
                f"{folder}: its network knows nothing of baselines, as those before version 0.3; train it again, or "
                "export it with the version that trained it"
            )
        # Up to bundle 0.4 there was one member, which no config named.
        sizes = {"members": config.get("members", 1), "width": config.get("width"), "features": config["features"]}
        if not all(type(size) is int and size >= 1 for size in sizes.values()):
            said = ", ".join(f"{name} {size!r}" for name, size in sizes.items())
            raise CheckpointError(f"{folder}: damaged: {said} should be whole numbers above 0")
        try:
            network = SpeechEmotion(len(config["labels"]), **sizes)
        except RuntimeError as error:  # torch's, for more memory than there is
            raise CheckpointError(f"{folder}: damaged: sizes that do not fit the memory: {error}") from error
    checkpoints.load_weights(folder, network)
    return network, config
