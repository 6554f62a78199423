"""Import paths of version 0.1 that changed: each works until version 0.3, with a DeprecationWarning.

``edge_runtime/__init__.py`` asks this module only for a path that no other importer finds, so importing the package
costs no more.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from operator import attrgetter
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

RENAMED = {
    "edge_runtime.interlocutor.Interlocutor": {"temper": "user"},
    "edge_runtime.interlocutor.Temper": {"lingering": "mood_decay", "hearing": "observation_noise"},
}
"""Arguments and attributes that changed their names, of classes that are asked for by their old path."""


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
    return _with_old_names(old, found) if old in RENAMED else found


@cache
def _with_old_names(path: str, new: Any) -> type:
    """Return a subclass of ``new`` that takes, has and unpickles the old names of arguments and attributes."""
    names = RENAMED[path]

    def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
        return {names.get(name, name): value for name, value in values.items()}

    module, _, name = path.rpartition(".")
    members: dict[str, Any] = {
        "__module__": module,
        "__init__": lambda self, *values, **named: new.__init__(self, *values, **renamed(named)),
        "__setstate__": lambda self, state: self.__dict__.update(renamed(state)),
    }
    attributes = {old: property(attrgetter(current)) for old, current in names.items() if hasattr(new, current)}
    return type(name, (new,), members | attributes)


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
        place = import_module(MOVED[module.__name__])
        changed = [path.rpartition(".")[2] for path in RENAMED if path.startswith(f"{module.__name__}.")]
        module.__doc__ = place.__doc__
        module.__all__ = [*(name for name in vars(place) if not name.startswith("_")), *changed]  # type: ignore[attr-defined]
        module.__getattr__ = lambda name: attribute(module.__name__, name)  # type: ignore[method-assign]
