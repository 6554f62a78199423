"""The commands `trainer corpora`: tables, JSON, exit codes."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from edge_runtime.errors import CorpusError
from trainer.corpora import catalogue, synthetic
from trainer.corpora.commands import app

HAPPY, CALM = "03-01-03-01-02-01-07", "03-01-02-01-02-01-07"


@pytest.fixture
def run():
    """Return a function that runs a command and gives its exit code and output."""

    def call(*arguments: object, fails_with: type[Exception] | None = None) -> tuple[int, str]:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "100"})
        if result.exception and not isinstance(result.exception, SystemExit):
            assert fails_with, result.exception
            assert isinstance(result.exception, fails_with), result.exception
            return result.exit_code, str(result.exception)
        return result.exit_code, result.output

    return call


@pytest.fixture
def calls(tmp_path, clip):
    """Return a manifest of three recordings."""
    for name in "abc":
        clip(tmp_path / f"{name}.wav", seconds=1.2)
    path = tmp_path / "calls.csv"
    path.write_text("audio,label,speaker\na.wav,furious,1\nb.wav,calm,2\nc.wav,unsure,2\n")
    return path


@pytest.mark.parametrize("command", ["list", "check", "synthesise"])
def test_help_has_examples(run, command):
    code, out = run(command, "--help")
    assert code == 0
    assert f"trainer corpora {command}" in out


def test_the_list_names_every_corpus_with_its_licence(run):
    code, out = run("list")
    assert code == 0
    assert all(corpus.name in out for corpus in catalogue.CORPORA)
    assert "CC-BY-NC-SA-4.0" in out
    assert "4,490" in out


def test_the_list_as_json(run):
    code, out = run("list", "--json")
    assert code == 0
    listed = {entry["name"]: entry for entry in json.loads(out)}
    assert set(listed) == {corpus.name for corpus in catalogue.CORPORA}
    assert listed["iemocap"]["counts"][""]["angry"] == 1103
    assert listed["semeval"]["protocol"] == "official"


def test_a_whole_manifest_is_0(run, calls):
    code, out = run("check", calls)
    assert code == 0
    assert "all is well" in out
    assert "furious 1" in out
    assert "3 decoded" in out


def test_labels_are_renamed_and_left_out(run, calls):
    code, out = run("check", calls, "--map", "furious=angry", "--map", "unsure=", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["labels"] == {"angry": 1, "calm": 1}
    assert (report["corpus"], report["protocol"], report["fine"]) == ("manifest", "speaker", True)
    assert report["hours"] == pytest.approx(2.4 / 3600)


def test_faults_are_1_and_named(run, calls):
    (calls.parent / "a.wav").unlink()
    (calls.parent / "b.wav").write_bytes(b"")
    code, out = run("check", calls)
    assert code == 1
    assert "missing: 1" in out
    assert f"{calls.parent / 'a.wav'}: not there" in out
    assert "damaged: 1" in out
    code, out = run("check", calls, "--json")
    report = json.loads(out)
    assert code == 1
    assert report["fine"] is False
    assert [fault["audio"] for fault in report["missing"]] == [str(calls.parent / "a.wav")]


def test_a_long_list_of_faults_is_cut_short_but_not_as_json(run, tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text("audio,label\n" + "".join(f"{i}.wav,x\n" for i in range(30)))
    _, out = run("check", path)
    assert "missing: 30" in out
    assert "and 10 more" in out
    _, out = run("check", path, "--json")
    assert len(json.loads(out)["missing"]) == 30


def test_a_part_of_a_published_corpus_is_1(run, tmp_path, clip):
    clip(tmp_path / f"{HAPPY}.wav")
    clip(tmp_path / f"{CALM}.wav")
    code, out = run("check", tmp_path, "--map", "calm=neutral")
    assert code == 1
    assert "1 neutral where 288 are published" in out
    assert "1 happy where 192 are published" in out


def test_the_corpus_may_be_named(run, tmp_path):
    (tmp_path / "mine.txt").write_text("1\tneutral\tone [x]\n")
    code, _ = run("check", tmp_path, fails_with=CorpusError)
    assert code == 1
    _, out = run("check", tmp_path, "--corpus", "semeval", "--json")
    assert json.loads(out)["labels"] == {"neutral": 1}


def test_labels_with_brackets_are_shown_as_they_are(run, tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text("transcript,label\na,[bold]\n")
    code, out = run("check", path)
    assert code == 0
    assert "[bold] 1" in out


@pytest.mark.parametrize("pairs", [["calm"], ["=angry"], ["calm=a", "calm=b"]])
def test_wrong_maps_are_2(run, calls, pairs):
    code, out = run("check", calls, *(part for pair in pairs for part in ("--map", pair)))
    assert code == 2
    assert "LABEL=NEW" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--merge-excited"], "iemocap alone"),
        (["--longest", "15"], "iemocap alone"),
        (["--map", "clam=x"], "'clam'"),
        (["--corpus", "nothing"], "no such corpus"),
    ],
)
def test_options_that_do_not_fit_say_so(run, calls, arguments, said):
    code, out = run("check", calls, *arguments, fails_with=CorpusError)
    assert code == 1
    assert said in out


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
def test_a_synthetic_corpus_is_made_and_found_whole(run, tmp_path):
    code, out = run("synthesise", tmp_path / "made", "--utterances", 62)
    assert code == 0
    assert "70 synthetic utterances" in out
    code, out = run("check", tmp_path / "made", "--merge-excited", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["corpus"] == "synthetic"
    assert len(report["speakers"]) == 10


def test_long_corpora_get_more_dialogues(run, tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(synthetic, "iemocap_tree", lambda folder, **options: asked.update(options) or 601)
    assert run("synthesise", tmp_path / "made", "--utterances", 601, "--seed", 5)[0] == 0
    assert asked["dialogs_per_session"] == 5
    assert 5 * 5 * asked["utterances_per_dialog"] >= 601
    assert asked["seed"] == 5


def test_too_few_utterances_are_2(run, tmp_path):
    assert run("synthesise", tmp_path / "made", "--utterances", 10)[0] == 2
