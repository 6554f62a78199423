"""One utterance → its emotion by speech, by text, and fused (the paper's section 4)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.audio.recording import SAMPLE_RATE
from edge_runtime.baseline import LEAST_SPEECH_S, Baseline, checksum
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.contract import TYPES
from edge_runtime.errors import BaselineError, BundleError
from edge_runtime.inference.asr import Run, SpeechEncoder, Transcript, TranscriptDecoder
from edge_runtime.inference.evidence import NO_SOUND, Evidence
from edge_runtime.inference.segmenter import Utterance
from edge_runtime.inference.session import Arrays, Session
from edge_runtime.inference.text_tokens import TextTokens, Turn, to_turns
from edge_runtime.inference.vad import ENCODER_HOP
from edge_runtime.prediction import DOUBTFUL, Scores, Segment, not_judged

Float = NDArray[np.float32]
Timings = dict[str, float]
MAX_TEXT_TOKENS = 256
"""More of a transcript is cut off; what a person says in 15 s is far shorter."""
FROM_WORDS = ("text", "fusion_text_only")
"""The temperatures of answers from words alone."""
NEUTRAL = "neutral"
DECODER = "transcript_decoder"


@dataclass
class Heard:
    """An utterance of which all is known but the words.

    Attributes:
        utterance: what is said.
        speech: what the voice gave, None without a voice branch.
        pooled: the utterance as a baseline for others, None where the bundle takes none.
        baseline_s: seconds of speech that it was compared with.
        encoded: what its words are recognised from; {} once they are, None where none are to be.
        given: the words, where they were known before.
        timings: milliseconds spent in each slot.
    """

    utterance: Utterance
    speech: Arrays | None
    pooled: Baseline | None
    baseline_s: float
    encoded: Arrays | None
    given: str
    timings: Timings

    @property
    def encoded_bytes(self) -> int:
        """Size of what waits to be recognised."""
        return _bytes(self.encoded or {})


class UtteranceClassifier:
    """The branches that a bundle has, and their fusion; safe to call from several threads."""

    def __init__(
        self,
        bundle: Bundle,
        slots: Mapping[str, Session],
        *,
        several: Run | None = None,
        text_neutral_prior: float | None = None,
    ) -> None:
        """Use the graphs of ``bundle``, open in ``slots``.

        Args:
            bundle: a checked one.
            slots: the graph of each slot.
            several: runs the graph of the slot ``batch_decoder``, if the bundle has one.
            text_neutral_prior: see ``IEmoNet.load``.

        Raises:
            BundleError: the bundle states no priors, or a tokenizer of it cannot be used.
            MissingExtraError: a tokenizer of it needs the extra ``tokenizers``.
            ValueError: a prior that is no share.
        """
        self._bundle = bundle
        self._text_shift = _neutral_shift(bundle, text_neutral_prior)
        self._speech_encoder = self._transcript_encoder = None
        if "speech_encoder" in slots:
            self._speech_encoder = SpeechEncoder(slots["speech_encoder"], slots.get("transcript_memory"))
        if "transcript_encoder" in slots:
            self._transcript_encoder = SpeechEncoder(slots["transcript_encoder"])
        self._transcript_decoder = None
        if bundle.decoding is not None:
            self._transcript_decoder = TranscriptDecoder(
                slots["transcript_decoder"], bundle.open_detokenizer(), bundle.decoding, several
            )
        self._speech, self._text, self._fusion = (slots.get(s) for s in ("speech_emotion", "text_emotion", "fusion"))
        self._takes_waveform = "speech_emotion" in slots and bundle.slots["speech_emotion"].takes("waveform")
        self._features, self._graphs = 0, ""
        if "speech_emotion" in slots and bundle.slots["speech_emotion"].takes("baseline"):
            self._features = int(bundle.slots["speech_emotion"].output("pooled").shape[1])
            self._graphs = checksum(bundle)
        if self._text is not None:
            try:
                self._text_tokens = TextTokens(
                    bundle.open_tokenizer(), max_tokens=MAX_TEXT_TOKENS, context_tokens=bundle.text.context_tokens
                )
            except ValueError as error:
                raise BundleError(f"{bundle.tokenizers['text']}: reads no context: {error}") from error

    def __call__(
        self,
        utterance: Utterance,
        given: str | None = None,
        timings: Timings | None = None,
        baseline: Baseline | None = None,
        context: Sequence[Turn] = (),
    ) -> Segment:
        """Classify ``utterance``, in which somebody speaks.

        Args:
            utterance: what is said.
            given: its transcript, if that is known; None has it recognised, where the bundle can.
            timings: milliseconds spent in each slot are added to it.
            baseline: other recordings of the speaker, which ``check_baseline`` has let pass; less than
                ``LEAST_SPEECH_S`` of speech counts as none.
            context: what was said before, the oldest first; a bundle that reads none passes over it.
        """
        heard = self.hear(utterance, given, timings, baseline)
        return self.judge(heard, self.recognise(heard), context)

    def hear(
        self,
        utterance: Utterance,
        given: str | None = None,
        timings: Timings | None = None,
        baseline: Baseline | None = None,
    ) -> Heard:
        """Run what needs no words: the encoder and the voice. The arguments are those of a call."""
        timings = {} if timings is None else timings
        if baseline is not None and baseline.speech_s < LEAST_SPEECH_S:
            baseline = None
        decoder = self._transcript_decoder if given is None else None
        hidden: Float | None = None
        encoded: Arrays = {}
        shared = decoder is not None and self._transcript_encoder is None
        if self._speech_encoder is not None and (shared or (self._speech is not None and not self._takes_waveform)):
            with stopwatch(timings, "speech_encoder"):
                hidden, encoded = self._speech_encoder.hear(utterance.waveform)
        if self._transcript_encoder is not None and decoder is not None:
            with stopwatch(timings, "transcript_encoder"):
                _, encoded = self._transcript_encoder.hear(utterance.waveform)
        speech = None
        if self._speech is not None:
            with stopwatch(timings, "speech_emotion"):
                speech = self._run_speech(utterance, hidden, baseline)
        return Heard(
            utterance=utterance,
            speech=speech,
            pooled=self._pooled(utterance, speech) if speech and self._features else None,
            baseline_s=0.0 if baseline is None else baseline.speech_s,
            encoded=encoded if decoder is not None else None,
            given=(given or "").strip(),
            timings=timings,
        )

    def recognise(self, heard: Heard) -> Transcript:
        """Return the words of what was heard, unless they were given."""
        if heard.encoded is None or self._transcript_decoder is None:
            return Transcript(heard.given, log_probability=0.0, ended=True)
        memory = self._remember(heard)
        with stopwatch(heard.timings, DECODER):
            return self._transcript_decoder.transcribe(memory, duration_s=heard.utterance.duration_s)

    @property
    def decodes_together(self) -> bool:
        """Whether the bundle's decoder takes several utterances at a time."""
        return self._transcript_decoder is not None and self._transcript_decoder.takes_batches

    def recognise_together(self, several: Sequence[Heard], *, most: int, most_bytes: float) -> list[Transcript]:
        """Return the words of each, in order; those of like length are decoded together.

        The time that it takes counts for each by its length.

        Args:
            several: of one bundle that decodes together, with words to be recognised.
            most: utterances at a time.
            most_bytes: of keys and values at a time, unless one utterance has more.
        """
        found: dict[int, Transcript] = {}
        group: list[int] = []
        memories: list[Arrays] = []
        for i in sorted(range(len(several)), key=lambda i: several[i].encoded_bytes):
            memory = self._remember(several[i])
            if len(group) == most or (len(group) + 1) * _bytes(memory) > most_bytes:
                found |= self._decode(group, memories, several)
                group, memories = [], []
            group.append(i)
            memories.append(memory)
        found |= self._decode(group, memories, several)
        return [found[i] for i in range(len(several))]

    def _decode(self, group: list[int], memories: list[Arrays], several: Sequence[Heard]) -> dict[int, Transcript]:
        """Return the words of those of ``several`` that are in ``group``, by their places; memories are used up."""
        decoder = self._transcript_decoder
        assert decoder is not None
        durations, spent = [several[i].utterance.duration_s for i in group], Timings()
        with stopwatch(spent, DECODER):
            if len(group) == 1:
                found = [decoder.transcribe(memories.pop(), duration_s=durations[0])]
            else:
                found = decoder.transcribe_together(memories, durations) if group else []
        for i, duration in zip(group, durations, strict=True):
            timings, share = several[i].timings, duration / sum(durations)
            timings[DECODER] = timings.get(DECODER, 0.0) + share * spent[DECODER]
        return dict(zip(group, found, strict=True))

    def _remember(self, heard: Heard) -> Arrays:
        """Return what the decoder reads, and let go of what it was made of."""
        encoder = self._transcript_encoder or self._speech_encoder
        assert encoder is not None
        slot = "speech_encoder" if self._transcript_encoder is None else "transcript_encoder"
        encoded, heard.encoded = heard.encoded, {}
        with stopwatch(heard.timings, slot):
            return encoder.remember(encoded or {})

    def judge(self, heard: Heard, words: Transcript, context: Sequence[Turn] = ()) -> Segment:
        """Judge the words of what was heard, said after ``context``, and fuse both answers."""
        utterance, speech, timings = heard.utterance, heard.speech, heard.timings
        text = None
        language, judged = words.language if words.text else None, self._bundle.text.languages
        foreign = language is not None and bool(judged) and language.code not in judged
        if self._text is not None and words.text and not foreign:
            with stopwatch(timings, "text_emotion"):
                text = self._run_text(words.text, context)
        with stopwatch(timings, "fusion"):
            fused = self._fuse(speech, text, Evidence.of(words, utterance))
        return Segment(
            start_s=utterance.start_s,
            end_s=utterance.end_s,
            fused=fused,
            speech=self._scores(speech["logits"], "speech") if speech else None,
            text=self._scores(text["logits"], "text") if text else None,
            transcript=words.text or None,
            notes=(
                *((DOUBTFUL,) if words.doubtful else ()),
                *((not_judged(language.name),) if language is not None and foreign else ()),
            ),
            uncertain=fused is not None and fused.uncertain,
            baseline_s=heard.baseline_s,
            transcript_confidence=words.confidence if heard.encoded is not None and words.text else None,
            language=language.code if language is not None else None,
        )

    def pool(self, utterance: Utterance) -> Baseline:
        """Return ``utterance``, in which somebody speaks, as a baseline for others; no words are recognised.

        Raises:
            BundleError: the bundle takes no baseline.
        """
        self.require_baseline()
        assert self._speech_encoder is not None
        hidden, _ = self._speech_encoder.hear(utterance.waveform)
        return self._pooled(utterance, self._run_speech(utterance, hidden, None))

    def check_baseline(self, baseline: Baseline) -> None:
        """Check that this bundle made ``baseline``.

        Raises:
            BaselineError: another did.
            BundleError: this one takes none.
            TypeError: it is no baseline.
        """
        if not isinstance(baseline, Baseline):
            raise TypeError(
                f"baseline is of type {type(baseline).__name__}; give what model.baseline(recordings) or "
                "Baseline.load(path) returns"
            )
        self.require_baseline()
        if (baseline.graphs, baseline.pooled.shape[1]) != (self._graphs, self._features):
            raise BaselineError(
                f"the baseline was made by {baseline.made_by}, and the bundle is {self._bundle.name} "
                f"{self._bundle.version} (graphs {self._graphs[:12]}); make it again with this bundle"
            )

    def require_baseline(self) -> None:
        """Check that the bundle takes a baseline.

        Raises:
            BundleError: it does not.
        """
        if not self._features:
            raise BundleError(
                f"{self._bundle.folder}: takes no baseline, its slot speech_emotion has no input 'baseline'; use "
                "another bundle, or leave the baseline out"
            )

    def check_context(self, context: Sequence[str | Turn]) -> list[Turn]:
        """Return ``context`` as turns, if there are any to be read.

        Raises:
            BundleError: the bundle reads no context, and one is given.
            TypeError: it is no list of texts or turns.
        """
        turns = to_turns(context)
        if turns and not self._bundle.text.context_tokens:
            raise BundleError(
                f"{self._bundle.folder}: reads no context, its manifest states none for text_emotion; use another "
                "bundle, or leave the context out"
            )
        return turns

    def classify_text(self, text: str, context: Sequence[Turn] = ()) -> Scores:
        """Return the answer from ``text`` alone, said after ``context``.

        Raises:
            BundleError: the bundle has no text branch.
        """
        if self._text is None:
            raise BundleError(f"{self._bundle.folder}: has no slot text_emotion; it hears the voice alone")
        answer = self._fuse(None, self._run_text(text, context), NO_SOUND)
        assert answer is not None
        return answer

    def _run_speech(self, utterance: Utterance, hidden: Float | None, baseline: Baseline | None) -> Arrays:
        assert self._speech is not None
        if self._takes_waveform:
            return self._speech(waveform=utterance.waveform[None])
        assert hidden is not None
        inputs: Arrays = {"hidden_states": hidden, "spoken": utterance.speech_mask[None].astype(np.float32)}
        if self._features:
            none = np.zeros((1, self._features), np.float32), np.zeros(1, np.float32)
            rows, seconds = none if baseline is None else (baseline.pooled, baseline.seconds)
            inputs |= {"baseline": rows[None], "baseline_s": seconds[None]}
        return self._speech(**inputs)

    def _pooled(self, utterance: Utterance, speech: Arrays) -> Baseline:
        """Return the utterance as a baseline of one recording."""
        if not np.isfinite(speech["pooled"]).all():
            raise BundleError(f"{self._bundle.folder}: what its slot speech_emotion pools are not numbers")
        seconds = np.array([utterance.speech_mask.sum() * ENCODER_HOP / SAMPLE_RATE], np.float32)
        return Baseline(speech["pooled"], seconds, self._graphs, f"{self._bundle.name} {self._bundle.version}")

    def _run_text(self, text: str, context: Sequence[Turn]) -> Arrays:
        assert self._text is not None
        try:
            ids, types = self._text_tokens(_encodable(text), [replace(t, text=_encodable(t.text)) for t in context])
        except Exception as error:  # the package tokenizers raises it bare
            raise BundleError(f"{self._bundle.tokenizers['text']}: fails on a text: {error}") from error
        inputs = {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)}
        if self._bundle.text.context_tokens:
            inputs[TYPES] = np.array([types], np.int64)
        return self._text(**inputs)

    def _fuse(self, speech: Arrays | None, text: Arrays | None, evidence: Evidence) -> Scores | None:
        """Return the answer from the branches that ran; ``evidence`` is of the words."""
        if speech is None and text is None:
            return None
        temperature = "fusion" if speech and text else "fusion_speech_only" if speech else "fusion_text_only"
        if self._fusion is not None and temperature in self._bundle.temperatures:
            return self._scores(self._fusion(**self._fusion_inputs(speech, text, evidence))["logits"], temperature)
        if speech is not None:
            return self._scores(speech["logits"], "speech")
        return self._scores(text["logits"], "text") if text is not None else None

    def _fusion_inputs(self, speech: Arrays | None, text: Arrays | None, evidence: Evidence) -> Arrays:
        """Return the inputs of the fusion graph: embeddings, logits, or both, which branches ran, and evidence.

        In place of a branch that did not run, and of evidence without words, it gets zeros, which it is told to leave
        out.
        """
        inputs = {"present": np.array([[speech is not None, text is not None]], np.float32)}
        if names := self._bundle.evidence:
            numbers = [getattr(evidence, name) if text else 0.0 for name in names]
            inputs["evidence"] = np.array([numbers], np.float32)
        for tensor in self._bundle.slots["fusion"].inputs:
            branch, _, output = tensor.name.partition("_")
            if tensor.name not in inputs:
                outputs = speech if branch == "speech" else text
                width = int(tensor.shape[-1])
                inputs[tensor.name] = outputs[output] if outputs else np.zeros((1, width), np.float32)
        return inputs

    def _scores(self, logits: Float, temperature: str) -> Scores:
        scaled = logits[0].astype(np.float64) / self._bundle.temperatures[temperature]
        if not np.isfinite(scaled).all():
            raise BundleError(f"{self._bundle.folder}: its logits ({temperature}) are not numbers")
        least = self._bundle.operating_point
        if temperature in FROM_WORDS:
            scaled, least = scaled + self._text_shift, self._bundle.text.operating_point
        odds = np.exp(scaled - scaled.max())
        probabilities = odds / odds.sum()
        labels = self._bundle.labels
        return Scores(
            label=labels[int(probabilities.argmax())],
            scores=dict(zip(labels, probabilities.tolist(), strict=True)),
            uncertain=bool(probabilities.max() < least),
        )


def _bytes(arrays: Arrays) -> int:
    return sum(value.nbytes for value in arrays.values())


@contextmanager
def stopwatch(timings: Timings, name: str) -> Iterator[None]:
    """Add the milliseconds spent inside to ``timings[name]``."""
    begin = time.perf_counter()
    yield
    timings[name] = timings.get(name, 0.0) + 1000 * (time.perf_counter() - begin)


def _neutral_shift(bundle: Bundle, prior: float | None) -> NDArray[np.float64]:
    """Return what is added to the calibrated logits of words (labels,), so that neutral is as frequent as ``prior``.

    By Bayes' rule: the odds of neutral change as its prior odds do; the other labels keep their shares of the rest.
    """
    shift = np.zeros(len(bundle.labels))
    if prior is None:
        return shift
    if isinstance(prior, bool) or not 0 < prior < 1:
        raise ValueError(f"text_neutral_prior={prior}: the share of neutral is between 0 and 1")
    if NEUTRAL not in bundle.text.priors:
        raise BundleError(
            f"{bundle.folder}: its manifest states no prior of {NEUTRAL} for text_emotion, so that another one means "
            "nothing; use another bundle, or leave it out"
        )
    trained = bundle.text.priors[NEUTRAL]
    shift[bundle.labels.index(NEUTRAL)] = np.log(prior / (1 - prior)) - np.log(trained / (1 - trained))
    return shift


def _encodable(text: str) -> str:
    """Return ``text`` without what a terminal may have given that is no text; a tokenizer knows nothing of it."""
    return text.encode("utf-8", "replace").decode("utf-8")
