"""Find a bundle and check that it is whole."""

from importlib import import_module
from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # to a type checker the old names are errors

    def __getattr__(name):
        return import_module("edge_runtime.deprecated").attribute(__name__, name)
