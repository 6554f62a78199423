"""The registry: corpora told by their look, read in one way, and compared with what is published."""

import csv
import hashlib
from collections import Counter
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from trainer.corpora import meld, registry, semeval, synthetic, text_table
from trainer.corpora.registry import (
    CORPORA,
    LoadOptions,
    detect,
    expected,
    labels_of,
    named,
    not_learned,
    protocol_of,
    read,
)
from trainer.corpora.utterance import LABELS, Utterance
from trainer.errors import CorpusError

BLOCK = "[{start} - {end}]\t{id}\t{emotion}\t[2.5000, 2.5000, 2.5000]\n"


def iemocap(folder: Path) -> Path:
    path = folder / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    path.parent.mkdir(parents=True)
    rows = [("neu", 2.0), ("exc", 4.0), ("hap", 20.0), ("fru", 5.0)]
    path.write_text(
        "".join(
            BLOCK.format(start="1.0", end=f"{1 + seconds}", id=f"Ses01F_impro01_F{i:03}", emotion=emotion)
            for i, (emotion, seconds) in enumerate(rows)
        )
    )
    return folder


def semeval_2017(folder: Path) -> Path:
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "twitter-2013train-A.tsv").write_text("1\tneutral\tone\n2\tpositive\ttwo\n")
    return folder


def meld_folder(folder: Path) -> Path:
    folder.mkdir()
    for split in ("train", "dev"):
        with (folder / meld.FILES[split]).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID"))
            writer.writerows(("Hm.", "Ross", "joy", i, 0) for i in range(meld.COUNTS[split]))
    return folder


def clips(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def ravdess(folder: Path) -> Path:
    return clips(folder, *(f"Actor_07/03-01-0{emotion}-01-01-01-07.wav" for emotion in (1, 2, 3)))


def emodb(folder: Path) -> Path:
    return clips(folder, "wav/03a01Fa.wav", "wav/03a01La.wav")


def own(folder: Path) -> Path:
    folder.mkdir()
    (folder / "calls.csv").write_text("transcript,label\na,furious\nb,calm\n")
    return folder / "calls.csv"


MAKERS = {
    "iemocap": iemocap,
    "semeval": semeval_2017,
    "meld": meld_folder,
    "ravdess": ravdess,
    "emodb": emodb,
    "manifest": own,
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_corpus_is_told_by_its_look_and_read(tmp_path, name):
    path = MAKERS[name](tmp_path / "data")
    assert detect(path) is named(name)
    found = read(path)
    assert {u.corpus for u in found} == {name}
    known = {"furious", "calm"} if name == "manifest" else set(named(name).labels)
    assert set() < {u.label for u in found} <= known


def test_every_corpus_is_tried_here_or_is_a_manifest():
    others = {corpus.name for corpus in CORPORA if not corpus.manifest_sha256 and not corpus.table_sha256}
    assert others == {*MAKERS, "synthetic"}


@pytest.fixture
def published(tmp_path, monkeypatch) -> Path:
    """The folder of a corpus that comes as a manifest, known by an entry alone."""
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "manifest.csv").write_text("transcript,label,speaker\na,joy,1\nb,angry,2\nc,other,1\n")
    corpus = registry.Corpus(
        "copied", "a copy", "CC0-1.0", "somebody", "speaker", ("speech",),
        labels=LABELS, label_map={"joy": "happy"},
        manifest_sha256=hashlib.sha256((folder / "manifest.csv").read_bytes()).hexdigest(),
    )  # fmt: skip
    monkeypatch.setattr(registry, "CORPORA", (*CORPORA, corpus))
    return folder


@pytest.mark.parametrize("place", [".", "manifest.csv"])
def test_a_corpus_that_comes_as_a_manifest_needs_an_entry_alone(published, place):
    assert detect(published / place).name == "copied"
    found = read(published / place)
    assert [(u.corpus, u.label, u.speaker) for u in found] == [
        ("copied", "happy", "copied-1"),
        ("copied", "angry", "copied-2"),
    ]
    assert protocol_of(detect(published), found) == "speaker"


def test_a_manifest_that_was_changed_is_no_longer_the_published_one(published):
    with (published / "manifest.csv").open("a") as file:
        file.write("d,sad,3\n")
    assert detect(published / "manifest.csv").name == "manifest"
    with pytest.raises(CorpusError, match="did you mean the file"):
        detect(published)
    assert len(read(published, corpus=registry.named("copied"))) == 3


def test_the_blocks_of_corpora_that_come_as_manifests_are_whole():
    copies = [corpus for corpus in CORPORA if corpus.manifest_sha256]
    assert len({corpus.manifest_sha256 for corpus in copies}) == len(copies) > 0
    for corpus in copies:
        assert corpus.licence and corpus.credit and corpus.title
        assert set(corpus.labels) <= set(LABELS)
        assert not corpus.plain or (not corpus.labels and set(corpus.counts[""]) == {"unlabelled"})
        assert sum(corpus.counts[""].values()) > 0


def test_plain_speech_alone_has_no_classes():
    plain = [corpus for corpus in CORPORA if corpus.plain]
    assert len(plain) == 6
    assert sum(corpus.counts[""]["unlabelled"] for corpus in plain) == 673
    assert plain == [corpus for corpus in CORPORA if not corpus.labels and corpus.name != registry.OWN]
    assert all(set(corpus.counts[""]) == {"unlabelled"} and corpus.manifest_sha256 for corpus in plain)


def test_a_user_renames_labels_as_they_are_put_right(published):
    (published / "manifest.csv").write_text("transcript,label,speaker\na,sad,1\nb,angry,1\nc,happy,2\n")
    options = LoadOptions(label_map={"sad": ""})
    found = read(published, corpus=named("emotiontts_kr"), options=options)
    assert [(u.id, u.label) for u in found] == [("line-2", "angry"), ("line-4", "happy")]


ROWS = "audio,transcript,label,speaker\na.wav,,happy,1\nb.wav,,other,1\nc.wav,,unlabelled,?\n,Hm.,other,2\n"
ROWS += "d.wav,,calm,2\ne.wav,,nospeech,2\nf.wav,,Other,2\n"


@pytest.fixture
def mixed(published):
    """The copy's folder with labels that are no classes, and the corpus."""
    (published / "manifest.csv").write_text(ROWS)
    return published, registry.named("copied")


def test_recordings_without_a_class_are_kept_on_request_and_all_others_are_counted(mixed):
    folder, corpus = mixed
    kept: list[Utterance] = []
    left_out: Counter[str] = Counter()
    assert [u.id for u in read(folder, corpus=corpus, left_out=left_out, unlabelled=kept)] == ["a.wav"]
    assert [(u.id, u.corpus, u.label, u.speaker) for u in kept] == [
        ("b.wav", "copied", "other", "copied-1"),
        ("c.wav", "copied", "unlabelled", ""),
    ]
    assert left_out == {"other": 1, "calm": 1, "nospeech": 1, "Other": 1}  # the first has no recording
    without: Counter[str] = Counter()
    assert [u.id for u in read(folder, corpus=corpus, left_out=without)] == ["a.wav"]
    assert without == {"other": 2, "unlabelled": 1, "calm": 1, "nospeech": 1, "Other": 1}


def test_recordings_that_are_given_a_class_or_dropped_are_not_kept(mixed):
    folder, corpus = mixed
    kept: list[Utterance] = []
    options = LoadOptions(label_map={"other": "sad", "unlabelled": ""})
    assert [u.id for u in read(folder, corpus=corpus, options=options, unlabelled=kept)] == ["a.wav", "b.wav", "line-5"]
    assert kept == []


def test_a_class_is_a_class_whatever_it_is_called(mixed):
    folder, corpus = mixed
    kept: list[Utterance] = []
    found = read(folder, corpus=replace(corpus, labels=("happy", "other")), unlabelled=kept)
    assert [u.id for u in found] == ["a.wav", "b.wav", "line-5"]
    assert [u.label for u in kept] == ["unlabelled"]


def test_plain_speech_is_read_on_request_alone(mixed):
    folder, corpus = mixed
    corpus = replace(corpus, labels=(), label_map={}, plain=True)
    kept: list[Utterance] = []
    left_out: Counter[str] = Counter()
    assert read(folder, corpus=corpus, left_out=left_out, unlabelled=kept) == []
    assert [u.id for u in kept] == ["b.wav", "c.wav"]
    assert left_out == {"happy": 1, "other": 1, "calm": 1, "nospeech": 1, "Other": 1}
    with pytest.raises(CorpusError, match="speech without labels"):
        read(folder, corpus=corpus)


def test_plain_speech_without_a_recording_is_refused(mixed):
    folder, corpus = mixed
    (folder / "manifest.csv").write_text("transcript,label\na,unlabelled\n")
    with pytest.raises(CorpusError, match="none of its 1 utterances is left"):
        read(folder, corpus=replace(corpus, labels=(), plain=True), unlabelled=[])


def test_a_synthetic_corpus_never_passes_for_iemocap(tmp_path):
    iemocap(tmp_path / "IEMOCAP_full_release")
    assert not synthetic.made_here(tmp_path)
    (tmp_path / "IEMOCAP_full_release" / synthetic.MARKER).write_text("")
    for path in (tmp_path, tmp_path / "IEMOCAP_full_release"):
        assert synthetic.made_here(path)
        assert detect(path).name == "synthetic"
        assert {(u.corpus, u.speaker) for u in read(path)} == {("synthetic", "synthetic-1F")}


def test_flat_folders_are_told_too(tmp_path):
    assert detect(clips(tmp_path / "r", "03-01-03-01-02-01-07.flac")).name == "ravdess"
    assert detect(clips(tmp_path / "e", "16b10Wb.flac")).name == "emodb"
    assert detect(clips(tmp_path / "s", "SemEval2017-task4-test.subtask-A.english.txt")).name == "semeval"


def test_a_folder_that_looks_like_no_corpus_or_like_two_is_refused(tmp_path):
    MAKERS["ravdess"](tmp_path / "data" / "ravdess")
    with pytest.raises(CorpusError, match="looks like none"):
        detect(tmp_path / "data")
    mixed = clips(ravdess(tmp_path / "mixed"), "wav/03a01Fa.wav")
    with pytest.raises(CorpusError, match="looks like ravdess, emodb;"):
        detect(mixed)
    with pytest.raises(CorpusError, match="no such file"):
        detect(tmp_path / "none.csv")


@pytest.mark.parametrize(("name", "folder"), [("ravdess", "."), ("emodb", "wav"), ("semeval", "test")])
def test_a_corpus_with_a_folder_that_may_not_be_read_is_refused_and_not_read_in_part(as_ordinary_user, name, folder):
    corpus = as_ordinary_user / name
    MAKERS[name](corpus)
    closed = corpus / folder / "closed"
    closed.mkdir(parents=True)
    closed.chmod(0)
    with pytest.raises(CorpusError, match=rf"{closed}: cannot be read \(permission denied\)$"):
        named(name).load(corpus, LoadOptions())
    corpus.chmod(0)
    with pytest.raises(CorpusError, match=rf"{corpus}: cannot be read \(permission denied\)$"):
        detect(corpus)
    corpus.chmod(0o700)


def test_labels_that_may_not_be_read_are_not_called_missing(as_ordinary_user):
    closed = iemocap(as_ordinary_user / "iemocap") / "Session1" / "dialog" / "EmoEvaluation"
    closed.chmod(0)
    with pytest.raises(PermissionError, match="EmoEvaluation"):
        named("iemocap").load(as_ordinary_user / "iemocap", LoadOptions())


def test_a_manifest_that_may_not_be_read_says_so(as_ordinary_user):
    path = as_ordinary_user / "calls.csv"
    path.write_text("audio,label\na.wav,sad\n")
    path.chmod(0)
    with pytest.raises(CorpusError, match=r"calls\.csv: cannot be read \(permission denied\)$"):
        read(path)


def test_recordings_of_any_suffix_that_is_read_are_found(tmp_path):
    for number, suffix in enumerate(("wav", "FLAC", "mp3", "opus"), start=1):
        (tmp_path / f"03-01-05-01-01-01-0{number}.{suffix}").touch()
    assert len(named("ravdess").load(tmp_path, LoadOptions())) == 4


def test_the_corpus_may_be_named_instead(tmp_path):
    (tmp_path / "tweets").mkdir()
    (tmp_path / "tweets" / "mine.txt").write_text("1\tneutral\tone\n")
    with pytest.raises(CorpusError, match="looks like none"):
        read(tmp_path / "tweets")
    assert len(read(tmp_path / "tweets", corpus=named("semeval"))) == 1
    with pytest.raises(CorpusError, match="'semevil': no such corpus; there are iemocap"):
        named("semevil")


def test_labels_beyond_the_classes_are_left_out_unless_renamed(tmp_path):
    path = ravdess(tmp_path / "data")
    assert [u.label for u in read(path)] == ["neutral", "happy"]
    mapped = read(path, options=LoadOptions(label_map={"calm": "neutral", "happy": ""}))
    assert [u.label for u in mapped] == ["neutral", "neutral"]


def test_excited_is_merged_and_lengths_are_cut(tmp_path):
    path = iemocap(tmp_path / "data")
    assert [u.label for u in read(path)] == ["neutral", "happy"]
    assert [u.label for u in read(path, options=LoadOptions(merge_excited=True))] == ["neutral", "happy", "happy"]
    cut = LoadOptions(merge_excited=True, label_map={"frustrated": "angry"}, shortest_s=3.0, longest_s=15.0)
    assert [u.label for u in read(path, options=cut)] == ["happy", "angry"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (LoadOptions(label_map={"calm": "neutrl"}), "'neutrl' is not a class"),
        (LoadOptions(label_map={"clam": "neutral"}), "'clam' is to be renamed but is not there"),
        (LoadOptions(merge_excited=True), "for iemocap alone"),
        (LoadOptions(shortest_s=3.0), "for iemocap alone"),
        (LoadOptions(label_map={"neutral": "", "happy": "", "calm": ""}), "none of its 3 utterances is left"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, said):
    with pytest.raises(CorpusError, match=said):
        read(ravdess(tmp_path / "data"), options=options)


def test_a_manifest_keeps_all_its_labels(tmp_path):
    path = own(tmp_path / "data")
    assert [u.label for u in read(path)] == ["furious", "calm"]
    assert [u.label for u in read(path, options=LoadOptions(label_map={"furious": "hot"}))] == ["hot", "calm"]


def test_melds_test_part_is_read_when_it_is_there_and_clips_too(tmp_path):
    path = meld_folder(tmp_path / "data")
    assert {u.split for u in read(path)} == {"train", "dev"}
    rows = (path / meld.FILES["dev"]).read_text().splitlines()
    (path / meld.FILES["test"]).write_text("\n".join(rows))
    with pytest.raises(CorpusError, match="1109 rows where MELD's test split has 2610"):
        read(path)
    more = rows + [f"Hm.,Ross,joy,{i},1" for i in range(meld.COUNTS["test"] - meld.COUNTS["dev"])]
    (path / meld.FILES["test"]).write_text("\n".join(more))
    clips(path, "output_repeated_splits_test/dia0_utt0.mp4")
    found = read(path)
    assert {u.split for u in found if u.audio} == {"test"}


def test_a_test_tweet_among_those_to_learn_from_is_refused(tmp_path):
    path = semeval_2017(tmp_path / "data")
    assert {u.split for u in read(path)} == {"train"}
    (path / "test").mkdir()
    lines = [f"{i}\tneutral\tone" for i in range(2, 2 + semeval.TEST_COUNT)]
    (path / "test" / "x-A.txt").write_text("\n".join(lines))
    with pytest.raises(CorpusError, match="train/ holds tweets of test/"):
        read(path)
    (path / "test" / "x-A.txt").write_text("\n".join([*lines[1:], "1234567\tneutral\tone"]))
    assert len(read(path)) == 2 + semeval.TEST_COUNT


def test_published_counts_are_counted_by_class():
    total = {c.name: sum(sum(split.values()) for split in c.counts.values()) for c in CORPORA}
    assert total["iemocap"] == 10_039
    assert total["meld"] == sum(meld.COUNTS.values())
    assert total["emodb"] == 535
    assert sum(named("semeval").counts["test"].values()) == semeval.TEST_COUNT
    assert expected(named("ravdess")) == {"": {"neutral": 96, "happy": 192, "sad": 192, "angry": 192}}
    assert {split: sum(counts.values()) for split, counts in expected(named("meld")).items()} == {
        "train": 8245,
        "dev": 897,
        "test": 2211,
    }


def test_published_counts_follow_the_options():
    corpus = named("iemocap")
    assert sum(expected(corpus)[""].values()) == 4490
    assert sum(expected(corpus, LoadOptions(merge_excited=True))[""].values()) == 5531
    both = expected(corpus, LoadOptions(merge_excited=True, label_map={"frustrated": "angry", "sad": ""}))[""]
    assert both == {"neutral": 1708, "happy": 1636, "angry": 2952}
    assert expected(corpus, LoadOptions(shortest_s=3.0)) == {}
    assert expected(named("manifest")) == {}


def test_published_counts_of_recordings_without_a_class_are_counted_on_request():
    savee = named("savee")
    assert expected(savee) == {"": {"neutral": 120, "happy": 60, "sad": 60, "angry": 60}}
    assert expected(savee, unlabelled=True) == {"": {**expected(savee)[""], "other": 180}}
    india = expected(named("emospeech_in"), unlabelled=True)[""]
    assert (india["other"], "nospeech" in india) == (200, False)
    assert expected(savee, LoadOptions(label_map={"other": ""}), unlabelled=True) == expected(savee)
    assert expected(named("librispeech"), unlabelled=True) == {"": {"unlabelled": 234}}


def test_a_manifests_protocol_is_the_strictest_that_it_allows():
    corpus = named("manifest")
    plain = [Utterance(str(i), "manifest", "x", "") for i in range(4)]
    spoken = [replace(u, speaker=f"s{i % 2}") for i, u in enumerate(plain)]
    split = [replace(u, split="train") for u in spoken]
    assert protocol_of(corpus, plain) == "shuffled"
    assert protocol_of(corpus, spoken) == "speaker"
    assert protocol_of(corpus, split) == "official"
    assert protocol_of(corpus, [*spoken[:3], plain[3]]) == "speaker"
    assert protocol_of(corpus, [*split[:3], plain[3]]) == "official"
    assert protocol_of(corpus, [replace(u, speaker="one") for u in plain]) == "shuffled"
    assert protocol_of(named("iemocap"), plain) == "session"


def test_a_folder_with_a_manifest_in_it_names_that_file(tmp_path):
    (tmp_path / "manifest.csv").write_text("audio,label\n")
    with pytest.raises(CorpusError, match=r"did you mean the file .*manifest\.csv"):
        registry.detect(tmp_path)


def test_labels_are_in_the_projects_order_if_it_has_them_all():
    def said(*labels: str) -> list[Utterance]:
        return [Utterance(str(i), "manifest", label, "") for i, label in enumerate(labels)]

    assert labels_of(said("angry", "neutral", "angry")) == ("neutral", "angry")
    assert labels_of(said(*reversed(LABELS))) == LABELS
    assert labels_of(said("neutral", "angry", "calm")) == ("angry", "calm", "neutral")
    assert labels_of(said("positive", "neutral", "negative")) == ("negative", "neutral", "positive")


def test_corpus_descriptions_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        registry.CORPORA[0].name = "other"


def test_labels_that_are_not_learned_are_counted(tmp_path):
    clips(tmp_path, "03-01-03-01-02-01-07.flac", "03-01-02-01-02-01-07.flac", "03-01-02-01-02-02-07.flac")
    left_out: Counter[str] = Counter()
    assert [u.label for u in read(tmp_path, left_out=left_out)] == ["happy"]
    assert left_out == {"calm": 2}
    assert not_learned(left_out) == "utterances of labels that are not learned are left out: calm 2"


def test_of_a_known_corpus_other_emotions_are_kept_where_they_are_asked_for(published):
    for name in "abc":
        (published / f"{name}.wav").write_bytes(b"")
    text = "audio,label,speaker\na.wav,joy,1\nb.wav,angry,2\nc.wav,other,1\n"
    (published / "manifest.csv").write_text(text)
    known = replace(registry.CORPORA[-1], manifest_sha256=hashlib.sha256(text.encode()).hexdigest())
    more: list[Utterance] = []
    left_out: Counter[str] = Counter()
    found = read(published, corpus=known, left_out=left_out, unlabelled=more)
    assert [u.label for u in found] == ["happy", "angry"]
    assert [(u.label, u.corpus, u.speaker) for u in more] == [("other", "copied", "copied-1")]
    assert not left_out
    assert read(published, corpus=known, left_out=left_out) == found
    assert left_out == {"other": 1}


def test_other_emotions_without_a_recording_teach_nothing(published):
    more: list[Utterance] = []
    read(published, unlabelled=more)
    assert not more


def test_a_users_own_other_is_a_label_like_any(tmp_path):
    (tmp_path / "own.csv").write_text("transcript,label\na,other\nb,unlabelled\nc,calm\n")
    more: list[Utterance] = []
    found = read(tmp_path / "own.csv", unlabelled=more)
    assert [u.label for u in found] == ["other", "unlabelled", "calm"] and not more


@pytest.fixture
def plain(tmp_path, monkeypatch) -> Path:
    """The folder of a corpus of plain speech."""
    folder = tmp_path / "plain"
    folder.mkdir()
    text = "audio,label,speaker\na.wav,unlabelled,1\nb.wav,unlabelled,2\n"
    (folder / "manifest.csv").write_text(text)
    for name in "ab":
        (folder / f"{name}.wav").write_bytes(b"")
    corpus = registry.Corpus(
        "books", "read books", "CC0-1.0", "somebody", "speaker", ("speech",),
        manifest_sha256=hashlib.sha256(text.encode()).hexdigest(), plain=True,
    )  # fmt: skip
    monkeypatch.setattr(registry, "CORPORA", (*CORPORA, corpus))
    return folder


def test_plain_speech_has_no_classes_and_all_of_it_is_without_one(plain):
    more: list[Utterance] = []
    assert read(plain, unlabelled=more) == []
    assert [(u.label, u.corpus) for u in more] == [("unlabelled", "books")] * 2


def test_plain_speech_alone_is_refused_with_what_to_do(plain):
    with pytest.raises(CorpusError, match=r"speech without labels.*under plain in \[speech\.data\]"):
        read(plain)


def test_the_korean_copy_has_its_exchanged_labels_put_right():
    """What its manifest calls sad is angry, and the other way round."""
    korean = registry.named("emotiontts_kr")
    assert dict(korean.label_map) == {"sad": "angry", "angry": "sad"}
    assert "exchanged" in korean.note
    assert [c.name for c in CORPORA if "exchanged" in c.note] == ["emotiontts_kr"]


def table(folder: Path, *rows: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "texts.tsv"
    path.write_text("\n".join(("\t".join(text_table.COLUMNS), *rows)) + "\n")
    return path


@pytest.fixture
def texts_copy(tmp_path, monkeypatch):
    """Return a table, and put a corpus of its checksum among those that are known."""
    path = table(
        tmp_path / "text",
        "train\tanger,annoyance\t\td\t0\tLeave me alone",
        "train\tfear\t\td\t1\tSomebody is there",
        "test\tjoy\t\td\t0\tWe won the match",
        "test\tlove\t\td\t1\tI love it",
        "test\tanger,joy\t\td\t2\tYou did it",
    )
    corpus = registry.Corpus(
        name="texts",
        title="texts, a copy",
        licence="none",
        credit="nobody",
        protocol="official",
        modalities=("text",),
        labels=LABELS,
        label_map={"anger": "angry", "annoyance": "angry", "fear": "other", "joy": "happy"},
        table_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        sides=True,
    )
    monkeypatch.setattr(registry, "CORPORA", (*CORPORA, corpus))
    return path


def test_a_table_is_told_by_its_checksum_and_read_with_its_labels(texts_copy):
    assert detect(texts_copy).name == "texts"
    left_out, more = Counter(), []
    found = read(texts_copy, left_out=left_out, unlabelled=more)
    assert [(u.label, u.split, u.transcript) for u in found] == [
        ("angry", "train", "Leave me alone"),
        ("happy", "test", "We won the match"),
    ]
    assert [u.label for u in more] == ["other"]
    assert left_out == {"love": 1, "anger,joy": 1}
    assert more[0].context[0].speaker == "other"


def test_another_table_of_that_form_is_no_known_corpus(texts_copy):
    assert detect(table(texts_copy.parent.parent / "else", "train\tjoy\t\td\t0\tYes")).name == registry.OWN


def test_every_corpus_of_texts_states_its_terms_and_how_many_of_each_class_it_has():
    tables = [corpus for corpus in CORPORA if corpus.table_sha256]
    assert len(tables) == 6
    for corpus in tables:
        assert corpus.licence and corpus.credit and corpus.languages == ("en",) and corpus.modalities == ("text",)
        assert {"happy", "sad", "angry"} <= set(corpus.labels) <= set(LABELS)
        assert all(set(corpus.labels) <= counts.keys() for counts in corpus.counts.values())
    assert {corpus.name for corpus in tables if corpus.permissive} == {
        "goemotions",
        "xed_en",
        "emorynlp",
        "topicalchat",
    }
    assert not any(corpus.permissive for corpus in CORPORA if "NC" in corpus.licence or "GPL" in corpus.licence)


def test_exchanged_labels_are_read_exchanged(published):
    text = "transcript,label,speaker\na,sad,1\nb,angry,2\nc,neutral,1\n"
    (published / "manifest.csv").write_text(text)
    known = replace(
        registry.CORPORA[-1],
        label_map={"sad": "angry", "angry": "sad"},
        manifest_sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
    assert [u.label for u in read(published, corpus=known)] == ["angry", "sad", "neutral"]


def test_utterances_of_several_labels_are_counted_together():
    said = not_learned({"love": 3, "anger,joy": 2, "joy,fear": 1})
    assert said.endswith("left out: love 3, several at once 3")
