"""The options that the commands which write a bundle share."""

import dataclasses
import functools
import inspect
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from edge_runtime.cli.command import report_error
from edge_runtime.errors import IEmoNetError

if TYPE_CHECKING:
    from export.bundle_writer import Options
    from export.evaluation.data import EvaluationSet
    from export.quantization.config import QuantizationConfig


@dataclass(frozen=True)
class ConversionOptions:
    """The options as the command line gives them; ``resolve`` reads the corpora that they name."""

    whisper: Annotated[
        str | None, typer.Option(help="Another recogniser: a Whisper's folder or hub id.", metavar="FOLDER|ID")
    ] = None
    language: Annotated[
        str | None,
        typer.Option(
            help="The only language of a multilingual Whisper, such as de; without, it tells the language itself."
        ),
    ] = None
    renamed: Annotated[
        list[str],
        typer.Option("--map", help="Rename a label of a classifier or corpus; A= leaves it out.", metavar="A=B"),
    ] = field(default_factory=list)
    int8: Annotated[bool, typer.Option("--int8", help="Matrix products and embeddings in 8 bits (the default).")] = (
        False
    )
    fp32: Annotated[bool, typer.Option("--fp32", help="Everything as it was trained.")] = False
    fp16: Annotated[bool, typer.Option("--fp16", help="16 bits, for CUDA.")] = False
    int4: Annotated[bool, typer.Option("--int4", hidden=True)] = False
    target: Annotated[
        str,
        typer.Option(
            help="The processors that int8 is for: avx2 (safe everywhere), avx512_vnni, arm64, or auto: this one.",
            metavar="NAME",
        ),
    ] = "avx2"
    calibrate: Annotated[
        Path | None,
        typer.Option(help="A corpus to calibrate static int8 with, by its train part; without, dynamic int8."),
    ] = None
    evaluate: Annotated[
        Path | None,
        typer.Option(help="A corpus to measure on what is lost [default: the run's own, or a few sentences]."),
    ] = None
    limit: Annotated[int, typer.Option(min=1, help="Utterances of it, at the most.")] = 500
    limit_points: Annotated[float, typer.Option(min=0, help="WA or UA that may be lost on it, in points.")] = 1.0
    allow_shortfall: Annotated[
        bool, typer.Option("--allow-shortfall", help="Write a bundle that loses more, with that in its manifest.")
    ] = False
    force: Annotated[bool, typer.Option("--force", help="Replace the bundle that is there.")] = False

    @property
    def label_map(self) -> dict[str, str]:
        """The new names of labels.

        Raises:
            typer.BadParameter: ``--map`` is written in another way.
        """
        names = {}
        for given in self.renamed:
            old, equals, new = given.partition("=")
            if not equals or not old:
                raise typer.BadParameter(f"--map {given}: write it as theirs=ours, or theirs= to leave it out")
            names[old.strip()] = new.strip()
        return names

    @property
    def quantization(self) -> "QuantizationConfig":
        """The precision and the target.

        Raises:
            typer.BadParameter: there is no such thing.
        """
        from export.quantization.config import QuantizationConfig, detect_target  # noqa: PLC0415 - slow to import

        wanted = [name for name in ("int8", "fp32", "fp16", "int4") if getattr(self, name)] or ["int8"]
        if len(wanted) > 1:
            raise typer.BadParameter(f"{' and '.join(f'--{name}' for name in wanted)}: choose one precision")
        try:
            target = detect_target() if self.target == "auto" else self.target
            return QuantizationConfig(wanted[0], target, static=self.calibrate is not None)
        except IEmoNetError as error:
            raise typer.BadParameter(str(error)) from error

    def resolve(self, labels: Sequence[str], run: Path | None = None) -> "Options":
        """Return how the bundle is quantized and evaluated, with the corpora read.

        Args:
            labels: the bundle's.
            run: the folder of the run whose own corpus is evaluated on where no other is named.
        """
        from export.bundle_writer import Options  # noqa: PLC0415 - torch is slow to import
        from export.evaluation import data  # noqa: PLC0415
        from export.evaluation.limits import Limits  # noqa: PLC0415

        corpus = functools.partial(data.of_corpus, labels=labels, limit=self.limit, seed=0, renamed=self.label_map)
        evaluation = corpus(self.evaluate) if self.evaluate else self._of_run(run, labels) if run else None
        return Options(
            quantization=self.quantization,
            evaluation=data.with_sentences(evaluation) if evaluation else None,
            limits=Limits(self.limit_points, self.allow_shortfall),
            calibration=corpus(self.calibrate, splits=data.CALIBRATION_SPLITS) if self.calibrate else None,
            force=self.force,
        )

    def _of_run(self, run: Path, labels: Sequence[str]) -> "EvaluationSet | None":
        """Return utterances that a run was trained on; None of what no run made, or where they are no longer there."""
        from export.evaluation import data  # noqa: PLC0415 - torch is slow to import

        try:
            return data.of_run(run, labels, limit=self.limit, seed=0)
        except (IEmoNetError, OSError) as error:
            report_error(
                "export",
                f"note: the corpus that was trained on cannot be read ({error}); a few built-in sentences are tried "
                "instead; --evaluate names where it is now",
            )
            return None


def takes_conversion_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the options of ``ConversionOptions`` after its own; it gets them as ``options``."""
    hints = get_type_hints(ConversionOptions, include_extras=True)
    shared = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=_default(f), annotation=hints[f.name])
        for f in dataclasses.fields(ConversionOptions)
    ]
    own = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [*(p.replace(kind=p.KEYWORD_ONLY) for p in own if p.name != "options"), *shared]

    @functools.wraps(command)
    def with_options(**arguments: Any) -> None:
        given = ConversionOptions(**{p.name: arguments.pop(p.name) for p in shared})
        command(**arguments, options=given)

    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_options


def show_progress() -> None:
    """Tell somebody who waits what is being tried; nothing where nobody watches."""
    logger = logging.getLogger("export")
    if sys.stderr.isatty() and not logger.handlers:
        logger.addHandler(_Complaints())
        logger.setLevel(logging.INFO)


def _default(option: "dataclasses.Field[Any]") -> Any:
    return [] if option.default is dataclasses.MISSING else option.default


class _Complaints(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        report_error("export", record.getMessage())
