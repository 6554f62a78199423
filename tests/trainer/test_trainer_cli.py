"""The command `trainer`: exit codes, and one line instead of a traceback."""

import re
import runpy
import subprocess
import sys

import pytest

from trainer import cli


@pytest.fixture
def run(monkeypatch, capsys):
    """Return a function that runs the command and gives its exit code, output and errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["trainer", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


def plain(errors: str) -> str:
    """Return what a usage error says, without colours, frame and line breaks."""
    assert "Traceback" not in errors
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", "", errors).split())


def one_line(errors: str) -> str:
    """Return the last line of ``errors`` after checking that progress alone stands before it."""
    assert "Traceback" not in errors
    *before, last = errors.strip().split("\n")
    assert all(line.startswith("training ") for line in before), errors
    assert last.startswith("trainer: ")
    return last


def test_the_module_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trainer", "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("trainer", run_name="__main__")
    assert not end.value.code
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["fit", "--help"], ["fetch", "-h"]])
def test_help_is_not_an_error(run, arguments):
    code, out, _ = run(*arguments)
    assert code == 0
    assert "Usage" in out


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("fit smell", "'smell': use speech"),
        ("fit --seed x", "--seed"),
        ("fit --no-such", "--no-such"),
        ("cook", "cook"),
    ],
)
def test_wrong_usage_is_2(run, tmp_path, monkeypatch, command, named):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*command.split())
    assert code == 2
    assert named in plain(err)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told_before_hours_are_spent(run, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run("fit", "speech", "--out", tmp_path / "file" / "out", "--data", tmp_path / "missing")
    assert code == 2
    assert "cannot write" in plain(err)


@pytest.mark.parametrize(("part", "named"), [("speech", "RAVDESS"), ("text", "train_sent_emo.csv"), ("all", "RAVDESS")])
def test_missing_data_is_one_line(run, tmp_path, part, named):
    code, out, err = run("fit", part, "--data", tmp_path / "missing", "--out", tmp_path / "out")
    assert (code, out) == (1, "")
    assert named in one_line(err)


def test_fusion_without_its_branches_says_what_to_do(run, tmp_path):
    code, _, err = run("fit", "fusion", "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 1
    assert "`trainer fit --only speech`" in one_line(err)


def test_missing_weights_are_one_line(run, tmp_path, clip):
    clip(tmp_path / "ravdess" / "03-01-03-01-02-01-07.flac")
    clip(tmp_path / "emodb" / "03a01Fa.flac")
    folders = {"--data": tmp_path, "--weights": tmp_path / "none", "--out": tmp_path / "out", "--cache": tmp_path / "c"}
    code, _, err = run("fit", "speech", *(part for pair in folders.items() for part in pair))
    assert code == 1
    assert "trainer fetch" in one_line(err)


def test_unknown_weights_are_one_line(run, tmp_path):
    code, out, err = run("fetch", "whisper-huge", "--weights", tmp_path)
    assert (code, out) == (1, "")
    assert "whisper-huge" in one_line(err)


def test_an_interrupt_says_how_to_go_on(run, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupted)  # pip's download, with Ctrl-C pressed meanwhile
    code, _, err = run("fetch", "silero-vad", "--weights", tmp_path)
    assert code == 130
    assert "interrupted" in one_line(err)
    assert not list(tmp_path.iterdir())
