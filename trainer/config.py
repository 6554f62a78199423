"""The settings of a training, with their defaults and bounds, and the TOML files that hold them.

Settings are nested as the file is: ``[speech]``, ``[text]`` and ``[fusion]`` lie in one ``Experiment``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import dacite

from trainer.corpora.protocols import Protocol
from trainer.corpora.trainable import Use
from trainer.errors import ConfigError
from trainer.toml_file import read_toml

EXAMPLES = Path(__file__).parent / "configs"
BUNDLE = "en-tiny"
"""The configuration of the committed bundle."""
ENCODER = "whisper-tiny.en"
"""The speech encoder of the committed bundle."""
EXTENDS = "extends"
"""The key that names another file, whose settings hold where a file has none of its own."""
BRANCHES = ("speech", "text", "fusion")
BOUND = "bound"

_RENAMED: Mapping[str, Mapping[str, str]] = read_toml(Path(__file__).with_name("renamed_settings.toml"))
"""Names of version 0.1, by section; they are read until version 0.3."""
_RENAMED_BLOCK = {"evidence": "product-of-experts"}


def _bounded(holds: Callable[[float], bool], words: str) -> Callable[[Any], Any]:
    return lambda default: field(default=default, metadata={BOUND: (holds, words)})


_positive = _bounded(lambda value: value > 0, "must be above 0")
_not_negative = _bounded(lambda value: value >= 0, "must not be below 0")
_share = _bounded(lambda value: 0 <= value < 1, "must lie in [0, 1)")
_percent = _bounded(lambda value: 0 <= value < 100, "must lie in [0, 100)")


@dataclass(frozen=True)
class Data:
    """The corpora that one branch learns from, where speech and text have corpora of their own.

    Attributes:
        corpora: folders below the folder of all corpora; several are learned together.
        protocol: as of ``Experiment``.
        folds: as of ``Experiment``.
        validation_percent: as of ``Experiment``.
        plain: further such folders, of speech without labels; it teaches the branch when not to be sure.
        most: of each label of a corpus at most so many utterances are learned from; official test parts of texts stay
            whole.
    """

    corpora: tuple[str, ...]
    protocol: Protocol
    folds: int | None = _positive(None)
    validation_percent: int = _percent(10)
    plain: tuple[str, ...] = ()
    most: int | None = _positive(None)


@dataclass(frozen=True)
class Speech:
    """Speech emotion recognition.

    Attributes:
        features: "encoder-states", of the speech encoder that the transcript needs anyway, or "is09", the paper's.
        encoder: name of the speech encoder below the weights' folder, "whisper-tiny.en" or "whisper-base"; for
            "encoder-states".
        attention_size: dimension of the paper's self-attention, 64 or 128; for "is09".
        masked: False pads to 384 windows without a mask, as the paper does; for "is09".
        dropout: of the paper's network; for "is09".
        augmentations: augmented copies of each recording to train on as well; for "encoder-states".
        epochs: passes over the data.
        batch_size: recordings a step.
        learning_rate: peak of the schedule.
        weight_decay: decoupled, as AdamW has it.
        class_weight_power: 1 weighs classes inversely to their frequency in their corpus, 0 not at all.
        label_smoothing: share of each target that is spread over all labels.
        unlabelled_weight: how much the recordings of a corpus that have another emotion or no label count together,
            where those of a class count 1; 0 leaves them out. For "encoder-states".
        data: the corpora of this branch; None where one corpus serves speech and text.
    """

    features: Literal["encoder-states", "is09"] = "encoder-states"
    encoder: str = ENCODER
    attention_size: int = _positive(128)
    masked: bool = True
    dropout: float = _share(0.2)
    augmentations: int = _not_negative(5)
    epochs: int = _positive(8)
    batch_size: int = _positive(64)
    learning_rate: float = _positive(7e-4)
    weight_decay: float = _not_negative(1e-2)
    class_weight_power: float = _not_negative(1.0)
    label_smoothing: float = _share(0.1)
    unlabelled_weight: float = _not_negative(0.0)
    data: Data | None = None


@dataclass(frozen=True)
class Text:
    """Text emotion recognition; the defaults that the paper names (section 5.1) are the paper's.

    Attributes:
        encoder: a folder below the weights' folder, any other folder, or a hub id.
        max_tokens: longer texts are cut.
        context_tokens: so many tokens of what was said before in the dialogue are read as well; 0 reads none.
        hidden_size: units of the added layer.
        dropout: on that layer.
        l2: regularisation of that layer.
        epochs: passes over the data; the paper's seven for IEMOCAP, one for SemEval.
        batch_size: texts a step.
        learning_rate: peak of the schedule.
        class_weight_power: 1 weighs classes inversely to their frequency (the paper), 0 not at all.
        frozen_layers: how many of the encoder's blocks, and the embeddings, stay as they are.
        normalize_tweets: make user names and web addresses alike.
        draws: train on so many texts an epoch, drawn so that corpora count alike; None takes all. Each is one of its
            copies: as written, with recognition errors, without marks.
        left_out_draws: as ``draws``, of the networks of several folds, which are tested and not kept; None is the same.
        unlabelled_weight: how often texts of another emotion, without a label, and fragments ("okay so") are drawn
            together, where those of a class are drawn once; 0 leaves them out. With ``draws``.
        asr_error_rate: train on a second copy of each text with simulated recognition errors at this word error rate.
        spoken_texts: of so many texts that copy has no simulated errors: espeak-ng speaks it, and the recogniser of
            the default bundle writes it down.
        unpunctuated: train on a third copy, that with errors in lower case and without marks.
        precision: "fp32" or "bf16".
        languages: codes of the languages of the texts; a bundle whose recogniser tells the language judges their words
            alone.
        warm_start: a corpus to train on first (the paper's future work), for ``warm_epochs``.
        warm_epochs: passes over that one.
        teacher: checkpoint of a larger text network with the same labels; what it answers is part of each target
            (distillation). For an official split alone: a teacher knows what several folds are tested on.
        teacher_share: how large a part.
        data: the corpora of this branch; None where one corpus serves speech and text.
    """

    encoder: str = "minilm-l6"
    max_tokens: int = _positive(48)
    context_tokens: int = _not_negative(0)
    hidden_size: int = _positive(768)
    dropout: float = _share(0.2)
    l2: float = _not_negative(0.03)
    epochs: int = _positive(7)
    batch_size: int = _positive(32)
    learning_rate: float = _positive(3e-5)
    class_weight_power: float = _not_negative(1.0)
    frozen_layers: int = _not_negative(0)
    normalize_tweets: bool = False
    draws: int | None = _positive(None)
    left_out_draws: int | None = _positive(None)
    unlabelled_weight: float = _not_negative(0.0)
    asr_error_rate: float = _share(0.0)
    spoken_texts: int = _not_negative(0)
    unpunctuated: bool = False
    precision: Literal["fp32", "bf16"] = "fp32"
    languages: tuple[str, ...] = ("en",)
    warm_start: str | None = None
    warm_epochs: int = _positive(1)
    teacher: str | None = None
    teacher_share: float = _share(0.5)
    data: Data | None = None


@dataclass(frozen=True)
class Fusion:
    """Fusion of speech and text.

    Attributes:
        block: "feed-forward" (the paper's), "attention" (the alternative that the paper names),
            "product-of-experts": either branch may be missing; or "gated-experts", of branches with corpora of their
            own: it also reads how sure the recogniser was of the words, which a bundle recognises first.
        epochs: passes over the data; the paper's seven.
        batch_size: utterances a step.
        learning_rate: peak of the schedule, which the paper leaves open for this block.
        weight_decay: decoupled, as AdamW has it.
        class_weight_power: 1 weighs classes inversely to their frequency, 0 not at all.
        label_smoothing: share of each target that is spread over all labels.
        fusion_holdout: share of the training utterances that the branches are not trained on, so that the block
            learns how far to trust them; 0 as in the paper.
        joint_epochs: fine-tune everything together afterwards for so many epochs: the paper's ablation.
        pairs: how many pairs of speech and text are made, where both have corpora of their own.
    """

    block: Literal["feed-forward", "attention", "product-of-experts", "gated-experts"] = "feed-forward"
    epochs: int = _positive(7)
    batch_size: int = _positive(32)
    learning_rate: float = _positive(1e-3)
    weight_decay: float = _not_negative(0.0)
    class_weight_power: float = _not_negative(1.0)
    label_smoothing: float = _share(0.0)
    fusion_holdout: float = _share(0.0)
    joint_epochs: int = _not_negative(0)
    pairs: int = _positive(24_000)


@dataclass(frozen=True)
class Experiment:
    """Everything about a training but its corpus.

    Attributes:
        protocol: see ``trainer.corpora.protocols.plan``; None takes the corpus' natural one.
        folds: how many, where the protocol leaves it open.
        repeats: trainings with different initial weights.
        seed: of everything.
        validation_percent: share of an official training part kept apart for choices and temperatures.
        transcripts: "provided", "simulated" (with recognition errors) or "asr" (our own recogniser's).
        asr_error_rate: word error rate of simulated transcripts.
        speech: None to leave speech out.
        text: None to leave text out.
        fusion: None to leave fusion out.
    """

    protocol: Protocol | None = None
    folds: int | None = _positive(None)
    repeats: int = _positive(1)
    seed: int = _not_negative(0)
    validation_percent: int = _percent(10)
    transcripts: Literal["provided", "simulated", "asr"] = "provided"
    asr_error_rate: float = _share(0.06)
    speech: Speech | None = None
    text: Text | None = None
    fusion: Fusion | None = None

    @property
    def use(self) -> Use:
        """What the settings need of a corpus."""
        return Use(
            speech=self.speech is not None or self.transcripts == "asr",
            text=self.text is not None and self.transcripts != "asr",
            protocol=self.protocol,
            folds=self.folds,
            seed=self.seed,
            validation_percent=self.validation_percent,
        )

    @property
    def corpora(self) -> dict[str, Data]:
        """The corpora of each branch, where speech and text have corpora of their own; else nothing."""
        parts = {"speech": self.speech, "text": self.text}
        return {name: part.data for name, part in parts.items() if part is not None and part.data is not None}

    def only(self, branch: str | None) -> Experiment:
        """Return the experiment with nothing but "speech" or "text"; None changes nothing."""
        if branch is None:
            return self
        other = "text" if branch == "speech" else "speech"
        return replace(self, fusion=None, **{other: None})  # type: ignore[arg-type]

    def learns_unlabelled(self, branch: str) -> bool:
        """Whether "speech" or "text" also learns from utterances without a class."""
        part = self.speech if branch == "speech" else self.text
        return part is not None and part.unlabelled_weight > 0

    def alone(self, branch: str) -> Experiment:
        """Return the experiment of one branch on the corpora of its own."""
        data = self.corpora[branch]
        part = replace(getattr(self, branch), data=None)
        division = {name: getattr(data, name) for name in ("protocol", "folds", "validation_percent")}
        return replace(self.only(branch), **division, **{branch: part})


def default(*, speech: bool, text: bool) -> Experiment:
    """Return the runtime's own architecture, for a corpus that has recordings (``speech``), transcripts, or both.

    The settings of text were chosen on held-out dialogues of MELD.
    """
    small_text = Text(encoder="minilm-l6", epochs=2, learning_rate=5e-5, class_weight_power=0.5, asr_error_rate=0.1)
    fusion = Fusion(block="product-of-experts", epochs=4, batch_size=64, fusion_holdout=0.15)
    return Experiment(
        speech=Speech() if speech else None,
        text=small_text if text else None,
        fusion=fusion if speech and text else None,
    )


def of_bundle(folder: Path, only: str | None) -> Experiment | None:
    """Return the committed bundle's configuration if ``folder`` holds the corpora of its branches, else None."""
    experiment = read(BUNDLE).only(only)
    names = [name for data in experiment.corpora.values() for name in data.corpora]
    return experiment if all((folder / name).exists() for name in names) else None


def examples() -> list[str]:
    """Return the names of the configurations that come with the trainer."""
    return sorted(path.stem for path in EXAMPLES.glob("*.toml"))


def read(source: str | Path) -> Experiment:
    """Return the experiment that a TOML file describes.

    Args:
        source: a path, or the name of one of ``examples()``. The file may name another one, ``extends = "en-tiny"``,
            and then has only what differs.

    Raises:
        ConfigError: no such file, not TOML, or a setting that does not exist or has the wrong type.
    """
    path = _path(source)
    table = _table(path, source)
    if (first := table.pop(EXTENDS, None)) is not None:
        if not isinstance(first, str):
            raise ConfigError(f"{path}: {EXTENDS} = {first}: must be the name of a file")
        table = _merged(_table(_path(first), first), table)
        if EXTENDS in table:
            raise ConfigError(f"{path}: {EXTENDS} {first}, which extends another file itself; name that one")
    return build(_with_new_names(table, str(path)), str(path))


def _path(source: str | Path) -> Path:
    path = Path(source)
    if not path.is_file() and (EXAMPLES / f"{source}.toml").is_file():
        path = EXAMPLES / f"{source}.toml"
    return path


def _table(path: Path, source: str | Path) -> dict[str, Any]:
    """Return the settings of the file ``path``, which the user called ``source``."""
    try:
        return read_toml(path)
    except OSError as error:
        known = ", ".join(examples())
        raise ConfigError(f"{source}: cannot be read ({error.strerror}); a TOML file, or one of: {known}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of ``first`` with those of ``second`` in their place."""
    nested = {
        key: _merged(first[key], value)
        for key, value in second.items()
        if isinstance(value, dict) and isinstance(first.get(key), dict)
    }
    return {**first, **second, **nested}


def _with_new_names(table: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the settings of a file with the names of version 0.1 replaced, and warn of each."""
    result = dict(table)
    for section, names in _RENAMED.items():
        part = result if section == "top" else result.get(section)
        if not isinstance(part, dict):
            continue
        if old := sorted(names.keys() & part.keys()):
            said = ", ".join(f"{key} is now {names[key]}" for key in old)
            warnings.warn(
                f"{where}: [{section}] {said}; the old names are read until version 0.3",
                DeprecationWarning,
                stacklevel=3,
            )
        renamed = {names.get(key, key): value for key, value in part.items()}
        if len(renamed) < len(part):
            raise ConfigError(f"{where}: a setting stands there under its old and its new name")
        if renamed.get("block") in _RENAMED_BLOCK:
            renamed["block"] = _RENAMED_BLOCK[renamed["block"]]
            warnings.warn(f"{where}: block evidence is now product-of-experts", DeprecationWarning, stacklevel=3)
        result = renamed if section == "top" else {**result, section: renamed}
    return result


def build(table: Mapping[str, Any], where: str) -> Experiment:
    """Return the experiment that nested settings describe; ``where`` names their source in errors.

    Raises:
        ConfigError: a setting does not exist, or cannot be trained with.
    """
    try:
        experiment = dacite.from_dict(Experiment, dict(table), dacite.Config(strict=True, cast=[float, tuple]))
    except dacite.UnexpectedDataError as error:
        raise ConfigError(f"{where}: no settings called {', '.join(sorted(error.keys))}") from error
    except (dacite.DaciteError, ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from error
    check(experiment, where)
    return experiment


def changed(experiment: Experiment, top: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> Experiment:
    """Return ``experiment`` with settings from the command line; those that are None are left as they are.

    Args:
        experiment: the defaults, or a file's.
        top: settings of the experiment.
        parts: settings of "speech", "text" and "fusion".

    Raises:
        ConfigError: a setting does not exist, has a wrong value, or is of a branch that is not trained.
    """
    table = _without_none(asdict(experiment)) | _without_none(top)
    for key in ("protocol", "folds"):
        if top.get(key) is not None and experiment.corpora:
            if len(experiment.corpora) > 1:
                raise ConfigError(f"{key}: speech and text have one each here; name a branch with --only")
            table[next(iter(experiment.corpora))]["data"][key] = top[key]
    for name, settings in parts.items():
        wanted = _without_none(settings)
        if wanted and name not in table:
            raise ConfigError(f"{', '.join(wanted)}: of {name}, which is not trained here")
        if wanted:
            table[name] = {**table[name], **wanted}
    return build(table, "the command line")


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _without_none(v) if isinstance(v, dict) else v for k, v in table.items() if v is not None}


def check(experiment: Experiment, where: str) -> None:
    """Refuse settings that cannot be trained with.

    Raises:
        ConfigError: naming the setting and ``where`` it stands.
    """
    if experiment.speech is None and experiment.text is None:
        raise ConfigError(f"{where}: nothing to train; add a section [speech] or [text]")
    if experiment.fusion is not None and (experiment.speech is None or experiment.text is None):
        raise ConfigError(f"{where}: [fusion] needs both [speech] and [text]")
    for name, value, (holds, words) in _bounds(experiment, ""):
        if value is not None and not holds(value):
            raise ConfigError(f"{where}: {name} = {value}: {words}")
    own = experiment.corpora
    trained = [name for name in ("speech", "text") if getattr(experiment, name) is not None]
    if own and len(own) < len(trained):
        raise ConfigError(f"{where}: [{next(iter(own))}.data] is there; give the other branch corpora of its own too")
    block = experiment.fusion.block if experiment.fusion is not None else None
    if own and block in {"feed-forward", "attention"}:
        raise ConfigError(
            f"{where}: fusion.block = {block}: learns from utterances that have speech and text; "
            "where both have corpora of their own, use product-of-experts or gated-experts"
        )
    if not own and block == "gated-experts":
        raise ConfigError(
            f"{where}: fusion.block = {block}: speech and text need corpora of their own, [speech.data] and "
            "[text.data]; where one corpus serves both, use product-of-experts"
        )
    for name, data in own.items():
        _check_data(name, data, experiment, where)
    if len(own) == 2 and experiment.fusion is not None:
        if own["speech"].protocol == "official":
            raise ConfigError(f"{where}: speech.data.protocol = official: fusion needs several folds; use speaker")
        text = own["text"]
        if text.protocol != "corpus" and not (text.protocol == "official" and text.validation_percent):
            raise ConfigError(
                f"{where}: fusion learns from validation text; give [text.data] the protocol corpus, or official and a "
                "validation_percent above 0"
            )


def _check_data(name: str, data: Data, experiment: Experiment, where: str) -> None:
    if data.plain and name == "text":
        raise ConfigError(f"{where}: text.data.plain: recordings without labels are for speech")
    if data.plain and not (experiment.speech and experiment.speech.unlabelled_weight):
        raise ConfigError(f"{where}: speech.data.plain teaches nothing while speech.unlabelled_weight is 0")
    if data.protocol == "corpus" and len(data.corpora) < 2:
        raise ConfigError(
            f"{where}: {name}.data.protocol = corpus: leaves out one of several corpora; name two at least"
        )


def _bounds(settings: Any, prefix: str) -> Iterator[tuple[str, Any, tuple[Callable[[float], bool], str]]]:
    for its in fields(settings):
        value = getattr(settings, its.name)
        if BOUND in its.metadata:
            yield prefix + its.name, value, its.metadata[BOUND]
        elif hasattr(value, "__dataclass_fields__"):
            yield from _bounds(value, f"{prefix}{its.name}.")
