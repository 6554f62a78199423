"""From a corpus' path to a checked data set, and several corpora as one."""

import hashlib
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from trainer.corpora import dataset, registry
from trainer.corpora.dataset import Dataset
from trainer.corpora.registry import LoadOptions
from trainer.corpora.utterance import LABELS, Utterance, checksum
from trainer.errors import CorpusError


@pytest.fixture
def manifest(tmp_path, talks):
    return talks(tmp_path / "corpus", speakers=1)


def read(
    path: Path,
    *,
    speech: bool = True,
    text: bool = True,
    skip: bool = False,
    unlabelled: bool = False,
    **reading: object,
):
    said: list[str] = []
    note = logging.Handler()
    note.emit = lambda record: said.append(record.getMessage())
    logger = logging.getLogger("trainer")
    logger.addHandler(note)
    logger.setLevel(logging.INFO)
    try:
        how = LoadOptions(**reading)
        found = dataset.load(path, how, speech=speech, text=text, skip_bad=skip, quiet=True, unlabelled=unlabelled)
        return found, said
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


@pytest.fixture
def known(tmp_path, talks, monkeypatch):
    """Return a function that writes a corpus known by an entry, whose furious clips have another label."""

    def write(name: str, furious: str, **facts: object) -> Path:
        manifest = talks(tmp_path / name, speakers=3)
        text = manifest.read_text().replace(",furious,", f",{furious},")
        if facts.get("plain"):
            text = text.replace(",calm,", f",{furious},")
        manifest.unlink()
        (tmp_path / name / "manifest.csv").write_text(text)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        entry = registry.Corpus(
            name, f"talks of {name}", "CC0-1.0", "us", "shuffled", ("speech",), manifest_sha256=sha256, **facts
        )
        monkeypatch.setattr(registry, "CORPORA", (*registry.CORPORA, entry))
        return tmp_path / name

    return write


def load(path: Path, *, skip: bool = False, unlabelled: bool = True) -> Dataset:
    return dataset.load(path, LoadOptions(), speech=True, text=False, skip_bad=skip, quiet=True, unlabelled=unlabelled)


def test_plain_speech_is_a_corpus_without_classes(known):
    found = load(known("books", "unlabelled", plain=True))
    assert (found.name, found.utterances, found.labels, len(found.unlabelled)) == ("books", (), (), 12)
    assert found.everything == list(found.unlabelled)


def test_plain_speech_alone_is_refused(known):
    with pytest.raises(CorpusError, match="speech without labels"):
        load(known("books", "unlabelled", plain=True), unlabelled=False)


def test_other_emotions_come_after_the_classes_and_are_checked_too(known):
    folder = known("scenes", "other", labels=("calm",))
    assert not load(folder, unlabelled=False).unlabelled
    found = load(folder)
    assert [u.label for u in found.everything] == ["calm"] * 6 + ["other"] * 6
    assert found.label_ids == [0] * 6
    assert found.provenance(range(12))["scenes"]["labels"] == {"calm": 6, "other": 6}
    (folder / "01.wav").write_bytes(b"RIFF but no wave")
    with pytest.raises(CorpusError, match="damaged"):
        load(folder)
    assert len(load(folder, skip=True).unlabelled) == 5


def test_joined_corpora_have_the_plain_ones_last(known):
    scenes = load(known("scenes", "angry", labels=("angry", "calm")))
    books = load(known("books", "unlabelled", plain=True))
    both = dataset.join([books, scenes])
    assert set(both.labels) == set(scenes.labels) and both.name == "books+scenes"
    assert [u.corpus for u in both.everything] == ["scenes"] * 12 + ["books"] * 12
    found = both.provenance(range(24))
    assert {name: entry["labels"] for name, entry in found.items()} == {
        "scenes": {"calm": 6, "angry": 6},
        "books": {"unlabelled": 12},
    }


def test_what_is_not_learned_and_what_is_odd_of_a_copy_are_said(known, caplog):
    folder = known("scenes", "bored", labels=("calm",), note="its clips are tones")
    caplog.set_level(logging.INFO, "trainer")
    logging.getLogger("trainer").addHandler(caplog.handler)
    try:
        load(folder)
    finally:
        logging.getLogger("trainer").removeHandler(caplog.handler)
    assert "note: scenes: its clips are tones" in caplog.messages
    assert any("bored" in message and "6" in message for message in caplog.messages)


@pytest.fixture
def copy_of(tmp_path, clip, monkeypatch):
    """Return a function that makes a copy of a known corpus, a recording to a label, and gives its folder."""

    def make(name: str, *labels: str, **block: object) -> Path:
        folder = tmp_path / name
        rows = [(clip(folder / f"{i}.wav", seed=i).name, label, f"s{i}") for i, label in enumerate(labels)]
        text = "audio,label,speaker\n" + "".join(",".join(row) + "\n" for row in rows)
        (folder / "manifest.csv").write_text(text)
        corpus = registry.Corpus(
            name, f"a copy, {name}", "CC0-1.0", "somebody", "speaker", ("speech",),
            **{"labels": LABELS, "manifest_sha256": hashlib.sha256(text.encode()).hexdigest(), **block},
        )  # fmt: skip
        monkeypatch.setattr(registry, "CORPORA", (*registry.CORPORA, corpus))
        return folder

    return make


def test_recordings_without_a_class_are_kept_apart_on_request(copy_of):
    folder = copy_of("acted", "sad", "other", "happy", "nospeech", "unlabelled")
    found, said = read(folder, text=False, unlabelled=True)
    assert [u.id for u in found.utterances] == ["0.wav", "2.wav"]
    assert [(u.id, u.label, u.speaker) for u in found.unlabelled] == [
        ("1.wav", "other", "acted-s1"),
        ("4.wav", "unlabelled", "acted-s4"),
    ]
    assert found.everything == [*found.utterances, *found.unlabelled]
    assert (found.labels, found.label_ids) == (("happy", "sad"), [1, 0])
    assert "note: utterances of labels that are not learned are left out: nospeech 1" in said
    assert said[-1] == "a copy, acted: 2 utterances; happy, sad; 2 recordings without a class"


def test_recordings_without_a_class_are_left_out_and_counted_by_default_and_of_text(copy_of):
    folder = copy_of("acted", "sad", "other", "happy")
    (folder / "1.wav").unlink()
    for options in ({}, {"speech": False, "unlabelled": True}):
        found, said = read(folder, text=False, **options)
        assert (len(found.utterances), list(found.unlabelled)) == (2, [])
        assert "note: utterances of labels that are not learned are left out: other 1" in said
        assert found.provenance([0])["acted"]["checksum"] == checksum(found.utterances)


def test_bad_recordings_without_a_class_are_refused_with_the_others_then_skipped(copy_of):
    folder = copy_of("acted", "sad", "other", "happy", "other", "unlabelled")
    (folder / "0.wav").unlink()
    (folder / "1.wav").write_bytes(b"RIFF but no wave")
    soundfile.write(folder / "4.wav", np.zeros(1600), 16_000)
    with pytest.raises(
        CorpusError,
        match=r"1 recordings of 5 utterances are missing and 2 damaged.*`trainer corpora check --unlabelled`",
    ):
        read(folder, text=False, unlabelled=True)
    found, _ = read(folder, text=False, unlabelled=True, skip=True)
    assert [u.id for u in found.utterances] == ["2.wav"]
    assert [u.id for u in found.unlabelled] == ["3.wav"]
    with pytest.raises(CorpusError, match=r"1 recordings of 2 .* missing and 0 damaged.*`trainer corpora check` lists"):
        read(folder, text=False)


def test_a_corpus_may_lose_all_recordings_without_a_class_but_not_all_with_one(copy_of):
    folder = copy_of("acted", "sad", "happy", "other")
    (folder / "2.wav").unlink()
    found, _ = read(folder, text=False, unlabelled=True, skip=True)
    assert (len(found.utterances), list(found.unlabelled)) == (2, [])
    folder = copy_of("second", "happy", "sad", "other")
    for name in ("0.wav", "1.wav"):
        (folder / name).unlink()
    with pytest.raises(CorpusError, match=r"second: every recording of a class is missing or damaged"):
        read(folder, text=False, unlabelled=True, skip=True)


def test_published_counts_and_long_recordings_without_a_class_are_noted(copy_of):
    folder = copy_of("acted", "sad", "happy", "other", counts={"": {"sad": 1, "happy": 1, "other": 3, "calm": 9}})
    soundfile.write(folder / "2.wav", np.random.default_rng(0).normal(0, 0.1, 31 * 16_000), 16_000)
    _, said = read(folder, text=False, unlabelled=True)
    assert "note: 1 other where 3 are published" in said
    assert any("1 recordings are longer than 30 s (line 4)" in text for text in said)
    assert not any("published" in text or "longer" in text for text in read(folder, text=False)[1])


def test_plain_speech_has_recordings_without_a_class_alone(copy_of):
    folder = copy_of("plain", "unlabelled", "unlabelled", labels=(), plain=True)
    found, said = read(folder, text=False, unlabelled=True)
    assert (list(found.utterances), found.labels, found.label_ids) == ([], (), [])
    assert [u.id for u in found.unlabelled] == ["0.wav", "1.wav"]
    assert said == ["a copy, plain: 2 recordings without a class"]
    for options in ({}, {"speech": False, "unlabelled": True}):
        with pytest.raises(CorpusError, match="speech without labels"):
            read(folder, text=False, **options)
    for name in ("0.wav", "1.wav"):
        (folder / name).unlink()
    with pytest.raises(CorpusError, match=r"2 recordings of 2 utterances are missing .* no other is there"):
        read(folder, text=False, unlabelled=True, skip=True)


def test_corpora_with_and_without_classes_are_joined_and_accounted_for(copy_of):
    acted = read(copy_of("acted", "sad", "other", "happy"), text=False, unlabelled=True)[0]
    plain = read(copy_of("plain", "unlabelled", labels=(), plain=True), text=False, unlabelled=True)[0]
    both = dataset.join([acted, plain])
    assert (both.name, both.labels, both.label_ids) == ("acted+plain", ("happy", "sad"), [1, 0])
    assert [(u.corpus, u.label) for u in both.everything] == [
        ("acted", "sad"),
        ("acted", "happy"),
        ("acted", "other"),
        ("plain", "unlabelled"),
    ]
    assert both.provenance([0, 2, 3]) == {
        "acted": {"labels": {"sad": 1, "other": 1}, "checksum": checksum(acted.everything)},
        "plain": {"labels": {"unlabelled": 1}, "checksum": checksum(plain.unlabelled)},
    }


def texts(*rows: tuple[str, str, str], corpus: str = "a") -> list[Utterance]:
    return [
        Utterance(f"{corpus}{i}", corpus, label, "", transcript=words, split=split)
        for i, (label, split, words) in enumerate(rows)
    ]


def test_texts_are_capped_without_duplicates_and_a_tested_part_stays_whole():
    rows = [("sad", "train", f"Nobody came to see number {i}") for i in range(6)]
    rows += [("sad", "test", f"Nobody came to see number {i}") for i in (4, 5, 6, 7)]
    soft = texts(("other", "train", "What is that over there"), ("other", "test", "Who is that over there"), corpus="b")
    soft = [replace(u, corpus="a") for u in soft]
    joined = Dataset("a+b", texts(*rows), ("sad",), soft)
    found = dataset.prepare_texts(joined, most=3, unlabelled=False)
    assert Counter(u.split for u in found.utterances) == {"train": 3, "test": 4}
    assert not {u.transcript for u in found.utterances if u.split == "train"} & {
        u.transcript for u in found.utterances if u.split == "test"
    }
    assert [u.transcript for u in found.unlabelled] == ["What is that over there"]
    assert found == dataset.prepare_texts(joined, most=3, unlabelled=False)
    assert len(dataset.prepare_texts(joined, most=None, unlabelled=False).utterances) == 8


def test_fragments_are_learned_as_such_where_texts_without_a_class_are():
    joined = Dataset("a", texts(("sad", "train", "Nobody came to see me")), ("sad",))
    found = dataset.prepare_texts(joined, most=None, unlabelled=True)
    assert {u.label for u in found.unlabelled} == {"fragment"}
    assert set(found.provenance(range(len(found.everything)))) == {"a"}
    assert {"", "Yeah.", "Okay so."} <= {u.transcript for u in found.unlabelled}
    assert len({u.id for u in found.unlabelled}) == len(found.unlabelled)


def test_no_plain_sentence_that_is_tested_on_is_a_fragment():
    assert all(len((u.transcript or "").split()) <= 3 for u in dataset.fragments())


def test_of_recordings_so_many_of_each_label_of_a_corpus_are_kept():
    corpora = [("a", 30), ("b", 4)]
    labelled = [Utterance(f"{c}{i}", c, LABELS[i % 2], "s") for c, count in corpora for i in range(count)]
    plain = [Utterance(f"plain{i}", "plain", "unlabelled", "") for i in range(9)]
    whole = Dataset("a+b+plain", labelled, LABELS, plain)
    found = dataset.cap(whole, 5)
    assert Counter((u.corpus, u.label) for u in found.everything) == {
        ("a", LABELS[0]): 5,
        ("a", LABELS[1]): 5,
        ("b", LABELS[0]): 2,
        ("b", LABELS[1]): 2,
        ("plain", "unlabelled"): 5,
    }
    kept = [u.id for u in found.everything]
    assert kept == [u.id for u in whole.everything if u.id in set(kept)]  # in their order
    assert dataset.cap(whole, 5) == found
