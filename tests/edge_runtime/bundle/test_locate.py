"""Finding the bundle: as told, as the environment says, or as installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import BundleNotFoundError
from edge_runtime.bundle.locate import DEFAULT, PACKAGE, VARIABLE, installed, locate


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if not (Path(p) / PACKAGE).is_dir()])


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    def put(name: str, site: str = "site") -> Path:
        folder = tmp_path / site / PACKAGE / name
        folder.mkdir(parents=True)
        (folder / "bundle.json").write_text("{}")
        monkeypatch.syspath_prepend(tmp_path / site)
        return folder

    return put


def test_a_folder_that_is_told_comes_first(
    tmp_path: Path, install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(DEFAULT)
    monkeypatch.setenv(VARIABLE, "elsewhere")
    assert locate(tmp_path) == tmp_path
    assert locate(str(tmp_path)) == tmp_path


def test_the_environment_comes_before_what_is_installed(
    tmp_path: Path, install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(DEFAULT)
    other = install("de-base-fp32")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert locate() == tmp_path
    monkeypatch.setenv(VARIABLE, "de-base-fp32")
    assert locate() == other


def test_an_empty_variable_is_none(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install(DEFAULT)
    monkeypatch.setenv(VARIABLE, "")
    assert locate() == folder


def test_an_installed_bundle_is_found_by_name_and_by_default(install: Callable[..., Path]) -> None:
    folder = install("de-base-fp32")
    assert installed() == {"de-base-fp32": folder}
    assert locate("de-base-fp32") == locate() == folder


def test_bundles_of_several_places_are_all_found(install: Callable[..., Path]) -> None:
    folders = {"one": install("one", site="user"), "two": install("two", site="system")}
    assert installed() == folders
    assert locate("one") == folders["one"]


def test_the_default_is_taken_among_several(install: Callable[..., Path]) -> None:
    install("another")
    folder = install(DEFAULT)
    assert locate() == folder


def test_of_several_others_one_must_be_named(install: Callable[..., Path]) -> None:
    install("one")
    install("two")
    with pytest.raises(BundleNotFoundError, match=r"several.*one.*two"):
        locate()


def test_with_none_it_says_how_to_get_one() -> None:
    assert installed() == {}
    with pytest.raises(BundleNotFoundError, match=f"edge-iemonet-{DEFAULT}.*--bundle.*{VARIABLE}") as caught:
        locate()
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("name", ["unknown", "no/such/folder", "n" * 5_000, "nul\0byte"])
def test_an_unknown_name_is_refused_with_those_that_are_known(install: Callable[..., Path], name: str) -> None:
    with pytest.raises(BundleNotFoundError, match="installed: none"):
        locate(name)
    install("known")
    with pytest.raises(BundleNotFoundError, match="installed: known"):
        locate(name)


def test_what_has_no_manifest_is_no_bundle(install: Callable[..., Path]) -> None:
    folder = install("real")
    (folder.parent / "__pycache__").mkdir()
    (folder.parent / "file.txt").touch()
    assert set(installed()) == {"real"}
