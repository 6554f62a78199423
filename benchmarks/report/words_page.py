"""The words branch on corpora never met and as a recogniser writes: docs/words.md."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.common import results_file
from benchmarks.common.results_file import Result
from benchmarks.report import corpora
from benchmarks.report.markdown import machine, table

FORMS = {
    "written": "as written",
    "as_recognised": "{error_rate:.0%} of the words wrong, no exclamation marks",
    "errors": "{error_rate:.0%} of the words wrong",
    "unpunctuated": "lower case, no marks",
    "spoken": "spoken by espeak-ng, recognised ({wer:.0%} of the words wrong)",
    "context": "as written, after what was said before",
    "written, classes taken as equally frequent": "as written, all classes taken as equally frequent",
}
"""Forms of MELD's dev part, and what the page calls them."""
NAMES = {
    "bundle": "MiniLM-L6, all corpora: the bundle",
    "minilm-l6-short": "MiniLM-L6, short training",
    "permissive-short": "MiniLM-L6, short training, permissive licences alone",
    "mpnet-base-short": "MPNet-base, short training",
    "distilled-short": "MiniLM-L6, short training, MPNet-base as its teacher",
}


def page(result: Result) -> str:
    """Return the figures of docs/words.md.

    Args:
        result: of ``words``.
    """
    return "\n\n".join(
        [
            f"Measured on {machine(result)}. UA is the mean recall of the classes, WA the share of right answers.",
            "## Corpora that were left out",
            _left_out(result),
            "## As a recogniser writes",
            _forms(result),
            "## After what was said before",
            _context(result),
            "## Licences and encoders",
            _compared(result, results_file.read("words-cost")),
            "## Plain sentences and fragments",
            _sentences(result),
        ]
    )


def _left_out(result: Result) -> str:
    found = result["left_out"]
    rows = [
        (
            corpora.title(name),
            f"{c['n']:,}",
            f"{c['before']['ua']:.3f}",
            f"{c['left_out']['ua']:.3f}",
            f"{c['left_out_context']['ua']:.3f}",
            f"{c['left_out']['wa']:.3f}",
        )
        for name, c in found["corpora"].items()
    ]
    means = {key: value["ua"] for key, value in found["mean_of_five"].items()}
    rows.append(("mean of MELD, DailyDialog, XED, EmoryNLP and GoEmotions", "", f"{means['before']:.3f}",
                 f"{means['left_out']:.3f}", "", ""))  # fmt: skip
    head = ("", "texts", f"UA of {_version(result)}", "UA, left out", "UA, left out, with context", "WA, left out")
    return (
        "Each corpus was left out in turn, and a network of the others answered to its official test part (of MELD "
        "the dev part); XED has none, so all of it was asked. These networks saw "
        f"{result['left_out_draws']:,} texts each. The words branch of bundle {_version(result)} learned from MELD's "
        "training part alone: MELD is no unmet corpus to it.\n\n"
    ) + table(head, rows)


def _forms(result: Result) -> str:
    meld = result["meld"]
    seeds = [found for name, found in meld.items() if name.startswith("seed")]
    rows = []
    for form, title in FORMS.items():
        if form in seeds[0]:
            said = title.format(error_rate=result["error_rate"], wer=meld["wer"])
            rows.append((said, _both(meld["before"].get(form)), _mean([seed[form] for seed in seeds])))
    said_of_seeds = (
        f"Its figures are the mean of {len(seeds)} seeds, with their least and greatest UA."
        if len(seeds) > 1
        else "Its figures are of one seed."
    )
    return (
        f"MELD's dev part ({meld['n']} utterances of the four classes), which no network here learned from. The "
        f"bundle's network saw {result['draws']:,} texts. {said_of_seeds}\n\n"
    ) + table(("", f"{_version(result)}: UA, WA", "now: UA, WA"), rows)


def _version(result: Result) -> str:
    """Return the version of the bundle that is compared with."""
    return str(result["before"]).rpartition(" ")[2]


def _both(found: Mapping[str, float] | None) -> str:
    return f"{found['ua']:.3f}, {found['wa']:.3f}" if found else ""


def _mean(found: list[Mapping[str, float]]) -> str:
    ua, wa = ([one[score] for one in found] for score in ("ua", "wa"))
    spread = f" ({min(ua):.3f} to {max(ua):.3f})" if len(ua) > 1 else ""
    return f"{np.mean(ua):.3f}{spread}, {np.mean(wa):.3f}"


def _context(result: Result) -> str:
    rows = [
        (corpora.title(name), f"{c['n']:,}", _both(c["without"]), _both(c["with"]))
        for name, c in result["context"].items()
    ]
    return "The bundle's network on official test parts (of MELD the dev part), as written.\n\n" + table(
        ("", "texts", "without: UA, WA", "with context: UA, WA"), rows
    )


def _compared(result: Result, cost: Result) -> str:
    rows = []
    for name, found in result["compared"].items():
        tested = [c["ua"] for c in found["tested"].values()]
        rows.append(
            (
                NAMES[name],
                _both(found["meld"]["written"]),
                f"{found['meld']['spoken']['ua']:.3f}",
                f"{np.mean(tested):.3f}",
                *_size(cost.get("networks", {}).get(name)),
            )
        )
    head = ("", "MELD dev: UA, WA", "UA, spoken and recognised", "mean UA of the test parts", "int8", "12 tokens")
    said = (
        "The mean is that of the official test parts of all corpora that have one. A short training is of 16,000 texts "
        "without context."
    )
    if cost:
        said += (
            f" Sizes and times are of int8: bundle {cost['bundle_version']} and the variants, medians of processor "
            f"time over {cost['rounds']} calls in turn, one thread of {machine(cost)}."
        )
    return f"{said}\n\n{table(head, rows)}"


def _size(network: Result | None) -> tuple[str, str]:
    return (f"{network['mb']:.0f} MB", f"{network['ms']:.1f} ms") if network else ("", "")


def _sentences(result: Result) -> str:
    plain, fragments, calibration = (result[key] for key in ("plain_sentences", "fragments", "calibration"))
    said = [
        f"Of {plain['n']} plain sentences that were written down before the training "
        f"(`benchmarks/words/plain_sentences.toml`), {plain['right']} are right.",
        f"Of {fragments['n']} fragments that it learned as such, {fragments['uncertain']} are answered for as "
        f"uncertain: below a confidence of {calibration['operating_point']:.2f}, from which on three of four answers "
        "on corpora that were left out are right.",
    ]
    if plain["wrong"]:
        rows = [(wrong["text"], wrong["label"], wrong["guess"]) for wrong in plain["wrong"]]
        said.append("\n\n" + table(("wrong", "label", "answer"), rows))
    return " ".join(said)
