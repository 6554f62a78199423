"""Find a bundle and check that it is whole."""

from importlib import import_module
from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # to a type checker the old names are errors

    def __getattr__(name):
        if not name[0].isupper():  # a module here, or `__path__`: asked for by each import
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("edge_runtime.deprecated").attribute(__name__, name)
