"""From a corpus' path and options to a checked data set and settings; and what is printed."""

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from trainer.config import Experiment, Fusion, Speech, Text
from trainer.corpora import registry
from trainer.corpora.registry import LoadOptions
from trainer.errors import ConfigError, CorpusError
from trainer.experiment import commands, defaults

ALL = Experiment(speech=Speech(), text=Text(), fusion=Fusion())


@pytest.fixture
def manifest(tmp_path, talks):
    return talks(tmp_path / "corpus", speakers=1)


def read(path: Path, *, voice: bool = True, words: bool = True, skip: bool = False, **reading: object):
    said: list[str] = []
    how = LoadOptions(**reading)
    found = commands.dataset(path, how, voice=voice, words=words, skip_bad=skip, quiet=True, say=said.append)
    return found, said


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_corpus_is_read_with_its_labels_and_said(manifest):
    found, said = read(manifest)
    assert (found.name, len(found.utterances), found.labels) == ("manifest", 4, ("calm", "furious"))
    assert "4 utterances; calm, furious" in said[-1]


def test_labels_are_renamed_and_left_out(manifest):
    found, _ = read(manifest, label_map={"calm": "neutral", "furious": "angry"})
    assert found.labels == ("neutral", "angry")
    found, _ = read(manifest, label_map={"calm": ""})
    assert found.labels == ("furious",) and len(found.utterances) == 2


def test_damaged_and_missing_recordings_are_refused_then_skipped(manifest):
    (manifest.parent / "00.wav").write_bytes(b"RIFF but no wave")
    (manifest.parent / "01.wav").unlink()
    with pytest.raises(CorpusError, match=r"1 recordings of 4 utterances are missing and 1 damaged.*--skip-bad"):
        read(manifest)
    found, _ = read(manifest, skip=True)
    assert [u.id for u in found.utterances] == ["02.wav", "03.wav"]


def test_recordings_do_not_matter_to_words_alone(manifest):
    (manifest.parent / "00.wav").write_bytes(b"")
    found, _ = read(manifest, voice=False)
    assert len(found.utterances) == 4 and all(u.audio is None for u in found.utterances)


def test_missing_words_are_refused_then_skipped_and_do_not_matter_to_the_voice(manifest):
    lines = manifest.read_text().splitlines()
    cells = lines[2].split(",")
    lines[2] = ",".join([cells[0], "", *cells[2:]])
    manifest.write_text("\n".join(lines))
    with pytest.raises(CorpusError, match=r"1 of 4 utterances have no words \(line 3\).*--skip-bad"):
        read(manifest)
    found, said = read(manifest, skip=True)
    assert len(found.utterances) == 3 and any("without transcript are left out (line 3)" in text for text in said)
    assert len(read(manifest, words=False)[0].utterances) == 4


def test_recordings_without_any_words_train_the_voice_alone(manifest):
    rows = [line.split(",") for line in manifest.read_text().splitlines()]
    manifest.write_text("".join(",".join([r[0], *r[2:]]) + "\n" for r in rows))
    found, _ = read(manifest)
    chosen = defaults.experiment(found.name, found.utterances)
    assert chosen.speech is not None and chosen.text is None and chosen.fusion is None
    heard = defaults.experiment(found.name, found.utterances, asr=True)
    assert heard.text is not None and heard.fusion is not None


def test_words_without_recordings_train_the_words_alone(manifest):
    found, _ = read(manifest, voice=False)
    chosen = defaults.experiment(found.name, found.utterances)
    assert chosen.text is not None and chosen.speech is None and chosen.fusion is None


def test_the_command_line_changes_what_it_names_and_nothing_else():
    changed = commands.changed(
        ALL,
        {"folds": 3, "seed": 0, "protocol": None},
        {"speech": {"features": "is09"}, "text": {"encoder": "x", "warm_start": None}},
    )
    assert changed == replace(
        ALL, folds=3, seed=0, speech=replace(Speech(), features="is09"), text=replace(Text(), encoder="x")
    )
    assert commands.changed(ALL, {"seed": None}, {"text": {"encoder": None}}) == ALL


def test_a_setting_of_a_branch_that_is_not_trained_is_refused():
    voice = commands.only(ALL, "speech")
    with pytest.raises(ConfigError, match="encoder: of text, which is not trained"):
        commands.changed(voice, {}, {"text": {"encoder": "x"}})
    assert commands.changed(voice, {}, {"text": {"encoder": None}}) == voice


@pytest.mark.parametrize(
    ("top", "parts", "named"),
    [
        ({"protocol": "hope"}, {}, "protocol"),
        ({"folds": 0}, {}, "folds = 0"),
        ({"repeats": 0}, {}, "repeats = 0"),
        ({"error_rate": 1.0}, {}, "error_rate"),
        ({"seed": -1}, {}, "seed"),
        ({}, {"speech": {"features": "smell"}}, "features"),
    ],
)
def test_wrong_values_on_the_command_line_are_named(top, parts, named):
    with pytest.raises(ConfigError, match=f"the command line.*{named}"):
        commands.changed(ALL, top, parts)


def test_one_branch_is_trained_without_fusion():
    assert commands.only(ALL, None) == ALL
    assert commands.only(ALL, "speech") == Experiment(speech=Speech())
    assert commands.only(ALL, "text") == Experiment(text=Text())


def test_what_was_measured_fits_eighty_columns():
    score = {"mean": 0.70512, "std": 0.0151, "interval": [0.61, 0.8]}
    branch = {"n": 1234, "wa": score, "ua": score, "f1": score, "calibration": {"ece_after": 0.0412}}
    names = dict.fromkeys(commands.NAMES, branch) | {"speech": branch | {"calibration": None}}
    table = commands.metrics_table({"corpus": "manifest", "protocol": "speaker", "branches": names})
    console = Console(width=80)
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().splitlines()
    fused = next(row for row in lines if "fused, no words" in row)
    assert "…" not in captured.get()
    for number in ("1234", "0.705", "0.015", "0.610", "0.800", "0.041"):
        assert number in fused
    assert "0.041" not in next(row for row in lines if "voice" in row)


@pytest.fixture
def parsed(monkeypatch, tmp_path):
    """Return a function that gives the words of the printed command, as a shell in an empty folder takes them."""
    monkeypatch.chdir(tmp_path)

    def words(*arguments: object, **options: object) -> list[str]:
        return shlex.split(commands.export_command(*arguments, **options))

    return words


def test_the_next_command_names_the_checkpoints_and_nothing_that_is_usual(parsed):
    python, *rest = parsed(Path("runs/calls/checkpoints"), Path("weights"))
    assert " ".join(rest) == "-m export onnx --int8 --checkpoints runs/calls/checkpoints --out my-bundle"
    asked = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert asked.stdout == f"{sys.prefix}\n"


def test_the_next_command_survives_a_shell_and_names_other_weights(parsed):
    words = parsed(Path("runs/my calls; rm 'x'/checkpoints"), Path("/some where/weights"))
    assert words[words.index("--checkpoints") + 1] == "runs/my calls; rm 'x'/checkpoints"
    assert words[words.index("--weights") + 1] == "/some where/weights"


def test_the_next_command_does_not_name_a_bundle_that_is_there(parsed):
    Path("my-bundle").mkdir()
    Path("my-bundle-2").mkdir()
    assert parsed(Path("checkpoints"), Path("weights"))[-1] == "my-bundle-3"


def test_branches_without_fusion_are_exported_as_such(parsed):
    assert "--untrained-fusion" in parsed(Path("checkpoints"), Path("weights"), untrained_fusion=True)


def test_corpora_by_name_have_their_own_classes_in_their_own_order(manifest):
    found = [replace(u, label=label) for u, label in zip(registry.read(manifest), ("sad", "happy") * 2, strict=True)]
    assert defaults.labels("ravdess", found) == ("happy", "sad")
    assert defaults.labels("manifest", [replace(u, label="x") for u in found]) == ("x",)
