"""The commands ``trainer corpora``."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from edge_runtime.cli.interrupts import after_cleaning_up
from edge_runtime.cli.json_output import print_json
from edge_runtime.formats.printable import visible
from trainer.console import Console
from trainer.corpora import registry, synthetic, trainable
from trainer.corpora.check import Check, examine, usable
from trainer.corpora.protocols import PROTOCOLS
from trainer.corpora.trainable import Use
from trainer.corpora.utterance import Utterance

PROBLEMS = 1
SHOWN = 20
"""So many faults of a kind are listed; --json lists all."""
MANY = 12
"""More speakers or sessions than this are counted, not listed."""
DIALOG = 30
"""Utterances of a synthetic dialogue, at most; IEMOCAP's have 66 on average."""
PLAIN = "none: plain speech has no classes to test; [speech.data] plain = [...] in a configuration learns from it"
"""How plain speech is divided."""

app = typer.Typer(no_args_is_help=True, help="List the known corpora, and check your copy of one.")

Map = Annotated[
    list[str] | None, typer.Option("--map", metavar="LABEL=NEW", help="Rename or merge; LABEL= leaves it out.")
]
MergeExcited = Annotated[bool, typer.Option("--merge-excited", help="IEMOCAP: excited counts as happy.")]
Shortest = Annotated[float | None, typer.Option(help="IEMOCAP: leave out what is shorter, in s (the paper: 3).")]
Longest = Annotated[float | None, typer.Option(help="IEMOCAP: leave out what is longer, in s (the paper: 15).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command("list", epilog="Examples:\n\n  trainer corpora list\n\n  trainer corpora list --json")
def list_corpora(as_json: AsJson = False) -> None:
    """List the corpora that can be read, with licence, classes and counts as published."""
    if as_json:
        about = [
            asdict(corpus) | {"counts": registry.expected(corpus, unlabelled=corpus.plain)}
            for corpus in registry.CORPORA
        ]
        print_json(about, indent=2)
        return
    table = Table("name", "corpus", "utterances", show_lines=True)
    for corpus in registry.CORPORA:
        published = registry.expected(corpus, unlabelled=corpus.plain)
        number = sum(sum(counts.values()) for counts in published.values())
        lines = (
            "; ".join(filter(None, (corpus.title, corpus.credit))),
            f"licence: {corpus.licence}",
            f"languages: {', '.join(corpus.languages)}" if corpus.languages else "",
            f"{' and '.join(corpus.modalities)}: {_classes(corpus)}",
            "" if corpus.plain else f"protocol: {corpus.protocol}",
            f"note: {corpus.note}" if corpus.note else "",
        )
        table.add_row(corpus.name, escape("\n".join(filter(None, lines))), f"{number:,}" if number else "any")
    Console().print(table)


@app.command(
    epilog="Examples:\n\n  trainer corpora check data/IEMOCAP_full_release --merge-excited\n\n"
    "  trainer corpora check data/ravdess --map calm=neutral\n\n"
    "  trainer corpora check calls.csv --map furious=angry --map unsure= --json\n\n"
    "Exit code: 0 if all is well, 1 if something is missing, damaged, other than published, or keeps it from training."
)
def check(
    path: Annotated[Path, typer.Argument(help="A corpus' folder, or a manifest (.csv, .tsv, .jsonl).")],
    corpus: Annotated[str | None, typer.Option(help="Name of the corpus; detected by default.")] = None,
    renamed: Map = None,
    merge_excited: MergeExcited = False,
    shortest: Shortest = None,
    longest: Longest = None,
    only: Annotated[str | None, typer.Option(help="Check for `trainer fit --only`: speech or text.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Check for `trainer fit --protocol`.")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out what `trainer fit --skip-bad` leaves out.")
    ] = False,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Also check recordings without a class, which a configuration may use.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Decode every recording, count labels, speakers and splits, and name all that `trainer fit` would refuse."""
    if only not in {None, "speech", "text"}:
        raise typer.BadParameter(f"--only {only!r}: use speech or text")
    if protocol not in {None, *PROTOCOLS}:
        raise typer.BadParameter(f"--protocol {protocol!r}: use one of {', '.join(PROTOCOLS)}")
    options = registry.LoadOptions(
        label_map=label_map(renamed or []), merge_excited=merge_excited, shortest_s=shortest, longest_s=longest
    )
    found = registry.named(corpus) if corpus else registry.detect(path)
    refused: list[str] = []
    left_out: Counter[str] = Counter()
    unlabelled = unlabelled or found.plain
    apart: list[Utterance] = []
    utterances = registry.read(
        path,
        corpus=found,
        options=options,
        faults=refused,
        left_out=left_out,
        unlabelled=apart if unlabelled else None,
    )
    everything = [*utterances, *apart]
    published = registry.expected(found, options, unlabelled=unlabelled)
    result = examine(everything, expected=published, refused=refused, quiet=not sys.stderr.isatty())
    speech, text = trainable.modalities(found.name, utterances)
    use = Use(speech and only != "text", text and only != "speech", protocol)
    good = usable(everything, result, skip=True) if skip_bad else everything
    classless = set(apart)
    kept, apart = [u for u in good if u not in classless], [u for u in good if u in classless]
    if skip_bad:
        kept = trainable.complete(found.name, kept, use)
    problems = [] if found.plain else trainable.problems(found.name, kept, registry.labels_of(kept, found), use)
    how = PLAIN if found.plain else trainable.how_divided(found.name, kept, use)
    notes = [*([found.note] if found.note else []), *trainable.notes(found.name, kept), *result.notes]
    notes += [registry.not_learned(left_out)] if left_out else []
    fine = not problems and (skip_bad or result.fine)
    if as_json:
        natural, parts = (None, None) if found.plain else trainable.division(found.name, kept, protocol)
        about = {"corpus": found.name, "licence": found.licence, "credit": found.credit}
        plan = {"protocol": natural, "parts": parts, "kept": len(kept) + len(apart), "division": how}
        report = about | asdict(result) | plan | {"fine": fine, "problems": problems, "notes": notes}
        print_json(report, indent=2, default=str)
    else:
        _print(found, result)
        _list("for training", problems)
        _list("notes", notes)
        if skip_bad:
            total = len(everything) + len(refused)
            print(f"left out: {total - len(kept) - len(apart):,} of {total:,} utterances")
        if not problems:
            _list("division", [how])
        print("all is well" if fine else "there are problems")
    if not fine:
        raise typer.Exit(PROBLEMS)


@app.command(
    epilog="Example:\n\n  trainer corpora synthesise data/synthetic --utterances 600\n\n"
    "  trainer corpora check data/synthetic"
)
def synthesise(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    utterances: Annotated[int, typer.Option(min=5 * synthetic.LEAST, help="How many, at least.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Seed of labels, sentences and voices.")] = 0,
) -> None:
    """Make a corpus in the shape of IEMOCAP, spoken by espeak-ng, to try the tables without IEMOCAP."""
    dialogs = max(2, math.ceil(utterances / (5 * DIALOG)))
    with after_cleaning_up():
        made = synthetic.iemocap_tree(
            folder,
            dialogs_per_session=dialogs,
            utterances_per_dialog=math.ceil(utterances / (5 * dialogs)),
            seed=seed,
            quiet=not sys.stderr.isatty(),
        )
    print(f"{visible(str(folder))}: {made} synthetic utterances")


def label_map(pairs: list[str]) -> dict[str, str]:
    """Return the new label of each old one from ``LABEL=NEW`` arguments.

    Raises:
        typer.BadParameter: one has no ``=`` or no label, or names a label a second time.
    """
    result: dict[str, str] = {}
    for pair in pairs:
        label, equals, new = pair.partition("=")
        if not equals or not label or label in result:
            raise typer.BadParameter(f"{pair!r}: give LABEL=NEW, each label once; LABEL= leaves it out")
        result[label] = new
    return result


def _classes(corpus: registry.Corpus) -> str:
    """Return what can be learned from a corpus."""
    if corpus.plain:
        return "no classes; it teaches when not to be sure"
    return ", ".join(corpus.labels) or "any classes"


def _print(corpus: registry.Corpus, result: Check) -> None:
    console = Console()
    table = Table(title=corpus.title, show_header=False)
    table.add_row("corpus", escape(corpus.name))
    table.add_row("licence", escape(corpus.licence))
    if corpus.credit:
        table.add_row("credit", escape(corpus.credit))
    table.add_row("utterances", f"{result.utterances:,}")
    table.add_row("recordings", f"{result.recordings:,} decoded, {result.hours:.2f} hours")
    for name in ("labels", "splits", "speakers", "sessions"):
        if counts := getattr(result, name):
            table.add_row(name, escape(_counted(counts)))
    console.print(table)
    for title, lines in (
        ("rows that cannot be used", result.refused),
        ("missing", result.missing),
        ("damaged", result.damaged),
        ("there again with another label", result.conflicting),
        ("without words", result.wordless),
        ("other than published", result.differences),
    ):
        _list(title, lines)


def _list(title: str, lines: Sequence[object]) -> None:
    if lines:
        console = Console()
        console.print(f"{title}: {len(lines):,}", style="bold")
        for line in lines[:SHOWN]:
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
        if len(lines) > SHOWN:
            console.print(f"  and {len(lines) - SHOWN:,} more; --json lists all")


def _counted(counts: Mapping[str, Any]) -> str:
    if set(counts) == {""}:
        return "not given"
    if len(counts) > MANY:
        unknown = f", and {counts['']:,} utterances of which it is not given" if "" in counts else ""
        return f"{len(set(counts) - {''}):,}{unknown}"
    return ", ".join(f"{name or 'not given'} {count:,}" for name, count in counts.items())
