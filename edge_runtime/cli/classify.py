"""The commands ``classify`` and ``classify-text``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_runtime.cli import COMMAND
from edge_runtime.cli.command import FAILED, print_status, report_error, standard_input
from edge_runtime.cli.json_output import print_json
from edge_runtime.cli.options import (
    Baselines,
    BatchMemory,
    Bundle,
    Device,
    Json,
    SaveBaseline,
    Threads,
    Threshold,
)
from edge_runtime.cli.progress import with_progress
from edge_runtime.errors import IEmoNetError
from edge_runtime.system.parallel import BATCH_MEMORY_MB

if TYPE_CHECKING:
    from edge_runtime.cli.results_file import ResultsFile
    from edge_runtime.prediction import Prediction
    from edge_runtime.system.parallel import Refusal

EXIT_CODES = "Exit codes: 0 all classified, 1 some failed, 2 wrong usage, or no bundle, device or baseline."

CLASSIFY_EXAMPLES = f"""
Examples:

  edge-iemonet classify clip.wav

  edge-iemonet classify calls/ "more/**/*.flac" --output results.jsonl

  ffmpeg -i film.mkv -f wav - | edge-iemonet classify -

  edge-iemonet classify new.wav --baseline old.wav --save-baseline ann.baseline

  edge-iemonet classify next.wav --baseline ann.baseline

  edge-iemonet classify ann/ --same-speaker --csv

A baseline is other recordings of the same speaker, their emotion unknown: how a voice differs from its usual says more
than the voice alone. With --same-speaker all recordings are of one person, and each is compared with the others.

Utterances of several recordings are decoded together, so answers come some at a time.

With --output, results are appended as they come. Killed or interrupted, the same command goes on where it was: what
has a line is not classified again. A file that cannot be used has a line with its error.

In folders, files are looked for by their suffix; those of formats that are not read here (m4a, mp4, webm, aac …) are
passed over and counted. A folder that cannot be searched counts as failed.

{EXIT_CODES}
"""


def classify(
    files: Annotated[
        list[str],
        typer.Argument(help="Audio files, folders, patterns in quotes; - is standard input.", metavar="FILE…"),
    ],
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for spreadsheets.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Append JSON lines to this file, and go on with it.", metavar="FILE")
    ] = None,
    transcript: Annotated[
        str | None,
        typer.Option(help="The words, when they are known: leaves out speech recognition.", metavar="TEXT"),
    ] = None,
    no_asr: Annotated[
        bool, typer.Option("--no-asr", help="Recognise no words: the voice alone answers, with --transcript if given.")
    ] = False,
    threshold: Threshold = None,
    baseline: Baselines = None,
    same_speaker: Annotated[
        bool,
        typer.Option("--same-speaker", help="All files are of one speaker: compare each with all others, not itself."),
    ] = False,
    save_baseline: SaveBaseline = None,
    bundle: Bundle = None,
    device: Device = "auto",
    threads: Threads = None,
    batch_memory: BatchMemory = BATCH_MEMORY_MB,
) -> None:
    """Say what emotion is in audio files: wav, flac, ogg, mp3, of any rate and number of channels."""
    if as_json + as_csv + (output is not None) > 1:
        raise typer.BadParameter("--json, --csv and --output are three ways to answer; choose one")
    # Imported here so that --help and usage errors need not wait for onnxruntime.
    from edge_runtime.audio.find_recordings import STDIN  # noqa: PLC0415
    from edge_runtime.cli import baselines  # noqa: PLC0415
    from edge_runtime.cli.results_file import ResultsFile  # noqa: PLC0415
    from edge_runtime.pipeline import IEmoNet  # noqa: PLC0415
    from edge_runtime.system.parallel import map_groups, map_ordered, split_threads  # noqa: PLC0415
    from edge_runtime.system.processors import thread_budget  # noqa: PLC0415

    wanted = baselines.Wanted(baseline or [], same_speaker=same_speaker, save_to=save_baseline)
    wanted.check(files)
    found, failed = _find(files)
    if transcript is not None and len(files) > 1:
        raise typer.BadParameter("--transcript belongs to one file, and several are given")
    if transcript is not None and len(found) > 1:
        raise typer.BadParameter(f"--transcript belongs to one file, and {files[0]} means {len(found)}")
    with ExitStack() as stack:
        results = stack.enter_context(ResultsFile(output)) if output else None
        waiting = found if results is None else [name for name in dict.fromkeys(found) if name not in results.done]
        failed += 0 if results is None else len(results.failed.intersection(found))
        if results is not None and (kept := results.done.intersection(found)):
            print_status(
                f"{output}: keeps the answers to {len(kept)} of {len(found)} recordings; "
                "for other options, name another file"
            )
        workers, threads_each = split_threads(thread_budget(threads), len(waiting))
        model = stack.enter_context(
            IEmoNet.load(bundle, device=device, threads=threads_each, batch_memory_mb=batch_memory)
        )

        baseline_of = wanted.make(model, found, workers=workers)

        def audio_of(name: str) -> Any:
            return standard_input().buffer if name == STDIN else Path(name)

        def classify_files(names: Sequence[str]) -> Iterator[tuple[str, Prediction | Refusal]]:
            audio, baselines = map(audio_of, names), map(baseline_of, names)
            found = model.classify_many(audio, asr=not no_asr, threshold=threshold, baseline=baselines)
            return zip(names, found, strict=True)

        def classify_known(name: str) -> Prediction:
            return model(audio_of(name), transcript=transcript, threshold=threshold, baseline=baseline_of(name))

        printer = _ResultPrinter(as_json=as_json, as_csv=as_csv, labels=model.labels, results=results)
        answers: Iterator[tuple[str, Prediction | Refusal]]
        if transcript is not None:
            answers = map_ordered(classify_known, waiting, workers=1)
        else:
            answers = map_groups(classify_files, waiting, workers=workers)
        for name, answer in with_progress(answers, len(waiting), printed=output is None):
            if isinstance(answer, IEmoNetError):
                failed += 1
                report_error(COMMAND, answer)
                printer.error(name, answer)
            else:
                printer.answer(name, answer)
    if failed:
        raise typer.Exit(FAILED)


def _find(names: list[str]) -> tuple[list[str], int]:
    """Return the recordings that ``names`` mean, and how many names or folders could not be used."""
    from edge_runtime.audio.find_recordings import find_recordings  # noqa: PLC0415

    files: list[str] = []
    failed = 0
    for name in names:
        try:
            found = find_recordings(name)
        except IEmoNetError as error:
            report_error(COMMAND, error)
            failed += 1
            continue
        files += found.files
        for folder_error in found.unreadable:
            report_error(COMMAND, folder_error)
        failed += len(found.unreadable)
        if found.note:
            report_error(COMMAND, f"{name}: {found.note}")
    return files, failed


class _ResultPrinter:
    """Where answers go: the terminal, JSON lines, a table, or a file."""

    def __init__(self, *, as_json: bool, as_csv: bool, labels: tuple[str, ...], results: ResultsFile | None) -> None:
        self._json, self._results, self._labels = as_json, results, labels
        self._table = csv.writer(sys.stdout) if as_csv else None
        if self._table is not None:
            # Data, so the same on every terminal, and names keep their bytes, those that are no text as well.
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
            head = ["file", "label", "confidence", *labels, "transcript", "used", "duration_s", "notes"]
            self._table.writerow([*head, "uncertain", "baseline_s", "language"])

    def answer(self, name: str, answer: Prediction) -> None:
        if self._results is not None:
            self._results.add({"file": name, **answer.to_dict()})
        elif self._json:
            print_json({"file": name, **answer.to_dict()})
        elif self._table is not None:
            scores = [answer.scores.get(label) for label in self._labels]
            used, notes = " ".join(answer.used), "; ".join(answer.notes)
            row = [name, answer.label, answer.confidence, *scores, answer.transcript, used, answer.duration_s, notes]
            uncertain = "" if answer.label is None else str(answer.uncertain).lower()
            self._table.writerow([*row, uncertain, answer.baseline_s, answer.language])
            sys.stdout.flush()  # an answer that is there is not lost when the next is interrupted
        else:
            from edge_runtime.formats.terminal import render  # noqa: PLC0415

            print(render(name, answer, colour=sys.stdout.isatty()), flush=True)

    def error(self, name: str, error: IEmoNetError) -> None:
        if self._results is not None:
            self._results.add({"file": name, "error": str(error)})


TEXT_EXAMPLES = f"""
Examples:

  edge-iemonet classify-text "I can't believe you did that"

  edge-iemonet classify-text --json < lines.txt

  edge-iemonet classify-text "It happened yesterday." --context "same: I cannot work today." --context "other: Why?"

A context is what was said before, each turn by an option of its own, the oldest first; "same:" before a turn says that
it was the same speaker, "other:" that it was another. All texts of a call have the same context. It needs a bundle that
reads one (`python -m export inspect BUNDLE` says so).

In some uses nearly everything that is said is neutral. --neutral-prior says how much, and the bundle then expects it.

{EXIT_CODES}
"""


def classify_text(
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="What is said; without, or with -, each line of standard input.", metavar="TEXT…"),
    ] = None,
    as_json: Json = False,
    context: Annotated[
        list[str] | None, typer.Option(help="What was said before, a turn each, the oldest first.", metavar="TURN")
    ] = None,
    neutral_prior: Annotated[
        float | None, typer.Option(help="Share of neutral among all that is said, between 0 and 1.", metavar="SHARE")
    ] = None,
    threshold: Threshold = None,
    bundle: Bundle = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Say what emotion is in words alone. Empty lines are left out."""
    from edge_runtime.formats.terminal import render_text  # noqa: PLC0415
    from edge_runtime.pipeline import IEmoNet  # noqa: PLC0415

    if texts == ["-"]:  # standard input, as in the other commands
        texts = None
    if texts is not None and not any(text.strip() for text in texts):
        raise typer.BadParameter("no words: give a text that is not empty")
    if neutral_prior is not None and not 0 < neutral_prior < 1:
        raise typer.BadParameter("--neutral-prior takes a share between 0 and 1")
    with IEmoNet.load(bundle, device=device, threads=threads, text_neutral_prior=neutral_prior) as model:
        for text in filter(None, (line.strip() for line in texts or standard_input())):
            answer = model.classify_text(text, context=context or (), threshold=threshold)
            if as_json:
                fields = {"label": answer.label, "confidence": answer.confidence, "scores": answer.scores}
                print_json({"text": text, **fields, "used": ["words"], "uncertain": answer.uncertain})
            else:
                print(render_text(text, answer, uncertain=answer.uncertain, colour=sys.stdout.isatty()), flush=True)
