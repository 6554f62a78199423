"""What commands compare with: other recordings, saved baselines, the others of the same speaker; bad ones in a line."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edge_runtime import Baseline, IEmoNet
from edge_runtime.baseline import MOST_RECORDINGS
from edge_runtime.cli.baselines import SameSpeaker

COMMAND = [sys.executable, "-c", "from edge_runtime.cli.app import main; main()"]
RATE = 16_000
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(comparing_bundle: Path, tmp_path: Path) -> Run:
    environment = {**os.environ, "EDGE_IEMONET_BUNDLE": str(comparing_bundle), "COLUMNS": "200", "NO_COLOR": "1",
                   "PYTHONIOENCODING": "utf-8"}  # fmt: skip

    def call(*arguments: Any, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)], input=stdin, capture_output=True, cwd=tmp_path, env=environment,
            timeout=120, check=False,
        )  # fmt: skip
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return call


@pytest.fixture
def clips(tmp_path: Path, speech: np.ndarray) -> list[str]:
    """One voice, each time louder, in a folder; their names from there."""
    (tmp_path / "ann").mkdir()
    names = [f"ann/{number}.wav" for number in range(3)]
    for name, level in zip(names, (0.2, 0.5, 1.0), strict=True):
        soundfile.write(tmp_path / name, speech[: 4 * RATE] * level, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    return names


def answers(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_recordings_a_folder_and_what_was_saved_are_baselines(
    run: Run, clips: list[str], tmp_path: Path, comparing: IEmoNet
) -> None:
    paths = [tmp_path / name for name in clips]
    expected = comparing(paths[2], baseline=comparing.baseline(paths[:2]))
    done = run("classify", clips[2], "--json", "--baseline", clips[0], "--baseline", clips[1],
               "--save-baseline", "ann.baseline")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    (answer,) = answers(done)
    assert answer["baseline_s"] == expected.baseline_s > 1
    assert answer["speech"]["scores"] == dict(expected.speech.scores if expected.speech else {})
    assert Baseline.load(tmp_path / "ann.baseline") == comparing.baseline(paths[:2])
    (tmp_path / "ann.baseline").rename(tmp_path / "saved")  # it is known by its content as well
    (again,) = answers(run("classify", clips[2], "--json", "--baseline", "saved"))
    assert (again["speech"], again["baseline_s"]) == (answer["speech"], answer["baseline_s"])
    (folder,) = answers(run("classify", clips[2], "--json", "--baseline", "ann", "--baseline", "saved"))
    whole = comparing.baseline(paths[:2]) + comparing.baseline(paths)
    assert folder["baseline_s"] == whole.speech_s
    assert "s of the same speaker" in run("classify", clips[2], "--baseline", "saved").stdout


def test_a_recording_in_its_own_baseline_gets_a_note(run: Run, clips: list[str]) -> None:
    for command in ("classify", "timeline"):
        done = run(command, f"ann/../{clips[0]}", "--json", "--baseline", "ann")
        assert done.returncode == 0
        assert "has 1 of the recordings that are compared with it" in done.stderr
        assert run(command, clips[0], "--json", "--baseline", clips[1]).stderr == ""


def test_a_saved_baseline_can_grow_in_place(run: Run, clips: list[str], tmp_path: Path) -> None:
    assert run("classify", clips[2], "--baseline", clips[0], "--save-baseline", "ann.baseline").returncode == 0
    assert Baseline.load(tmp_path / "ann.baseline").recordings == 1
    grown = ("--baseline", "ann.baseline", "--baseline", clips[1], "--save-baseline", "ann.baseline")
    assert run("classify", clips[2], *grown).returncode == 0
    assert Baseline.load(tmp_path / "ann.baseline").recordings == 2


def test_each_recording_of_the_same_speaker_is_compared_with_all_others(
    run: Run, clips: list[str], tmp_path: Path, comparing: IEmoNet
) -> None:
    paths = [tmp_path / name for name in clips]
    done = run("classify", "ann", "ann/../ann/0.wav", "--same-speaker", "--json", "--save-baseline", "ann.baseline")
    assert (done.returncode, done.stderr) == (0, "")
    found = answers(done)
    for number, path in enumerate([*paths, paths[0]]):
        expected = comparing(path, baseline=comparing.baseline([other for other in paths if other != path]))
        assert found[number]["baseline_s"] == expected.baseline_s > 1
        assert found[number]["speech"]["scores"] == dict(expected.speech.scores if expected.speech else {})
    assert Baseline.load(tmp_path / "ann.baseline") == comparing.baseline(paths)


def test_of_the_same_speaker_a_bad_or_silent_file_stops_no_other(run: Run, clips: list[str], tmp_path: Path) -> None:
    (tmp_path / "ann" / "text.wav").write_text("not audio")
    done = run("classify", "ann", "silence.wav", "--same-speaker", "--csv")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [line for line in done.stderr.splitlines() if "ann/text.wav: not audio" in line]
    assert len(done.stderr.splitlines()) == 1
    rows = {row["file"]: row for row in csv.DictReader(done.stdout.splitlines())}
    assert list(rows) == [*clips, "silence.wav"]
    assert all(float(rows[name]["baseline_s"]) > 1 for name in clips)
    assert (rows["silence.wav"]["baseline_s"], rows["silence.wav"]["uncertain"]) == ("0.0", "")


def test_a_single_recording_has_no_other_to_be_compared_with(run: Run, clips: list[str]) -> None:
    done = run("classify", clips[0], "--same-speaker", "--json")
    assert done.returncode == 0
    assert "only recording" in done.stderr
    assert answers(done)[0]["baseline_s"] == 0.0


def test_results_that_are_gone_on_with_are_compared_with_all_recordings(
    run: Run, clips: list[str], tmp_path: Path
) -> None:
    assert run("classify", "ann", "--same-speaker", "--output", "all.jsonl").returncode == 0
    whole = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    (tmp_path / "part.jsonl").write_text(json.dumps(whole[0]) + "\n")
    assert run("classify", "ann", "--same-speaker", "--output", "part.jsonl").returncode == 0
    rest = [json.loads(line) for line in (tmp_path / "part.jsonl").read_text().splitlines()]
    assert [(a["file"], a["speech"], a["baseline_s"]) for a in rest] == [
        (a["file"], a["speech"], a["baseline_s"]) for a in whole
    ]


def test_a_silent_recording_among_others_is_named(run: Run, clips: list[str]) -> None:
    done = run("classify", clips[2], "--json", "--baseline", clips[0], "--baseline", "silence.wav")
    assert done.returncode == 0
    assert done.stderr == "edge-iemonet: --baseline: silence.wav: no speech, so it is not in the baseline\n"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("missing.wav", "--baseline: missing.wav: no such file"),
        ("missing.baseline", "missing.baseline: no such file"),
        ("text.wav", "--baseline: text.wav: not audio"),
        ("text.baseline", "text.baseline: no saved baseline"),
        ("cut.baseline", "cut.baseline: damaged"),
        ("foreign.baseline", "made by other 2 (graphs abababababab), and the bundle is tiny 0.0.1"),
        ("silence.wav", "silence.wav: no speech"),
        ("empty", "--baseline: empty: no recordings there"),
        ("-", "standard input cannot be one"),
    ],
)
@pytest.mark.parametrize("command", ["classify", "timeline"])
def test_a_bad_baseline_ends_the_command_in_a_line(
    run: Run, clips: list[str], tmp_path: Path, command: str, given: str, message: str
) -> None:
    for name in ("text.wav", "text.baseline"):
        (tmp_path / name).write_text("hello")
    (tmp_path / "empty").mkdir()
    foreign = Baseline(np.zeros((1, 3)), np.ones(1), "ab" * 32, "other 2")
    foreign.save(tmp_path / "foreign.baseline")
    (tmp_path / "cut.baseline").write_bytes((tmp_path / "foreign.baseline").read_bytes()[:-4])
    done = run(command, clips[0], "--baseline", given)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_a_bundle_that_takes_no_baseline_ends_the_command_in_a_line(
    run: Run, clips: list[str], tiny_bundle: Path
) -> None:
    for arguments in (["--baseline", clips[0]], ["--same-speaker"]):
        done = run("classify", clips[1], "--bundle", tiny_bundle, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1
        assert "takes no baseline" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify", "x.wav", "--baseline", "y.wav", "--same-speaker"], "choose one"),
        (["classify", "x.wav", "--save-baseline", "z"], "give one"),
        (["classify", "-", "--same-speaker"], "standard input"),
        (["classify", "x.wav", "--baseline", "y.wav", "--save-baseline", "silence.wav"], "no baseline"),
        (["classify", "x.wav", "--baseline", "y.wav", "--save-baseline", "no/such/z"], "cannot be written"),
        (["timeline", "x.wav", "--baseline", "y.wav", "--no-baseline"], "contradict"),
        (["listen", "-", "--baseline", "y.wav", "--no-baseline"], "contradict"),
    ],
)
def test_wrong_usage_is_said_before_any_work(
    run: Run, clips: list[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    before = (tmp_path / "silence.wav").read_bytes()
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert (tmp_path / "silence.wav").read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said_in_a_line(run: Run, clips: list[str]) -> None:
    done = run("classify", clips[2], "--baseline", clips[0], "--save-baseline", "/dev/full")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "edge-iemonet: /dev/full: could not be written (No space left on device)\n"


@pytest.fixture
def call(tmp_path: Path, speech: np.ndarray) -> Path:
    silence = np.zeros(2 * RATE, np.float32)
    path = tmp_path / "call.wav"
    parts = [speech[: 4 * RATE] * 0.3, silence, speech[: 4 * RATE], silence, speech[: 4 * RATE] * 0.6]
    soundfile.write(path, np.concatenate(parts), RATE)
    return path


def test_timeline_and_listen_keep_a_running_baseline_that_can_be_given_or_turned_off(
    run: Run, clips: list[str], call: Path, tmp_path: Path, comparing: IEmoNet
) -> None:
    before = comparing.baseline(tmp_path / clips[0])
    before.save(tmp_path / "ann.baseline")
    ways: dict[str, tuple[list[str], Baseline | bool]] = {
        "running": ([], True),
        "off": (["--no-baseline"], False),
        "given": (["--baseline", "ann.baseline"], before),
    }
    for options, baseline in ways.values():
        expected = [json.loads(json.dumps(s.to_dict())) for s in comparing.timeline(call, baseline=baseline)]
        assert len(expected) == 6
        shown = answers(run("timeline", call, "--json", *options))
        assert [{k: v for k, v in line.items() if k != "file"} for line in shown] == expected
        heard = answers(run("listen", "-", "--json", *options, stdin=call.read_bytes()))
        assert [line["segment"] for line in heard] == expected
        assert (expected[0]["baseline_s"], expected[-1]["baseline_s"] > 0) == (
            before.speech_s if baseline is before else 0.0,
            baseline is not False,
        )


def test_uncertain_utterances_are_marked_and_counted(
    run: Run, call: Path, comparing_bundle: Path, tmp_path: Path
) -> None:
    manifest = json.loads((comparing_bundle / "bundle.json").read_text()) | {"operating_point": {"confidence": 1}}
    (tmp_path / "unsure").mkdir()
    for file in comparing_bundle.iterdir():
        (tmp_path / "unsure" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "unsure" / "bundle.json").write_text(json.dumps(manifest))
    *rows, last = run("timeline", call, "--bundle", "unsure").stdout.splitlines()[1:]
    assert all("?" in row for row in rows if row[:9].strip())
    assert "6 uncertain (? = uncertain)" in last
    heard = run("listen", "-", "--bundle", "unsure", stdin=call.read_bytes())
    assert "6 utterances, 6 uncertain (? = uncertain)" in heard.stderr
    assert "uncertain (leaning " in run("classify", call, "--bundle", "unsure").stdout
    assert "uncertain (leaning " in run("classify-text", "ask not", "--bundle", "unsure").stdout
    told = answers(run("classify-text", "ask not", "--json", "--bundle", "unsure"))[0]
    assert told["uncertain"] is True
    assert told["label"] in told["scores"]


def part(number: int, rows: int = 1) -> Baseline:
    return Baseline(np.full((rows, 1), number), np.ones(rows), "ab" * 32, "tiny 1")


def numbers(baseline: Baseline | None) -> list[int]:
    return [] if baseline is None else [int(value) for value in baseline.pooled[:, 0]]


def test_of_many_recordings_only_those_are_kept_that_one_may_be_compared_with() -> None:
    speaker = SameSpeaker()
    for number in range(1_000):
        speaker.add(f"{number}.wav", part(number))
    assert numbers(speaker.without("3.wav")) == list(range(1_000 - MOST_RECORDINGS, 1_000))
    assert numbers(speaker.without("999.wav")) == list(range(999 - MOST_RECORDINGS, 999))
    assert len(speaker._parts) <= 2 * MOST_RECORDINGS


def test_beside_a_long_recording_the_others_are_remembered() -> None:
    speaker = SameSpeaker()
    for number in range(100):
        speaker.add(f"{number}.wav", part(number))
    speaker.add("long.wav", part(500, rows=MOST_RECORDINGS))
    assert numbers(speaker.without("long.wav")) == list(range(100 - MOST_RECORDINGS, 100))
    assert numbers(speaker.without("5.wav")) == [500] * MOST_RECORDINGS


def test_the_same_file_counts_once_and_is_never_compared_with_itself(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "link.wav").symlink_to("a.wav")
    speaker = SameSpeaker()
    for number, name in enumerate(("a.wav", "link.wav", "b.wav")):
        speaker.add(str(tmp_path / name), part(number))
    assert numbers(speaker.without(str(tmp_path / "link.wav"))) == [2]
    assert numbers(speaker.without(str(tmp_path / "b.wav"))) == [0]
