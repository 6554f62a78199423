"""Speech recognition: the encoder and the decoder of Whisper, greedy, on onnxruntime and numpy alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.session import Arrays, Session
from edge_runtime.inference.tokenizer_file import Detokenizer

Float = NDArray[np.float32]

TOKENS_PER_SECOND = 12.0
"""Nobody speaks faster; a decoder that writes more is in a loop."""
LONGEST_LOOP, REPEATS = 12, 4
"""A phrase of up to so many tokens, so many times in a row, is a loop too."""


SURE = -0.65
"""Mean log-probability of a token below which words are doubtful; see ``benchmarks.asr.confidence``."""
ADDED = 4
"""So many sure tokens are added before the mean is taken, as little follows from two or three that are unsure."""


@dataclass(frozen=True)
class Language:
    """A language that a recogniser tells.

    Attributes:
        code: as BCP 47 has it, such as "pl".
        name: in English.
    """

    code: str
    name: str


@dataclass(frozen=True)
class Transcript:
    """A transcript, and how sure the recogniser is of it.

    Attributes:
        text: stripped; it may be empty.
        log_probability: mean natural logarithm of the probability of each token that was chosen, the end and ``ADDED``
            sure ones among them.
        ended: whether it came to an end, rather than being cut off in a loop or at the longest that can be said.
        lowest_log_probability: that of the least probable token that was chosen.
        language: that is spoken, as the recogniser hears it; None of one that writes a single language.
    """

    text: str
    log_probability: float
    ended: bool
    lowest_log_probability: float = 0.0
    language: Language | None = None

    @property
    def confidence(self) -> float:
        """Probability of a token, 0 to 1, as a geometric mean; not the share of the words that are right."""
        return math.exp(self.log_probability)

    @property
    def doubtful(self) -> bool:
        """Whether the text is probably wrong: the speech is in another language, or hard to understand."""
        return bool(self.text) and (self.log_probability < SURE or not self.ended)


@dataclass(frozen=True)
class Decoding:
    """The special tokens of a transcript decoder, from the bundle's manifest.

    Attributes:
        prompt: what it begins with; of a multilingual recogniser without a language, which is the next token.
        end: closes a transcript.
        suppress: are never written, ``begin_suppress`` not as the first token.
        max_tokens: of a transcript.
        languages: their tokens, where the recogniser tells the language.
        after_language: what follows the language before anything is written.
    """

    prompt: Sequence[int]
    end: int
    suppress: Sequence[int]
    begin_suppress: Sequence[int]
    max_tokens: int
    languages: Mapping[int, Language] = field(default_factory=dict)
    after_language: Sequence[int] = ()


class SpeechEncoder:
    """Waveform → hidden states, and the keys and values of the decoder's cross attention."""

    def __init__(self, session: Session, memory: Session | None = None) -> None:
        """Use the graph in ``session``, and in ``memory`` the layers that the transcript alone needs, if apart."""
        self._session, self._memory = session, memory

    def __call__(self, waveform: Float, *, words: bool = True) -> tuple[Float, Arrays]:
        """Encode ``waveform`` (samples,) at 16 kHz, at most 30 s long.

        Args:
            waveform: what is said.
            words: False leaves out what the transcript alone needs, where that is a graph of its own.

        Returns:
            The hidden states (1, layers, states, width), 20 ms a state, and the decoder's cross inputs.
        """
        values = self._session(waveform=waveform[None])
        hidden = values.pop("hidden_states")
        if self._memory is not None:
            values = self._memory(encoded=values["encoded"]) if words else {}
        return hidden, values


class TranscriptDecoder:
    """Keys and values of the encoder → text."""

    def __init__(self, session: Session, tokenizer: Detokenizer, decoding: Decoding) -> None:
        """Use the graph in ``session``; ``decoding`` names its special tokens."""
        self._session, self._tokenizer, self._decoding = session, tokenizer, decoding
        self._empty_past = {
            name: np.zeros([1, shape[1], 0, shape[3]], np.float32)
            for name, (_, shape) in session.inputs.items()
            if name.startswith("past_")
        }

    def __call__(self, cross: Arrays, *, duration_s: float) -> str:
        """Return the text of ``transcribe``."""
        return self.transcribe(cross, duration_s=duration_s).text

    def transcribe(self, cross: Arrays, *, duration_s: float) -> Transcript:
        """Return the transcript.

        Args:
            cross: as ``SpeechEncoder`` returns it.
            duration_s: length of what was encoded, which bounds the length of the transcript.
        """
        settings, past = self._decoding, self._empty_past
        tokens = np.array([settings.prompt], np.int64)
        language = None
        if settings.languages:
            logits, past = self._step(tokens, cross, past)
            spoken = max(settings.languages, key=lambda token: float(logits[token]))
            language = settings.languages[spoken]
            tokens = np.array([[spoken, *settings.after_language]], np.int64)
        written: list[int] = []
        log_probabilities: list[float] = []
        ended = False
        limit = min(settings.max_tokens, int(8 + TOKENS_PER_SECOND * duration_s))
        while len(written) < limit:
            logits, past = self._step(tokens, cross, past)
            logits[settings.suppress] = -np.inf
            if not written:
                logits[settings.begin_suppress] = -np.inf
            token = int(logits.argmax())
            log_probabilities.append(_log_probability(logits, token))
            ended = token == settings.end
            if ended:
                break
            written.append(token)
            repeated = _loop(written)
            if repeated:
                written = written[:-repeated]
                break
            tokens = np.array([[token]], np.int64)
        text = self._tokenizer.decode(written)
        mean = sum(log_probabilities) / (len(log_probabilities) + ADDED)
        return Transcript(text.strip(), mean, ended, min(log_probabilities, default=0.0), language)

    def _step(self, tokens: NDArray[np.int64], cross: Arrays, past: Arrays) -> tuple[Float, Arrays]:
        """Return the logits of the token that follows (vocabulary,), and the past of the next step."""
        values = self._session(tokens=tokens, **cross, **past)
        logits: Float = values.pop("logits")[0]
        return logits, {"past" + name.removeprefix("present"): value for name, value in values.items()}


def _log_probability(logits: Float, likeliest: int) -> float:
    """Return the natural logarithm of the probability of the ``likeliest`` token; ``logits`` are used up.

    Numpy takes 0.05 ms for it, so that a decoder's graph needs no output of its own.
    """
    with np.errstate(all="ignore"):  # a strange bundle's may be no numbers; then each token is as likely as any
        logits -= logits[likeliest]
        found = -float(np.log(np.exp(logits, out=logits).sum()))
    return found if math.isfinite(found) else -math.log(len(logits))


def _loop(tokens: Sequence[int]) -> int:
    """Return how many tokens at the end only repeat those before them, if that is a loop; else 0."""
    for length in range(1, LONGEST_LOOP + 1):
        if len(tokens) >= length * REPEATS:
            tail = tokens[-length * REPEATS :]
            if all(tail[i] == tail[i % length] for i in range(len(tail))):
                return length * (REPEATS - 1)
    return 0
