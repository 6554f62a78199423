"""Three forms of reward, for people with less and with more lingering moods: what an agent learns from each."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.common import results_file
from edge_runtime.rewards.dialogue_env import Form
from edge_runtime.rewards.user_simulator import UserParameters
from edge_runtime.system.writing import write_text
from examples.learn_from_emotion import EXPLORES, FORMS, conditions, learn, plot

ROOT = Path(__file__).parents[2]
PAGE, PICTURE = ROOT / "docs" / "rewards.md", ROOT / "docs" / "rewards.png"
BEGIN, END = "<!-- figures: python -m benchmarks reward -->", "<!-- end of figures -->"
LINGERING = (0.0, 0.5, 0.8, 0.9, 0.95)
EXPLORING = {"at random": False, "by habit": True}
SHOWN = 25
"""Of a curve every so many dialogues are kept in the JSON."""

Regrets = dict[Form, NDArray[np.float64]]


def measure(*, seeds: int, dialogues: int) -> tuple[dict[str, Any], dict[str, Regrets]]:
    """Return what is kept, and the curves of the plot's conditions.

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


def table(result: dict[str, Any]) -> str:
    """Return the regrets at the end, a line for each condition."""
    settings = result["settings"]
    lines = [
        ("lingering", "explores", *FORMS, "seeds where delta beats posterior, ties, loses"),
        ("---",) * (3 + len(FORMS)),
        *(
            (
                f"{row['lingering']:g}",
                row["explores"],
                *("{mean:.3f} ± {std:.3f}".format(**row["forms"][form]["regret"]) for form in FORMS),
                _pairs(*(row["forms"][form]["of_each_seed"] for form in ("posterior", "delta"))),
            )
            for row in result["rows"]
        ),
    ]
    head = f"Regret after {settings['dialogues']} dialogues, mean ± deviation over {settings['seeds']} seeds:\n\n"
    return head + "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _pairs(posterior: list[float], delta: list[float]) -> str:
    """Return how often delta is better, alike and worse: a seed gives both the same effects, people and tries."""
    signs = [int(np.sign(p - d)) for p, d in zip(posterior, delta, strict=True)]
    return ", ".join(str(signs.count(sign)) for sign in (1, 0, -1))


def write_table(result: dict[str, Any], page: Path) -> None:
    """Replace what stands between the two marks in ``page``.

    Raises:
        ValueError: the marks are not there.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page}: expected the marks {BEGIN} and {END}")
    write_text(page, f"{before}{begin}\n\n{table(result)}\n\n{end}{after}")


def command(
    seeds: Annotated[int, typer.Option(min=2, help="Repeats; each with other effects, people and tries.")] = 20,
    dialogues: Annotated[int, typer.Option(min=SHOWN, help="That an agent learns from.")] = 300,
) -> None:
    """What an agent learns from three forms of reward; also draws docs/rewards.png and the table in docs/rewards.md."""
    result, curves = measure(seeds=seeds, dialogues=dialogues)
    print(results_file.write("reward", result))
    plot(curves, PICTURE)
    write_table(result, PAGE)
