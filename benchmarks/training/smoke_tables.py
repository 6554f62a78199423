"""Tables 2 to 4 on synthetic speech, small: whether every line of them runs. The numbers mean nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import results_file
from benchmarks.common.paths import Cache, Seed, Weights
from trainer.corpora import dataset as corpora
from trainer.corpora import synthetic
from trainer.corpora.registry import LoadOptions
from trainer.experiment.run_dir import RunPaths
from trainer.paper.reproduce import Changes, reproduce
from trainer.paper.tables import TABLES

STAND_IN = "minilm-l6"
FOLDS, EPOCHS = 3, 2


def measure(weights: Path, cache: Path, *, seed: int) -> dict[str, Any]:
    """Run the tables' own lines on a synthetic tree and return them beside the paper's.

    Args:
        weights: folder that holds the encoder that stands in for BERT and XLNet, and the dictionary.
        cache: folder for features.
        seed: of the synthetic corpus.
    """
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        synthetic.iemocap_tree(tree, dialogs_per_session=2, utterances_per_dialog=20, seed=seed)
        dataset = corpora.load(tree, LoadOptions(), speech=True, text=True, skip_bad=False, quiet=True)
        changes = Changes(
            {"bert-base-cased": STAND_IN, "xlnet-base-cased": STAND_IN}, repeats=1, folds=FOLDS, epochs=EPOCHS
        )
        tables = [
            reproduce(
                TABLES[name], dataset, tree, RunPaths(Path(scratch) / name, weights, cache, quiet=True), only=[],
                changes=changes,
            )
            for name in ("table2", "table3", "table4")
        ]  # fmt: skip
    return {
        "utterances": len(dataset.utterances),
        "otherwise": f"{STAND_IN} standing in for BERT and XLNet, one run, {FOLDS} parts, {EPOCHS} epochs",
        "tables": tables,
    }


def command(weights: Weights = Path("weights"), cache: Cache = Path("cache"), seed: Seed = 0) -> None:
    """Whether Tables 2 to 4 run, on synthetic speech."""
    print(results_file.write("smoke-tables", measure(weights, cache, seed=seed), seed=seed))
