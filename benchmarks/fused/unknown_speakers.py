"""The bundle's speech branch, trained anew without some speakers of every corpus, as a run that fusion can learn from.

The networks know each corpus, and not the speaker. What is finished is kept, so that a killed measurement goes on.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.unseen.voices import Voices
from trainer.config import Experiment
from trainer.corpora.utterance import checksum
from trainer.experiment import fold as one_fold
from trainer.experiment import report
from trainer.experiment.cross_validation import Outcome, division
from trainer.experiment.fold import FoldRun, RunContext
from trainer.experiment.run_dir import open_run


def run(voices: Voices, experiment: Experiment, folder: Path) -> Outcome:
    """Return the answers to the speakers of each fold by a network that knows none of them.

    Args:
        voices: the recordings, their features, and how a network is trained.
        experiment: the speech branch, whose settings and seed ``voices`` have.
        folder: where the folds are kept.

    Raises:
        ConfigError: the folder holds the folds of other recordings or settings.
    """
    folds = voices.speaker_folds()
    config = {
        "corpus": {"checksum": checksum(voices.dataset.everything)},
        "experiment": asdict(experiment),
        "division": division(folds, voices.dataset),
    }
    open_run(folder, config, resume=True)
    context = RunContext({"speech": voices.modality}, voices.truth, None, quiet=True)
    parts = [FoldRun(folder / f"part-{n}", fold, experiment.seed) for n, fold in enumerate(folds, start=1)]
    for part in track(parts, "without speakers", console=Console(stderr=True), transient=True):
        if not part.finished:
            one_fold.run(part, context)
    return Outcome({"branches": report.metrics([parts], voices.truth)}, parts)
