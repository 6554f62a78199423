"""What can be set about an experiment, with the defaults, and the TOML files that set it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import dacite

from trainer.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLES = Path(__file__).parent / "configs"
POSITIVE = ("repeats", "folds", "epochs", "batch", "rate", "attention", "max_tokens", "hidden", "warm_epochs")
SHARES = ("error_rate", "dropout", "smoothing", "misheard", "apart")
NOT_NEGATIVE = ("seed", "held_percent", "copies", "decay", "class_power", "l2", "frozen", "joint_epochs")


@dataclass(frozen=True)
class Speech:
    """How speech emotion is recognised.

    Attributes:
        features: "encoder-states", of the speech encoder that the transcript needs anyway, or "is09", the paper's.
        attention: dimension of the paper's self-attention, 64 or 128; for "is09".
        masked: False pads to 384 windows without a mask, as the paper does; for "is09".
        dropout: of the paper's network; for "is09".
        copies: altered copies of each recording to train on beside it; for "encoder-states".
        epochs: passes over the data.
        batch: recordings a step.
        rate: peak learning rate.
        decay: weight decay.
        class_power: 1 weighs classes inversely to their frequency, 0 not at all.
        smoothing: share of each target that is spread over all labels.
    """

    features: Literal["encoder-states", "is09"] = "encoder-states"
    attention: int = 128
    masked: bool = True
    dropout: float = 0.2
    copies: int = 5
    epochs: int = 8
    batch: int = 64
    rate: float = 7e-4
    decay: float = 1e-2
    class_power: float = 1.0
    smoothing: float = 0.1


@dataclass(frozen=True)
class Text:
    """How text emotion is recognised; the defaults that the paper names (section 5.1) are the paper's.

    Attributes:
        encoder: a folder below the weights' folder, any other folder, or a hub id.
        max_tokens: longer texts are cut.
        hidden: units of the added layer.
        dropout: on that layer.
        l2: regularisation of that layer.
        epochs: passes over the data; the paper's seven for IEMOCAP, one for SemEval.
        batch: texts a step.
        rate: peak learning rate.
        class_power: 1 weighs classes inversely to their frequency (the paper), 0 not at all.
        frozen: how many of the encoder's blocks, and the embeddings, stay as they are.
        plain_tweets: make user names and web addresses alike.
        misheard: train on a second copy of each text with simulated recognition errors at this word error rate.
        precision: "fp32" or "bf16".
        warm_start: a corpus to train on first (the paper's future work), for ``warm_epochs``.
        warm_epochs: passes over that one.
    """

    encoder: str = "minilm-l6"
    max_tokens: int = 48
    hidden: int = 768
    dropout: float = 0.2
    l2: float = 0.03
    epochs: int = 7
    batch: int = 32
    rate: float = 3e-5
    class_power: float = 1.0
    frozen: int = 0
    plain_tweets: bool = False
    misheard: float = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    warm_start: str | None = None
    warm_epochs: int = 1


@dataclass(frozen=True)
class Fusion:
    """How both are fused.

    Attributes:
        block: "feed-forward" (the paper's), "attention" (the alternative that it names), or "evidence", what the
            runtime ships: it works with either branch alone.
        epochs: passes over the data; the paper's seven.
        batch: utterances a step.
        rate: peak learning rate, which the paper leaves open for this block.
        class_power: 1 weighs classes inversely to their frequency, 0 not at all.
        apart: share of the training utterances that the branches are not trained on, so that the block learns
            how far to trust them; 0 as in the paper.
        joint_epochs: afterwards fine-tune everything together for so long: the paper's ablation.
    """

    block: Literal["feed-forward", "attention", "evidence"] = "feed-forward"
    epochs: int = 7
    batch: int = 32
    rate: float = 1e-3
    class_power: float = 1.0
    apart: float = 0.0
    joint_epochs: int = 0


@dataclass(frozen=True)
class Experiment:
    """Everything about an experiment but its corpus.

    Attributes:
        protocol: see ``trainer.corpora.protocols.plan``; None takes the corpus' natural one.
        folds: how many, where the protocol leaves it open.
        repeats: trainings with different initial weights.
        seed: of everything.
        held_percent: share of an official training part kept apart for choices and temperatures.
        transcripts: "provided", "simulated" (with recognition errors) or "asr" (our own recogniser's).
        error_rate: word error rate of simulated transcripts.
        speech: None to leave the voice out.
        text: None to leave the words out.
        fusion: None to leave fusion out.
    """

    protocol: Literal["shuffled", "session", "speaker", "official"] | None = None
    folds: int | None = None
    repeats: int = 1
    seed: int = 0
    held_percent: int = 10
    transcripts: Literal["provided", "simulated", "asr"] = "provided"
    error_rate: float = 0.06
    speech: Speech | None = None
    text: Text | None = None
    fusion: Fusion | None = None


def read(source: str | Path) -> Experiment:
    """Return the experiment that a TOML file describes.

    Args:
        source: a path, or the name of one of the examples in ``trainer/configs``.

    Raises:
        ConfigError: no such file, not TOML, or a setting that does not exist or has the wrong type.
    """
    path = Path(source)
    if not path.is_file() and (EXAMPLES / f"{source}.toml").is_file():
        path = EXAMPLES / f"{source}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(sorted(p.stem for p in EXAMPLES.glob("*.toml")))
        raise ConfigError(f"{source}: cannot be read ({error.strerror}); a TOML file, or one of: {known}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    return build(table, str(path))


def build(table: dict[str, Any], where: str) -> Experiment:
    """Return the experiment that nested settings describe; ``where`` names them in errors."""
    try:
        experiment = dacite.from_dict(Experiment, table, dacite.Config(strict=True, cast=[float]))
    except dacite.UnexpectedDataError as error:
        raise ConfigError(f"{where}: no settings called {', '.join(sorted(error.keys))}") from error
    except (dacite.DaciteError, ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from error
    check(experiment, where)
    return experiment


def check(experiment: Experiment, where: str) -> None:
    """Refuse settings that cannot be trained with.

    Raises:
        ConfigError: naming the setting and ``where`` it stands.
    """
    if experiment.speech is None and experiment.text is None:
        raise ConfigError(f"{where}: nothing to train; add a section [speech] or [text]")
    if experiment.fusion is not None and (experiment.speech is None or experiment.text is None):
        raise ConfigError(f"{where}: [fusion] needs both [speech] and [text]")
    values: dict[str, float] = {
        "repeats": experiment.repeats,
        "folds": 2 if experiment.folds is None else experiment.folds,
        "seed": experiment.seed,
        "held_percent": experiment.held_percent,
        "error_rate": experiment.error_rate,
    }
    for name, part in (("speech", experiment.speech), ("text", experiment.text), ("fusion", experiment.fusion)):
        for key in (*POSITIVE, *SHARES, *NOT_NEGATIVE):
            if hasattr(part, key):
                values[f"{name}.{key}"] = getattr(part, key)
    for name, value in values.items():
        key = name.split(".")[-1]
        if key in POSITIVE and not value > 0:
            raise ConfigError(f"{where}: {name} = {value}: must be above 0")
        if key in SHARES and not 0 <= value < 1:
            raise ConfigError(f"{where}: {name} = {value}: must lie in [0, 1)")
        if key in NOT_NEGATIVE and not value >= 0:
            raise ConfigError(f"{where}: {name} = {value}: must not be below 0")
    if experiment.held_percent >= 100:
        raise ConfigError(f"{where}: held_percent = {experiment.held_percent}: leaves nothing to train on")
