"""Regret of an agent that learns from each of three forms of reward, for moods that linger less and more."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.common import results_file
from benchmarks.common.paths import ROOT
from edge_runtime.rewards.dialogue_env import Form
from edge_runtime.rewards.user_simulator import UserParameters
from examples.learn_from_emotion import EXPLORES, FORMS, conditions, learn, plot

PLOT = ROOT / "docs" / "rewards.png"
LINGERING = (0.0, 0.5, 0.8, 0.9, 0.95)
EXPLORING = {"at random": False, "by habit": True}
SHOWN = 25
"""Of a curve every so many dialogues are kept in the JSON."""

Regrets = dict[Form, NDArray[np.float64]]


def measure(*, seeds: int, dialogues: int) -> tuple[dict[str, Any], dict[str, Regrets]]:
    """Return the result, and the curves of the plot's conditions.

    Args:
        seeds: 0 to this number; each with other effects, people and tries.
        dialogues: that an agent learns from.
    """
    found = {
        (lingering, way): _regrets(UserParameters(mood_decay=lingering), habit, seeds, dialogues)
        for lingering in LINGERING
        for way, habit in EXPLORING.items()
    }
    rows = [
        {"lingering": lingering, "explores": way, "forms": {form: _summary(r) for form, r in regrets.items()}}
        for (lingering, way), regrets in found.items()
    ]
    curves = {
        name: found[user.mood_decay, "by habit" if habit else "at random"]
        for name, (user, habit) in conditions().items()
    }
    settings = {"seeds": seeds, "dialogues": dialogues, "explores": EXPLORES, "temper": vars(UserParameters())}
    return {"gymnasium": version("gymnasium"), "settings": settings, "rows": rows}, curves


def _regrets(user: UserParameters, habit: bool, seeds: int, dialogues: int) -> Regrets:
    return {
        form: np.stack([learn(form, user=user, habit=habit, seed=s, dialogues=dialogues) for s in range(seeds)])
        for form in FORMS
    }


def _summary(regret: NDArray[np.float64]) -> dict[str, Any]:
    last = regret[:, -1]
    return {
        "regret": {"mean": float(last.mean()), "std": float(last.std(ddof=1))},
        "of_each_seed": np.round(last, 4).tolist(),
        "mean_curve": np.round(regret.mean(axis=0)[SHOWN - 1 :: SHOWN], 4).tolist(),
    }


def command(
    seeds: Annotated[int, typer.Option(min=2, help="Repeats; each with other effects, people and tries.")] = 20,
    dialogues: Annotated[int, typer.Option(min=SHOWN, help="That an agent learns from.")] = 300,
) -> None:
    """Regret of an agent under three forms of reward."""
    result, curves = measure(seeds=seeds, dialogues=dialogues)
    print(results_file.write("reward", result))
    plot(curves, PLOT)
