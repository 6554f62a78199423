"""The command `export`: exit codes, and one line instead of a traceback."""

import json
import logging
import runpy
import shutil
import signal
import sys

import pytest

from edge_runtime.bundle.bundle import Bundle
from export import cli
from tests.export.tiny import edit
from trainer import checkpoints
from trainer.corpora.registry import LoadOptions
from trainer.experiment.run_dir import Source


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


def test_an_interrupted_export_leaves_nothing(run, options, tmp_path, monkeypatch):
    monkeypatch.setattr("export.bundle_writer._Writer.write", lambda *_: signal.raise_signal(signal.SIGINT))
    assert run("onnx", *options) == (130, "", "")
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.parametrize("arguments", [["--help"], ["onnx", "-h"]])
def test_help_is_not_an_error(run, arguments):
    code, out, _ = run(*arguments)
    assert code == 0
    assert "Usage" in out


@pytest.mark.parametrize("command", ["onnx", "swap"])
def test_both_commands_that_write_a_bundle_have_the_same_conversion_options(run, command):
    _, out, _ = run(command, "--help")
    for option in ("--whisper", "--language", "--map", "--int8", "--fp32", "--fp16", "--target", "--calibrate"):
        assert option in out
    for option in ("--evaluate", "--limit", "--limit-points", "--allow-shortfall", "--force", "--out"):
        assert option in out
    assert "--int4" not in out


WRONG = [
    ["tflite"],
    ["onnx", "--int8", "--fp32"],
    ["onnx", "--target", "z80"],
    ["onnx", "--fp16", "--calibrate", "x"],
    ["onnx", "--map", "joy"],
    ["onnx", "extra"],
    ["swap", "bundle"],
    ["swap", "bundle", "--out", "new", "--map", "=joy"],
    ["verify"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage_exits_with_2(run, arguments):
    code, _, err = run(*arguments)
    assert code == 2
    assert "Traceback" not in err


def test_int4_of_version_0_1_is_refused_and_names_int8(run):
    code, _, err = run("onnx", "--int4")
    assert code == 2
    assert "int4 was removed" in err and "int8" in err


def test_a_bundle_is_written_and_its_files_are_listed(run, options, tmp_path):
    code, out, err = run("onnx", "--fp32", *options)
    assert (code, err) == (0, "")
    folder = tmp_path / "models" / "tiny"
    assert Bundle.read(folder).name == "tiny"
    for file in folder.iterdir():
        assert file.name in out


def test_a_bundle_is_swapped_and_verified(run, exported, components, tmp_path):
    other = tmp_path / "other"
    code, out, err = run("swap", exported, "--fp32", "--text", components / "checkpoints" / "text", "--out", other)
    assert (code, err) == (0, "")
    assert "fusion was not trained on these branches" in out
    code, out, _ = run("verify", other)
    assert code == 0
    assert "nothing is wrong" in out
    code, out, _ = run("verify", other, "--json")
    assert json.loads(out)["wrong"] == []


def test_progress_is_told_to_a_terminal_alone(run, capsys, monkeypatch):
    from export.commands.options import show_progress

    logger = logging.getLogger("export")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    show_progress()
    assert logger.handlers == []
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    show_progress()
    logging.getLogger("export.quantization.excluded_layers").info("exact: %s", "layer.0")
    assert capsys.readouterr().err == "export: exact: layer.0\n"


def test_nothing_trained_is_one_line(run, options, trained):
    shutil.rmtree(trained)
    assert "`trainer fit` makes one" in failed(run("onnx", *options))


def test_nothing_fetched_is_one_line(run, options, pretrained):
    shutil.rmtree(pretrained)
    assert "`trainer fetch whisper-tiny.en`" in failed(run("onnx", *options))


def test_a_target_that_exists_is_one_line(run, options, tmp_path):
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    assert "--force" in failed(run("onnx", *options))


def test_fusion_of_another_branch_is_one_line(run, options, trained):
    edit(trained / "fusion", branches={"speech": "0", "text": "0"})
    assert "another speech checkpoint" in failed(run("onnx", *options))


def test_differing_labels_are_one_line(run, options, trained):
    edit(trained / "text", labels=["a", "b", "c", "d"])
    assert "differ from speech's" in failed(run("onnx", *options))


@pytest.mark.parametrize("file", ["whisper-tiny.en/tokenizer.json", "silero-vad/vad.onnx"])
def test_incomplete_weights_are_one_line(run, options, pretrained, file):
    (pretrained / file).unlink()
    assert file.rsplit("/", 1)[1] in failed(run("onnx", *options))


def test_a_checkpoint_that_was_cut_off_is_one_line(run, options, trained):
    path = trained / "text" / checkpoints.WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])
    assert "does not fit" in failed(run("onnx", *options))


def test_a_run_without_a_name_for_its_bundle_does_not_replace_the_recipes(run, components):
    code, out, err = run("onnx", "--weights", components / "weights", "--checkpoints", components / "run")
    assert (code, out) == (2, "")
    assert "--out" in err


def test_branches_without_fusion_are_one_line(run, pretrained, run_trained, tmp_path):
    shutil.rmtree(run_trained / "fusion")
    arguments = ["--weights", pretrained, "--checkpoints", run_trained, "--out", tmp_path / "b"]
    assert "no fusion of them" in failed(run("onnx", *arguments))


def test_a_corpus_that_has_moved_since_is_noted_and_built_in_samples_are_tried(run, pretrained, run_trained, tmp_path):
    noted = Source(tmp_path / "gone.csv", LoadOptions(), skip_bad=False).noted()
    (run_trained.parent / "config.json").write_text(json.dumps(noted))
    code, out, err = run(
        "onnx", "--fp32", "--weights", pretrained, "--checkpoints", run_trained, "--out", tmp_path / "b"
    )
    assert code == 0
    assert "converted against exact, on built-in" in out
    assert "gone.csv: no such file" in err and "--evaluate names where it is now" in err
    assert "Traceback" not in err
