"""docs/results.md, from the results' JSON and the bundle's manifest alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.common.results_file import Result
from benchmarks.report.markdown import machine, table
from export.model_card import measurements
from trainer.paper.tables import TABLES

PUBLISHED: Result = json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))
SPEECH = {
    "ravdess-is09-svm": ("IS09 over the whole recording + SVM",),
    "ravdess-is09-64": ("the paper's network, attention 64",),
    "ravdess-is09-128": ("the paper's network, attention 128",),
    "ravdess-encoder-states": ("hidden states of the speech encoder, which the runtime ships",),
}
TEXT = {
    "meld-minilm": ("MiniLM-L6", "provided"),
    "meld-minilm-simulated": ("MiniLM-L6", "6 % simulated errors"),
    "meld-minilm-warm": ("MiniLM-L6, SemEval first", "provided"),
    "meld-mpnet": ("MPNet-base", "provided"),
    "meld-mpnet-simulated": ("MPNet-base", "6 % simulated errors"),
    "meld-mpnet-warm": ("MPNet-base, SemEval first", "provided"),
}
TWEETS = {
    "semeval-minilm": ("MiniLM-L6",),
    "semeval-mpnet": ("MPNet-base",),
    "semeval-mpnet-warm": ("MPNet-base, conversation first",),
}
SCORES = ("wa", "ua", "f1")
INTRODUCTION = """# What the trainer reached

Every figure is of a committed configuration in `trainer/configs`, run by `python -m benchmarks accuracy NAME` and kept
in `benchmarks/results`; this page is written from there by `python -m benchmarks render`. WA is accuracy, UA mean
recall; ± is the deviation (over runs where there is one official test, else over folds, averaged over runs); intervals
are 95 % bootstrap intervals over utterances; ECE is the calibration error after the temperature that was fitted on
other data."""


def page(results: Mapping[str, Result], manifest: Result) -> str:
    """Return the page.

    Args:
        results: by name; a result that is missing has no line or section.
        manifest: of the bundle whose metrics are shown; an empty one has no section.
    """
    sections = {
        "int8-accuracy": _int8,
        "opensmile-parity": _is09,
        "error-statistics": _errors,
        "smoke-tables": _smoke_tables,
    }
    int8, *others = (section(results[name]) if name in results else "" for name, section in sections.items())
    parts = [INTRODUCTION, _bundle(manifest) if manifest else "", int8,
             _tweets(results), _speech(results), _text(results), *others]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _bundle(manifest: Result) -> str:
    """Return the accuracy of the bundle's networks, from the manifest."""
    rows = []
    for branch, metrics in manifest["metrics"].items():
        for path, found in measurements(metrics):
            scores = [found[k]["mean"] if isinstance(found[k], Mapping) else found[k] for k in ("wa", "ua")]
            rows.append((_measured_on(path), branch, str(found.get("n", "")), *(f"{s:.3f}" for s in scores)))
    protocols = {part: made["protocol"] for part, made in manifest["provenance"].items() if "protocol" in made}
    said = "; ".join(f"{part}: {protocol}" for part, protocol in protocols.items())
    return (
        f"## The committed bundle, {manifest['name']} {manifest['version']}\n\nOver neutral, happy, sad and angry, "
        f"before quantisation, by networks that did not learn from what is measured ({said}). Of all recordings UA "
        "is the mean over the parts that were left out:\n\n" + table(("measured on", "branch", "n", "WA", "UA"), rows)
    )


def _measured_on(path: str) -> str:
    """Return what a group of metrics was measured on, in words."""
    for key, words in (("compared", "with 60 s of a baseline"), ("augmented", "altered copies")):
        path = path.replace(key, words)
    return path or "all"


def _int8(result: Result) -> str:
    """Return the change from fp32 to int8."""
    parts = {"speech": "speech_emotion", "text, MELD dev": "words_alone_meld_dev", "fused": "fusion"}
    rows = [
        (
            name,
            str(part["n"]),
            f"{part['same_label']:.1%}",
            *(f"{part[precision][k]:.3f}" for precision in ("fp32", "int8") for k in ("wa", "ua")),
        )
        for name, part in ((name, result[key]) for name, key in parts.items())
    ]
    head = ("", "n", "same label", "fp32 WA", "fp32 UA", "int8 WA", "int8 UA")
    return (
        f"## int8 against fp32\n\n{machine(result)}. Speech and pairs are among those that were trained on, so the "
        "difference counts there, not the level. "
        f"{result['english_clips_with_the_same_transcript']} of {result['english_clips']} English recordings have the "
        "very same transcript.\n\n" + table(head, rows)
    )


def _tweets(results: Mapping[str, Result]) -> str:
    lines: list[tuple[str, ...]] = [
        (row.name, "", f"{row.wa[0]:.3f}", "", "", "", "the paper") for row in TABLES["table1"].rows if row.wa
    ]
    lines += [(*line[:-1], "here") for line in _lines(results, TWEETS, "text")]
    lines += [
        (row["name"], "", *(f"{row[k]:.3f}" if k in row else "" for k in ("wa", "recall", "f1")), "",
         f"[its card]({row['source']})")
        for row in PUBLISHED["tweets"]
    ]  # fmt: skip
    return (
        "## SemEval 2017 Task 4A, official test (Table 1)\n\n"
        + table(("", "runs", "WA", "macro recall", "macro F1", "ECE", ""), lines)
        + """

A tenth of the training tweets was kept apart. The test set was looked at once, with settings that stood before; class
weights of the square root, though, follow a feasibility study, whose full weights had done less well on that same test.
The paper's lines are BERT and XLNet, fine-tuned whole, five runs; MPNet-base is as large as BERT-base, and half of its
blocks were left as they are. *Conversation first* began from the encoder that [the corpora of conversation](words.md)
trained for a short time, and trained all blocks. User names and web addresses were made alike, which the paper did not
do. Those with a card are what others state for the same 12,284 tweets; encoders that were pretrained on tweets lead."""
    )


def _speech(results: Mapping[str, Result]) -> str:
    lines = list(_lines(results, SPEECH, "speech"))
    if not lines:
        return ""
    elsewhere = [
        (
            row["corpus"],
            f"[{row['name']}]({row['source']})",
            *(f"{row[k]:.3f}" if k in row else "" for k in ("wa", "ua")),
        )
        for row in PUBLISHED["voices"]
    ]
    return "\n\n".join([
        "## Speech: RAVDESS, 20 actors, five parts, speakers unknown",
        table(("", "runs", "WA", "UA", "macro F1", "ECE", "UA 95 %"), lines),
        "### What others reached, elsewhere",
        "Not to be compared with the tables above: other corpora, classes, folds and speakers. They say how far "
        "networks of 300 million parameters and more get; the figures are their authors'.",
        table(("corpus and protocol", "", "WA", "UA"), elsewhere),
    ])  # fmt: skip


def _text(results: Mapping[str, Result]) -> str:
    lines = list(_lines(results, TEXT, "text"))
    if not lines:
        return ""
    return (
        "## Text: MELD dev, four classes\n\n"
        + table(("", "transcripts", "runs", "WA", "UA", "macro F1", "ECE", "UA 95 %"), lines)
        + "\n\nTrained and tested on the same kind of transcripts, as in the paper, where BERT falls from 0.709 to "
        "0.685 on IEMOCAP. *SemEval first* starts from the encoder that SemEval's tweets trained (the paper's future "
        "work): on MELD it gains nothing."
    )


def _lines(
    results: Mapping[str, Result], titles: Mapping[str, tuple[str, ...]], branch: str
) -> Iterable[tuple[str, ...]]:
    """Yield a line for each experiment that was run: its titles, runs, WA, UA, F1, ECE and the interval of UA."""
    for name, title in titles.items():
        if f"accuracy-{name}" in results:
            found = results[f"accuracy-{name}"]["branches"][branch]
            spread = found["runs"] > 1 or found["folds"] > 1
            yield (
                *title,
                str(found["runs"]),
                *(f"{found[k]['mean']:.3f}" + (f" ± {found[k]['std']:.3f}" if spread else "") for k in SCORES),
                f"{found['calibration']['ece_after']:.3f}" if found.get("calibration") else "",
                "{:.3f} to {:.3f}".format(*found["ua"]["interval"]),
            )


def _is09(result: Result) -> str:
    contours = result["contours"]
    rows = [
        (name, f"{median:.4f}", f"{contours['worst'][name]:.4f}")
        for name, median in contours["median"].items()
        if not name.endswith("_delta")
    ]
    return (
        f"## IS09 features beside openSMILE\n\nPearson's correlation of each contour over {result['clips']} recordings "
        "of RAVDESS and EmoDB:\n\n" + table(("contour", "median", "worst recording"), rows)
    )


def _errors(result: Result) -> str:
    rows = [
        (texts, *(f"{100 * realised:.1f} %" for realised in rates.values()))
        for texts, rates in result["simulated"].items()
    ]
    targets = next(iter(result["simulated"].values()))
    everything = result["synthetic_speech"]["all"]
    shares = ", ".join(f"{kind} {everything[kind]:.0%}" for kind in ("substitutions", "deletions", "insertions"))
    return (
        "## Simulated recognition errors\n\nWord error rate asked for (columns) and found by jiwer (lines):\n\n"
        + table(("", *(f"{100 * float(t):g} %" for t in targets)), rows)
        + f"\n\nErrors of our recogniser on {result['synthetic_speech']['what']}, with and without noise: WER "
        f"{100 * everything['wer']:.1f} %, of it {shares}. No corpus at hand has many different sentences spoken by "
        "people, so the shares are of synthetic speech."
    )


def _smoke_tables(result: Result) -> str:
    lines = [
        (str(part["table"]), row["name"], *(f"{row['ours'][k]['mean']:.3f}" for k in ("wa", "ua")))
        for part in result["tables"]
        for row in part["rows"]
        if row["ours"]
    ]
    return (
        f"## Tables 2 to 4: the path, not the numbers\n\nIEMOCAP cannot be had here. The tables were run on "
        f"{result['utterances']} utterances of a speech synthesiser in IEMOCAP's shape, {result['otherwise']}. "
        "**These figures check that every line runs; they say nothing about the paper.**\n\n"
        + table(("table", "line", "WA on synthetic speech", "UA on synthetic speech"), lines)
    )
