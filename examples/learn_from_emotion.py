"""An agent learns how to talk, from the emotion that it hears as its reward (the paper's section 3).

    pip install 'edge-iemonet[gym]' matplotlib
    python examples/learn_from_emotion.py --out reward.png

It keeps the mean reward of each act on each topic, and mostly takes the best. In between it explores: at random, or by
a habit that many scripts have, bold with those who sound happy and careful with those who do not. Plotted is the regret
of what it has learned: by how much the best act for a topic would have pleased more than the one it thinks best.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from edge_runtime.rewards.dialogue_env import DialogueEnv, Form, some_effects
from edge_runtime.rewards.user_simulator import LABELS, UserParameters

FORMS: dict[Form, str] = {
    "posterior": "posterior: Σ f·P",
    "delta": "delta: Σ f·ΔP",
    "unexpected": "unexpected: Σ f·(ΔP - ΔP_est)",
}
EXPLORES = 0.2
"""Part of the turns in which the agent tries something."""
Curves = Mapping[str, Mapping[Form, NDArray[np.float64]]]
"""By condition and form of the reward: the regret after each dialogue, (seeds, dialogues)."""


def learn(form: Form, *, user: UserParameters, habit: bool, seed: int, dialogues: int) -> NDArray[np.float64]:
    """Return the regret of what is believed best after each dialogue, (dialogues,), a mean over topics."""
    random = np.random.default_rng([seed, 1])
    effects = some_effects(np.random.default_rng([seed, 0]))
    env = DialogueEnv(form, effects=effects, user=user)
    topics, acts = effects.shape
    value, tried = np.zeros((topics, acts)), np.zeros((topics, acts))
    regret = np.empty(dialogues)
    for dialogue in range(dialogues):
        heard, _ = env.reset(seed=seed if dialogue == 0 else None)
        over = False
        while not over:
            topic = heard["topic"]
            act = int(value[topic].argmax())
            if random.random() < EXPLORES:
                act = int(random.choice(_habit(heard["emotion"], acts) if habit else acts))
            heard, reward, over, _, _ = env.step(act)
            tried[topic, act] += 1
            value[topic, act] += (reward - value[topic, act]) / tried[topic, act]
        believed_best = effects[np.arange(topics), value.argmax(axis=1)]
        regret[dialogue] = (effects.max(axis=1) - believed_best).mean()
    return regret


def _habit(emotion: NDArray[np.float64], acts: int) -> NDArray[np.int64]:
    """Return the acts that come to mind: the first half with who sounds happy, the second half with others."""
    happy = emotion[LABELS.index("happy")] > 0.5
    return np.arange(acts // 2) if happy else np.arange(acts // 2, acts)


def plot(curves: Curves, path: Path) -> None:
    """Draw the mean over seeds of each form of reward, and the middle half of the seeds, one panel a condition."""
    import matplotlib as mpl  # noqa: PLC0415 - only to draw

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, panels = plt.subplots(2, 2, figsize=(9, 6), sharex=True, sharey=True, layout="constrained")
    for panel, (condition, by_form) in zip(panels.flat, curves.items(), strict=True):
        for form, regret in by_form.items():
            dialogues = np.arange(1, regret.shape[1] + 1)
            (line,) = panel.plot(dialogues, regret.mean(axis=0), label=FORMS[form])
            panel.fill_between(
                dialogues, *np.quantile(regret, (0.25, 0.75), axis=0), color=line.get_color(), alpha=0.15, linewidth=0
            )
        panel.set_title(condition, fontsize=10)
        panel.set_ylim(0, 0.4)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0, 0].legend(frameon=False, fontsize=9)
    figure.supxlabel("dialogues", fontsize=10)
    figure.supylabel("regret of what was learned, a turn", fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def conditions() -> dict[str, tuple[UserParameters, bool]]:
    """Return what is compared: the temper of people, and whether the agent explores by habit."""
    return {
        "no mood, explores at random": (UserParameters(mood_decay=0.0), False),
        "no mood, explores by habit": (UserParameters(mood_decay=0.0), True),
        "lingering mood, explores at random": (UserParameters(), False),
        "lingering mood, explores by habit": (UserParameters(), True),
    }


def main(
    out: Annotated[Path, typer.Option(help="The plot: png or svg.")] = Path("reward.png"),
    seeds: Annotated[int, typer.Option(min=1, help="Repeats; each with other effects, people and tries.")] = 5,
    dialogues: Annotated[int, typer.Option(min=1, help="How many dialogues the agent learns from.")] = 300,
) -> None:
    """Compare three forms of reward with and without a lingering mood, and plot the regret."""
    curves: dict[str, dict[Form, NDArray[np.float64]]] = {}
    for condition, (user, habit) in conditions().items():
        print(condition)
        curves[condition] = {}
        for form in FORMS:
            regret = [learn(form, user=user, habit=habit, seed=s, dialogues=dialogues) for s in range(seeds)]
            curves[condition][form] = np.stack(regret)
            last = curves[condition][form][:, -1]
            print(f"  {form:10}  regret at the end {last.mean():.3f} ± {last.std():.3f} over {seeds} seeds")
    plot(curves, out)
    print(f"the plot is {out}")


if __name__ == "__main__":
    typer.run(main)
