"""The paper's tables, run line by line on sixteen clips with stand-in encoders."""

import json
import logging
from dataclasses import replace

import pytest

from tests.trainer.encoders import write_bert
from trainer.corpora import registry
from trainer.corpora.dataset import Dataset
from trainer.errors import ConfigError
from trainer.experiment.commands import paper_table
from trainer.experiment.cross_validation import Outcome
from trainer.experiment.run_dir import RunPaths
from trainer.paper.reproduce import Changes, reproduce
from trainer.paper.tables import TABLES, beside

pytestmark = pytest.mark.usefixtures("quick_collection")
STAND_INS = {"bert-base-cased": "bert", "xlnet-base-cased": "bert"}
SMALL = Changes(STAND_INS, repeats=1, folds=2, epochs=1)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr("trainer.metrics.RESAMPLES", 20)
    monkeypatch.setattr("trainer.experiment.report.draw", lambda *_: None)
    monkeypatch.setattr("trainer.text.transcripts.simulated", lambda sentences, **_: ["no " + s for s in sentences])


@pytest.fixture(scope="module")
def home(tmp_path_factory, talks):
    folder = tmp_path_factory.mktemp("home")
    utterances = registry.read(talks(folder))
    write_bert(folder / "weights" / "bert", " ".join(u.transcript or "" for u in utterances).split())
    return folder


@pytest.fixture(scope="module")
def iemocap(home):
    return Dataset("iemocap", registry.read(home / "talks.csv"), ("calm", "furious"))


@pytest.fixture
def place(home, tmp_path):
    return RunPaths(tmp_path / "table", home / "weights", home / "cache", quiet=True)


def line(result: dict, name: str) -> dict:
    return next(row for row in result["rows"] if row["name"] == name)


def test_a_line_is_run_and_printed_beside_the_papers_and_the_others_stay_empty(place, iemocap, home):
    only = ["BERT", "XLNet-A"]
    result = reproduce(TABLES["table2"], iemocap, home, place, only=only, changes=SMALL)
    assert [row["name"] for row in result["rows"]] == [row.name for row in TABLES["table2"].rows]
    assert {row["name"] for row in result["rows"] if row["ours"]} == set(only)
    bert = line(result, "BERT")
    assert bert["paper"] == {"wa": {"mean": 0.709, "std": 0.015}, "ua": {"mean": 0.691, "std": 0.018}}
    assert (bert["ours"]["n"], bert["ours"]["folds"], bert["ours"]["runs"]) == (16, 2, 1)
    assert set(bert["ours"]["changed"]) == {"repeats 1", "folds 2", "text.encoder bert", "text.epochs 1"}
    assert json.loads((place.run_dir / "table2.json").read_text()) == result
    there = [json.loads((place.run_dir / name / "config.json").read_text())["experiment"] for name in only]
    assert [e["transcripts"] for e in there] == ["provided", "simulated"]
    assert not list(place.run_dir.rglob("checkpoints"))


def test_the_fused_line_counts_the_fused_answers(place, iemocap, home):
    result = reproduce(TABLES["table4"], iemocap, home, place, only=["IEmoNet(BE)"], changes=SMALL)
    measured = json.loads((place.run_dir / "IEmoNet(BE)" / "metrics.json").read_text())["branches"]
    ours = line(result, "IEmoNet(BE)")["ours"]
    assert {"speech", "text", "fusion"} == set(measured)
    assert {k: v for k, v in ours.items() if k != "changed"} == measured["fusion"]
    assert {"speech.epochs 1", "fusion.epochs 1"} <= set(ours["changed"])


@pytest.mark.parametrize(
    ("name", "stand_ins", "expected"), [("iemocap", {}, False), ("iemocap", STAND_INS, True), ("synthetic", {}, True)]
)
def test_stand_ins_and_synthetic_speech_are_no_results(name, stand_ins, expected, place, iemocap, home, monkeypatch):
    measured = {"mean": 0.5, "std": 0.0}
    found = Outcome({"branches": {"text": {"wa": measured, "ua": measured}}}, [])
    monkeypatch.setattr("trainer.paper.reproduce.run", lambda *_, **__: found)
    place.run_dir.mkdir()
    changes = replace(SMALL, stand_ins=stand_ins)
    result = reproduce(TABLES["table2"], replace(iemocap, name=name), home, place, only=[], changes=changes)
    assert result["path_check"] is expected
    assert [row["name"] for row in result["rows"] if row["ours"]] == ["XLNet", "BERT", "XLNet-A", "BERT-A"]
    shown = paper_table(result)
    assert ("PATH CHECK" in str(shown.title)) is expected
    assert "repeats 1" in str(shown.caption)
    assert shown.row_count == len(TABLES["table2"].rows)


def test_a_table_that_was_cut_off_goes_on_with_resume(monkeypatch, caplog, place, iemocap, home):
    caplog.set_level(logging.INFO)

    def cut(record: logging.LogRecord) -> bool:
        if "BERT" in record.getMessage():
            raise KeyboardInterrupt
        return True

    names = ["XLNet", "BERT"]
    with monkeypatch.context() as patch:
        patch.setattr(logging.getLogger("trainer.paper.reproduce"), "filters", [cut])
        with pytest.raises(KeyboardInterrupt):
            reproduce(TABLES["table2"], iemocap, home, place, only=names, changes=SMALL)
    assert "table 2, XLNet" in caplog.messages
    caplog.clear()
    result = reproduce(TABLES["table2"], iemocap, home, replace(place, resume=True), only=names, changes=SMALL)
    again = [r.getMessage() for r in caplog.records if r.name.startswith("trainer")]
    assert all(line(result, name)["ours"] for name in names)
    first, second = again.index("table 2, XLNet"), again.index("table 2, BERT")
    assert second == first + 1  # nothing was trained for the first one
    with pytest.raises(ConfigError, match="--resume"):
        reproduce(TABLES["table2"], iemocap, home, place, only=names, changes=SMALL)


@pytest.fixture
def measured(monkeypatch):
    """Count trainings, which take no time and give their number as the accuracy."""
    runs: list[str] = []

    def run(*_, **__):
        runs.append("run")
        value = {"mean": float(len(runs)), "std": 0.0}
        return Outcome({"branches": {"text": {"wa": value, "ua": value}}}, [])

    monkeypatch.setattr("trainer.paper.reproduce.run", run)
    return runs


def accuracies(result: dict) -> dict[str, float]:
    return {row["name"]: row["ours"]["wa"]["mean"] for row in result["rows"] if row["ours"]}


def test_lines_run_one_after_the_other_end_in_one_table(place, iemocap, home, measured):
    place.run_dir.mkdir()
    for names in (["BERT"], ["XLNet-A"], ["BERT"]):
        result = reproduce(TABLES["table2"], iemocap, home, place, only=names, changes=SMALL)
    assert accuracies(result) == {"BERT": 3.0, "XLNet-A": 2.0}
    assert json.loads((place.run_dir / "table2.json").read_text()) == result


def test_lines_of_another_corpus_or_with_other_changes_are_not_mixed(place, iemocap, home, measured):
    place.run_dir.mkdir()
    reproduce(TABLES["table2"], iemocap, home, place, only=["BERT"], changes=SMALL)
    other = replace(iemocap, utterances=[replace(u, transcript="no") for u in iemocap.utterances])
    for corpus, changes in ((other, SMALL), (iemocap, replace(SMALL, epochs=2))):
        with pytest.raises(ConfigError, match="another corpus, or with other changes"):
            reproduce(TABLES["table2"], corpus, home, place, only=["XLNet"], changes=changes)
    assert len(measured) == 1


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"rows": [{}]}'])
def test_a_damaged_table_is_refused_before_anything_is_run(place, iemocap, home, measured, text):
    place.run_dir.mkdir()
    (place.run_dir / "table2.json").write_text(text)
    with pytest.raises(ConfigError, match=r"table2\.json: damaged"):
        reproduce(TABLES["table2"], iemocap, home, place, only=["BERT"], changes=SMALL)
    assert not measured


def test_a_line_that_does_not_exist_or_is_others_work_is_refused(place, iemocap, home):
    for name in ("BERT-Huge", "TRE"):
        with pytest.raises(ConfigError, match=rf"no line '{name}'.*XLNet, BERT, XLNet-A, BERT-A"):
            reproduce(TABLES["table2"], iemocap, home, place, only=["BERT", name], changes=SMALL)
    assert not place.run_dir.exists()


def test_a_corpus_that_the_table_is_not_about_is_refused(place, iemocap, home):
    with pytest.raises(ConfigError, match=r"table 1 is about semeval, and .* is iemocap"):
        reproduce(TABLES["table1"], iemocap, home, place, only=[], changes=SMALL)


@pytest.mark.parametrize("change", ["repeats", "folds", "epochs"])
@pytest.mark.parametrize("value", [0, -1])
def test_changes_that_cannot_be_trained_with_are_refused(change, value):
    changes = replace(SMALL, **{change: value})
    with pytest.raises(ConfigError, match=change):
        changes(TABLES["table4"].rows[4].experiment())


def test_without_changes_a_line_has_the_settings_of_the_paper():
    rows = [row for table in TABLES.values() for row in table.rows if row.config]
    assert len(rows) > 10
    for row in rows:
        assert Changes({})(row.experiment()) == row.experiment()


def test_real_transcripts_take_the_place_of_simulated_ones_alone():
    changes = Changes({}, transcripts="asr")
    rows = {row.name: row for row in TABLES["table4"].rows}
    assert changes(rows["IEmoNet(BE)-A"].experiment()).transcripts == "asr"
    assert changes(rows["IEmoNet(BE)"].experiment()).transcripts == "provided"


def test_lines_that_the_paper_does_not_have_come_last():
    lines = beside(TABLES["table1"], {"ours": {"wa": 1}})
    assert lines[-1] == {
        "name": "ours", "transcripts": None, "paper": {"wa": None, "ua": None}, "ours": {"wa": 1}
    }  # fmt: skip
    assert [row["ours"] for row in lines[:-1]] == [None] * 9
    assert lines[0]["paper"] == {"wa": {"mean": 0.483, "std": None}, "ua": None}
