"""docs/results.md, from the accuracy results' JSON alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report.bundle_page import in_the_bundle, int8
from benchmarks.report.markdown import table
from edge_runtime.system.writing import write_text
from trainer.paper.tables import TABLES

Result = Mapping[str, Any]

PUBLISHED = Path(__file__).with_name("published.json")
VOICES = {
    "ravdess-is09-svm": "IS09 over the whole recording + SVM",
    "ravdess-is09-64": "the paper's network, attention 64",
    "ravdess-is09-128": "the paper's network, attention 128",
    "ravdess-encoder-states": "hidden states of the speech encoder, what the runtime ships",
}
WORDS = {
    "meld-minilm": ("MiniLM-L6", "provided"),
    "meld-minilm-simulated": ("MiniLM-L6", "6 % simulated errors"),
    "meld-minilm-warm": ("MiniLM-L6, SemEval first", "provided"),
    "meld-mpnet": ("MPNet-base", "provided"),
    "meld-mpnet-simulated": ("MPNet-base", "6 % simulated errors"),
    "meld-mpnet-warm": ("MPNet-base, SemEval first", "provided"),
}
TWEETS = {"semeval-minilm": "MiniLM-L6", "semeval-mpnet": "MPNet-base"}


def render(results: Path, page: Path, bundle: Path | None = None) -> None:
    """Write ``page`` from the files in ``results``; what was not measured has no line.

    Args:
        results: folder of JSON files.
        page: the file to write.
        bundle: one that the recipe made, whose manifest's metrics are shown too.
    """
    found = {
        path.stem.removeprefix("accuracy-"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(results.glob("accuracy-*.json"))
    }
    parts = [
        "# What the trainer reached",
        "Every figure is of a committed configuration in `trainer/configs`, run by `python -m benchmarks accuracy "
        "NAME` and kept in `benchmarks/results`; this page is written from there by `python -m benchmarks render`. WA "
        "is accuracy, UA mean recall; ± is the deviation (over runs where there is one official test, else over folds, "
        "averaged over runs); intervals are 95 % bootstrap intervals over utterances; ECE is the calibration error "
        "after the temperature that was fitted on other data.",
        *([in_the_bundle(bundle)] if bundle is not None else []),
        int8(results),
        _tweets(found),
        _voices(found),
        _words(found),
    ]
    extra = [part for part in (_is09(results), _errors(results), _paths(results)) if part]
    write_text(page, "\n\n".join([*(p for p in parts if p), *extra]) + "\n")


def _published() -> Result:
    found: Result = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return found


def _elsewhere() -> str:
    lines = [
        (
            row["corpus"],
            f"[{row['name']}]({row['source']})",
            *(f"{row[k]:.3f}" if k in row else "" for k in ("wa", "ua")),
        )
        for row in _published()["voices"]
    ]
    return (
        "### What others reached, elsewhere\n\nNot to be compared with the tables above: other corpora, classes, "
        "folds and speakers. They say how far networks of 300 million parameters and more "
        "get; the figures are their authors'.\n\n" + table(("corpus and protocol", "", "WA", "UA"), lines)
    )


def _tweets(found: Mapping[str, Result]) -> str:
    lines: list[tuple[str, ...]] = [
        (row.name, "", f"{row.wa[0]:.3f}", "", "", "", "the paper") for row in TABLES["table1"].rows if row.wa
    ]
    for name, title in TWEETS.items():
        if name in found:
            text = found[name]["branches"]["text"]
            lines.append((title, str(text["runs"]), *_scores(text), "here"))
    lines += [
        (row["name"], "", *(f"{row[k]:.3f}" if k in row else "" for k in ("wa", "recall", "f1")), "",
         f"[its card]({row['source']})")
        for row in _published()["tweets"]
    ]  # fmt: skip
    lines_table = table(("", "runs", "WA", "macro recall", "macro F1", "ECE", ""), lines)
    return f"""## SemEval 2017 Task 4A, official test (Table 1)

{lines_table}

A tenth of the training tweets was kept apart. The test set was looked at once, with settings that stood before; class
weights of the square root, though, follow a feasibility study, whose full weights had done less well on that same test.
The paper's lines are BERT and XLNet, fine-tuned whole, five runs; MPNet-base is as large as BERT-base, and half of its
blocks were left as they are. User names and web addresses were made alike, which the paper did not do. Those with a
card are what others state for the same 12,284 tweets; encoders that were pretrained on tweets lead."""


def _voices(found: Mapping[str, Result]) -> str:
    lines = [
        (title, str(voice["runs"]), *_scores(voice), _interval(voice))
        for name, title in VOICES.items()
        if name in found
        for voice in [found[name]["branches"]["speech"]]
    ]
    if not lines:
        return ""
    here = table(("", "runs", "WA", "UA", "macro F1", "ECE", "UA 95 %"), lines)
    return "\n\n".join(["## Voice: RAVDESS, 20 actors, five parts, speakers unknown", here, _elsewhere()])


def _words(found: Mapping[str, Result]) -> str:
    lines = [
        (title, transcripts, str(text["runs"]), *_scores(text), _interval(text))
        for name, (title, transcripts) in WORDS.items()
        if name in found
        for text in [found[name]["branches"]["text"]]
    ]
    if not lines:
        return ""
    return (
        "## Words: MELD dev, four classes\n\n"
        + table(("", "transcripts", "runs", "WA", "UA", "macro F1", "ECE", "UA 95 %"), lines)
        + "\n\nTrained and tested on the same kind of transcripts, as in the paper, where BERT falls from 0.709 to "
        "0.685 on IEMOCAP. *SemEval first* starts from the encoder that SemEval's tweets trained (the paper's future "
        "work): on MELD it gains nothing."
    )


def _is09(results: Path) -> str:
    path = results / "is09.json"
    if not path.is_file():
        return ""
    found = json.loads(path.read_text(encoding="utf-8"))
    contours = found["contours"]
    rows = [
        (name, f"{median:.4f}", f"{contours['worst'][name]:.4f}")
        for name, median in contours["median"].items()
        if not name.endswith("_delta")
    ]
    return (
        f"## IS09 features beside openSMILE\n\nPearson's correlation of each contour over {found['clips']} recordings "
        "of RAVDESS and EmoDB:\n\n" + table(("contour", "median", "worst recording"), rows)
    )


def _errors(results: Path) -> str:
    path = results / "recognition_errors.json"
    if not path.is_file():
        return ""
    found = json.loads(path.read_text(encoding="utf-8"))
    rows = [
        (texts, *(f"{100 * realised:.1f} %" for realised in rates.values()))
        for texts, rates in found["simulated"].items()
    ]
    targets = next(iter(found["simulated"].values()))
    everything = found["synthetic_speech"]["all"]
    shares = ", ".join(f"{kind} {everything[kind]:.0%}" for kind in ("substitutions", "deletions", "insertions"))
    return (
        "## Simulated recognition errors\n\nWord error rate asked for (columns) and found by jiwer (lines):\n\n"
        + table(("", *(f"{100 * float(t):g} %" for t in targets)), rows)
        + f"\n\nWhat our recogniser does to {found['synthetic_speech']['what']}, with and without noise: WER "
        f"{100 * everything['wer']:.1f} %, of it {shares}. No corpus at hand has many different sentences spoken by "
        "people, so the shares are of synthetic speech."
    )


def _paths(results: Path) -> str:
    path = results / "paths.json"
    if not path.is_file():
        return ""
    found = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        (str(table["table"]), row["name"], *(f"{row['ours'][k]['mean']:.3f}" for k in ("wa", "ua")))
        for table in found["tables"]
        for row in table["rows"]
        if row["ours"]
    ]
    return (
        f"## Tables 2 to 4: the path, not the numbers\n\nIEMOCAP cannot be had here. The tables were run on "
        f"{found['utterances']} utterances of a speech synthesiser in IEMOCAP's shape, {found['otherwise']}. "
        "**These figures check that every line runs; they say nothing about the paper.**\n\n"
        + table(("table", "line", "WA on synthetic speech", "UA on synthetic speech"), lines)
    )


def _scores(branch: Result) -> tuple[str, ...]:
    calibrated = branch.get("calibration")
    return (
        *(f"{branch[k]['mean']:.3f} ± {branch[k]['std']:.3f}" if _spread(branch) else f"{branch[k]['mean']:.3f}"
          for k in ("wa", "ua", "f1")),
        f"{calibrated['ece_after']:.3f}" if calibrated else "",
    )  # fmt: skip


def _spread(branch: Result) -> bool:
    return bool(branch["runs"] > 1 or branch["folds"] > 1)


def _interval(branch: Result) -> str:
    return "{:.3f} to {:.3f}".format(*branch["ua"]["interval"])
