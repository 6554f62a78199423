"""A checkpoint of speech emotion is read back, those of earlier versions too."""

from pathlib import Path
from typing import Any

import pytest
import torch

from trainer import checkpoints
from trainer.errors import CheckpointError
from trainer.speech import checkpoint
from trainer.speech.network import SpeechEmotion

LABELS = ["neutral", "happy", "sad"]


def config(network: SpeechEmotion, **more: Any) -> dict[str, Any]:
    """Return a config as version 0.4 wrote it, which knew no members."""
    return {"kind": "speech", "labels": LABELS, "width": network.width, "features": network.features, **more}


def answers(network: SpeechEmotion) -> torch.Tensor:
    features = torch.randn(4, network.features, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return network.eval()(features)[0]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    network = SpeechEmotion(len(LABELS), width=6, members=3)
    checkpoint.write(tmp_path / "speech", network, {"labels": LABELS})
    read, found = checkpoint.restore(tmp_path / "speech")
    assert found["members"] == read.members == 3
    torch.testing.assert_close(answers(read), answers(network))


def test_a_checkpoint_that_names_no_members_has_one(tmp_path: Path) -> None:
    network = SpeechEmotion(len(LABELS), width=6, members=1)
    checkpoints.write(tmp_path / "speech", network, config(network))
    read, _ = checkpoint.restore(tmp_path / "speech")
    torch.testing.assert_close(answers(read), answers(network))


@pytest.mark.parametrize("members", [2, 0, -1, "3", None, 1.5, True, 10**9])
def test_members_that_the_weights_do_not_have_are_refused(tmp_path: Path, members: object) -> None:
    network = SpeechEmotion(len(LABELS), width=6, members=3)
    checkpoints.write(tmp_path / "speech", network, config(network, members=members))
    with pytest.raises(CheckpointError, match=r"speech"):
        checkpoint.restore(tmp_path / "speech")
