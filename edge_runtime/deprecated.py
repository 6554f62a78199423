"""Import paths of version 0.1 that changed: each works until version 0.3, with a DeprecationWarning.

``edge_runtime/__init__.py`` asks this module only for a path that no other importer finds, so importing the package
costs no more.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "edge_runtime.dialogue_env": "edge_runtime.rewards.dialogue_env",
    "edge_runtime.dialogue_reward": "edge_runtime.rewards.dialogue_reward",
    "edge_runtime.interlocutor": "edge_runtime.rewards.user_simulator",
    "edge_runtime.interlocutor.Interlocutor": "edge_runtime.rewards.user_simulator.UserSimulator",
    "edge_runtime.interlocutor.Temper": "edge_runtime.rewards.user_simulator.UserParameters",
    "edge_runtime.processors": "edge_runtime.system.processors",
    "edge_runtime.reward": "edge_runtime.rewards.reward",
    "edge_runtime.audio.Audio": "edge_runtime.Audio",
    "edge_runtime.audio.Recording": "edge_runtime.Recording",
    "edge_runtime.audio.SAMPLE_RATE": "edge_runtime.audio.recording.SAMPLE_RATE",
    "edge_runtime.bundle.Bundle": "edge_runtime.Bundle",
    "edge_runtime.errors.CheckpointError": "trainer.errors.CheckpointError",
    "edge_runtime.errors.ConfigError": "trainer.errors.ConfigError",
    "edge_runtime.errors.CorpusError": "trainer.errors.CorpusError",
    "edge_runtime.errors.ExportError": "trainer.errors.ExportError",
    "edge_runtime.errors.WeightsError": "trainer.errors.WeightsError",
}
"""Where a module or a name was → where it is. The names in a module that moved need no row, unless they changed."""

KEYWORDS = {"edge_runtime.interlocutor.Temper": {"lingering": "mood_decay", "hearing": "observation_noise"}}
"""Arguments that changed their names, of what is called by its old path."""


def attribute(module: str, name: str) -> object:
    """Return the object that was ``name`` in ``module``, for a module's ``__getattr__``.

    Raises:
        AttributeError: there was no such name.
    """
    old = f"{module}.{name}"
    new = MOVED.get(old) or (f"{MOVED[module]}.{name}" if module in MOVED and not name.startswith("__") else None)
    if new is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    place, _, name = new.rpartition(".")
    found = getattr(import_module(place), name)
    warnings.warn(f"{old} is now {new}; the old path works until version 0.3", DeprecationWarning, stacklevel=3)
    return _with_old_keywords(found, KEYWORDS[old]) if old in KEYWORDS else found


def _with_old_keywords(function: Any, names: Mapping[str, str]) -> Callable[..., object]:
    return lambda *arguments, **named: function(*arguments, **{names.get(name, name): named[name] for name in named})


def warn_renamed(old: str, new: str) -> None:
    """Warn the caller of the caller that ``old`` is now called ``new``."""
    warnings.warn(f"{old} is now {new}; the old name works until version 0.3", DeprecationWarning, stacklevel=3)


def spec(module: str) -> ModuleSpec | None:
    """Return how to import a module that moved, or None."""
    return ModuleSpec(module, _OldPath()) if module in MOVED else None


class _OldPath(Loader):
    """Makes a module whose names are found at their new places."""

    def create_module(self, _: ModuleSpec) -> None:
        """Leave the making of an empty module to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Let each name be looked up when it is asked for."""
        module.__getattr__ = lambda name: attribute(module.__name__, name)  # type: ignore[method-assign]
