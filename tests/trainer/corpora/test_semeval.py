"""SemEval's tweets: the quirks of the task's files, and lines that are refused."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.corpora import semeval
from trainer.errors import CorpusError


def tweets(folder: Path, content: str | bytes, name: str = "twitter-2016train-A.txt"):
    """Load a folder whose one file holds ``content``."""
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(data)
    return semeval.load(folder)


def test_a_line_becomes_a_record(tmp_path):
    (found,) = tweets(tmp_path, "42\tpositive\tgood day\n")
    assert (found.id, found.label, found.transcript) == ("42", "positive", "good day")
    assert (found.corpus, found.session) == ("semeval", "twitter-2016train-A")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"unbalanced', '"unbalanced'),
        ('say "this" and "', 'say "this" and "'),
        ("it\\u2019s", "it\u2019s"),
        ("a fourth field\t", "a fourth field"),
        ("a carriage return\r", "a carriage return"),
        ("a line\u2028separator", "a line\u2028separator"),
        ("\\u20 is no escape", "\\u20 is no escape"),
    ],
)
def test_quotes_escapes_and_extra_fields_of_a_tweet_are_read(tmp_path, text, words):
    found = tweets(tmp_path, f"1\tneutral\t{text}\n2\tnegative\tnext\n")
    assert [u.transcript for u in found] == [words, "next"]


def test_the_final_newline_may_be_missing_and_empty_lines_are_skipped(tmp_path):
    found = tweets(tmp_path, "1\tneutral\tone\n\n2\tnegative\ttwo")
    assert [u.id for u in found] == ["1", "2"]


def test_a_tweet_that_stands_twice_with_one_label_is_kept_once(tmp_path):
    found = tweets(tmp_path, "1\tneutral\tone\n2\tpositive\ttwo\n1\tneutral\tone\n")
    assert sorted(u.id for u in found) == ["1", "2"]


@pytest.mark.parametrize("labels", [("neutral", "positive"), ("neutral", "positive", "neutral")])
def test_a_tweet_with_conflicting_labels_is_left_out(tmp_path, labels):
    content = "".join(f"1\t{label}\tone\n" for label in labels)
    assert [u.id for u in tweets(tmp_path, content + "2\tpositive\ttwo\n")] == ["2"]


def test_labels_conflict_across_files_too(tmp_path):
    (tmp_path / "a.tsv").write_text("1\tneutral\tone\n3\tneutral\tthree\n")
    assert [u.id for u in tweets(tmp_path, "1\tpositive\tone\n", name="b.txt")] == ["3"]


@pytest.mark.parametrize("line", ["2\thappy\ttwo", "2\tpositive", "just words", "2\tPositive\ttwo"])
def test_a_bad_line_is_named_by_file_and_number(tmp_path, line):
    with pytest.raises(CorpusError, match=r"train-A\.txt:3:"):
        tweets(tmp_path, f"1\tneutral\tone\n\n{line}\n")


def test_bytes_that_are_not_utf8_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="train-A"):
        tweets(tmp_path, b"1\tneutral\tna\xefve\n")


def test_a_folder_without_tweets_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="no tweets"):
        semeval.load(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(st.characters(exclude_characters="\r\n\t\\", exclude_categories=["Cs"]), min_size=1))
def test_any_words_come_back_as_they_are(tmp_path, text):
    (found,) = tweets(tmp_path, f"1\tneutral\t{text}\n")
    assert found.transcript == text


def official(folder: Path, test: str | None = None) -> Path:
    """Write a small train part and a test part of the official size; return the folder that holds both."""
    (folder / "train").mkdir()
    (folder / "train" / "twitter-2016train-A.txt").write_text("1\tneutral\tone\n2\tpositive\ttwo\n2\tnegative\ttwo\n")
    (folder / "test").mkdir()
    lines = (f"{i}\t{semeval.SENTIMENTS[i % 3]}\ttweet {i}" for i in range(100, 100 + semeval.TEST_COUNT))
    (folder / "test" / "SemEval2017-task4-test.subtask-A.english.txt").write_text(test or "\n".join(lines))
    return folder


def test_a_part_is_read_by_its_name(tmp_path):
    official(tmp_path)
    assert [(u.id, u.split) for u in semeval.load(tmp_path, "train")] == [("1", "train")]
    found = semeval.load(tmp_path, "test")
    assert len(found) == len({u.id for u in found}) == semeval.TEST_COUNT
    assert {u.split for u in found} == {"test"}


def test_the_test_set_with_one_tweet_missing_is_refused(tmp_path):
    path = next((official(tmp_path) / "test").iterdir())
    path.write_text(path.read_text().partition("\n")[2])
    with pytest.raises(CorpusError, match="12283 tweets where the official test set has 12284"):
        semeval.load(tmp_path, "test")


@pytest.mark.parametrize("label", ["neutral", "positive"])
def test_the_test_set_with_a_tweet_twice_is_refused_not_cleaned(tmp_path, label):
    official(tmp_path, "7\tneutral\tone\n" + f"7\t{label}\tone\n")
    with pytest.raises(CorpusError, match="7 stands twice"):
        semeval.load(tmp_path, "test")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_part_that_is_not_there_is_refused(tmp_path, split):
    with pytest.raises(CorpusError, match=f"{split}: no tweets"):
        semeval.load(tmp_path, split)


def test_a_carriage_return_within_a_tweet_does_not_end_it(tmp_path):
    assert [u.transcript for u in tweets(tmp_path, b"1\tneutral\tone\rmore\r\n")] == ["one\rmore"]


def test_macs_shadow_files_are_passed_over(tmp_path):
    (tmp_path / "._b.txt").write_bytes(b"\x00\x05\x16\x07\xff")
    assert len(tweets(tmp_path, "1\tneutral\tone\n")) == 1
