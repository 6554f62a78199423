"""Where the bundle is: told, named by the environment, or installed as a package of its own."""

from __future__ import annotations

import os
import stat
from importlib.util import find_spec
from pathlib import Path

from edge_runtime.bundle.bundle import MANIFEST
from edge_runtime.errors import BundleError, BundleNotFoundError
from edge_runtime.system.paths import status, why

VARIABLE = "EDGE_IEMONET_BUNDLE"
PACKAGE = "edge_iemonet_bundles"
"""Bundle packages put their folders into this one package; nothing in it is ever imported."""
DEFAULT = "en-tiny-int8"


def installed() -> dict[str, Path]:
    """Return the bundles installed as packages, by name."""
    spec = find_spec(PACKAGE)
    roots = spec.submodule_search_locations if spec else None
    folders = [f for root in roots or () if Path(root).is_dir() for f in sorted(Path(root).iterdir())]
    return {folder.name: folder for folder in folders if (folder / MANIFEST).is_file()}


def locate(bundle: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of ``bundle``.

    Args:
        bundle: a path, or the name of an installed bundle; None takes ``EDGE_IEMONET_BUNDLE``, else the
            default bundle if it is installed, else the only one that is.

    Raises:
        BundleNotFoundError: there is none, or there are several and none is meant.
        BundleError: the path cannot be read.
    """
    wanted = os.fspath(bundle) if bundle is not None else os.environ.get(VARIABLE) or None
    packages = installed()
    if wanted is not None:
        if wanted and _is_folder(wanted):
            return Path(wanted)
        if wanted in packages:
            return packages[wanted]
        known = ", ".join(packages) or "none"
        raise BundleNotFoundError(f"{wanted}: no such folder, nor an installed bundle (installed: {known})")
    if DEFAULT in packages:
        return packages[DEFAULT]
    if len(packages) == 1:
        return next(iter(packages.values()))
    if packages:
        raise BundleNotFoundError(f"several bundles are installed ({', '.join(packages)}); name one")
    raise BundleNotFoundError(
        f"no bundle is installed: install the package edge-iemonet-{DEFAULT}, "
        f"or name a bundle's folder (--bundle, or the variable {VARIABLE})"
    )


def _is_folder(path: str) -> bool:
    try:
        found = status(path)
    except OSError as error:
        raise BundleError(f"{path}: {why(path, error)}") from error
    return found is not None and stat.S_ISDIR(found.st_mode)
