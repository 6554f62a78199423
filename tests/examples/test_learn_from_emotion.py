"""The example that learns from emotion, as small as shows something."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from edge_runtime.rewards.user_simulator import UserParameters
from examples.learn_from_emotion import learn


def regret_at_the_end(form, user, *, habit):
    curves = [learn(form, user=user, habit=habit, seed=seed, dialogues=120) for seed in range(6)]
    return float(np.mean([curve[-20:].mean() for curve in curves]))


def test_a_lingering_mood_misleads_the_posterior_and_not_the_delta():
    posterior, delta = (regret_at_the_end(form, UserParameters(), habit=True) for form in ("posterior", "delta"))
    assert posterior > 1.5 * delta


def test_without_a_mood_the_posterior_is_the_better_reward():
    posterior, delta = (
        regret_at_the_end(form, UserParameters(mood_decay=0.0), habit=True) for form in ("posterior", "delta")
    )
    assert delta > 1.5 * posterior


def test_the_example_halves_its_regret():
    curve = learn("delta", user=UserParameters(), habit=False, seed=0, dialogues=120)
    assert curve[-20:].mean() < curve[:3].mean() / 2


def test_the_example_runs_as_written_and_plots(repository, tmp_path):
    plot = tmp_path / "reward.png"
    command = [sys.executable, str(repository / "examples" / "learn_from_emotion.py")]
    options = ["--out", str(plot), "--seeds", "2", "--dialogues", "20"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert done.stdout.count("regret at the end") == 12
