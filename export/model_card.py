"""The model card of a bundle: a template filled from the manifest, with the header that the model hub reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from export.components import COMPONENTS
from trainer.corpora import registry

FILE = "MODEL_CARD.md"
TEMPLATE = Path(__file__).with_name("model_card_template.md")
UNKNOWN = "unknown"
OWN_DATA = "manifest"
"""The registry's name for a user's own corpus."""
PRETRAINED_USE = {
    "whisper-tiny.en": "speech encoder and transcript decoder",
    "whisper-base": "speech encoder and transcript decoder",
    "silero-vad": "voice activity detection",
}
TRAINED = {"speech": "speech emotion", "text": "text emotion", "fusion": "fusion"}
"""What a component is called in the use of an ingredient."""
USES = {
    **{use: part for part, use in TRAINED.items()},
    "text encoder": "text",
    "voice branch": "speech",
    "words branch": "text",
}
"""Words in the use of an ingredient → the component that it trained; the last two are of older bundles."""
OUTPUT = {"speech": "speech", "text": "text", "fusion": "fused"}
CALIBRATED = {"fusion": "fused", "fusion_speech_only": "fused, speech alone", "fusion_text_only": "fused, text alone"}
PROTOCOLS = {
    "speaker": "By speaker: nobody is both trained and tested on.",
    "corpus": "By corpus: one corpus is left out of training at a time, and tested on.",
    "session": "By session: none that is tested was trained on.",
    "official": "By the corpus' own split: its test part was not trained on.",
    "pairs": "On pairs of speech and text with the same label: neither the speaker nor the dialogue was trained on.",
    "shuffled": "At random: **the same voices are trained and tested on, so expect less of a voice it does not know**.",
}
TRANSCRIPTS = {
    "provided": "those that came with the corpus",
    "simulated": "those that came with the corpus, with simulated recognition errors",
    "asr": "written by the runtime's own recogniser",
}
LANGUAGES = {"en": "English"}


def credits_of(configs: Mapping[str, Mapping[str, Any]], sources: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return who made each ingredient of a bundle, its use there, its licence and its source.

    Args:
        configs: of the checkpoints that there are, by component.
        sources: where each pretrained network came from, by name (``trainer.pretrained.download.provenance``).
    """
    found = [
        _credit(
            source["credit"], PRETRAINED_USE.get(name, "text encoder, fine-tuned"), source["licence"], _origin(source)
        )
        for name, source in sources.items()
    ]
    corpora = {name: entry for config in configs.values() for name, entry in config.get("corpora", {}).items()}
    for name, entry in corpora.items():
        trained = [TRAINED[part] for part in COMPONENTS if name in configs.get(part, {}).get("corpora", {})]
        use = " and ".join([", ".join(trained[:-1]), trained[-1]] if len(trained) > 1 else trained)
        found.append(_corpus_credit(name, f"trains {use}", f"sha256 {entry['checksum']}"))
    for name in configs.get("text", {}).get("warmed_on", ()):
        found.append(_corpus_credit(name, "trained text emotion before", "see `provenance`"))
    return found


def trained_components(use: str) -> set[str]:
    """Return the components that an ingredient trained, by its use in the credits; none of what is used as it is."""
    return {part for words, part in USES.items() if words in use}


def measurements(metrics: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each measurement in nested ``metrics``, with the path to it; a measurement is a place that has an accuracy.

    The metrics of every checkpoint have one at the top, and one for each corpus where there are several. Those of
    bundles that were exported before are a tree of their own.
    """
    if not isinstance(metrics, Mapping):
        return
    if "wa" in metrics:
        yield path, metrics
    for key, inner in metrics.items():
        place = path if key == "by_corpus" else f"{path}, {key}".removeprefix(", ").replace("_", " ")
        yield from measurements(inner, place)


def render(manifest: Mapping[str, Any]) -> str:
    """Return the card of the bundle with this manifest, in Markdown; every figure is taken from it."""
    slots, provenance, metrics = (manifest[key] for key in ("slots", "provenance", "metrics"))
    sounds, texts = "speech_emotion" in slots or "transcript_decoder" in slots, "text_emotion" in slots
    calibration = _calibration(metrics)
    language, languages = _language(manifest), manifest.get("decoding", {}).get("languages", [])
    header = ModelCardData(
        language=language,
        license="other",
        license_name="see-the-section-licences",
        library_name="edge-iemonet",
        pipeline_tag="audio-classification" if sounds else "text-classification",
        tags=["emotion-recognition", *(["speech-emotion-recognition"] if sounds else []), "onnx"],
        datasets=sorted({name for made in provenance.values() for name in made.get("corpora", {})} - {OWN_DATA})
        or None,
        metrics=["accuracy", "recall", "f1"],
        model_name=manifest["name"],
        eval_results=list(_eval_results(manifest)) or None,
    )
    card = ModelCard.from_template(
        header,
        template_str=TEMPLATE.read_text(encoding="utf-8"),
        name=manifest["name"],
        version=manifest["version"],
        labels=manifest["labels"],
        modality=" and ".join([*(["speech"] if sounds else []), *(["text"] if texts else [])]),
        swapped=manifest.get("swapped"),
        non_commercial=[c for c in manifest["credits"] if "NC" in c["licence"].split("-")],
        unknown=[c for c in manifest["credits"] if c["licence"] == UNKNOWN],
        own_data=any(OWN_DATA in made.get("corpora", {}) for made in provenance.values()),
        credits=[[c["ingredient"], c["role"], c["licence"], c["source"]] for c in manifest["credits"]],
        components=list(_components(manifest)),
        trained_together="swapped" not in manifest and "fusion" in provenance,
        results=[_result(part, path, m) for part in metrics for path, m in measurements(metrics[part])],
        calibration=calibration,
        inside=_inside(metrics),
        takes_baseline=_takes_baseline(slots),
        operating_point=manifest.get("operating_point", {}).get("confidence"),
        text_operating_point=manifest.get("text_emotion", {}).get("operating_point", {}).get("confidence"),
        context_tokens=manifest.get("text_emotion", {}).get("context", {}).get("max_tokens"),
        text_priors=manifest.get("text_emotion", {}).get("priors"),
        uncalibrated=any(row[2] == NOT_MEASURED for row in calibration),
        verification=_verification(manifest["verification"]) if "verification" in manifest else None,
        made_pairs="fusion" in provenance and not _shared_corpora(provenance),
        given_transcripts="text" in provenance and provenance["text"].get("transcripts") != "asr" and sounds,
        languages=len(languages),
        text_languages=[
            entry["name"]
            for entry in languages
            if entry["code"] in manifest.get("text_emotion", {}).get("languages", [])
        ],
        transcript_language=LANGUAGES.get(language, language) if language else None,
        toolchain=", ".join(f"{name} {version}" for name, version in manifest["toolchain"].items()),
    )
    return f"{str(card).rstrip()}\n"


NOT_MEASURED = "not measured"
COMPARED, CONTEXT = "compared", "context"
"""Where the metrics of speech have those of the same recordings, compared with a baseline of their speaker, and those
of text those of the same words after what was said before them."""
PLACES = {COMPARED: "the same, with a baseline", CONTEXT: "the same, after what was said before"}


def _credit(ingredient: str, use: str, licence: str, source: str) -> dict[str, str]:
    return {"ingredient": ingredient, "role": use, "licence": licence, "source": source}


def _corpus_credit(name: str, use: str, source: str) -> dict[str, str]:
    corpus = registry.named(name)
    return _credit(corpus.title + (f" ({corpus.credit})" if corpus.credit else ""), use, corpus.licence, source)


def _origin(source: Mapping[str, Any]) -> str:
    if source["origin"] == "hub":
        return f"hub {source['hub']}@{source['revision']}"
    if source["origin"] == "wheel":
        return f"wheel {source['wheel']}=={source['version']}, sha256 {source['sha256']}"
    return f"a folder called {source['name']}"


def _shared_corpora(provenance: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the corpora that both speech and text were trained on."""
    return set.intersection(*(set(provenance.get(part, {}).get("corpora", {})) for part in ("speech", "text")))


def _language(manifest: Mapping[str, Any]) -> str | None:
    """Return the code of the language that is transcribed; None without transcripts."""
    decoding = manifest.get("decoding") if "transcript_decoder" in manifest["slots"] else None
    if decoding is None:
        return None
    # Bundles that were exported before do not say so; an English Whisper has no token for a language in its prompt.
    return decoding.get("language") or ("en" if len(decoding["prompt"]) == 2 else None)


def _components(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    provenance, metrics = manifest["provenance"], manifest["metrics"]
    for part in COMPONENTS:
        if part in provenance:
            made = provenance[part]
            encoder = f", on the encoder {made['encoder']}" if "encoder" in made else ""
            lines = [
                f"Kind: {made.get('kind', part)}{encoder}.",
                *_training(made),
                *_protocol(made, metrics.get(part, {})),
            ]
            yield {"title": OUTPUT[part].capitalize(), "lines": lines}
        elif part == "fusion" and "fusion" in manifest["slots"]:
            rule = (
                "The product of the probabilities of speech and text. The two were never trained together: this is a "
                "rule and not learned. Train fusion on recordings that have both to do better."
            )
            yield {"title": OUTPUT[part].capitalize(), "lines": [rule]}


def _training(made: Mapping[str, Any]) -> Iterator[str]:
    for name, entry in made.get("corpora", {}).items():
        counts = entry["labels"]
        each = ", ".join(f"{label} {count}" for label, count in counts.items())
        yield f"{registry.named(name).title}: {sum(counts.values())} utterances ({each})."
    if not made.get("corpora") and made.get("kind") != "fusion":
        yield "The corpus is not recorded."
    if made.get("transcripts") in TRANSCRIPTS:
        yield f"Transcripts: {TRANSCRIPTS[made['transcripts']]}."
    settings = {
        k: v for k, v in made.get("settings", {}).items() if v is not None and not isinstance(v, Mapping | list)
    }
    if settings:
        yield f"Settings: {', '.join(f'`{name}` {value}' for name, value in settings.items())}."


def _protocol(made: Mapping[str, Any], metrics: Mapping[str, Any]) -> Iterator[str]:
    if "protocol" not in made or "folds" not in metrics:
        return
    runs, folds = metrics["runs"], metrics["folds"]
    times = f", {runs} times with other initial weights" if runs > 1 else ""
    if folds > 1:
        how = (
            f"Each of {folds} parts was tested by networks trained on the others{times}. The network in this bundle "
            "was trained in the same way on all parts, so it is not quite one that was tested."
        )
    else:
        how = f"Trained{times} and tested once each; the network in this bundle is the first that was tested."
    yield f"Tested: {PROTOCOLS[made['protocol']]} {how}"


def _result(part: str, path: str, found: Mapping[str, Any]) -> list[str]:
    interval = found["ua"]["interval"] if isinstance(found["ua"], Mapping) else found.get("ua_interval")
    return [
        OUTPUT[part],
        PLACES.get(path, path) or "held-out utterances",
        str(found.get("n", "")),
        *(_score(found[name]) for name in ("wa", "ua")),
        "{:.3f} to {:.3f}".format(*interval) if interval else "",
        _score(found["f1"]) if "f1" in found else "",
    ]


def _score(score: float | Mapping[str, float]) -> str:
    return f"{score['mean']:.3f} ± {score['std']:.3f}" if isinstance(score, Mapping) else f"{score:.3f}"


def _calibration(metrics: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    fitted = {OUTPUT[part]: metrics[part].get("calibration") for part in ("speech", "text") if part in metrics}
    speech, compared = fitted.get("speech"), metrics.get("speech", {}).get(COMPARED, {}).get("calibration")
    if speech and compared:
        # What is stated is what the runtime divides by; the graph divides by its own before: see _inside.
        fitted["speech, with a baseline"] = compared | {"temperature": speech["temperature"]}
    fused = metrics.get("fusion", {}).get("calibration", {})
    fitted |= {title: fused[name] for name, title in CALIBRATED.items() if name in fused}
    return [
        [title, f"{c['temperature']:.2f}", f"{c['ece_before']:.3f}", f"{c['ece_after']:.3f}"]
        if c
        else [title, "1.00", NOT_MEASURED, NOT_MEASURED]
        for title, c in fitted.items()
    ]


def _inside(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the temperatures by which the graph of speech divides itself, without and with a baseline; [] of none."""
    fitted = (metrics.get("speech", {}).get("calibration") or {}).get("inside", [])
    return [f"{value:.2f}" for value in fitted]


def _takes_baseline(slots: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(i["name"] == "baseline" for i in (slots.get("speech_emotion") or {}).get("inputs", []))


def _verification(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the conversion changed, and where that is more than was allowed."""
    converted = found["converted"]
    outputs = {name: f for name, f in converted.items() if isinstance(f, Mapping) and "same_label" in f}
    transcripts = converted.get("transcripts")
    return {
        "samples": converted["samples"],
        "rows": [
            [
                output,
                str(figures["n"]),
                f"{figures['same_label']:.1%}",
                *(f"{-figures[s]['points_lost']:+.2f}" if s in figures else NOT_MEASURED for s in ("wa", "ua")),
            ]
            for output, figures in outputs.items()
        ],
        "word_error_rate": f"{transcripts['word_error_rate_against_exact']:.1%}" if transcripts else None,
        "excluded": [
            f"Of `{slot}`, {', '.join(kept['layers'])} stayed in fp32." for slot, kept in found["kept_exact"].items()
        ],
        "violations": found["shortfall"],
    }


def _eval_results(manifest: Mapping[str, Any]) -> Iterator[EvalResult]:
    """Yield WA, UA and F1 of each component on each corpus, as the hub's model index has them."""
    for part, metrics in manifest["metrics"].items():
        corpora = list(manifest["provenance"].get(part, {}).get("corpora", {}))
        by_corpus = metrics.get("by_corpus") or (
            {corpora[0]: metrics} if len(corpora) == 1 and "folds" in metrics else {}
        )
        for name, found in by_corpus.items():
            for metric, key in (("accuracy", "wa"), ("recall", "ua"), ("f1", "f1")):
                value = found[key]["mean"] if isinstance(found[key], Mapping) else found[key]
                yield EvalResult(
                    task_type="text-classification" if part == "text" else "audio-classification",
                    dataset_type="own-data" if name == OWN_DATA else name,
                    dataset_name=registry.named(name).title,
                    metric_type=metric,
                    metric_name=f"{key.upper()}, {OUTPUT[part]}, fp32",
                    metric_value=value,
                )
