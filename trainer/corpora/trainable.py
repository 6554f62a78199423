"""Whether a corpus can be trained on, and how it is divided: the questions of `trainer fit` and of `corpora check`."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from trainer.corpora import registry
from trainer.corpora.protocols import Fold, plan
from trainer.corpora.utterance import Utterance, places
from trainer.errors import CorpusError

LEAST = 5
"""The least number of utterances of each label; fewer are too few to train and test on."""
MANY = 10
"""More speakers than this are dealt to so many folds; of fewer, each is left out in turn."""
NO_EMOTION = frozenset(
    {"other", "unknown", "unlabelled", "unlabeled", "unsure", "undefined", "none", "null", "nan", "n/a", "?", "-"}
    | {"nospeech", "no speech", "silence", "noise", "garbage"}
)
"""Labels that most likely mean that there is no label."""


@dataclass(frozen=True)
class Use:
    """The branches to be trained, and the way in which they are tested.

    Attributes:
        speech: recordings are needed.
        text: transcripts are needed.
        protocol: see ``trainer.corpora.protocols.plan``; None takes the corpus' natural one.
        folds: how many, where the protocol leaves it open.
        seed: of a shuffled division.
        validation_percent: share of an official training part that is kept apart.
    """

    speech: bool
    text: bool
    protocol: str | None = None
    folds: int | None = None
    seed: int = 0
    validation_percent: int = 0


def modalities(corpus: str, utterances: Sequence[Utterance]) -> tuple[bool, bool]:
    """Return whether speech and text are trained by default: of a user's own data, what any row has."""
    known = registry.named(corpus).modalities
    enough = any if corpus == registry.OWN else all
    return (
        "speech" in known and enough(u.audio is not None for u in utterances),
        "text" in known and enough(u.transcript is not None for u in utterances),
    )


def gaps(corpus: str, utterances: Sequence[Utterance], use: Use) -> dict[str, list[Utterance]]:
    """Return the utterances that lack something that ``use`` needs, by the column in which it is missing.

    A speaker or a split can be missing from a line of a manifest alone: other corpora name them all, or have none.
    """
    missing: dict[str, list[Utterance]] = {}
    if use.text:
        missing["transcript"] = [u for u in utterances if not (u.transcript or "").strip()]
    if use.speech:
        missing["audio"] = [u for u in utterances if u.audio is None]
    if lines := [u for u in utterances if u.line is not None]:
        protocol, _ = division(corpus, utterances, use.protocol)
        if protocol == "speaker":
            missing["speaker"] = [u for u in lines if not u.speaker]
        if protocol == "official":
            missing["split"] = [u for u in lines if not u.split]
    return {column: rows for column, rows in missing.items() if rows}


def complete(corpus: str, utterances: Sequence[Utterance], use: Use) -> list[Utterance]:
    """Return the utterances without gaps."""
    out = {u.id for rows in gaps(corpus, utterances, use).values() for u in rows}
    return [u for u in utterances if u.id not in out]


def told(column: str, rows: Sequence[Utterance], total: int) -> str:
    """Return a sentence: ``rows`` of ``total`` utterances lack something, and the ways out."""
    what, otherwise = {
        "transcript": ("have no words", "train --only speech, or use --transcripts asr"),
        "audio": ("have no audio", "or train --only text"),
        "split": ("name no split", "or use --protocol speaker or shuffled"),
        "speaker": (
            "name no speaker",
            "or use --protocol shuffled, which trains and tests on the same voices, so that its figures flatter",
        ),
    }[column]
    return (
        f"{len(rows):,} of {total:,} utterances {what} ({places(rows)}); fill it in, leave them out with --skip-bad, "
        f"{otherwise}"
    )


def problems(corpus: str, utterances: Sequence[Utterance], labels: Sequence[str], use: Use) -> list[str]:
    """Return a sentence for each reason why training on these utterances would be refused.

    Args:
        corpus: its name.
        utterances: as they would be trained on.
        labels: theirs, in order.
        use: the branches to be trained.
    """
    found = [told(column, rows, len(utterances)) for column, rows in gaps(corpus, utterances, use).items()]
    found += (alike := _alike("label", utterances, lambda u: u.label, "--map"))
    if len(labels) < 2:
        found.append(f"{len(labels)} labels ({', '.join(labels)}); there must be two at least")
    rare = {label: n for label, n in Counter(u.label for u in utterances).items() if n < LEAST}
    if rare and len(labels) >= 2 and not alike:
        counts = ", ".join(f"{label} {n}" for label, n in rare.items())
        drop = " ".join(f"--map {shlex.quote(f'{label}=')}" for label in rare)
        enough = len(labels) - len(rare) >= 2
        found.append(
            f"too few to train and test on: {counts}; each of the {len(labels)} labels needs {LEAST} utterances at "
            f"least, from two speakers or more, so {LEAST * len(labels)} in all; add some"
            + (f", or leave rare labels out: {drop}" if enough else "")
        )
    if found:
        return found
    try:
        protocol, _ = division(corpus, utterances, use.protocol, use.folds)
        if protocol == "speaker":
            found += _alike("speaker", utterances, lambda u: u.speaker, None)
        every_label(corpus, utterances, labels, folds(corpus, utterances, use))
    except CorpusError as error:
        found.append(str(error))
    return found


def division(
    corpus: str, utterances: Sequence[Utterance], protocol: str | None = None, count: int | None = None
) -> tuple[str, int | None]:
    """Return the protocol and number of folds: those asked for, or the corpus' natural ones."""
    natural = protocol or registry.protocol_of(registry.named(corpus), utterances)
    if count is None and natural == "speaker" and len({u.speaker for u in utterances}) > MANY:
        count = MANY
    return natural, count


def folds(corpus: str, utterances: Sequence[Utterance], use: Use) -> list[Fold]:
    """Return who is trained on and who is tested on.

    Raises:
        CorpusError: the corpus cannot be divided so.
    """
    protocol, count = division(corpus, utterances, use.protocol, use.folds)
    return plan(utterances, protocol, folds=count, seed=use.seed, validation_percent=use.validation_percent)


def every_label(corpus: str, utterances: Sequence[Utterance], labels: Sequence[str], parts: Sequence[Fold]) -> None:
    """Refuse a division that leaves a part without a label to train on.

    Raises:
        CorpusError: naming the part and the label.
    """
    for fold in parts:
        missing = set(labels) - {utterances[i].label for i in fold.train}
        if missing:
            raise CorpusError(
                f"{corpus}: with {fold.name} tested, no {' or '.join(sorted(missing))} is left to train on; each label "
                "needs two speakers at least; use another protocol or fewer folds, or leave rare labels out"
            )


def how_divided(corpus: str, utterances: Sequence[Utterance], use: Use) -> str:
    """Return a sentence: how the corpus is divided into training and test parts, and why so."""
    protocol, count = division(corpus, utterances, use.protocol, use.folds)
    if use.protocol is not None:
        why = "as asked for"
    elif corpus != registry.OWN:
        why = "as is usual for this corpus"
    else:
        why = {
            "official": "as every row names a split",
            "speaker": "as every row names a speaker",
        }.get(protocol, "as no two speakers are named; the same voices are trained and tested on, so figures flatter")
    speakers = len({u.speaker for u in utterances})
    how = {
        "official": "train and test as the corpus is split",
        "speaker": f"each of {speakers} speakers is tested on in turn"
        if count is None
        else f"{speakers} speakers in {count} parts, each tested on in turn",
        "session": "each session is tested on in turn",
        "corpus": "each corpus is tested on in turn",
        "shuffled": f"at random into {count or 10} parts, each tested on in turn",
    }[protocol]
    return f"{protocol}, {why}: {how}"


def notes(corpus: str, utterances: Sequence[Utterance]) -> list[str]:
    """Return a sentence for each finding that may be intended; none of them stops a training."""
    if corpus != registry.OWN:
        return []
    found = []
    for label, count in Counter(u.label for u in utterances).items():
        if label.casefold() in NO_EMOTION:
            found.append(
                f"{label!r} ({count:,} utterances) would be learned like any emotion; if it is none, leave it out with "
                f"--map {shlex.quote(f'{label}=')}"
            )
    speakers = Counter(u.speaker for u in utterances if u.speaker)
    if len(speakers) > 1 and max(speakers.values()) == 1:
        found.append(
            f"none of the {len(speakers):,} speakers is heard twice; is the column 'speaker' who speaks? If one "
            "person has several names there, figures flatter"
        )
    return found


def _alike(
    column: str, utterances: Iterable[Utterance], value: Callable[[Utterance], str], option: str | None
) -> list[str]:
    """Return a sentence for each value that is written in several ways, with the way to make them one."""
    groups: dict[str, dict[str, list[Utterance]]] = defaultdict(lambda: defaultdict(list))
    for u in utterances:
        groups[_comparable(value(u))][value(u)].append(u)
    found = []
    for forms in groups.values():
        if len(forms) > 1:
            first, *others = sorted(forms, key=lambda form: -len(forms[form]))
            said = " and ".join(f"{form!r} ({len(forms[form]):,}: {places(forms[form])})" for form in (first, *others))
            mend = " ".join(f"{option} {shlex.quote(f'{other}={first}')}" for other in others)
            found.append(
                f"one {column} written in {len(forms)} ways: {said}; make them one: "
                + (mend if option else "write it alike in the file, or give different people different names")
            )
    return found


def _comparable(text: str) -> str:
    """Return a name without capitals, kinds of spaces, invisible characters and leading zeros."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    visible = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    joined = " ".join(re.split(r"[\s_-]+", visible)).strip()
    number = re.fullmatch(r"0*(\d+)(\.0+)?", joined)
    return number[1] if number else joined
