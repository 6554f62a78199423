"""IEMOCAP: labels, speakers and words from the release's files, what is passed over, and what is refused."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.corpora import iemocap, registry
from trainer.corpora.check import examine
from trainer.errors import CorpusError

HEAD = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
ANNOTATORS = "C-E2:\tNeutral;\t()\nC-F1:\tHappiness; Excited;\t()\nA-E3:\tval 3; act 2; dom  2;\t(calm)\n\n"


def block(name: str, emotion: str, start: float = 1.0, end: float = 5.0) -> str:
    return f"[{start:.4f} - {end:.4f}]\t{name}\t{emotion}\t[2.5000, 2.5000, 2.5000]\n{ANNOTATORS}"


def dialog(root: Path, name: str, blocks: str, words: str = "") -> Path:
    """Write the labels and words of a dialogue; return the file of labels."""
    session = root / f"Session{name[4]}" / "dialog"
    for folder, text in (("EmoEvaluation", HEAD + blocks), ("transcriptions", words)):
        (session / folder).mkdir(parents=True, exist_ok=True)
        (session / folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return session / "EmoEvaluation" / f"{name}.txt"


def every_emotion(root: Path) -> None:
    emotions = ("neu", "hap", "sad", "ang", "exc", "fru", "sur", "fea", "dis", "oth", "xxx")
    dialog(root, "Ses01F_impro01", "".join(block(f"Ses01F_impro01_F{i:03}", e) for i, e in enumerate(emotions)))


def test_an_utterance_has_label_speaker_session_words_and_path(tmp_path):
    name = "Ses03F_script01_2b_M004"
    dialog(tmp_path, "Ses03F_script01_2b", block(name, "hap"), f"{name} [001.0000-005.0000]: I said: go. [LAUGHTER]\n")
    (found,) = iemocap.load(tmp_path)
    assert (found.id, found.corpus, found.label, found.split) == (name, "iemocap", "happy", "")
    assert (found.speaker, found.session) == ("iemocap-3M", "Session3")  # not F, who wore the markers
    assert found.transcript == "I said: go. [LAUGHTER]"
    assert found.audio == tmp_path / "Session3" / "sentences" / "wav" / "Ses03F_script01_2b" / f"{name}.wav"


def test_every_emotion_is_read_and_excited_counts_as_happy_if_asked_for(tmp_path):
    every_emotion(tmp_path)
    assert [u.label for u in iemocap.load(tmp_path)] == list(iemocap.EMOTIONS.values())
    assert Counter(u.label for u in iemocap.load(tmp_path, merge_excited=True))["happy"] == 2


@pytest.mark.parametrize("given_folder", ["release", "parent"])
def test_the_release_or_its_parent_is_given(tmp_path, given_folder):
    root = tmp_path / iemocap.RELEASE
    every_emotion(root)
    found = iemocap.load(root if given_folder == "release" else tmp_path)
    assert len(found) == len(iemocap.EMOTIONS)
    assert found[0].audio.is_relative_to(root)


@pytest.mark.parametrize(
    ("shortest", "longest", "kept"),
    [
        (None, None, [0, 1, 2, 3]),
        (3.0, None, [1, 2, 3]),
        (None, 15.0, [0, 1, 2]),
        (3.0, 15.0, [1, 2]),
        (0.0, 0.5, []),
        (20.0, 1.0, []),
    ],
)
def test_the_cut_is_by_the_times_of_the_labels_ends_included(tmp_path, shortest, longest, kept):
    lengths = (2.75, 3.0, 15.0, 15.25)
    names = [f"Ses02M_impro04_F{i:03}" for i in range(4)]
    times = zip(names, lengths, strict=True)
    dialog(tmp_path, "Ses02M_impro04", "".join(block(n, "neu", start=6.0, end=6.0 + s) for n, s in times))
    found = iemocap.load(tmp_path, shortest_s=shortest, longest_s=longest)
    assert [u.id for u in found] == [names[i] for i in kept]


def test_without_wav_or_words_an_utterance_stays_and_the_check_names_it(tmp_path, clip):
    names = [f"Ses01F_impro01_F{i:03}" for i in range(3)]
    dialog(
        tmp_path,
        "Ses01F_impro01",
        "".join(block(name, "sad") for name in names),
        f"{names[0]} [001.0000-005.0000]: Oh.\n{names[1]} [001.0000-005.0000]:\n",
    )
    wav = tmp_path / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    clip(wav / f"{names[0]}.wav")
    clip(wav / f"{names[2]}.wav")
    found = iemocap.load(tmp_path)
    assert [u.transcript for u in found] == ["Oh.", "", ""]
    result = examine(found)
    assert [fault.audio.stem for fault in result.missing] == [names[1]]
    assert result.wordless == (names[1], names[2])


def test_a_release_without_transcriptions_keeps_every_utterance(tmp_path):
    path = dialog(tmp_path, "Ses01F_impro01", block("Ses01F_impro01_F000", "ang"))
    (path.parent.parent / "transcriptions" / path.name).unlink()
    (path.parent.parent / "transcriptions").rmdir()
    assert [(u.label, u.transcript) for u in iemocap.load(tmp_path)] == [("angry", "")]


def test_other_lines_and_unnumbered_turns_give_no_words(tmp_path):
    name = "Ses01F_impro01_F000"
    words = (
        "M: Ses nothing\n"
        f"Ses01F_impro01_FXX0 [000.1000-000.2000]: Not hers.\n"
        f"{name} [001.0000-005.0000]: Hers.\n"
        "Ses01F_impro01_MXX12 [005.0000-006.0000]: Not hers either.\n"
        f"{name}\n"
    )
    dialog(tmp_path, "Ses01F_impro01", block(name, "neu"), words)
    assert [u.transcript for u in iemocap.load(tmp_path)] == ["Hers."]


def test_macs_shadow_files_and_annotators_own_files_are_passed_over(tmp_path):
    path = dialog(tmp_path, "Ses01F_impro01", block("Ses01F_impro01_F000", "neu"))
    (path.parent / f"._{path.name}").write_bytes(b"\x00\x05\x16\x07[1.0 - 2.0]\xff")
    for folder in ("Categorical", "Attribute", "Self-evaluation", "folder.txt"):
        (path.parent / folder).mkdir()
        (path.parent / folder / "Ses01F_impro01_e2.txt").write_text(block("Ses01F_impro01_F001", "sad"))
    assert [u.id for u in iemocap.load(tmp_path)] == ["Ses01F_impro01_F000"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_may_be_either(tmp_path, newline):
    name = "Ses01F_impro01_F000"
    dialog(tmp_path, "Ses01F_impro01", block(name, "neu"), f"{name} [001.0000-005.0000]: Yes.\n")
    for path in tmp_path.rglob("*.txt"):
        path.write_bytes(path.read_text().replace("\n", newline).encode())
    assert [u.transcript for u in iemocap.load(tmp_path)] == ["Yes."]


def test_a_letter_in_another_encoding_does_not_cost_the_dialogue(tmp_path):
    names = ("Ses01F_impro01_F000", "Ses01F_impro01_F001")
    path = dialog(tmp_path, "Ses01F_impro01", "".join(block(name, "neu") for name in names))
    words = path.parent.parent / "transcriptions" / path.name
    words.write_bytes(b"".join(b"%s [001.0000-005.0000]: A caf\xe9.\n" % name.encode() for name in names))
    assert [u.transcript[:5] for u in iemocap.load(tmp_path)] == ["A caf", "A caf"]


@pytest.mark.parametrize(
    "line",
    [
        "[1.0000 - 5.0000]\tSes01F_impro01_F001\tjoy\t[2.5, 2.5, 2.5]",
        "[1.0000 - 5.0000]\tSes01F_impro01_XX01\tneu\t[2.5, 2.5, 2.5]",
        "[1.0000 - 5.0000]\tSes06F_impro01_F001\tneu\t[2.5, 2.5, 2.5]",
        "[1.0000 - 5.0000]\tSes01F_impro01_F001\tneu",
        "[1.0000 - 5.0000]\tSes01F_impro01_F001",
        "[1.0000 - ]\tSes01F_impro01_F001\tneu\t[2.5, 2.5, 2.5]",
        "[1.0.0 - 5.0]\tSes01F_impro01_F001\tneu\t[2.5, 2.5, 2.5]",
        "[",
    ],
)
def test_a_label_that_cannot_be_read_is_named_never_dropped(tmp_path, line):
    dialog(tmp_path, "Ses01F_impro01", block("Ses01F_impro01_F000", "neu") + line + "\n")
    with pytest.raises(CorpusError, match=r"Ses01F_impro01\.txt:8: expected"):
        iemocap.load(tmp_path)


def test_an_utterance_that_is_labelled_twice_is_refused(tmp_path):
    twice = block("Ses01F_impro01_F000", "neu")
    dialog(tmp_path, "Ses01F_impro01", twice + twice)
    with pytest.raises(CorpusError, match="Ses01F_impro01_F000 is labelled a second time"):
        iemocap.load(tmp_path)


@pytest.mark.parametrize("content", ["", HEAD, "\x00\x01\x02"])
def test_a_file_without_a_label_is_refused(tmp_path, content):
    dialog(tmp_path, "Ses01F_impro01", block("Ses01F_impro01_F000", "neu"))
    dialog(tmp_path, "Ses01F_impro02", "").write_text(content)
    with pytest.raises(CorpusError, match=r"Ses01F_impro02\.txt: no labelled"):
        iemocap.load(tmp_path)


def test_a_session_without_labels_is_refused(tmp_path):
    every_emotion(tmp_path)
    (tmp_path / "Session4" / "sentences").mkdir(parents=True)
    with pytest.raises(CorpusError, match="Session4: no labels"):
        iemocap.load(tmp_path)


@pytest.mark.parametrize("place", [".", "missing", "file.txt"])
def test_a_folder_without_sessions_is_refused(tmp_path, place):
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(CorpusError, match="no IEMOCAP release"):
        iemocap.load(tmp_path / place)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Return a release with as many utterances of each emotion as the real one, without recordings."""
    root = tmp_path_factory.mktemp("whole")
    counts = registry.named("iemocap").counts[""]
    codes = [code for code, label in iemocap.EMOTIONS.items() for _ in range(counts[label])]
    for session in range(1, 6):
        name = f"Ses0{session}F_impro01"
        own = enumerate(codes[session - 1 :: 5])
        dialog(root, name, "".join(block(f"{name}_{'FM'[i % 2]}{i:04}", code) for i, code in own))
    return root


@pytest.mark.parametrize(("merge", "count"), [(False, 4490), (True, 5531)])
def test_a_whole_release_has_the_published_counts(whole, merge, count):
    corpus, options = registry.named("iemocap"), registry.LoadOptions(merge_excited=merge)
    found = registry.read(whole, corpus=corpus, options=options)
    assert len(found) == count
    silent = [registry.replace(u, audio=None) for u in found]
    assert not examine(silent, expected=registry.expected(corpus, options)).differences
    assert len(iemocap.load(whole)) == 10_039


def test_the_papers_shares_are_those_of_the_classes_without_excited(whole):
    counts = Counter(u.label for u in iemocap.load(whole))
    shares = [round(100 * counts[label] / 4490, 2) for label in ("neutral", "angry", "sad", "happy")]
    assert shares == pytest.approx([38.04, 24.57, 24.14, 13.24], abs=0.0101)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1))
def test_any_words_come_back_as_they_are(tmp_path, text):
    name = "Ses01F_impro01_F000"
    dialog(tmp_path, "Ses01F_impro01", block(name, "neu"), f"{name} [001.0000-005.0000]: {text}\n")
    assert [u.transcript for u in iemocap.load(tmp_path)] == [text]
