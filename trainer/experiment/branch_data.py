"""The corpora of one branch, as one: where speech and text have corpora of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trainer.config import Data, Experiment
from trainer.corpora import dataset, registry
from trainer.corpora.dataset import Dataset
from trainer.errors import ConfigError


def check_licences(licences: str | None, experiment: Experiment | None) -> None:
    """Refuse a choice among corpora by their licences where there is one corpus.

    Raises:
        ConfigError: it is so.
    """
    if licences is not None and not (experiment and experiment.corpora):
        raise ConfigError("--licences chooses among the corpora of a configuration; name one with --config")


def load(
    above: Path,
    branch: str,
    data: Data,
    *,
    unlabelled: bool,
    load: Callable[..., Dataset],
    licences: str | None = None,
) -> Dataset:
    """Return the corpora of "speech" or "text" as one.

    Args:
        above: the folder of all corpora.
        branch: whose.
        data: which, and how much of them.
        unlabelled: keep what teaches when not to be sure: utterances without a class, and of text the fragments.
        load: reads one corpus: ``trainer.corpora.dataset.load`` with all that is the same for all.
        licences: "permissive" takes the corpora alone whose terms allow products; None takes all.

    Raises:
        ConfigError: one has classes, but is named as plain speech; or no corpus has such a licence.
        CorpusError: one is not a corpus; this is told before any is read, which takes minutes.
    """
    read = [
        load(folder, speech=branch == "speech", text=branch == "text", protocol=data.protocol, unlabelled=unlabelled)
        for folder in _folders(above, data, licences)
    ]
    joined = dataset.join(read)
    if branch == "text":
        return dataset.prepare_texts(joined, most=data.most, unlabelled=unlabelled)
    return joined if data.most is None else dataset.cap(joined, data.most)


def _folders(above: Path, data: Data, licences: str | None) -> list[Path]:
    """Return the folders or tables of the corpora whose licences are asked for, of plain speech last."""
    corpora, plain = ([above / name for name in names] for names in (data.corpora, data.plain))
    known = {folder: registry.detect(folder) for folder in (*corpora, *plain)}
    for folder in plain:
        if not known[folder].plain:
            raise ConfigError(f"{folder}: has classes, so its place is speech.data.corpora, not .plain")
    if licences is None:
        return corpora + plain
    free = [folder for folder in (*corpora, *plain) if known[folder].permissive]
    if not any(folder in corpora for folder in free):
        raise ConfigError(f"--licences {licences}: none of {', '.join(data.corpora)} has such a licence")
    return free
