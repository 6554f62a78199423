"""Transcripts in several languages, by several bundles: word error rate, language told, time and size."""

from __future__ import annotations

import csv
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import jiwer
import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from benchmarks.common import results_file
from benchmarks.common.clips import draw
from benchmarks.common.footprint import megabytes
from benchmarks.common.paths import BUNDLE, Clips, Data, Seed
from benchmarks.common.timing import rounds
from edge_runtime.pipeline import IEmoNet
from edge_runtime.prediction import Prediction
from trainer.audio import load_audio
from trainer.corpora import emodb, ravdess
from trainer.pretrained.whisper import SAMPLE_RATE
from trainer.text.wer import normalize, word_error_rate

Spoken = tuple[Path, str]
"""A recording, and what is said in it."""
MANIFESTS = {"nemo": "pl", "emotiontts_kr": "ko"}
"""Corpora whose manifests have the words, and their languages."""
EMODB_SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
"""What the actors of EmoDB say (Burkhardt et al. 2005), by its code in the file's name."""


def recordings(data: Path) -> dict[str, tuple[str, list[Spoken]]]:
    """Return the language of each corpus below ``data``, and its recordings whose words are known."""
    found = {
        "ravdess": (
            "en",
            [(u.audio, u.transcript) for u in ravdess.load(data / "ravdess") if u.audio and u.transcript],
        ),
        "emodb": ("de", [(u.audio, EMODB_SENTENCES[u.id[2:5]]) for u in emodb.load(data / "emodb") if u.audio]),
    }
    for name, language in MANIFESTS.items():
        with (data / name / "manifest.csv").open(encoding="utf-8", newline="") as rows:
            spoken = [(data / name / row["audio"], row["transcript"]) for row in csv.DictReader(rows)]
        found[name] = (language, [(path, words) for path, words in spoken if words])
    return found


def measure(data: Path, bundles: Sequence[Path], *, clips: int, seed: int) -> dict[str, Any]:
    """Return what each of ``bundles`` writes, in what time, of ``clips`` recordings of each corpus.

    The bundles take each recording in turn, on one thread. The time is the processor's, so that other programs do not
    count.
    """
    random = np.random.default_rng(seed)
    drawn = {name: (language, draw(spoken, clips, random)) for name, (language, spoken) in recordings(data).items()}
    models = {bundle.name: IEmoNet.load(bundle, device="cpu", threads=1) for bundle in bundles}
    answers: dict[str, dict[str, list[Prediction]]] = {name: {} for name in models}
    times: dict[str, list[float]] = {name: [] for name in models}
    for corpus, (_, spoken) in track(list(drawn.items()), "recognising", console=Console(stderr=True), transient=True):
        for answered in answers.values():
            answered[corpus] = []
        for number, name in rounds(list(models), len(spoken)):
            waveform = load_audio(spoken[number][0])
            begin = time.process_time()
            answers[name][corpus].append(models[name](waveform, SAMPLE_RATE))
            times[name].append(1000 * (time.process_time() - begin))
    found = {}
    for path, (name, model) in zip(bundles, models.items(), strict=True):
        of_corpora = {
            corpus: {"language": language, **_judged([words for _, words in spoken], answers[name][corpus], language)}
            for corpus, (language, spoken) in drawn.items()
        }
        found[name] = {
            "version": model.bundle.version,
            "mb": megabytes([path]),
            "ms_a_clip": round(statistics.median(times[name]), 1),
            "ua": _speech_ua(model.bundle.manifest),
            "corpora": of_corpora,
        }
    seconds = [len(load_audio(path)) / SAMPLE_RATE for _, spoken in drawn.values() for path, _ in spoken]
    return {"clips_of_each": clips, "threads": 1, "median_s": round(statistics.median(seconds), 2), "bundles": found}


def _judged(spoken: Sequence[str], answers: Sequence[Prediction], language: str) -> dict[str, Any]:
    written = [answer.transcript or "" for answer in answers]
    told = [answer.language for answer in answers if answer.language is not None]
    return {
        "n": len(spoken),
        "wer": round(word_error_rate(spoken, written), 4),
        "cer": round(float(jiwer.cer(list(map(normalize, spoken)), list(map(normalize, written)))), 4),
        "language_told": round(told.count(language) / len(spoken), 4) if told else None,
        "words_used": round(sum("words" in answer.used for answer in answers) / len(spoken), 4),
    }


def _speech_ua(manifest: Mapping[str, Any]) -> float | None:
    """Return the mean recall of speech that the bundle states, of corpora that were left out of its training."""
    stated = manifest.get("metrics", {}).get("speech", {})
    left_out = manifest.get("provenance", {}).get("speech", {}).get("protocol") == "corpus"
    return round(stated["ua"]["mean"], 4) if left_out and "ua" in stated else None


def command(
    data: Data = Path("data"),
    bundle: Annotated[
        list[Path] | None, typer.Option(help="Folder of a bundle; may be repeated [default: the committed one].")
    ] = None,
    clips: Clips = 60,
    seed: Seed = 0,
) -> None:
    """Word error rate by language, the language that is told, time and size, of one bundle or several."""
    print(results_file.write("languages", measure(data, bundle or [BUNDLE], clips=clips, seed=seed), seed=seed))
