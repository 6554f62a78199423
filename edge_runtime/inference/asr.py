"""Speech recognition: the encoder and the decoder of Whisper, greedy, on onnxruntime and numpy alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError
from edge_runtime.inference.session import Arrays, Session
from edge_runtime.inference.tokenizer_file import Detokenizer

Float = NDArray[np.float32]
Run = Callable[..., Arrays]
"""Runs a graph on named arrays, and returns its named outputs."""

TOKENS_PER_SECOND = 12.0
"""Nobody speaks faster; a decoder that writes more is in a loop."""
LONGEST_LOOP, REPEATS = 12, 4
"""A phrase of up to so many tokens, so many times in a row, is a loop too."""


SURE = -0.65
"""Mean log-probability of a token below which words are doubtful; see ``benchmarks.asr.confidence``."""
BIAS = "cross_bias"
"""What the decoder adds to its attention's scores: (positions,); of several utterances (batch, 1, 1, positions)."""
NOT_THERE = -1e9
"""The bias of a position that an utterance does not have; its share of the attention is 0 exactly."""
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

    def __call__(self, waveform: Float) -> tuple[Float, Arrays]:
        """Encode ``waveform`` (samples,) at 16 kHz, at most 30 s long.

        Args:
            waveform: what is said.

        Returns:
            The hidden states (1, layers, states, width), 20 ms a state, and the decoder's cross inputs.
        """
        hidden, passed = self.hear(waveform)
        return hidden, self.remember(passed)

    def hear(self, waveform: Float) -> tuple[Float, Arrays]:
        """Return the hidden states, and what ``remember`` takes: less than the memory, where that is another graph."""
        passed = self._session(waveform=waveform[None])
        return passed.pop("hidden_states"), passed

    def remember(self, passed: Arrays) -> Arrays:
        """Return the decoder's cross inputs."""
        return passed if self._memory is None else self._memory(encoded=passed["encoded"])


class Writing:
    """What is written so far of one utterance, token by token: the rules of greedy decoding."""

    def __init__(self, decoding: Decoding, *, duration_s: float) -> None:
        """Begin with nothing.

        Args:
            decoding: the special tokens.
            duration_s: length of what was encoded, which bounds the length of the transcript.
        """
        self._decoding = decoding
        self._limit = min(decoding.max_tokens, int(8 + TOKENS_PER_SECOND * duration_s))
        self._written: list[int] = []
        self._log_probabilities: list[float] = []
        self._ended = False
        self.language: Language | None = None

    @property
    def over(self) -> bool:
        """Whether no token is to be written any more."""
        return self._ended or len(self._written) >= self._limit

    def begin(self, logits: Float) -> list[int]:
        """Take the language that ``logits`` (vocabulary,) of the prompt tell; return the tokens that follow."""
        languages = self._decoding.languages
        spoken = max(languages, key=lambda token: float(logits[token]))
        self.language = languages[spoken]
        return [spoken, *self._decoding.after_language]

    def write(self, logits: Float) -> int | None:
        """Write the likeliest token; return it, or None where nothing is to follow. ``logits`` are used up."""
        logits[self._decoding.suppress] = -np.inf
        if not self._written:
            logits[self._decoding.begin_suppress] = -np.inf
        token = int(logits.argmax())
        self._log_probabilities.append(_log_probability(logits, token))
        self._ended = token == self._decoding.end
        if self._ended:
            return None
        self._written.append(token)
        repeated = _loop(self._written)
        if repeated:
            self._written = self._written[:-repeated]
            return None
        return None if self.over else token

    def transcript(self, tokenizer: Detokenizer) -> Transcript:
        """Return what was written."""
        text = tokenizer.decode(self._written)
        mean = sum(self._log_probabilities) / (len(self._log_probabilities) + ADDED)
        lowest = min(self._log_probabilities, default=0.0)
        return Transcript(text.strip(), mean, self._ended, lowest, self.language)


class TranscriptDecoder:
    """Keys and values of the encoder → text."""

    def __init__(
        self, session: Session, tokenizer: Detokenizer, decoding: Decoding, several: Run | None = None
    ) -> None:
        """Use the graph in ``session``.

        Args:
            session: decodes one utterance.
            tokenizer: of the transcripts.
            decoding: names the special tokens.
            several: runs the graph that decodes several utterances in a call, if there is one.
        """
        self._session, self._several, self._tokenizer, self._decoding = session, several, tokenizer, decoding
        self._past = {name: shape for name, (_, shape) in session.inputs.items() if name.startswith("past_")}

    @property
    def takes_batches(self) -> bool:
        """Whether several utterances can be decoded together."""
        return self._several is not None

    def __call__(self, cross: Arrays, *, duration_s: float) -> str:
        """Return the text of ``transcribe``."""
        return self.transcribe(cross, duration_s=duration_s).text

    def transcribe(self, cross: Arrays, *, duration_s: float) -> Transcript:
        """Return the transcript.

        Args:
            cross: as ``SpeechEncoder`` returns it.
            duration_s: length of what was encoded, which bounds the length of the transcript.
        """
        (found,) = self._transcribe(self._session, cross, [duration_s])
        return found

    def transcribe_together(self, memories: list[Arrays], durations_s: Sequence[float]) -> list[Transcript]:
        """Return the transcript of each utterance, all of them written at the same time.

        A transcript is that of ``transcribe``: no utterance has a part in another's numbers.

        Args:
            memories: as ``SpeechEncoder`` returns them, one or more; the list is emptied as they are put together.
            durations_s: length of each.

        Raises:
            BundleError: the graph fails, or the bundle decodes one utterance at a time.
        """
        if self._several is None:
            raise BundleError("the bundle decodes one utterance at a time; export it again")
        return self._transcribe(self._several, joined(memories), durations_s)

    def _transcribe(self, run: Run, cross: Arrays, durations_s: Sequence[float]) -> list[Transcript]:
        settings = self._decoding
        writings = [Writing(settings, duration_s=seconds) for seconds in durations_s]
        past = {name: np.zeros([len(writings), s[1], 0, s[3]], np.float32) for name, s in self._past.items()}
        tokens = np.array([settings.prompt] * len(writings), np.int64)
        if settings.languages:
            logits, past = _step(run, tokens, cross, past)
            tokens = np.array([w.begin(line) for w, line in zip(writings, logits, strict=True)], np.int64)
        rows = [writing for writing in writings if not writing.over]  # all of them, or a bundle writes no token
        while rows:
            if len(rows) == 1 and run is not self._session:  # the graph of one utterance takes less time
                run, cross = self._session, separated(cross)
            logits, past = _step(run, tokens, cross, past)
            written = [writing.write(line) for writing, line in zip(rows, logits, strict=True)]
            # The last row takes the place of one that is over, so that little is copied.
            for row in [i for i, token in enumerate(written) if token is None][::-1]:
                last = len(rows) - 1
                for values in (*cross.values(), *past.values()):
                    if row != last:
                        values[row] = values[last]
                rows[row], written[row] = rows[last], written[last]
                rows.pop(), written.pop()
                cross, past = _first(cross, last), _first(past, last)
            tokens = np.array(written, np.int64)[:, None]
        return [writing.transcript(self._tokenizer) for writing in writings]


def _step(run: Run, tokens: NDArray[np.int64], cross: Arrays, past: Arrays) -> tuple[Float, Arrays]:
    """Return the logits of the tokens that follow (utterances, vocabulary), and the past of the next step."""
    values = run(tokens=tokens, **cross, **past)
    logits: Float = values.pop("logits")
    return logits, {"past" + name.removeprefix("present"): value for name, value in values.items()}


def joined(memories: list[Arrays]) -> Arrays:
    """Return the memories of several utterances as one of a batch; shorter ones end in positions of which no trace is
    left, as their bias is far below 0.

    Args:
        memories: one or more; the list is emptied as they are copied, so that no two copies of all of them are held.
    """
    sizes = [len(memory[BIAS]) for memory in memories]
    together: Arrays = {
        name: np.zeros((len(sizes), *value.shape[1:2], max(sizes), *value.shape[3:]), value.dtype)
        for name, value in memories[0].items()
        if name != BIAS
    }
    bias = np.full((len(sizes), 1, 1, max(sizes)), NOT_THERE, np.float32)
    memories.reverse()
    for row, size in enumerate(sizes):
        memory = memories.pop()
        bias[row, ..., :size] = memory.pop(BIAS)
        for name, value in memory.items():
            together[name][row, :, :size] = value[0]
    return {**together, BIAS: bias}


def separated(memory: Arrays) -> Arrays:
    """Return the memory of the one utterance that is left of ``joined`` ones, as ``SpeechEncoder`` returned it."""
    bias: Float = memory[BIAS][0, 0, 0]
    size = int((bias > NOT_THERE).sum())  # positions that are not there come last
    return {
        name: bias[:size] if name == BIAS else np.ascontiguousarray(value[:, :, :size])
        for name, value in memory.items()
    }


def _first(arrays: Arrays, count: int) -> Arrays:
    return {name: value[:count] for name, value in arrays.items()}


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
