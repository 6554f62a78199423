"""The paper's Tables 1 to 4: what it printed, and the experiments that print them again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from trainer import config as settings
from trainer.config import Experiment

Value = tuple[float, float | None]


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        name: as printed.
        wa: accuracy and its deviation, as printed.
        ua: mean recall, as printed.
        transcripts: "provided" or "simulated" where the table says so.
        config: the example configuration that runs it; None for the work of others, which is only quoted.
        branch: whose answers are counted.
    """

    name: str
    wa: Value | None
    ua: Value | None = None
    transcripts: Literal["provided", "simulated"] | None = None
    config: str | None = None
    branch: str = "text"

    def experiment(self) -> Experiment:
        """Return the experiment of this row."""
        assert self.config is not None
        found = settings.read(self.config)
        return replace(found, transcripts=self.transcripts) if self.transcripts else found


@dataclass(frozen=True)
class Table:
    """One of the paper's tables: its number, what it shows, the corpus that it is on, and its lines."""

    number: int
    title: str
    corpus: str
    rows: tuple[Row, ...]


TABLES = {
    "table1": Table(
        1,
        "Test accuracy on Task 4A of SemEval 2017",
        "semeval",
        (
            Row("All Neutral", (0.483, None)),
            Row("DataStories", (0.651, None)),
            Row("BB twtr", (0.658, None)),
            Row("LIA", (0.661, None)),
            Row("NNEMBs", (0.664, None)),
            Row("XLNet-Large", (0.663, 0.030), config="paper-table1-xlnet-large"),
            Row("Bert-Base", (0.681, 0.007), config="paper-table1-bert-base"),
            Row("Bert-Large", (0.687, 0.015), config="paper-table1-bert-large"),
            Row("XLNet-Base", (0.695, 0.007), config="paper-table1-xlnet-base"),
        ),
    ),
    "table2": Table(
        2,
        "Text emotion recognition on IEMOCAP",
        "iemocap",
        (
            Row("TRE", (0.635, 0.018), None, "provided"),
            Row("LSTM*", (0.648, None), None, "provided"),
            Row("XLNet", (0.694, 0.015), (0.671, 0.019), "provided", "paper-table2-xlnet"),
            Row("BERT", (0.709, 0.015), (0.691, 0.018), "provided", "paper-table2-bert"),
            Row("TRE-ASR", (0.593, 0.022), None, "simulated"),
            Row("XLNet-A", (0.668, 0.020), (0.645, 0.023), "simulated", "paper-table2-xlnet"),
            Row("BERT-A", (0.685, 0.017), (0.665, 0.023), "simulated", "paper-table2-bert"),
        ),
    ),
    "table3": Table(
        3,
        "Speech emotion recognition on IEMOCAP",
        "iemocap",
        (
            Row("IS09-Self-Att", (0.681, None), (0.638, None)),
            Row("CNN-LSTM*", (0.688, None), (0.594, None)),
            Row("Att-TDNN/LSTM*", (0.701, None), (0.607, None)),
            Row("BiLSTM-64attDim", (0.600, 0.020), (0.531, 0.020), config="paper-table3-64", branch="speech"),
            Row("BiLSTM-128attDim", (0.608, 0.017), (0.526, 0.013), config="paper-table3-128", branch="speech"),
        ),
    ),
    "table4": Table(
        4,
        "Speech and text together on IEMOCAP",
        "iemocap",
        (
            Row("H-MM-4*", (0.717, None), None, "provided"),
            Row("MDRE", (0.718, 0.019), None, "provided"),
            Row("Att-align*", (0.725, None), (0.709, None), "provided"),
            Row("IEmoNet(XL)", (0.715, 0.015), (0.689, 0.016), "provided", "paper-table4-xlnet", "fusion"),
            Row("IEmoNet(BE)", (0.735, 0.016), (0.710, 0.016), "provided", "paper-table4-bert", "fusion"),
            Row("MDRE-ASR", (0.691, 0.019), None, "simulated"),
            Row("Att-align-A*", (0.704, None), (0.695, None), "simulated"),
            Row("IEmoNet(XL)-A", (0.687, 0.020), (0.657, 0.020), "simulated", "paper-table4-xlnet", "fusion"),
            Row("IEmoNet(BE)-A", (0.714, 0.017), (0.686, 0.022), "simulated", "paper-table4-bert", "fusion"),
        ),
    ),
}


def beside(table: Table, ours: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the table's lines with what was measured here beside them, and lines of ours that it does not have.

    Args:
        table: the paper's.
        ours: by line, the metrics of ``trainer.experiment.report``; a line that was not run stays empty.
    """
    lines = [
        {
            "name": row.name,
            "transcripts": row.transcripts,
            "paper": {"wa": _printed(row.wa), "ua": _printed(row.ua)},
            "ours": ours.get(row.name),
        }
        for row in table.rows
    ]
    names = {row.name for row in table.rows}
    extra = [
        {"name": name, "transcripts": None, "paper": {"wa": None, "ua": None}, "ours": found}
        for name, found in ours.items()
        if name not in names
    ]
    return lines + extra


def _printed(value: Value | None) -> dict[str, float | None] | None:
    return None if value is None else {"mean": value[0], "std": value[1]}
