"""Manifests of a user's own data: what comes back, and how what is wrong with one is told."""

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.corpora import manifest
from trainer.errors import CorpusError


@pytest.fixture
def load(tmp_path):
    """Return a function that writes a manifest and loads it."""

    def write(content: str | bytes, name: str = "calls.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return manifest.load(path, **options)

    return write


FULL = {
    "id": "one",
    "audio": "wav/1.wav",
    "transcript": "Well, hello.",
    "label": "delighted",
    "speaker": "Ann",
    "session": "monday",
    "split": "dev",
}


def written(rows: list[dict[str, str]], suffix: str) -> str:
    if suffix == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter="\t" if suffix == ".tsv" else ",")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".CSV", ".ndjson"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_row_becomes_an_utterance(load, tmp_path, suffix, mark):
    kind = {".CSV": ".csv", ".ndjson": ".jsonl"}.get(suffix, suffix)
    (found,) = load(mark + written([{**FULL, "mood": "7"}], kind), f"calls{suffix}")
    assert (found.id, found.corpus, found.label) == ("one", "manifest", "delighted")
    assert (found.speaker, found.session, found.split) == ("Ann", "monday", "dev")
    assert (found.audio, found.transcript) == (tmp_path / "wav" / "1.wav", "Well, hello.")


def test_an_absolute_path_stays(load):
    assert str(load("audio,label\n/somewhere/a.wav,sad\n")[0].audio) == "/somewhere/a.wav"


def test_without_ids_the_audio_or_the_line_is_the_id(load):
    found = load('audio,transcript,label\na.wav,,x\n,"two\nlines",y\n\n,three,x\n')
    assert [u.id for u in found] == ["a.wav", "line-3", "line-6"]
    assert [u.audio is None for u in found] == [False, True, True]
    assert [u.transcript for u in found] == [None, "two\nlines", "three"]


def test_columns_that_are_not_given_are_empty(load):
    (found,) = load("transcript,label\nhello,x\n")
    assert (found.speaker, found.session, found.split, found.audio) == ("", "", "", None)


def test_headers_may_have_capitals_and_spaces(load):
    assert load(" Transcript , LABEL\nhello,x\n")[0].transcript == "hello"


def test_utterances_belong_to_the_corpus_that_is_named_and_so_do_its_speakers(load):
    found = load("transcript,label,speaker\na,x,01\nb,x,unknown\n", corpus="emovo")
    assert [(u.corpus, u.speaker) for u in found] == [("emovo", "emovo-01"), ("emovo", "")]


def test_every_bad_row_is_named_not_the_first_alone(load):
    with pytest.raises(CorpusError) as error:
        load("audio,label,split\na.wav,,\nb.wav,x,third\nc.wav,x\nd.wav,x,\nd.wav,x,\n")
    message = str(error.value)
    for said in (":2: no label", ":3: 'third' is no split", ":4: 2 fields where", ":6: 'd.wav' is there a second time"):
        assert said in message


def test_of_many_bad_rows_the_first_are_named_and_the_rest_counted(load):
    with pytest.raises(CorpusError, match=r"csv:2: no label; .*csv:6: no label; and 15 more") as error:
        load("audio,label\n" + "a.wav,\n" * 20)
    assert "csv:7:" not in str(error.value)


@pytest.mark.parametrize("name", ["calls.csv", "calls.jsonl"])
def test_bad_rows_are_left_out_and_told_where_that_is_asked_for(load, name):
    good, bad = (
        ('{"audio": "a.wav", "label": "x"}', '{"audio": "b.wav"}') if name.endswith("l") else ("a.wav,x", "b.wav,")
    )
    faults: list[str] = []
    found = load("audio,label\n" * name.endswith("csv") + f"{good}\n{bad}\n", name, faults=faults)
    assert [u.id for u in found] == ["a.wav"]
    (said,) = faults
    assert "label" in said and said.count(name) == 1


def test_a_manifest_of_bad_rows_alone_is_refused(load):
    with pytest.raises(CorpusError, match="no label"):
        load("audio,label\na.wav,\n", faults=[])


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("audio,lable", "did you mean 'label'"),
        ("audio,labels", "did you mean 'label'"),
        ("audio,emotion", "'emotion'; did you mean 'label'"),
        ("audoi,label", "did you mean 'audio'"),
        ("path,label", "'path'; did you mean 'audio'"),
        ("text,label", "'text'; did you mean 'transcript'"),
        ("audio,label,transcripts", "did you mean 'transcript'"),
        ("audio,label,speaker_id", "did you mean 'speaker'"),
        ("audio,label,spilt", "did you mean 'split'"),
        ("audio,mood", "no column 'label'; there are"),
        ("name,label", "no column 'audio' or 'transcript'"),
        ("audio|label", "no column 'label'.*separated by ','"),
        ("Audio Path,label", "'audio path'; did you mean 'audio'"),
        ("text;emotion", "'text'; did you mean 'transcript'"),
        ("audio,label,label", "'label' is there twice"),
    ],
)
def test_a_column_that_is_missing_or_misspelt_is_named_with_a_hint(load, header, hint):
    with pytest.raises(CorpusError, match=rf"calls\.csv:1: .*{hint}"):
        load(f"{header}\n{header}\n")


def test_misspelt_keys_of_json_are_named_too(load):
    lines = '{"audio": "a.wav", "label": "x"}\n{"audio": "b.wav", "lable": "x"}\n'
    with pytest.raises(CorpusError, match=r"calls\.jsonl:2: .*'lable'; did you mean 'label'"):
        load(lines, "calls.jsonl")


def test_other_columns_are_passed_over(load):
    assert len(load("audio,label,age,notes\na.wav,x,7,none\n")) == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("c.wav,,", "no label"),
        (",,x", "neither audio nor transcript"),
        ("c.wav,hello, you,x", "4 fields where there are 3 columns"),
        ("c.wav,x", "2 fields where there are 3 columns"),
        ('c.wav,"never closed,x\nand on', "single"),
        ('c.wav,"he" said,x', "single"),
        ("a.wav,again,x", "'a.wav' is there a second time"),
        ("c\0.wav,,x", r"null|NUL"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(load, row, said):
    with pytest.raises(CorpusError, match=rf"calls\.csv:3: .*({said})"):
        load(f"audio,transcript,label\na.wav,,x\n{row}\nz.wav,,x\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{'audio': 'b.wav'}", "not JSON"),
        ('["b.wav", "x"]', "expected an object"),
        ('"b.wav"', "expected an object"),
        ('{"audio": "b.wav", "label": ["x"]}', "label is"),
        ('{"audio": "b.wav", "label": true}', "label is True"),
        ('{"audio": "b.wav", "label": null}', "no label"),
        ('{"audio": null, "label": "x"}', "neither audio"),
        ('{"transcript": "half \\ud83d", "label": "x"}', "half a character"),
    ],
)
def test_a_bad_line_of_json_is_named_by_file_and_line(load, line, said):
    with pytest.raises(CorpusError, match=rf"calls\.jsonl:3: .*{said}"):
        load(f'{{"audio": "a.wav", "label": "x"}}\n\n{line}\n', "calls.jsonl")


def test_numbers_in_json_are_read_as_text(load):
    (found,) = load('{"transcript": "a", "label": 3, "speaker": 12}', "calls.jsonl")
    assert (found.label, found.speaker) == ("3", "12")


def test_an_id_twice_is_refused_and_both_lines_are_named(load):
    with pytest.raises(CorpusError, match=r":4: '7' is there a second time, as in line 2"):
        load("id,transcript,label\n7,a,x\n8,a,x\n7,b,x\n")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_manifest_written_by_a_spreadsheet_is_read(load, separator, encoding):
    rows = (("Audio", " Transcript ", "LABEL", "Speaker"), ("a.wav", f'"Grüß{separator} Gott"', "fröhlich", "Jörg"))
    text = "".join(separator.join(row) + "\r\n" for row in rows)
    (found,) = load(text.encode(encoding))
    assert (found.transcript, found.label, found.speaker) == (f"Grüß{separator} Gott", "fröhlich", "Jörg")


def test_rows_know_their_line(load):
    assert [u.line for u in load('transcript,label\n"two\nlines",y\n\nthree,x\n')] == [2, 5]


@pytest.mark.parametrize(
    ("written", "read"),
    [("Train", "train"), ("TRAINING", "train"), ("val", "dev"), ("Validation", "dev"), ("dev", "dev"),
     ("Test", "test"), ("eval", "test"), ("", "")],
)  # fmt: skip
def test_splits_are_known_by_their_usual_names(load, written, read):
    assert load(f"transcript,label,split\na,x,{written}\n")[0].split == read


def test_a_split_that_is_none_is_refused_and_the_accepted_ones_are_named(load):
    with pytest.raises(CorpusError, match=r":2: 'fold3' is no split; use train \(.*dev \(.*val.*test \("):
        load("transcript,label,split\na,x,fold3\n")


@pytest.mark.parametrize("written", ["unknown", "N/A", "none", "?", "-"])
def test_an_unknown_speaker_counts_as_no_speaker(load, written):
    assert load(f"transcript,label,speaker\na,x,{written}\n")[0].speaker == ""


@pytest.mark.parametrize(
    ("there", "written"),
    [
        ("clips/a.wav", "clips\\a.wav"),
        ("clips/Gr\u00fc\u00dfe.wav", "clips/Gru\u0308\u00dfe.wav"),
        ("clips/Gru\u0308\u00dfe.wav", "clips\\Gr\u00fc\u00dfe.wav"),
        ("clips\\a.wav", "clips\\a.wav"),
    ],
)
def test_a_path_from_another_system_finds_the_file_that_is_there(load, tmp_path, there, written):
    path = tmp_path / there
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    (found,) = load(f"audio,label\n{written},x\n")
    assert (found.audio, found.id) == (path, written)


def test_a_path_that_leads_nowhere_stays_as_it_is_written(load, tmp_path):
    paths = ["clips\\none.wav", "x" * 5000]
    assert [u.audio for u in load("audio,label\n" + "".join(f"{p},x\n" for p in paths))] == [
        tmp_path / p for p in paths
    ]


@pytest.mark.parametrize("content", ["", "\n\n", "audio,label\n", "\ufeff"])
@pytest.mark.parametrize("name", ["calls.csv", "calls.jsonl"])
def test_a_manifest_without_rows_is_refused(load, content, name):
    if name.endswith("jsonl"):
        content = content.replace("audio,label", "")
    with pytest.raises(CorpusError, match="no rows"):
        load(content, name)


@pytest.mark.parametrize("name", ["calls.json", "calls.xlsx", "calls"])
def test_another_format_is_refused(load, name):
    with pytest.raises(CorpusError, match=r"ends in one of \.csv"):
        load("audio,label\na.wav,x\n", name)


def test_bytes_that_are_not_utf8_are_refused(load):
    with pytest.raises(CorpusError, match="UTF-8"):
        load(b"transcript,label\nna\xefve,x\n")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"none\.csv: no such file"):
        manifest.load(tmp_path / "none.csv")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda text: text == text.strip()
)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_any_words_and_labels_come_back_as_they_are(load, suffix, rows):
    found = load(written([{"transcript": words, "label": label} for words, label in rows], suffix), f"calls{suffix}")
    assert [(u.transcript, u.label) for u in found] == rows
