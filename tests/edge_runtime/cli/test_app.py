"""The command as users run it: output, exit codes, and never a traceback."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
import soundfile

from edge_runtime import Bundle, IEmoNet, Turn

COMMAND = [sys.executable, "-c", "from edge_runtime.cli.app import main; main()"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environment(bundle_folder: Path) -> dict[str, str]:
    here = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "PYTHONIOENCODING"}}
    return {
        **here,
        "EDGE_IEMONET_BUNDLE": str(bundle_folder),
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    def call(*arguments: Any, stdin: bytes = b"", **changes: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env={**environment, **changes},
            timeout=120,
            check=False,
        )
        out, err = (stream.decode("utf-8") for stream in (done.stdout, done.stderr))
        assert "Traceback" not in err
        assert "Traceback" not in out
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return call


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, jfk: Path) -> Path:
    """Two seconds of speech, which take less time than eleven."""
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    samples, rate = soundfile.read(jfk, frames=32_000)
    soundfile.write(path, samples, rate)
    return path


def test_people_see_label_bars_and_words(run: Run, jfk: Path, jfk_words: list[str]) -> None:
    done = run("classify", jfk, "--threads", "1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == [str(jfk), "11.0", "s"]
    *_, label, confidence = lines[1].split()
    assert re.fullmatch(r"\d+%", confidence)
    assert lines[2].split()[0] == label.removesuffix(")")  # or: uncertain (leaning angry)
    assert lines[2].split()[-1] == confidence
    assert "█" in lines[2]
    shown = re.findall(r"[a-z]+", done.stdout[done.stdout.index("“") : done.stdout.index("”")].lower())
    assert shown == jfk_words
    assert "\033" not in done.stdout


def test_programs_get_an_object_a_line(run: Run, clip: Path) -> None:
    done = run("classify", clip, clip, "--json", "--device", "cpu")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    wanted = "file label confidence scores transcript speech text duration_s timings_ms"
    assert set(wanted.split()) <= set(first)
    assert first["file"] == str(clip)
    assert first["scores"][first["label"]] == first["confidence"]
    assert first["duration_s"] == 2.0
    assert first["scores"] == second["scores"]


def test_a_bad_file_does_not_stop_the_others(run: Run, clip: Path, tmp_path: Path) -> None:
    text, missing = tmp_path / "text.wav", tmp_path / "missing.wav"
    text.write_text("not audio")
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run("classify", clip, text, missing, empty, clip, "--json")
    assert done.returncode == 1
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == [str(clip)] * 2
    errors = done.stderr.splitlines()
    assert len(errors) == 3
    for path in (text, missing, empty):
        assert sum(line.startswith(f"edge-iemonet: {path}: ") for line in errors) == 1


@pytest.mark.parametrize(
    ("name", "reason"), [("n" * 5_000, "no such file (file name too long)"), ("Größe 音 😀.wav", "no such file")]
)
def test_a_missing_file_of_any_name_is_one_line(run: Run, name: str, reason: str) -> None:
    done = run("classify", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [f"edge-iemonet: {name}: {reason}"]


@pytest.fixture
def folder(tmp_path: Path, clip: Path) -> Path:
    for name in ("a.wav", "b.wav", "deep/c.wav"):
        path = tmp_path / "calls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clip.read_bytes())
    (tmp_path / "calls" / "broken.wav").write_text("not audio")
    return tmp_path / "calls"


def test_a_folder_is_classified_into_a_file_and_not_again(run: Run, folder: Path, tmp_path: Path) -> None:
    done = run("classify", "calls", "--output", "results.jsonl")
    assert (done.returncode, done.stdout) == (1, "")
    whole = (tmp_path / "results.jsonl").read_bytes()
    results = {line["file"]: line for line in map(json.loads, whole.splitlines())}
    assert list(results) == ["calls/a.wav", "calls/b.wav", "calls/broken.wav", "calls/deep/c.wav"]
    assert "not audio" in results["calls/broken.wav"]["error"]
    assert results["calls/a.wav"]["scores"] == results["calls/deep/c.wav"]["scores"]
    again = run("classify", "calls", "--output", "results.jsonl")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == (
        "results.jsonl: keeps the answers to 4 of 4 recordings; for other options, name another file\n"
    )
    assert (tmp_path / "results.jsonl").read_bytes() == whole


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kill -9 is not known there")
def test_killed_at_any_time_it_is_gone_on_with(
    run: Run, environment: dict[str, str], folder: Path, tmp_path: Path, clip: Path
) -> None:
    for i in range(30):
        (folder / f"{i}.wav").write_bytes(clip.read_bytes())
    command = [*COMMAND, "classify", "calls", "--output", "results.jsonl"]
    output = tmp_path / "results.jsonl"
    for kept in (1, 5, 12):
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
        while process.poll() is None and (not output.exists() or output.read_bytes().count(b"\n") < kept):
            time.sleep(0.005)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it was over before it was killed"
    assert run("classify", "calls", "--output", "results.jsonl").returncode == 1
    names = [json.loads(line)["file"] for line in output.read_bytes().splitlines()]
    assert len(names) == len(set(names)) == 34


def test_a_pattern_in_quotes_is_looked_up_and_a_table_is_for_spreadsheets(
    run: Run, folder: Path, bundle_folder: Path
) -> None:
    done = run("classify", "calls/**/[ac].wav", "--csv")
    assert (done.returncode, done.stderr) == (0, "")
    head, first, second = csv.DictReader(done.stdout.splitlines()).fieldnames, *csv.DictReader(done.stdout.splitlines())
    assert head == [
        "file",
        "label",
        "confidence",
        "neutral",
        "happy",
        "sad",
        "angry",
        "transcript",
        "used",
        "duration_s",
        "notes",
        "uncertain",
        "baseline_s",
        "language",
    ]
    assert (first["file"], second["file"]) == ("calls/a.wav", "calls/deep/c.wav")
    assert float(first[first["label"]]) == float(first["confidence"])
    uncertain = float(first["confidence"]) < Bundle.read(bundle_folder).operating_point
    assert (first["uncertain"], first["baseline_s"]) == (str(uncertain).lower(), "0.0")
    assert run("classify", "calls", "--csv", "--json").returncode == 2


def test_the_voice_alone_and_a_threshold(run: Run, clip: Path) -> None:
    done = run("classify", clip, "--json", "--no-asr", "--threshold", "1")
    answer = json.loads(done.stdout)
    assert (answer["used"], answer["transcript"], answer["label"]) == (["voice"], None, "uncertain")
    assert answer["confidence"] == max(answer["scores"].values())
    assert "from the voice alone" in run("classify", clip, "--no-asr").stdout
    assert run("classify", clip, "--threshold", "1.5").returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify", "a.wav", "--threshold", "nan"],
        ["classify", "a.wav", "--batch-memory", "nan"],
        ["classify", "a.wav", "--batch-memory", "inf"],
        ["timeline", "a.wav", "--batch-memory", "1e400"],
        ["classify-text", "Great", "--threshold", "-nan"],
        ["classify-text", "Great", "--threads", "99999"],
        ["listen", "-", "--provisional", "nan"],
        ["serve", "--port=0", "--time-limit", "nan"],
        ["serve", "--port=0", "--max-seconds", "inf"],
    ],
)
def test_numbers_that_are_none_or_beyond_all_use_are_refused_at_once(run, arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and arguments[2] in done.stderr


def test_words_alone_are_classified(run: Run) -> None:
    shown = run("classify-text", "I am so happy")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "“I am so happy”" in shown.stdout
    piped = run("classify-text", "--json", stdin="I am so happy\n\nGröße!\n".encode())
    first, second = map(json.loads, piped.stdout.splitlines())
    assert (first["text"], second["text"]) == ("I am so happy", "Größe!")
    assert first["used"] == ["words"]
    dash = run("classify-text", "-", "--json", stdin="I am so happy\n\nGröße!\n".encode())
    assert dash.stdout == piped.stdout
    assert first["scores"][first["label"]] == first["confidence"]
    assert run("classify-text", " ").returncode == 2
    assert json.loads(run("classify-text", "hm", "--json", "--threshold", "1").stdout)["label"] == "uncertain"


def test_words_are_read_after_a_context_where_the_bundle_reads_one(run: Run, context_bundle: Path) -> None:
    def scores(*options: str, stdin: bytes = b"") -> list[dict[str, float]]:
        done = run("classify-text", "--json", "--bundle", str(context_bundle), *options, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, "")
        return [json.loads(line)["scores"] for line in done.stdout.splitlines()]

    context = ("--context", "what you", "--context", "other: can do")
    (alone,), (after,) = scores("ask not"), scores("ask not", *context)
    assert alone != after
    assert scores(*context, stdin=b"ask not\nask not\n") == [after, after]
    model = IEmoNet.load(context_bundle, device="cpu", threads=1)
    turns = [Turn("what you"), Turn("can do", "other")]
    assert model.classify_text("ask not", context=turns).scores == pytest.approx(after)


def test_a_context_or_a_prior_that_the_bundle_does_not_know_is_refused(run: Run, tiny_bundle: Path) -> None:
    for option, said in (
        (("--context", "what"), "reads no context"),
        (("--neutral-prior", "0.9"), "no prior of neutral"),
    ):
        refused = run("classify-text", "ask", "--bundle", str(tiny_bundle), *option)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr and "Traceback" not in refused.stderr
    assert run("classify-text", "ask", "--bundle", str(tiny_bundle), "--neutral-prior", "1").returncode == 2


def test_a_share_of_neutral_changes_the_answer(run: Run, tiny_bundle: Path) -> None:
    manifest = json.loads((tiny_bundle / "bundle.json").read_text())
    priors = {"angry": 0.2, "happy": 0.2, "neutral": 0.5, "sad": 0.1}
    (tiny_bundle / "bundle.json").write_text(json.dumps(manifest | {"text_emotion": {"priors": priors}}))
    rare, often = (
        json.loads(run("classify-text", "ask", "--json", "--bundle", str(tiny_bundle), "--neutral-prior", p).stdout)
        for p in ("0.1", "0.99")
    )
    assert rare["scores"]["neutral"] < often["scores"]["neutral"]
    assert often["label"] == "neutral"


def test_a_dash_is_standard_input(run: Run, clip: Path) -> None:
    done = run("classify", "-", "--json", stdin=clip.read_bytes())
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["duration_s"] == 2.0
    assert json.loads(done.stdout)["file"] == "-"


@pytest.mark.parametrize("stdin", [b"", b"not audio"])
def test_bad_standard_input_is_one_line(run: Run, stdin: bytes) -> None:
    done = run("classify", "-", stdin=stdin)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1


def test_words_can_be_given_for_one_file_only(run: Run, clip: Path) -> None:
    told = run("classify", clip, "--json", "--transcript", "Größe, 音!")
    assert told.returncode == 0
    assert json.loads(told.stdout)["transcript"] == "Größe, 音!"
    done = run("classify", clip, clip, "--transcript", "words")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--transcript belongs to one file" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="arguments are text there")
def test_words_that_are_no_text_leave_no_traceback(run: Run, clip: Path) -> None:
    assert run("classify", clip, "--transcript", b"caf\xe9").returncode in {0, 1, 2}


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_a_file_name_that_is_no_text_is_read(run: Run, clip: Path, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    Path(os.fsdecode(name)).write_bytes(clip.read_bytes())
    for option in ([], ["--json"]):
        assert run("classify", name, *option).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify"],
        ["classify", "--json"],
        ["unknown"],
        ["classify", "x.wav", "--unknown"],
        ["classify", "x.wav", "--threads", "0"],
        ["classify", "x.wav", "--threads", "many"],
        [],
    ],
)
def test_wrong_usage_exits_with_2(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "Usage" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["no-such-bundle", ".", "n" * 5_000])
def test_an_unknown_bundle_exits_with_2_in_one_line(run: Run, clip: Path, name: str) -> None:
    done = run("classify", clip, "--bundle", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"edge-iemonet: {name}: ")


def test_a_damaged_bundle_exits_with_2_in_one_line(run: Run, clip: Path, tiny_bundle: Path) -> None:
    (tiny_bundle / "vad.onnx").write_bytes(b"x" * (tiny_bundle / "vad.onnx").stat().st_size)
    done = run("classify", clip, "--bundle", tiny_bundle)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "sha256" in done.stderr


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="needs a machine without CUDA")
@pytest.mark.parametrize(("device", "reason"), [("cuda", "onnxruntime-gpu"), ("gpu", "'cuda:N'")])
def test_a_device_that_cannot_be_had_exits_with_2(run: Run, clip: Path, device: str, reason: str) -> None:
    done = run("classify", clip, "--device", device)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert reason in done.stderr


def test_a_terminal_without_unicode_gets_substitutes(run: Run, clip: Path) -> None:
    done = run("classify", clip, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "?" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise there")
def test_a_reader_that_has_gone_is_no_error_to_speak_of(environment: dict[str, str], clip: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [*COMMAND, "classify", str(clip), str(clip)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment, timeout=120, check=False)
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == b""


def test_help_and_version_are_had_without_a_bundle(run: Run) -> None:
    shown = run("--version", EDGE_IEMONET_BUNDLE="nowhere")
    assert (shown.returncode, shown.stdout.strip()) == (0, version("edge-iemonet"))
    for arguments in (["--help"], ["classify", "-h"]):
        done = run(*arguments, EDGE_IEMONET_BUNDLE="nowhere")
        assert done.returncode == 0
        assert "classify" in done.stdout
    assert "Exit codes" in done.stdout


@pytest.mark.parametrize(("command", "extra"), [("listen", "edge-iemonet[mic]"), ("serve", "edge-iemonet[serve]")])
def test_help_names_the_extra_with_its_brackets(run: Run, command: str, extra: str) -> None:
    """Brackets are markup to what prints the help."""
    assert extra in run(command, "--help").stdout
