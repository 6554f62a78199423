"""From a corpus' path to a checked data set, and several corpora as one."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from trainer.corpora import dataset, registry
from trainer.corpora.dataset import Dataset
from trainer.corpora.registry import LoadOptions
from trainer.corpora.utterance import Utterance, checksum
from trainer.errors import CorpusError


@pytest.fixture
def manifest(tmp_path, talks):
    return talks(tmp_path / "corpus", speakers=1)


def read(path: Path, *, speech: bool = True, text: bool = True, skip: bool = False, **reading: object):
    said: list[str] = []
    note = logging.Handler()
    note.emit = lambda record: said.append(record.getMessage())
    logger = logging.getLogger("trainer")
    logger.addHandler(note)
    logger.setLevel(logging.INFO)
    try:
        how = LoadOptions(**reading)
        return dataset.load(path, how, speech=speech, text=text, skip_bad=skip, quiet=True), said
    finally:
        logger.removeHandler(note)
        logger.setLevel(logging.NOTSET)


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
    found, _ = read(manifest, speech=False)
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
    assert len(read(manifest, text=False)[0].utterances) == 4


def test_corpora_by_name_have_their_own_classes_in_their_own_order(manifest):
    found = [replace(u, label=label) for u, label in zip(registry.read(manifest), ("sad", "happy") * 2, strict=True)]
    assert registry.labels_of(found, registry.named("ravdess")) == ("happy", "sad")
    assert registry.labels_of([replace(u, label="x") for u in found], registry.named("manifest")) == ("x",)


def test_joined_corpora_keep_their_names_and_checksums():
    one = Dataset("one", [Utterance("a", "one", "sad", "s"), Utterance("b", "one", "happy", "s")], ("happy", "sad"))
    two = Dataset("two", [Utterance("a", "two", "neutral", "s")], ("neutral",))
    both = dataset.join([one, two])
    assert (both.name, both.labels) == ("one+two", ("neutral", "happy", "sad"))
    assert both.label_ids == [2, 1, 0]
    assert both.provenance([0, 2]) == {
        "one": {"labels": {"sad": 1}, "checksum": checksum(one.utterances)},
        "two": {"labels": {"neutral": 1}, "checksum": checksum(two.utterances)},
    }
