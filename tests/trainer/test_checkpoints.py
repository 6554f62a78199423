"""Checkpoints: a round trip, what is refused, and that a failure leaves nothing behind."""

import json
import stat

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

from trainer import checkpoints
from trainer.errors import CheckpointError

CONFIG = {"kind": "speech", "labels": ["neutral", "fröhlich"], "metrics": {"ua": 0.5}}


def network(width: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(width, 4), nn.BatchNorm1d(4))


def test_config_weights_and_extras_come_back(tmp_path):
    one, other, folder = network(), network(), tmp_path / "new" / "speech"
    extra = tmp_path / "somewhere.txt"
    extra.write_text("words")
    checkpoints.write(folder, one, CONFIG, {"tokenizer.json": extra})
    found = checkpoints.read(folder, "speech")
    assert {k: found[k] for k in CONFIG} == CONFIG
    assert found["versions"] == checkpoints.versions()
    assert (folder / "tokenizer.json").read_text() == "words"
    checkpoints.load_weights(folder, other)
    assert not other.training
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_written_checkpoint_is_readable_by_others(tmp_path):
    checkpoints.write(tmp_path / "speech", network(), CONFIG)
    assert stat.S_IMODE((tmp_path / "speech").stat().st_mode) == 0o755


def test_writing_again_replaces_everything(tmp_path):
    folder, extra = tmp_path / "speech", tmp_path / "extra"
    extra.write_text("")
    checkpoints.write(folder, network(), CONFIG, {"old.json": extra})
    checkpoints.write(folder, network(), {**CONFIG, "labels": ["a"]})
    assert sorted(p.name for p in folder.iterdir()) == [checkpoints.CONFIG, checkpoints.WEIGHTS]
    assert checkpoints.read(folder, "speech")["labels"] == ["a"]


@pytest.mark.parametrize("flaw", ["extra", "config", "weights"])
def test_a_failure_leaves_the_old_checkpoint_and_nothing_half_written(tmp_path, flaw):
    folder = tmp_path / "speech"
    checkpoints.write(folder, network(), CONFIG)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    broken = network()
    if flaw == "weights":
        broken.twin = broken[0]  # safetensors holds no tensor twice
    with pytest.raises((OSError, TypeError, RuntimeError)):
        checkpoints.write(
            folder,
            broken,
            {**CONFIG, "settings": object() if flaw == "config" else 1},
            {"tokenizer.json": tmp_path / "missing"} if flaw == "extra" else None,
        )
    assert [p.name for p in tmp_path.iterdir()] == ["speech"]
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


@pytest.mark.parametrize("lost", [checkpoints.CONFIG, checkpoints.WEIGHTS, None])
def test_a_missing_checkpoint_says_how_to_make_one(tmp_path, lost):
    folder = tmp_path / "speech"
    if lost:
        checkpoints.write(folder, network(), CONFIG)
        (folder / lost).unlink()
    with pytest.raises(CheckpointError, match="`trainer fit --only speech` makes one"):
        checkpoints.read(folder, "speech")


def test_another_kind_is_refused(tmp_path):
    checkpoints.write(tmp_path / "speech", network(), CONFIG)
    with pytest.raises(CheckpointError, match="kind 'speech', not 'text'"):
        checkpoints.read(tmp_path / "speech", "text")


values = st.recursive(st.none() | st.floats() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v))


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40) | values.map(lambda v: json.dumps(v).encode()))
@example(b"")
@example(b'{"kind": "speech"')
@example(b"{}")
@example(b"[]")
def test_a_damaged_config_is_refused(tmp_path, content):
    (tmp_path / checkpoints.WEIGHTS).write_bytes(b"")
    (tmp_path / checkpoints.CONFIG).write_bytes(content)
    with pytest.raises(CheckpointError):
        checkpoints.read(tmp_path, "speech")


@pytest.mark.parametrize("other", [network(width=5), nn.Linear(3, 4), nn.Sequential(*network(), nn.Linear(4, 4))])
def test_weights_that_do_not_fit_are_refused(tmp_path, other):
    checkpoints.write(tmp_path / "speech", network(), CONFIG)
    with pytest.raises(CheckpointError, match="does not fit"):
        checkpoints.load_weights(tmp_path / "speech", other)


@pytest.mark.parametrize("size", [0, 7, 60, -4])
def test_truncated_weights_are_refused(tmp_path, size):
    folder = tmp_path / "speech"
    checkpoints.write(folder, network(), CONFIG)
    path = folder / checkpoints.WEIGHTS
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"weights\.safetensors"):
        checkpoints.load_weights(folder, network())


def test_a_digest_tells_weights_apart(tmp_path):
    one, two = network(), network()
    for name, written in (("a", one), ("b", one), ("c", two)):
        checkpoints.write(tmp_path / name, written, CONFIG)
    digests = [checkpoints.digest(tmp_path / name) for name in "abc"]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 64
