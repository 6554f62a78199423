"""The command `export`: exit codes, and one line instead of a traceback."""

import json
import runpy
import shutil
import signal
import sys

import pytest

from edge_runtime.bundle.bundle import Bundle
from export import cli
from trainer import checkpoints
from trainer.corpora.registry import LoadOptions
from trainer.experiment.source import Source


@pytest.fixture
def run(monkeypatch, capsys):
    """Return a function that runs the command and gives its exit code, output and errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["export", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


@pytest.fixture
def options(pretrained, trained, tmp_path) -> list[object]:
    return ["--weights", pretrained, "--checkpoints", trained, "--out", tmp_path / "models" / "tiny"]


def failed(found: tuple[int, str, str]) -> str:
    """Return the one line that a failed run says, after checking that it says no more."""
    code, out, err = found
    assert (code, out) == (1, "")
    assert err.count("\n") == 1, err
    assert err.startswith("export: ")
    return err


def test_the_module_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["export", "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("export", run_name="__main__")
    assert not end.value.code
    assert "Usage" in capsys.readouterr().out


def test_a_bundle_that_is_being_made_is_removed_when_it_is_interrupted(run, options, tmp_path, monkeypatch):
    monkeypatch.setattr("export.bundle_writer.Writer.write", lambda *_: signal.raise_signal(signal.SIGINT))
    assert run("onnx", *options) == (130, "", "")
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.parametrize("arguments", [["--help"], ["onnx", "-h"]])
def test_help_is_not_an_error(run, arguments):
    code, out, _ = run(*arguments)
    assert code == 0
    assert "Usage" in out


WRONG = [
    ["tflite"],
    ["onnx", "--int4", "--fp32"],
    ["onnx", "--target", "z80"],
    ["onnx", "--fp16", "--calibrate", "x"],
    ["onnx", "--map", "joy"],
    ["onnx", "extra"],
    ["swap", "bundle"],
    ["verify"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage_is_2(run, arguments):
    code, _, err = run(*arguments)
    assert code == 2
    assert "Traceback" not in err


def test_a_bundle_is_written_and_its_files_are_listed(run, options, tmp_path):
    code, out, err = run("onnx", "--fp32", *options)
    assert (code, err) == (0, "")
    folder = tmp_path / "models" / "tiny"
    assert Bundle.read(folder).name == "tiny"
    for file in folder.iterdir():
        assert file.name in out


def test_a_bundle_is_swapped_and_verified(run, options, tmp_path, trained):
    bundle, other = tmp_path / "models" / "tiny", tmp_path / "other"
    assert run("onnx", "--fp32", *options)[0] == 0
    code, out, err = run("swap", bundle, "--fp32", "--text", trained / "text", "--out", other)
    assert (code, err) == (0, "")
    assert "fusion was not trained on these branches" in out
    code, out, _ = run("verify", other)
    assert code == 0
    assert "nothing is wrong" in out
    code, out, _ = run("verify", other, "--json")
    assert json.loads(out)["wrong"] == []


def test_nothing_trained_is_one_line(run, options, trained):
    shutil.rmtree(trained)
    assert "`trainer fit` makes one" in failed(run("onnx", *options))


def test_nothing_fetched_is_one_line(run, options, pretrained):
    shutil.rmtree(pretrained)
    assert "`trainer fetch`" in failed(run("onnx", *options))


def test_a_target_that_exists_is_one_line(run, options, tmp_path):
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    assert "--force" in failed(run("onnx", *options))


def test_fusion_of_another_branch_is_one_line(run, options, trained):
    config = trained / "fusion" / checkpoints.CONFIG
    content = json.loads(config.read_text())
    config.write_text(json.dumps({**content, "branches": dict.fromkeys(content["branches"], "0")}))
    assert "another speech checkpoint" in failed(run("onnx", *options))


def test_differing_labels_are_one_line(run, options, trained):
    config = trained / "text" / checkpoints.CONFIG
    config.write_text(json.dumps({**json.loads(config.read_text()), "labels": ["a", "b", "c", "d"]}))
    assert "differ from speech's" in failed(run("onnx", *options))


@pytest.mark.parametrize("file", ["whisper-tiny.en/tokenizer.json", "silero-vad/vad.onnx"])
def test_incomplete_weights_are_one_line(run, options, pretrained, file):
    (pretrained / file).unlink()
    assert file.rsplit("/", 1)[1] in failed(run("onnx", *options))


def test_a_checkpoint_that_was_cut_off_is_one_line(run, options, trained):
    path = trained / "text" / checkpoints.WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    assert "does not fit" in failed(run("onnx", *options))


def test_a_run_without_a_name_for_its_bundle_does_not_take_the_recipes(run, pretrained, run_trained):
    code, out, err = run("onnx", "--weights", pretrained, "--checkpoints", run_trained)
    assert (code, out) == (2, "")
    assert "--out" in err


def test_a_run_that_cannot_be_exported_is_one_line(run, pretrained, run_trained, tmp_path):
    shutil.rmtree(run_trained / "fusion")
    arguments = ["--weights", pretrained, "--checkpoints", run_trained, "--out", tmp_path / "b"]
    assert "no fusion of them" in failed(run("onnx", *arguments))


def test_a_corpus_that_has_moved_since_is_noted_and_sentences_are_tried(run, pretrained, run_trained, tmp_path):
    noted = Source(tmp_path / "gone.csv", LoadOptions(), skip_bad=False).noted()
    (run_trained.parent / "config.json").write_text(json.dumps(noted))
    code, out, err = run(
        "onnx", "--fp32", "--weights", pretrained, "--checkpoints", run_trained, "--out", tmp_path / "b"
    )
    assert code == 0
    assert "converted against exact, on built-in" in out
    assert "gone.csv: no such file" in err and "--evaluate names where it is now" in err
    assert "Traceback" not in err
