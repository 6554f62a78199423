"""The command ``inspect``: what is inside a bundle, for a person or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from edge_runtime.bundle.locate import locate
from edge_runtime.cli.json_output import print_json
from trainer.console import Console

if TYPE_CHECKING:
    from export.inspect_bundle import BundleFile, BundleReport

EPILOG = (
    "Examples:\n\n  python -m export inspect models/en-tiny-int8\n\n"
    "  python -m export inspect my-bundle --json\n\nExit code: 0 if it is whole, 1 if something is wrong with it."
)
PROBLEMS = 1
SHOWN_OPERATORS = 3
SHOWN_TENSORS = 4


def inspect(
    bundle: Annotated[str, typer.Argument(help="A bundle's folder, or the name of an installed one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON, every figure and all operators.")] = False,
) -> None:
    """Show the contents of a bundle, and every fault in it."""
    from export.inspect_bundle import inspect_bundle  # noqa: PLC0415 - so that --help need not wait for onnxruntime

    found = inspect_bundle(locate(bundle))
    if as_json:
        print_json(found.to_dict(), indent=1)
    else:
        show(found, Console())
    if found.problems:
        raise typer.Exit(PROBLEMS)


def show(found: BundleReport, console: Console) -> None:
    """Print ``found`` as tables; what the manifest lacks is left out."""
    manifest = found.manifest
    console.print(_pairs(found))
    console.print(_slots(found))
    for title, rows in (
        ("inputs → and outputs ←", _ends(found)),
        ("tokenizers", _tokenizers(found)),
        ("temperatures", [(k, _short(v)) for k, v in _items(manifest.get("calibration"))]),
        ("metrics", list(_metrics(manifest.get("metrics")))),
        ("what the conversion changed", _verification(manifest.get("verification"))),
        ("provenance", _provenance(manifest.get("provenance"))),
    ):
        if rows:
            console.print(_table(title, rows))
    credited = manifest.get("credits")
    credited = [c for c in credited if isinstance(c, dict)] if isinstance(credited, list) else []
    if credited:
        table = Table("ingredient", "role", "licence", title="licences and credits", title_justify="left")
        for credit in credited:
            table.add_row(*(_text(credit.get(key)) for key in ("ingredient", "role", "licence")))
        console.print(table)
    for problem in found.problems:
        console.print(Text(f"problem: {problem}", style="bold"), soft_wrap=True)
    console.print("there are problems" if found.problems else "the bundle is whole")


def _pairs(found: BundleReport) -> Table:
    manifest = found.manifest
    labels = manifest.get("labels")
    table = Table(title=Text(str(found.folder)), title_justify="left", show_header=False)
    table.add_row("name", _text(manifest.get("name")))
    table.add_row("version", _text(manifest.get("version")))
    table.add_row("schema", _text(manifest.get("schema")))
    table.add_row("labels", _text(", ".join(map(str, labels)) if isinstance(labels, list) else labels))
    if "speech_emotion" in found.slots:
        table.add_row("takes a baseline", "yes" if found.takes_baseline else "no")
    if "text_emotion" in found.slots:
        tokens = found.context_tokens
        table.add_row("reads a context", f"yes, {tokens} tokens" if tokens else "no")
    words = dict(_items(manifest.get("text_emotion")))
    point = dict(_items(manifest.get("operating_point"))).get("confidence")
    table.add_row("uncertain below", _text("none stated" if point is None else _short(point)))
    if (alone := dict(_items(words.get("operating_point"))).get("confidence")) is not None:
        table.add_row("words uncertain below", _text(_short(alone)))
    if priors := _items(words.get("priors")):
        table.add_row("priors of words", _text(", ".join(f"{label} {_short(share)}" for label, share in priors)))
    table.add_row("size", f"{found.bytes / 1e6:.2f} MB in {len(found.files)} files")
    table.add_row("made with", _text(", ".join(f"{k} {v}" for k, v in _items(manifest.get("toolchain"))) or None))
    return table


def _slots(found: BundleReport) -> Table:
    table = Table(title="slots", title_justify="left")
    for name in ("slot", "MB", "precision", "weights", "operators"):
        table.add_column(name, justify="right" if name in {"MB", "weights"} else "left", no_wrap=name != "operators")
    for name, part in found.slots.items():
        graph = part.graph
        table.add_row(
            _text(name),
            _megabytes(part),
            _text(part.stated.get("precision")),
            f"{graph.weights:,}" if graph else "?",
            _operators(graph.operators) if graph else "?",
        )
    return table


def _operators(counts: Mapping[str, int]) -> str:
    first = ", ".join(f"{count} {name}" for name, count in list(counts.items())[:SHOWN_OPERATORS])
    return f"{sum(counts.values())}: {first}" + (", …" if len(counts) > SHOWN_OPERATORS else "")


def _ends(found: BundleReport) -> list[tuple[str, str]]:
    """Return each slot's inputs and outputs, a line each."""
    return [
        (
            name,
            "\n".join(
                f"{arrow} {tensor}"
                for arrow, end in (("→", "inputs"), ("←", "outputs"))
                for tensor in _tensors(part.stated.get(end))
            ),
        )
        for name, part in found.slots.items()
    ]


def _tensors(stated: Any) -> Iterator[str]:
    tensors = [t for t in stated if isinstance(t, dict)] if isinstance(stated, list) else []
    for tensor in tensors[:SHOWN_TENSORS]:
        shape = tensor.get("shape")
        axes = ", ".join(str(a) if a is not None else "?" for a in shape) if isinstance(shape, list) else "?"
        kind = str(tensor.get("dtype")).removeprefix("tensor(").removesuffix(")")
        yield f"{tensor.get('name')} {kind} [{axes}]"
    if len(tensors) > SHOWN_TENSORS:
        yield f"and {len(tensors) - SHOWN_TENSORS} more"


def _tokenizers(found: BundleReport) -> list[tuple[str, str]]:
    return [
        (name, f"{_megabytes(part)} MB, {part.vocabulary:,} tokens" if part.vocabulary else f"{_megabytes(part)} MB")
        for name, part in found.tokenizers.items()
    ]


def _metrics(value: Any) -> Iterator[tuple[str, str]]:
    """Yield a row for each measurement."""
    from export.model_card import measurements  # noqa: PLC0415 - slow to import

    figures = [("WA", "wa"), ("UA", "ua"), ("F1", "f1"), ("calibration error", "ece")]
    for place, found in measurements(value):
        shown = [f"n {_short(found['n'])}"] if "n" in found else []
        yield place, ", ".join([*shown, *(f"{name} {_mean(found[key])}" for name, key in figures if key in found)])


def _verification(value: Any) -> list[tuple[str, str]]:
    """Return how often the labels stayed the same, and where more was lost than was allowed."""
    about = dict(_items(value))
    views = [(k, dict(_items(v))) for k, v in _items(about.get("converted"))]
    rows = [(k, f"same label {_short(v['same_label'])} of {v.get('n')}") for k, v in views if "same_label" in v]
    short = about.get("shortfall")
    return [*rows, *(("falls short", str(text)) for text in (short if isinstance(short, list) else []))]


def _mean(score: Any) -> str:
    return _short(score.get("mean")) if isinstance(score, dict) else _short(score)


def _provenance(value: Any) -> list[tuple[str, str]]:
    rows = []
    for part, about in _items(value):
        if not isinstance(about, dict):
            continue
        corpora = [
            f"{name} ({sum(n for _, n in _items(c.get('labels')) if isinstance(n, int)):,} utterances)"
            for name, c in _items(about.get("corpora"))
            if isinstance(c, dict)
        ]
        settings = about.get("settings")
        seed = about.get("seed", settings.get("seed") if isinstance(settings, dict) else None)
        told = {
            "corpora": ", ".join(corpora),
            "pretrained": ", ".join(map(str, dict(_items(about.get("pretrained"))))),
            "protocol": about.get("protocol"),
            "seed": seed,
            "weights": str(about.get("weights_sha256", ""))[:12],
        }
        rows.append((part, "\n".join(f"{k}: {v}" for k, v in told.items() if v not in (None, ""))))
    return rows


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _table(title: str, rows: list[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, show_lines=any("\n" in b for _, b in rows))
    for name, value in rows:
        table.add_row(_text(name), _text(value))
    return table


def _megabytes(part: BundleFile) -> str:
    return "missing" if part.bytes is None else f"{part.bytes / 1e6:.2f}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _text(value: Any) -> Text:
    """Return ``value`` as it is; brackets in it are no markup."""
    return Text("not given" if value is None else str(value))
