"""One part of an experiment: which rows each network learns from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainer import training_loop
from trainer.config import Fusion
from trainer.corpora.protocols import Fold
from trainer.experiment import fold as units
from trainer.experiment.fold import FoldRun, RunContext
from trainer.modality import Modality, Truth

N, HELD, TEST = 60, np.arange(40, 45), np.arange(45, 60)
FOLD = Fold("test", np.arange(40), HELD, TEST)


class Named(nn.Module):
    """A network whose embedding is the number of the utterance, so that it can be told later."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(1, 2)

    def forward(self, row: Tensor) -> tuple[Tensor, Tensor]:
        return self.classifier(row), row


def branch(name: str) -> Modality:
    examples = [{"row": np.array([i], np.float32)} for i in range(N)]
    schedule = training_loop.Schedule(epochs=1, batch_size=8, learning_rate=1e-3)
    return Modality(name, examples, [[e] for e in examples], training_loop.stack, lambda *_: Named(), schedule)


@dataclass
class Trainings:
    """What each network was trained on, instead of training it: its rows, and their labels."""

    rows: dict[str, list[int]] = field(default_factory=dict)
    labels: dict[str, list[int]] = field(default_factory=dict)
    seeds: set[int] = field(default_factory=set)

    def train(self, branch: Modality, rows: Any, truth: Truth, *, seed: int, **__: object) -> Any:
        chosen = [branch.examples[i] for i in rows]
        said = [e["row"] if "row" in e else e["speech_embedding"] for e in chosen]
        self.rows[branch.name] = [int(row[0]) for row in said]
        self.labels[branch.name] = truth.labels[rows].tolist()
        self.seeds.add(seed)
        return branch.fresh(rows, seed), []


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def train(fusion: Fusion | None, seed: int = 0) -> tuple[Trainings, FoldRun]:
        found = Trainings()
        monkeypatch.setattr(units, "train", found.train)
        material = RunContext(
            {"speech": branch("speech"), "text": branch("text")},
            Truth(np.arange(N) % 2, ("a", "b"), ["own"] * N),
            fusion,
            True,
        )
        unit = FoldRun(tmp_path / str(seed), FOLD, seed)
        units.run(unit, material)
        return found, unit

    return train


def test_fusion_learns_from_rows_that_its_branches_have_not_seen(trained: Any) -> None:
    found, _ = trained(Fusion(fusion_holdout=0.25))
    assert found.rows["speech"] == found.rows["text"]
    assert (len(found.rows["speech"]), len(found.rows["fusion"])) == (30, 10)
    assert not set(found.rows["speech"]) & set(found.rows["fusion"])
    assert {*found.rows["speech"], *found.rows["fusion"]} == set(FOLD.train)


def test_with_nothing_apart_all_networks_learn_from_all_training_rows(trained: Any) -> None:
    found, _ = trained(Fusion())
    assert found.rows == dict.fromkeys(("speech", "text", "fusion"), FOLD.train.tolist())


@pytest.mark.parametrize("apart", [0.0, 0.25])
def test_every_network_learns_each_row_s_own_label(trained: Any, apart: float) -> None:
    found, _ = trained(Fusion(fusion_holdout=apart))
    for name, rows in found.rows.items():
        assert found.labels[name] == [row % 2 for row in rows]


def test_the_seed_decides_which_rows_are_apart(trained: Any) -> None:
    first, again, other = (trained(Fusion(fusion_holdout=0.25), seed)[0] for seed in (1, 1, 2))
    assert first.rows == again.rows
    assert first.rows["fusion"] != other.rows["fusion"]
    assert (first.seeds, other.seeds) == ({1}, {2})


def test_answers_are_of_the_rows_held_apart_then_of_those_tested(trained: Any) -> None:
    _, unit = trained(Fusion(block="product-of-experts"))
    answers = unit.answers()
    assert set(answers) == {"speech", "text", "fusion", "fusion_speech_only", "fusion_text_only"}
    for name in ("speech", "text"):
        told = answers[name]
        assert len(told) == len(HELD) + len(TEST)
        slope = (told[-1] - told[0]) / (TEST[-1] - HELD[0])  # logits of a linear layer, row by row
        np.testing.assert_allclose(told, told[0] + (np.array([*HELD, *TEST]) - HELD[0])[:, None] * slope, atol=1e-4)


def test_an_answer_from_one_branch_alone_is_that_branch_s(trained: Any) -> None:
    torch.manual_seed(0)
    _, unit = trained(Fusion(block="product-of-experts"))
    answers = unit.answers()
    for side in ("speech", "text"):
        # A fresh block repeats what the side that is there says, as a distribution.
        alone = torch.from_numpy(answers[f"fusion_{side}_only"]).softmax(1)
        torch.testing.assert_close(alone, torch.from_numpy(answers[side]).softmax(1), atol=1e-4, rtol=0)
