"""Names from corpora are shown, and cannot steer the terminal; rich's own colours can."""

import io

from rich.table import Table

from trainer.console import Console


def test_control_characters_of_what_is_printed_are_escaped():
    file = io.StringIO()
    console = Console(file=file, width=60)
    table = Table("name\x1b[31m")
    table.add_row("caf\udce9\u202e\x9b")
    console.print(table)
    console.print("a\x1b]0;title\x07\nb", markup=False)
    printed = file.getvalue()
    assert "name\\x1b[31m" in printed
    assert "caf\\udce9\\u202e\\x9b" in printed
    assert printed.endswith("a\\x1b]0;title\\x07\nb\n")
    assert printed.replace("\n", "").isprintable()


def test_colours_and_the_cursor_are_richs_own():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="standard", width=60)
    console.print("bold", style="bold")
    console.show_cursor(False)
    assert file.getvalue() == "\x1b[1mbold\x1b[0m\n\x1b[?25l"
