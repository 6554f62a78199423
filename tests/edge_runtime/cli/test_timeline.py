"""The command timeline: what is printed and written, and that nothing is half written."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from typer.testing import CliRunner

from edge_runtime import IEmoNet
from edge_runtime.cli.app import app

Run = Callable[..., Any]


@pytest.fixture
def run(bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("EDGE_IEMONET_BUNDLE", str(bundle_folder))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, stdin=None: CliRunner().invoke(app, ["timeline", *map(str, arguments)], input=stdin)


def test_people_get_a_table(run: Run, jfk: Path, model: IEmoNet) -> None:
    done = run(jfk, "--threads", 1)
    header, *rows, last = done.stdout.splitlines()
    assert done.exit_code == 0
    assert header.split() == ["start", "end", "emotion", "conf", "words"]
    assert [row.split()[0] for row in rows] == ["0:00.0", "0:05.2"]
    assert "And so my fellow Americans" in rows[0]
    uncertain = sum(segment.uncertain for segment in model.timeline(jfk))
    assert last == "jfk.wav: 2 utterances in 0:11.0" + f"; {uncertain} uncertain (? = uncertain)" * (uncertain > 0)


def test_programs_get_the_segments_of_the_api_a_line_each(run: Run, jfk: Path, model: IEmoNet) -> None:
    lines = [json.loads(line) for line in run(jfk, "--json", "--threads", 1, "--batch-memory", 0).stdout.splitlines()]
    expected = [json.loads(json.dumps({"file": str(jfk), **s.to_dict()})) for s in model.timeline(jfk)]
    assert lines == expected


def test_everything_is_written_in_one_go_and_nothing_else_is_left(run: Run, jfk: Path, tmp_path: Path) -> None:
    names = {way: f"out.{way}" for way in ("csv", "vtt", "textgrid", "html")}
    done = run(jfk, *(part for way, name in names.items() for part in (f"--{way}", name)), "--embed-audio")
    assert done.exit_code == 0
    assert "2 utterances" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == set(names.values())
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8", newline="")))
    assert [row["transcript"][:5] for row in rows] == ["And s", "What "]
    assert (tmp_path / "out.vtt").read_text(encoding="utf-8").count(" --> ") == 2
    assert "xmax = 11.000000" in (tmp_path / "out.textgrid").read_text(encoding="utf-8")
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<title>jfk.wav</title>" in page
    assert "data:audio/mpeg;base64," in page


def test_a_pipe_can_be_read_and_a_format_printed(run: Run, jfk: Path, tmp_path: Path) -> None:
    done = run("-", "--csv", "-", "--html", "page.html", stdin=jfk.read_bytes())
    assert done.exit_code == 0
    assert len(list(csv.DictReader(done.stdout.splitlines()))) == 2
    assert "data:audio" not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_channels_apart_are_numbered(run: Run, jfk: Path, tmp_path: Path) -> None:
    speech, rate = soundfile.read(jfk, dtype="float32")
    stereo = speech[: 4 * rate, None] * [1.0, 0.0]
    soundfile.write(tmp_path / "call.flac", stereo[:, ::-1], rate)
    header, row, last = run("call.flac", "--channels", "split", "--html", "page.html").stdout.splitlines()
    assert header.split()[2] == "ch"
    assert row.split()[2] == "2"
    assert "1 utterance in" in last
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count("<svg") == 2


def test_silence_is_said_to_be_that(run: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nothing.wav", [0.0] * 16_000, 16_000)
    done = run("nothing.wav", "--html", "page.html", "--textgrid", "out.TextGrid")
    assert (done.exit_code, done.stdout) == (0, "nothing.wav: no speech in 0:01.0\n")
    assert "0 utterances" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_is_there_of_a_broken_file_comes_with_a_note(run: Run, jfk: Path) -> None:
    done = run("-", stdin=jfk.read_bytes()[:200_000])
    assert done.exit_code == 0
    assert "ends early" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("way", ["csv", "vtt", "textgrid", "html"])
def test_what_the_file_to_write_is_stays(run: Run, tmp_path: Path, way: str) -> None:
    """A private file, a link to it, and a pipe that a shell opened, as ``>(…)`` does."""
    soundfile.write(tmp_path / "nothing.wav", [0.0] * 16_000, 16_000)
    (tmp_path / "private").write_text("old")
    (tmp_path / "private").chmod(0o600)
    (tmp_path / "link").symlink_to("private")
    assert run("nothing.wav", f"--{way}", "link").exit_code == 0
    assert (tmp_path / "link").readlink() == Path("private")
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600
    written = (tmp_path / "private").read_bytes()
    assert len(written) > 3
    reading, writing = os.pipe()
    assert run("nothing.wav", f"--{way}", f"/dev/fd/{writing}").exit_code == 0
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == written
    assert {path.name for path in tmp_path.iterdir()} == {"nothing.wav", "private", "link"}


def test_a_recording_is_not_replaced_by_its_table(run: Run, jfk: Path, tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(jfk.read_bytes())
    (tmp_path / "link.csv").symlink_to("call.wav")
    for name in ("call.wav", "link.csv"):
        done = run("call.wav", "--csv", name)
        assert done.exit_code == 2
        assert "the recording itself" in done.stderr
    assert (tmp_path / "call.wav").read_bytes() == jfk.read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_is_said_in_a_line(run: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nothing.wav", [0.0] * 16_000, 16_000)
    (tmp_path / "full.csv").symlink_to("/dev/full")
    done = run("nothing.wav", "--csv", "full.csv")
    assert (done.exit_code, done.stderr) == (
        1,
        "edge-iemonet: full.csv: could not be written (No space left on device)\n",
    )
    assert (tmp_path / "full.csv").is_symlink()


@pytest.mark.parametrize(("file", "message"), [("missing.wav", "no such file"), ("text.wav", "not audio")])
def test_bad_audio_is_said_in_a_line_and_nothing_is_written(run: Run, tmp_path: Path, file: str, message: str) -> None:
    (tmp_path / "text.wav").write_text("hello")
    done = run(file, "--csv", "out.csv")
    assert done.exit_code == 1
    assert message in done.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "-", "--vtt", "-"], "--csv and --vtt"),
        (["--json", "--csv", "-"], "--csv and --json"),
        (["--embed-audio"], "--html"),
        (["--csv", "no/such/folder.csv"], "cannot be written"),
        (["--html", "."], "cannot be written"),
        (["--vtt", "x" * 300], "File name too long"),
        (["--channels", "left"], "left"),
    ],
)
def test_wrong_usage_is_said_before_any_work(run: Run, arguments: list[str], message: str) -> None:
    done = run("missing.wav", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_one_file_for_two_kinds_is_refused_before_it_is_written(jfk: Path, tmp_path: Path) -> None:
    kept, link = tmp_path / "kept.csv", tmp_path / "link.vtt"
    kept.write_text("old")
    link.symlink_to(kept)
    done = CliRunner().invoke(app, ["timeline", str(jfk), "--csv", str(kept), "--vtt", str(link)])
    assert done.exit_code == 2
    assert "one file for each" in " ".join(done.output.replace("│", " ").split())
    assert kept.read_text() == "old"
