"""The command `trainer`: exit codes, and one line instead of a traceback."""

import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.trainer.encoders import write_bert
from trainer import cli
from trainer import config as configuration
from trainer.corpora import registry, synthetic
from trainer.paper.tables import TABLES

pytestmark = pytest.mark.usefixtures("quick_collection")


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
    """Return the last line of ``errors`` after checking that nothing but what was begun stands before it."""
    assert "Traceback" not in errors
    *before, last = errors.strip().split("\n")
    begun = "training |speech, |text, |fusion, |run \\d|warm start|the networks|note: |division: |table \\d"
    begun += r"|.*: \d+ utterances; "
    assert all(re.match(begun, line) for line in before), errors
    assert last.startswith("trainer: ")
    return last


def test_the_module_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trainer", "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("trainer", run_name="__main__")
    assert not end.value.code
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["fit", "--help"], ["fetch", "-h"], ["reproduce", "-h"]])
def test_help_is_not_an_error(run, arguments):
    code, out, _ = run(*arguments)
    assert code == 0
    assert "Usage" in out


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("fit --only smell", "'smell': use speech"),
        ("fit x.csv --only fusion", "--resume trains what is missing"),
        ("fit --seed x", "--seed"),
        ("fit one.csv two.csv", "two.csv"),
        ("reproduce", "table"),
        ("reproduce table9 x", "'table9': use table1, table2, table3, table4"),
        ("reproduce table2 x --transcripts provided", "asr replaces simulated ones"),
        ("fit speech --data x", "--data"),
        ("fit --no-such", "--no-such"),
        ("cook", "cook"),
    ],
)
def test_wrong_usage_exits_with_2(run, tmp_path, monkeypatch, command, named):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*command.split())
    assert code == 2
    assert named.lower() in plain(err).lower()  # older versions of typer use capitals
    assert not list(tmp_path.iterdir())


@pytest.fixture
def recipe(tmp_path) -> Path:
    """Return a folder of the committed bundle's corpora, empty."""
    for data in configuration.read(configuration.BUNDLE).corpora.values():
        for name in (*data.corpora, *data.plain):
            (tmp_path / "data" / name).mkdir(parents=True)
    return tmp_path / "data"


@pytest.mark.parametrize("what", ["fit", "reproduce table2"])
def test_a_place_that_cannot_be_written_is_told_before_hours_are_spent(run, tmp_path, manifest, recipe, what):
    (tmp_path / "file").write_text("")
    for corpus in (manifest, recipe) if what == "fit" else (manifest,):
        code, _, err = run(*what.split(), corpus, "--out", tmp_path / "file" / "out")
        assert code == 2
        assert "cannot write" in plain(err)


def test_a_full_disk_is_told_before_hours_are_spent(run, fit, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e6))
    code, out, err = run(*fit)
    assert (code, out) == (1, "")
    assert "0.0 GB free, 0.2 GB needed" in one_line(err)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(("part", "named"), [("speech", "data/ravdess"), ("text", "data/meld"), (None, "data/ravdess")])
def test_missing_data_of_the_bundles_corpora_is_one_line(run, recipe, tmp_path, part, named):
    code, out, err = run("fit", recipe, *(["--only", part] if part else []), "--out", tmp_path / "out")
    assert (code, out) == (1, "")
    assert named in one_line(err)


@pytest.mark.parametrize("through", ["recipe", "corpus"])
def test_missing_weights_are_one_line(run, recipe, tmp_path, clip, through):
    for emotion in ("03", "04"):
        for speaker in range(1, 6):
            clip(recipe / "ravdess" / f"03-01-{emotion}-01-02-01-{speaker:02}.flac")
    clip(recipe / "emodb" / "03a01Fa.flac")
    folders = {"--weights": tmp_path / "none", "--out": tmp_path / "out", "--cache": tmp_path / "c"}
    few = tmp_path / "few.toml"
    few.write_text('[speech]\n[speech.data]\ncorpora = ["ravdess", "emodb"]\nprotocol = "speaker"\n')
    corpus = (recipe, "--config", few) if through == "recipe" else (recipe / "ravdess",)
    code, _, err = run("fit", *corpus, *(part for pair in folders.items() for part in pair))
    assert code == 1
    assert "trainer fetch" in err.strip().split("\n")[-1] and "Traceback" not in err


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


@pytest.mark.parametrize(("number", "wanted"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_corpus_that_is_being_made_is_removed_when_it_is_interrupted(run, tmp_path, monkeypatch, number, wanted):
    def speak(turn, path, random):
        path.write_bytes(b"half")
        signal.raise_signal(number)

    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(synthetic, "_speak", speak)
    before = signal.getsignal(number)
    assert run("corpora", "synthesise", tmp_path / "made") == (wanted, "", "")
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(number) == before


@pytest.mark.slow
@pytest.mark.parametrize("module", ["rich", "numpy", "torch", "transformers"])
def test_an_interrupt_while_something_is_imported_ends_it_without_a_word(tmp_path, module):
    hook = f"""
import os, signal, sys
class Hook:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Hook())
from trainer.__main__ import main
main()
"""
    command = [sys.executable, "-c", hook, "fit", str(tmp_path / "none.csv")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


CONFIG = """
protocol = "speaker"
folds = 2
[speech]
features = "is09"
attention = 8
epochs = 2
batch = 8
[text]
encoder = "bert"
epochs = {epochs}
batch = 4
rate = 1e-3
[fusion]
block = "feed-forward"
epochs = 2
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory, talks) -> Path:
    """Return a folder with a corpus, an encoder, a configuration, and a cache that fills."""
    folder = tmp_path_factory.mktemp("home")
    words = [u.transcript or "" for u in registry.read(talks(folder))]
    write_bert(folder / "weights" / "bert", " ".join(words).split())
    (folder / "small.toml").write_text(CONFIG.format(epochs=1))
    return folder


@pytest.fixture
def manifest(tmp_path, home) -> Path:
    """Return a copy of the corpus, to damage."""
    for path in (*home.glob("*.wav"), home / "talks.csv"):
        target = tmp_path / "corpus" / path.name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    return tmp_path / "corpus" / "talks.csv"


@pytest.fixture
def fit(tmp_path, home, manifest, monkeypatch) -> list[object]:
    """Return the command that trains on the corpus, into ``out``."""
    monkeypatch.setattr("trainer.metrics.RESAMPLES", 20)
    monkeypatch.setattr("trainer.experiment.report.draw", lambda *_: None)
    folders = {"--weights": home / "weights", "--out": tmp_path / "out", "--cache": home / "cache"}
    return ["fit", manifest, "--config", home / "small.toml", *(part for pair in folders.items() for part in pair)]


def test_own_recordings_are_trained_on_and_reported(run, fit, tmp_path):
    code, out, err = run(*fit)
    assert code == 0
    assert "speech" in out and "text" in out and "fused" in out and "±" in out
    assert "16 utterances; calm, furious" in err
    assert f"the report is in {tmp_path / 'out'}" in err
    assert {"config.json", "metrics.json", "predictions.csv", "checkpoints"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }


def test_a_disk_that_fills_is_one_line_and_resuming_ends_the_run(run, fit, small_disk, monkeypatch):
    monkeypatch.setattr(
        "trainer.experiment.cross_validation.check_room", lambda *_: None
    )  # it would refuse so small a disk
    fit[fit.index("--out") + 1] = small_disk(400) / "out"
    code, out, err = run(*fit)
    assert (code, out) == (1, "")
    assert "is the disk full? Make room, then --resume goes on from here" in one_line(err)
    small_disk(100_000)
    assert run(*fit, "--resume")[0] == 0


def test_json_is_all_that_is_printed_even_with_progress_bars(run, fit, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "_quiet", lambda: False)
    fit[-1] = tmp_path / "cache"  # features are computed anew, with a bar
    code, out, err = run(*fit, "--json")
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert "IS09" in err


def test_a_run_that_is_there_is_refused_and_resumed(run, fit, tmp_path):
    _, first, _ = run(*fit, "--json", "--only", "speech")
    code, out, err = run(*fit, "--only", "speech")
    assert (code, out) == (1, "")
    assert "--resume" in one_line(err)
    code, out, err = run(*fit, "--only", "speech", "--resume", "--json")
    assert (code, out) == (0, first)
    code, _, err = run(*fit, "--only", "speech", "--resume", "--seed", 1)
    assert code == 1
    assert "experiment.seed" in one_line(err)


@pytest.mark.parametrize(("number", "wanted"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_training_says_how_to_go_on(run, fit, monkeypatch, tmp_path, number, wanted):
    from trainer.text.network import TextEmotion

    original = TextEmotion.forward

    def pressed(this, *args, **kwargs):
        if this.training:
            signal.raise_signal(number)
        return original(this, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(TextEmotion, "forward", pressed)
        code, out, err = run(*fit)
    assert (code, out) == (wanted, "")
    assert "--resume" in one_line(err)
    code, _, _ = run(*fit, "--resume")
    assert code == 0


def test_labels_are_mapped(run, fit):
    code, out, _ = run(*fit, "--only", "speech", "--map", "calm=neutral", "--map", "furious=angry", "--json")
    assert code == 0
    assert json.loads(out)["labels"] == ["neutral", "angry"]


@pytest.mark.parametrize(
    ("options", "code", "named"),
    [
        (["--map", "no-such=x"], 1, "'no-such' is to be renamed but is not there"),
        (["--map", "calm"], 2, "calm"),
        (["--map", "calm="], 1, "two at least"),
        (["--config", "no-such"], 1, "paper-table4-bert"),
        (["--protocol", "hope"], 1, "protocol"),
        (["--protocol", "official"], 1, "16 of 16 utterances name no split"),
        (["--folds", "0"], 1, "folds = 0"),
        (["--folds", "9"], 1, "4 speakers cannot be dealt to 9 folds"),
        (["--encoder", "no-such"], 1, "no encoder 'no-such'"),
        (["--only", "speech", "--encoder", "bert"], 1, "not trained here"),
        (["--features", "smell"], 1, "features"),
        (["--shortest", "1"], 1, "for iemocap alone"),
        (["--warm-start", "nowhere.csv"], 1, "nowhere.csv: no such file"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_in_one_line(run, fit, options, code, named):
    found, out, err = run(*fit, *options)
    assert (found, out) == (code, "")
    assert named in (plain(err) if code == 2 else one_line(err))


def test_a_path_that_is_no_corpus_is_refused_before_anything_is_written(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("fit", "nowhere")
    assert code == 1
    assert "nowhere: no such file or folder" in one_line(err)
    (tmp_path / "empty").mkdir()
    code, _, err = run("fit", "empty")
    assert code == 1
    assert "looks like none of iemocap" in one_line(err)
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


def test_a_damaged_recording_is_refused_then_skipped(run, fit, manifest):
    (manifest.parent / "00.wav").write_bytes(b"RIFF but no wave")
    code, _, err = run(*fit, "--only", "speech")
    assert code == 1
    assert "00.wav" in one_line(err) and "--skip-bad" in one_line(err)
    code, out, _ = run(*fit, "--only", "speech", "--skip-bad", "--json")
    assert code == 0
    assert json.loads(out)["branches"]["speech"]["n"] == 15


def test_recordings_do_not_matter_to_a_configuration_of_words_alone(run, fit, manifest, tmp_path):
    (manifest.parent / "00.wav").write_bytes(b"RIFF but no wave")
    fit[3] = tmp_path / "words.toml"
    fit[3].write_text('protocol = "speaker"\nfolds = 2\n[text]\nencoder = "bert"\nepochs = 1\n')
    code, out, _ = run(*fit, "--json")
    assert code == 0
    assert json.loads(out)["branches"]["text"]["n"] == 16


def test_a_table_is_printed_beside_the_papers(run, home, tmp_path, monkeypatch):
    tree = tmp_path / "tree"
    folders = ["--weights", home / "weights", "--cache", home / "cache", "--out", tmp_path / "out"]
    small = ["--folds", 2, "--repeats", 1, "--epochs", 1, "--stand-in", "bert-base-cased=bert", "--row", "BERT"]
    monkeypatch.setattr("trainer.metrics.RESAMPLES", 20)
    monkeypatch.setattr("trainer.experiment.report.draw", lambda *_: None)
    corpus = registry.named("synthetic")
    utterances = registry.read(
        home / "talks.csv", options=registry.LoadOptions({"calm": "neutral", "furious": "angry"})
    )
    monkeypatch.setattr(registry, "detect", lambda _: corpus)
    monkeypatch.setattr(registry, "read", lambda *_, **__: utterances)
    code, out, _ = run("reproduce", "table2", tree, *folders, *small, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["path_check"] is True
    assert [row["name"] for row in found["rows"] if row["ours"]] == ["BERT"]
    code, out, _ = run("reproduce", "table2", tree, *folders, *small, "--resume")
    assert code == 0
    assert "PATH CHECK" in out and "0.709 ± 0.015" in out
    assert all(row.name in out for row in TABLES["table2"].rows)
    code, _, err = run("reproduce", "table2", tree, *folders, *small)
    assert code == 1
    assert "--resume" in one_line(err)
    code, _, err = run("reproduce", "table2", tree, *folders, "--row", "TRE")
    assert code == 1
    assert "no line 'TRE'" in one_line(err)


@pytest.mark.slow
def test_a_run_that_was_killed_resumes_to_the_same_results(home, tmp_path):
    config = tmp_path / "long.toml"
    config.write_text(CONFIG.format(epochs=30))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

    def command(out: str, *more: str) -> list[str]:
        folders = ["--weights", str(home / "weights"), "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / out)]
        return [
            sys.executable, "-m", "trainer", "fit", str(home / "talks.csv"), "--config", str(config), *folders, *more
        ]  # fmt: skip

    with subprocess.Popen(command("killed"), env=environment, stderr=subprocess.DEVNULL) as process:
        second = tmp_path / "killed" / "units" / "run-1-part-2" / "speech.safetensors"
        deadline = time.monotonic() + 120
        while not second.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL, "it was over before it was killed"
    assert not (tmp_path / "killed" / "metrics.json").exists()
    for arguments in (command("killed", "--resume"), command("whole")):
        subprocess.run(arguments, env=environment, check=True, capture_output=True, timeout=200)
    for name in (
        "metrics.json",
        "predictions.csv",
        *(f"checkpoints/{b}/weights.safetensors" for b in ("speech", "text", "fusion")),
    ):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_corpus_with_classes_is_refused_in_the_place_of_plain_speech(run, tmp_path):
    for name in ("ravdess", "acted"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "03-01-03-01-02-01-07.wav").touch()
    config = tmp_path / "mine.toml"
    config.write_text(
        '[speech]\nunlabelled_weight = 0.4\n[speech.data]\ncorpora = ["ravdess"]\nplain = ["acted"]\n'
        'protocol = "speaker"\n'
    )
    code, _, err = run("fit", tmp_path, "--config", config, "--only", "speech", "--out", tmp_path / "run")
    assert code == 1
    assert f"{tmp_path / 'acted'}: has classes, so its place is speech.data.corpora, not .plain" in one_line(err)
