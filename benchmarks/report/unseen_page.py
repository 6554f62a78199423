"""What to expect on voices and rooms never met: docs/own-recordings.md, README, and docs/embedding.md."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.common import results_file
from benchmarks.common.plain_speech import of_all
from benchmarks.common.results_file import Result
from benchmarks.report import corpora
from benchmarks.report.markdown import table

NONE = "none"
"""The condition without a baseline."""
SHORT, LONG = "10 s", "60 s"
"""The baselines that are compared everywhere."""
LEFT_OUT = """Each corpus was left out in turn. Networks that learned from the others answered to it, so its voices,
rooms and microphones were new to them. UA is the mean recall of the emotions that the corpus has. The 95 % interval,
the calibration error (ECE) and the mean confidence are those without a baseline; the temperature was fitted on the
other corpora while each of them was left out. A cell is empty where most recordings lack so much other speech of their
speaker."""
LENGTHS = """### Seconds of baseline

A baseline is other recordings of the same speaker, of any emotion. Beside each mean stands that of the same recordings
without a baseline, because not every speaker has enough other recordings. The last column is the corpus that gains
least.

![UA against seconds of baseline, on corpora never met](unseen.svg)"""
MOODS = """### A baseline of one mood

Here all recordings of the baseline have one emotion, as when somebody was angry throughout."""
SPEAKERS = """### Unknown speakers of known corpora

These networks know the corpus, its room and its style, but not the speaker. There is no baseline."""
PLAIN = """### Plain speech

Read books, meetings, calls and commands have no labels, and are mostly neutral. The networks that answer learned from
other kinds of plain speech, but not from this one. The shares are of all its recordings."""
BURSTS = """### Vocal bursts

Sounds without words, such as laughing and crying, answered by networks that learned from no such sounds."""


def page(result: Result) -> str:
    """Return the figures of docs/own-recordings.md.

    Args:
        result: of ``unseen``.
    """
    parts = [_head(result), _left_out(result), _mean_of(result)]
    if lengths := _lengths(result):
        parts += [LENGTHS, _compared(result, lengths)]
    if moods := [name for name in _moods(result) if name in result["mean"]]:
        parts += [MOODS, _compared(result, moods)]
    if result["unknown_speakers"]:
        parts += [SPEAKERS, _unknown_speakers(result)]
    if result["plain"]:
        parts += [PLAIN, _plain(result)]
    if result["bursts"]:
        parts += [BURSTS, _bursts(result)]
    return "\n\n".join(parts)


def readme(result: Result) -> str:
    """Return README's paragraph."""
    none = result["mean"][NONE]
    uas = [corpus["conditions"][NONE]["ua"] for corpus in result["corpora"].values()]
    said = [
        f"Voices never met: on a corpus that the networks did not learn from, speech alone reaches a mean recall of "
        f"{none['ua']:.2f} ({min(uas):.2f} to {max(uas):.2f}, {len(uas)} corpora), with a mean confidence of "
        f"{none['confidence']:.2f} and a calibration error of {none['ece']:.2f}.",
        _with_baselines(result),
    ]
    if result["plain"]:
        total = of_all(list(result["plain"].values()))
        said.append(
            f"Of plain speech, {total['called_emotional']:.0%} is called an emotion by the voice alone, and "
            f"{total['and_sure']:.0%} with a confidence of {result['sure']:g} or more."
        )
        if plain := results_file.read("fused").get("plain"):
            fused = of_all([found["fused"] for found in plain.values()])
            said.append(f"Fused with its words these are {fused['called_emotional']:.0%} and {fused['and_sure']:.0%}.")
    said.append("[Your own recordings](docs/own-recordings.md) has each corpus.")
    return " ".join(part for part in said if part)


def seconds(result: Result) -> str:
    """Return what docs/embedding.md says of the length of a baseline."""
    return (
        f"Mean recall on corpora that no network learned from: {_by_length(result)}. "
        "[Your own recordings](own-recordings.md) has each corpus."
    )


def _head(result: Result) -> str:
    seeds = len(next(iter(result["corpora"].values()))["conditions"][NONE]["ua_by_seed"])
    sets = f"means over {seeds} sets of networks" if seeds > 1 else "one set of networks"
    return f"Corpora that the networks never met; {sets}, {result['date']}:"


def _left_out(result: Result) -> str:
    rows = [
        (
            corpora.title(name),
            corpora.languages(name),
            str(corpus["speakers"]),
            str(corpus["n"]),
            *_ua(corpus["conditions"]),
            _interval(corpus["conditions"][NONE]),
            f"{corpus['conditions'][NONE]['ece']:.3f}",
            f"{corpus['conditions'][NONE]['confidence']:.2f}",
        )
        for name, corpus in result["corpora"].items()
    ]
    mean, everything = result["mean"], result["corpora"].values()
    totals = [str(sum(corpus[key] for corpus in everything)) for key in ("speakers", "n")]
    none = mean[NONE]
    rows.append(("mean", "", *totals, *_ua(mean), "", f"{none['ece']:.3f}", f"{none['confidence']:.2f}"))
    head = ("corpus", "language", "speakers", "recordings", "UA without a baseline",
            *(f"UA with {name}" for name in (SHORT, LONG)), "95 %", "ECE", "confidence")  # fmt: skip
    return table(head, rows)


def _ua(conditions: Result) -> list[str]:
    return [f"{conditions[name]['ua']:.3f}" if name in conditions else "" for name in (NONE, SHORT, LONG)]


def _mean_of(result: Result) -> str:
    """Return what the means with a baseline compare with: not all corpora have so much speech of each speaker."""
    found = {name: result["mean"][name] for name in (SHORT, LONG) if name in result["mean"]}
    parts = [f"{mean['ua_without']:.3f} for {name}" for name, mean in found.items()]
    if not parts:
        return LEFT_OUT
    return (
        f"{LEFT_OUT} A mean with a baseline is over the corpora that have a value there. Compare it with the same "
        f"recordings without a baseline: {' and '.join(parts)}."
    )


def _lengths(result: Result) -> list[str]:
    return [name for name in result["mean"] if name != NONE and name not in _moods(result)]


def _moods(result: Result) -> list[str]:
    return [f"all {label}" for label in result["labels"]]


def _compared(result: Result, names: Sequence[str]) -> str:
    """Return a table of what baselines gain, a line for each of ``names``, beside the same recordings without one."""
    rows = []
    for name in names:
        mean = result["mean"][name]
        gains = {
            corpus: _points(found["conditions"][name])
            for corpus, found in result["corpora"].items()
            if name in found["conditions"]
        }
        worst = min(gains, key=lambda corpus: gains[corpus])
        rows.append(
            (
                name,
                str(mean["corpora"]),
                f"{mean['ua']:.3f}",
                f"{mean['ua_without']:.3f}",
                f"{_points(mean):+.1f}",
                f"{gains[worst]:+.1f} ({corpora.title(worst)})",
            )
        )
    return table(("baseline", "corpora", "mean UA", "without it", "points", "least, of a corpus"), rows)


def _points(scores: Result) -> float:
    return 100 * float(scores["ua"] - scores["ua_without"])


def _unknown_speakers(result: Result) -> str:
    rows = [
        (corpora.title(name), str(found["n"]), f"{found['wa']:.3f}", f"{found['ua']:.3f}", _interval(found))
        for name, found in result["unknown_speakers"].items()
    ]
    return table(("corpus", "recordings", "WA", "UA", "95 %"), rows)


def _interval(scores: Result) -> str:
    return "{:.3f} to {:.3f}".format(*scores["ua_interval"]) if scores["ua_interval"] else ""


def _plain(result: Result) -> str:
    rows = [
        (
            corpora.title(name),
            str(found["n"]),
            *(f"{found[key]:.1%}" for key in ("called_emotional", "and_sure")),
            f"{found['confidence']:.2f}",
        )
        for name, found in result["plain"].items()
    ]
    total = of_all(list(result["plain"].values()))
    shares = [f"{total[key]:.1%}" for key in ("called_emotional", "and_sure")]
    rows.append(("all recordings", str(total["n"]), *shares, f"{total['confidence']:.2f}"))
    sure = f"with a confidence of {result['sure']:g} or more"
    return table(("", "recordings", "called an emotion", sure, "mean confidence"), rows)


def _bursts(result: Result) -> str:
    """Return how bursts of each label are called, in words."""
    bursts, labels = result["bursts"], result["labels"]
    scores = bursts["conditions"][NONE]
    lines = []
    for label, called in zip(labels, scores["confusion"], strict=True):
        if total := sum(called):  # over all sets of networks
            most = sorted(zip(called, labels, strict=True), key=lambda pair: -pair[0])
            shares = ", ".join(f"{count / total:.0%} {name}" for count, name in most if count)
            lines.append(f"- {label}: called {shares}")
    said = f"{scores['n']} bursts of {bursts['speakers']} people, UA {scores['ua']:.3f} ({_interval(scores)}):"
    return "\n\n".join([said, "\n".join(lines)])


def _with_baselines(result: Result) -> str:
    """Return what the two usual baselines give, each beside the same recordings without it."""
    found = {name: result["mean"][name] for name in (SHORT, LONG) if name in result["mean"]}
    parts = [f"{mean['ua']:.2f} with {name} ({mean['ua_without']:.2f} without)" for name, mean in found.items()]
    return f"With other speech of the same speaker to compare with it is {' and '.join(parts)}." if parts else ""


def _by_length(result: Result) -> str:
    parts = [f"{result['mean'][NONE]['ua']:.2f} without a baseline"]
    for name in _lengths(result):
        mean = result["mean"][name]
        parts.append(f"{mean['ua']:.2f} with {name} ({mean['ua_without']:.2f} without)")
    return ", ".join(parts)
