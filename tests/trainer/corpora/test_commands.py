"""The commands `trainer corpora`: tables, JSON, exit codes."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from trainer.cli import app as trainer_app
from trainer.corpora import registry, synthetic
from trainer.corpora.commands import app
from trainer.errors import CorpusError

HAPPY, CALM = "03-01-03-01-02-01-07", "03-01-02-01-02-01-07"


@pytest.fixture
def run():
    """Return a function that runs a command and gives its exit code and output."""

    def call(*arguments: object, fails_with: type[Exception] | None = None) -> tuple[int, str]:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "100"})
        error = None if isinstance(result.exception, SystemExit) else result.exception
        assert error is None or (fails_with and isinstance(error, fails_with)), error
        return result.exit_code, result.output if error is None else str(error)

    return call


@pytest.fixture
def calls(tmp_path):
    """Return a manifest of fifteen recordings: three labels, two speakers."""
    rows = [["audio", "label", "speaker"]]
    for number in range(15):
        noise = np.random.default_rng(number).normal(0, 0.1, 19_200)
        soundfile.write(tmp_path / f"{number}.wav", noise, 16_000)
        rows.append([f"{number}.wav", ("furious", "calm", "unsure")[number % 3], f"s{number % 2}"])
    path = tmp_path / "calls.csv"
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    return path


def edit(path: Path, line: int, old: str, new: str) -> None:
    """Replace a text in a line of a manifest, counted from 1."""
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def fitted(tmp_path):
    """Return a function that gives why `trainer fit` refuses a corpus, after checking that it leaves nothing behind."""

    def refusal(path: Path, *options: str) -> str:
        out = tmp_path / "run"
        arguments = ["fit", str(path), "--out", str(out), "--weights", str(tmp_path / "none"), *options]
        result = CliRunner().invoke(trainer_app, arguments, env={"COLUMNS": "1000"})
        assert isinstance(result.exception, CorpusError), result.output
        assert not out.exists()
        return str(result.exception)

    return refusal


@pytest.mark.parametrize("command", ["list", "check", "synthesise"])
def test_help_of_each_command_has_examples(run, command):
    code, out = run(command, "--help")
    assert code == 0
    assert f"trainer corpora {command}" in out


def test_the_list_names_every_corpus_with_its_licence(run):
    code, out = run("list")
    assert code == 0
    assert all(corpus.name in out for corpus in registry.CORPORA)
    assert "CC-BY-NC-SA-4.0" in out
    assert "4,490" in out


def test_the_list_can_be_written_as_json(run):
    code, out = run("list", "--json")
    assert code == 0
    listed = {entry["name"]: entry for entry in json.loads(out)}
    assert set(listed) == {corpus.name for corpus in registry.CORPORA}
    assert listed["iemocap"]["counts"][""]["angry"] == 1103
    assert listed["semeval"]["protocol"] == "official"


def test_check_of_a_whole_manifest_exits_with_0(run, calls):
    code, out = run("check", calls)
    assert code == 0
    assert "all is well" in out
    assert "furious 5" in out
    assert "15 decoded" in out
    assert "speaker, as every row names a speaker: each of 2 speakers is tested on in turn" in out


def test_labels_are_renamed_and_left_out(run, calls):
    code, out = run("check", calls, "--map", "furious=angry", "--map", "unsure=", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["labels"] == {"angry": 5, "calm": 5}
    assert (report["corpus"], report["protocol"], report["fine"]) == ("manifest", "speaker", True)
    assert report["hours"] == pytest.approx(12 / 3600)


def test_check_of_a_faulty_corpus_names_the_faults_and_exits_with_1(run, calls):
    (calls.parent / "1.wav").unlink()
    (calls.parent / "2.wav").write_bytes(b"")
    code, out = run("check", calls)
    assert code == 1
    assert "missing: 1" in out
    assert f"{calls.parent / '1.wav'}: not there" in out
    assert "damaged: 1" in out
    code, out = run("check", calls, "--json")
    report = json.loads(out)
    assert code == 1
    assert report["fine"] is False
    assert [fault["audio"] for fault in report["missing"]] == [str(calls.parent / "1.wav")]


def test_every_fault_of_a_manifest_is_named_with_its_line(run, fitted, calls):
    edit(calls, 2, ",furious", ",")
    (calls.parent / "1.wav").unlink()
    (calls.parent / "2.wav").write_bytes(b"")
    code, out = run("check", calls)
    assert code == 1
    assert f"{calls}:2: no label" in out
    assert f"line 3: {calls.parent / '1.wav'}: not there" in out
    assert f"line 4: {calls.parent / '2.wav'}: " in out
    report = json.loads(run("check", calls, "--json")[1])
    assert report["refused"] == [f"{calls}:2: no label"]
    assert [fault["line"] for fault in (*report["missing"], *report["damaged"])] == [3, 4]
    assert f"{calls}:2: no label" in fitted(calls)


def test_a_row_that_cannot_be_used_is_left_out_by_request(run, calls):
    edit(calls, 2, ",furious", ",")
    code, out = run("check", calls, "--skip-bad", "--map", "furious=calm")
    assert code == 0
    assert "left out: 1 of 15 utterances" in out


def test_the_corpus_and_its_licence_are_named(run, tmp_path, clip):
    clip(tmp_path / f"{HAPPY}.wav")
    _, out = run("check", tmp_path)
    assert "ravdess" in out and "CC-BY-NC-SA-4.0" in out and "Livingstone" in out


def test_a_long_list_of_faults_is_cut_short_but_not_as_json(run, tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text("audio,label\n" + "".join(f"{i}.wav,x\n" for i in range(30)))
    _, out = run("check", path)
    assert "missing: 30" in out
    assert "and 10 more" in out
    _, out = run("check", path, "--json")
    assert len(json.loads(out)["missing"]) == 30


def test_check_of_a_part_of_a_published_corpus_exits_with_1(run, tmp_path, clip):
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
    path.write_text("transcript,label\n" + "a,[bold]\nb,[/i]\n" * 5)
    code, out = run("check", path)
    assert code == 0
    assert "[bold] 5" in out


@pytest.mark.parametrize(
    ("line", "old", "new", "said"),
    [
        (3, "s1", "", "1 of 15 utterances name no speaker (line 3)"),
        (3, "s1", "unknown", "1 of 15 utterances name no speaker (line 3)"),
        (3, "s1", "S1", "'S1' (1: line 3)"),
        (3, "calm", "CALM", "--map CALM=calm"),
        (3, "1.wav", "", "neither audio nor transcript"),
        (4, "2.wav,unsure", "1.wav,unsure", "'1.wav' is there a second time, as in line 3"),
    ],
)
def test_check_finds_the_rows_that_fit_would_refuse(run, fitted, calls, line, old, new, said):
    edit(calls, line, old, new)
    code, out = run("check", calls, fails_with=CorpusError)
    assert code == 1
    assert said in out
    assert "all is well" not in out
    assert said in fitted(calls)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--map", "furious=", "--map", "unsure="], "1 labels (calm); there must be two at least"),
        (["--protocol", "official"], "15 of 15 utterances name no split"),
        (["--protocol", "session"], "name no session"),
    ],
)
def test_options_are_checked_as_fit_would(run, fitted, calls, options, said):
    code, out = run("check", calls, *options)
    assert code == 1
    assert said in out
    assert said in fitted(calls, *options)


def test_four_recordings_are_refused_with_what_would_be_enough(run, fitted, calls):
    calls.write_text("".join(calls.read_text().splitlines(keepends=True)[:5]))
    said = "each of the 3 labels needs 5 utterances at least, from two speakers or more, so 15 in all"
    assert said in run("check", calls)[1]
    assert said in fitted(calls)


def test_rows_without_words_where_others_have_some_are_found(run, fitted, calls):
    rows = calls.read_text().splitlines()
    calls.write_text("\n".join([f"{rows[0]},transcript", f"{rows[1]},", *(f"{row},hello" for row in rows[2:])]))
    said = "1 of 15 utterances have no words (line 2)"
    code, out = run("check", calls)
    assert code == 1 and said in out and said in fitted(calls)
    assert run("check", calls, "--only", "speech")[0] == 0
    code, out = run("check", calls, "--skip-bad", "--map", "unsure=")
    assert code == 1 and "too few" in out  # five furious less one


def test_utterances_left_out_on_request_are_counted(run, calls):
    calls.write_text(calls.read_text() + calls.read_text().split("\n", 1)[1].replace(".wav", "x.wav"))
    code, out = run("check", calls, "--skip-bad")
    assert code == 0
    assert "left out: 15 of 30 utterances" in out
    assert run("check", calls)[0] == 1


def test_without_speakers_the_voices_are_shuffled_and_that_is_said(run, calls):
    calls.write_text("".join(line.rsplit(",", 1)[0] + "\n" for line in calls.read_text().splitlines()))
    code, out = run("check", calls)
    assert code == 0
    assert "shuffled, as no two speakers are named; the same voices are trained and tested on" in out
    assert json.loads(run("check", calls, "--json")[1])["parts"] is None


def test_labels_that_are_no_emotion_are_noted(run, calls):
    calls.write_text(calls.read_text().replace("unsure", "nospeech"))
    code, out = run("check", calls)
    assert code == 0
    assert "leave it out with --map nospeech=" in out


def test_one_recording_twice_with_one_label_is_noted(run, calls):
    shutil.copy(calls.parent / "0.wav", calls.parent / "3.wav")
    code, out = run("check", calls)
    assert code == 0
    assert "the same recording in lines 2, 5" in out


def test_one_recording_twice_with_two_labels_is_refused(run, fitted, calls):
    shutil.copy(calls.parent / "0.wav", calls.parent / "1.wav")
    code, out = run("check", calls)
    assert code == 1
    assert "the same recording in lines 2, 3, labelled calm, furious" in " ".join(out.split())
    assert "2 are there again with another label" in fitted(calls)


def test_a_silent_recording_is_refused_and_a_long_one_noted(run, calls):
    soundfile.write(calls.parent / "1.wav", np.zeros(16_000), 16_000)
    soundfile.write(calls.parent / "2.wav", np.random.default_rng(0).normal(0, 0.1, 31 * 16_000), 16_000)
    code, out = run("check", calls)
    assert code == 1
    assert "1.wav: silent from beginning to end" in out
    assert "1 recordings are longer than 30 s (line 4)" in out


@pytest.mark.parametrize("pairs", [["calm"], ["=angry"], ["calm=a", "calm=b"]])
def test_a_wrong_map_exits_with_2(run, calls, pairs):
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
def test_options_that_do_not_fit_the_corpus_are_refused(run, calls, arguments, said):
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


def test_too_few_utterances_to_synthesise_exit_with_2(run, tmp_path):
    assert run("synthesise", tmp_path / "made", "--utterances", 10)[0] == 2


@pytest.fixture
def known(calls, monkeypatch):
    """Return a function that makes a known corpus of the manifest, with labels in place of its own."""

    def make(*labels: str, **block: object) -> Path:
        text = calls.read_text()
        for old, new in zip(("furious", "calm", "unsure"), labels, strict=True):
            text = text.replace(old, new)
        path = calls.with_name("manifest.csv")
        path.write_text(text)
        corpus = registry.Corpus(
            "copied", "a copy", "CC0-1.0", "somebody", "speaker", ("speech",),
            **{"labels": ("happy", "sad"), "manifest_sha256": hashlib.sha256(text.encode()).hexdigest(), **block},
        )  # fmt: skip
        monkeypatch.setattr(registry, "CORPORA", (*registry.CORPORA, corpus))
        return path.parent

    return make


def test_plain_speech_is_checked_though_nothing_can_be_learned_of_it_alone(run, fitted, known):
    folder = known("unlabelled", "unlabelled", "unlabelled", labels=(), plain=True)
    code, out = run("check", folder)
    assert code == 0
    assert "15 decoded" in out and "unlabelled 15" in out
    assert "none: plain speech has no classes to test" in out
    report = json.loads(run("check", folder, "--json")[1])
    assert (report["protocol"], report["parts"], report["problems"], report["kept"]) == (None, None, [], 15)
    assert "name its folder under plain in [speech.data]" in fitted(folder)
    (folder / "3.wav").unlink()
    code, out = run("check", folder)
    assert code == 1 and "missing: 1" in out
    code, out = run("check", folder, "--skip-bad")
    assert code == 0 and "left out: 1 of 15 utterances" in out


def test_recordings_without_a_class_are_checked_on_request(run, known):
    folder = known("happy", "sad", "other", counts={"": {"happy": 5, "sad": 5, "other": 6}})
    (folder / "2.wav").write_bytes(b"")
    code, out = run("check", folder)
    assert code == 0
    assert "10 decoded" in out and "not learned are left out: other 5" in out
    code, out = run("check", folder, "--unlabelled")
    assert code == 1
    assert "14 decoded" in out and "2.wav: empty" in out and "5 other where 6 are published" in out
    report = json.loads(run("check", folder, "--unlabelled", "--skip-bad", "--json")[1])
    assert (report["fine"], report["kept"], report["problems"]) == (True, 14, [])


def test_a_note_on_a_copy_is_shown(run, known):
    folder = known("happy", "sad", "other", note="its labels are exchanged")
    assert "its labels are exchanged" in run("check", folder)[1]
    assert json.loads(run("check", folder, "--json")[1])["notes"][0] == "its labels are exchanged"
    listed = {entry["name"]: entry["note"] for entry in json.loads(run("list", "--json")[1])}
    assert listed["copied"] == "its labels are exchanged" and listed["emotiontts_kr"]


def test_the_list_counts_plain_speech_and_says_that_it_has_no_classes(run):
    _, out = run("list")
    (row,) = [cell for cell in re.split("├.*┤", out) if "LibriSpeech" in cell]
    assert "234" in row and "no classes; it teaches when not to be sure" in row
    assert "protocol" not in row
    listed = {entry["name"]: entry["counts"] for entry in json.loads(run("list", "--json")[1])}
    assert listed["librispeech"] == {"": {"unlabelled": 234}}
    assert listed["savee"] == {"": {"neutral": 120, "happy": 60, "sad": 60, "angry": 60}}
