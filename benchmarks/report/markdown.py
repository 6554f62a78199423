"""Tables in Markdown, and pages in which a program fills in the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.common.results_file import Result
from edge_runtime.system.writing import write_text

END = "<!-- end of figures -->"


def begin(command: str) -> str:
    """Return the mark that stands before the figures of ``python -m benchmarks command``."""
    return f"<!-- figures: python -m benchmarks {command} -->"


def fill(page: Path, figures: Mapping[str, str]) -> None:
    """Replace the text between each pair of marks in ``page``.

    Args:
        page: a Markdown file.
        figures: the new text by the name of the command in the first mark.

    Raises:
        ValueError: a mark is missing; nothing is written then.
    """
    text = page.read_text(encoding="utf-8")
    for command, found in figures.items():
        before, mark, rest = text.partition(begin(command))
        _, end, after = rest.partition(END)
        if not mark or not end:
            raise ValueError(f"{page}: expected the marks {begin(command)} and {END}; put them back")
        text = f"{before}{mark}\n\n{found}\n\n{end}{after}"
    write_text(page, text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def formatted(rows: Mapping[str, Result], columns: Mapping[str, str]) -> str:
    """Return a table with a line for each row: its name, then its values.

    Args:
        rows: values by the name of the row; underscores in a name become spaces.
        columns: how ``str.format`` writes the values of a row, by the head of the column.
    """
    return table(
        ("", *columns),
        [(name.replace("_", " "), *(form.format(**row) for form in columns.values())) for name, row in rows.items()],
    )


def machine(result: Result) -> str:
    """Return the machine and the day of a measurement."""
    processor = result["machine"]["processor"]
    return f"{processor['name']} ({', '.join(processor['features'])}), {result['date']}"
