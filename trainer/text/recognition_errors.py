"""Words as a speech recogniser would have written them: simulated errors at a target word error rate.

The paper trains on such transcripts (section 5.3.1, its references 71 and 72; 6 % of the words in error). As in
a noisy channel, a word is taken for another by how nearly alike they sound, and by how likely the other is
after the word before; words are also lost and added.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.text.pronunciation import Dictionary, Nearest
from trainer.text.wer import normalize, word_error_rate

SUBSTITUTIONS, INSERTIONS = 0.66, 0.17
"""Shares of the errors; the rest are deletions. This and the sharpness are our own recogniser's on synthetic
speech: ``python -m benchmarks error-statistics``."""
SHARPNESS = 10.0
"""How fast the probability of a confusion falls with the distance in sound."""
NEIGHBOURS = 24
MAX_RATE = 0.5
"""Beyond, a transcript is no transcript."""
TOLERANCE, STEPS = 0.001, 16

WORD = re.compile(r"[^\W_](?:\S*[^\W_])?")
LETTER = re.compile(r"[^\W\d_]")
Float = NDArray[np.float64]


class RecognitionErrors:
    """A seeded source of recognition errors, with the words and habits of a corpus.

    Attributes:
        probability: that something happens to a word, such that the corpus comes out at the rate aimed at.
        realised: the word error rate that it did come out at. Only a corpus of few words is off by more than
            0.1 points: one word is either wrong or right.
    """

    def __init__(self, sentences: Sequence[str], *, rate: float, seed: int, dictionary: Dictionary) -> None:
        """Learn words, and which follows which, from ``sentences``; calibrate on them.

        Args:
            sentences: the corpus.
            rate: word error rate aimed at, as ``word_error_rate`` counts, in [0, 0.5]; the paper's is 0.06.
            seed: of the errors.
            dictionary: how words sound, see ``trainer.text.pronunciation``.

        Raises:
            ValueError: the rate is none of those.
        """
        if not 0 <= rate <= MAX_RATE:
            raise ValueError(f"word error rate {rate}: must lie in [0, {MAX_RATE}]")
        self.seed = seed
        self._counts: Counter[str] = Counter()
        self._after: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._written: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for sentence in sentences:
            self._learn(sentence)
        common = [w for w, _ in sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))]
        # A recogniser writes words, not the misspellings of a chat; where the dictionary knows none, any will do.
        self._vocabulary = [w for w in common if w in dictionary] or common
        total = sum(self._counts[w] for w in self._vocabulary)
        self._share = {w: self._counts[w] / total for w in self._vocabulary}
        self._nearest = Nearest(self._vocabulary, dictionary)
        self._neighbours: dict[str, tuple[Sequence[str], Float]] = {}
        self._followers: dict[str, tuple[Sequence[str], Float]] = {}
        self.probability, self.realised = self._calibrated(sentences, rate)

    def corrupt(self, sentences: Sequence[str]) -> list[str]:
        """Return ``sentences`` with errors: each one's depend on the seed, its words and its place alone.

        A word replaced keeps the capitals and the marks around it. A sentence may lose its only word.
        """
        return self._corrupt(sentences, self.probability)

    def substitutes(self, word: str, before: str, sharpness: float = SHARPNESS) -> tuple[Sequence[str], Float]:
        """Return what ``word`` may be taken for after the word ``before``, and how likely each is.

        The probability falls exponentially with the distance in sound, and grows with that of the bigram
        (Witten and Bell 1991): the noisy channel's two factors.

        Args:
            word: in lower case.
            before: likewise; "" at the beginning.
            sharpness: of that fall.
        """
        words, distances = self._near(word)
        if not words:
            return [], np.empty(0)
        odds = np.exp(-sharpness * (distances - distances[0])) * self._likelihoods(words, before)
        return words, odds / odds.sum()

    def _learn(self, sentence: str) -> None:
        before = ""
        for found in map(WORD.search, sentence.split()):
            if found is None or not LETTER.search(found[0]):
                continue
            word = _lower(found[0])
            self._counts[word] += 1
            self._after[before][word] += 1
            if before:  # the first word's capital is the sentence's
                self._written[word][found[0]] += 1
            before = word

    def _calibrated(self, sentences: Sequence[str], rate: float) -> tuple[float, float]:
        """Return the probability that gives ``rate`` on ``sentences``, and the rate it gives, by bisection."""
        if not rate or not self._counts:
            return rate, 0.0
        low, high, probability = 0.0, 1.0, rate
        tried: dict[float, float] = {}
        for _ in range(STEPS):
            got = tried[probability] = word_error_rate(sentences, self._corrupt(sentences, probability))
            if abs(got - rate) <= TOLERANCE:
                break
            low, high = (probability, high) if got < rate else (low, probability)
            # The rate is nearly proportional to the probability; where it is not, halving gets there too.
            guess = probability * rate / got if got else 0.0
            probability = guess if low < guess < high else (low + high) / 2
        best = min(tried, key=lambda p: abs(tried[p] - rate))
        return best, tried[best]

    def _corrupt(self, sentences: Sequence[str], probability: float) -> list[str]:
        return [self._misheard(s, index, probability) for index, s in enumerate(sentences)]

    def _misheard(self, sentence: str, index: int, probability: float) -> str:
        tokens = sentence.split()
        draws = self._draws(sentence, index, len(tokens))
        if not (draws[:, 0] < probability).any():
            return sentence
        written: list[str] = []
        before = ""
        for token, (event, kind, choice) in zip(tokens, draws.tolist(), strict=True):
            found = WORD.search(token)
            if found is None or not LETTER.search(found[0]):
                written.append(token)
                continue
            word = _lower(found[0])
            if event >= probability:
                written.append(token)
            elif kind < INSERTIONS and self._vocabulary:
                written += [self._restore_casing(self._follower(before, choice)), token]
            else:
                marks = token[found.end() :]
                other = self._substitute(word, before, choice) if kind < INSERTIONS + SUBSTITUTIONS else ""
                if other:
                    other = _capitals(self._restore_casing(other), found[0], first=not written)
                    written.append(token[: found.start()] + other + marks)
                elif written and written[-1][-1].isalnum():
                    written[-1] += marks  # of a word that was lost
            before = word
        return " ".join(written)

    def _draws(self, sentence: str, index: int, tokens: int) -> Float:
        digest = hashlib.sha256(sentence.encode("utf-8", "surrogatepass")).digest()
        return np.random.default_rng([self.seed, index, int.from_bytes(digest[:8], "big")]).random((tokens, 3))

    def _substitute(self, word: str, before: str, choice: float) -> str:
        words, probabilities = self.substitutes(word, before)
        return words[_pick(probabilities, choice)] if words else ""

    def _follower(self, before: str, choice: float) -> str:
        """Return a word likely after ``before``."""
        if before not in self._followers:
            found = [w for w in self._after.get(before, ()) if w in self._share] or self._vocabulary
            likely = self._likelihoods(found, before)
            self._followers[before] = found, likely / likely.sum()
        words, probabilities = self._followers[before]
        return words[_pick(probabilities, choice)]

    def _likelihoods(self, words: Sequence[str], before: str) -> Float:
        """Return the probabilities of ``words`` after ``before``, but for a common factor."""
        followers = self._after.get(before, Counter())
        kinds = len(followers) or 1
        return np.array([followers[w] + kinds * self._share[w] for w in words])

    def _near(self, word: str) -> tuple[Sequence[str], Float]:
        """Return the words that ``word`` may be taken for, and their distances (n,)."""
        if word not in self._neighbours:
            found = self._nearest(word, 2 * NEIGHBOURS)
            others = [(w, d) for w, d in found if normalize(w) != normalize(word)][:NEIGHBOURS]
            self._neighbours[word] = [w for w, _ in others], np.array([d for _, d in others])
        return self._neighbours[word]

    def _restore_casing(self, word: str) -> str:
        """Return ``word`` with its own capitals: "i" is "I"."""
        forms = self._written.get(word)
        return max(forms, key=lambda form: (forms[form], form)) if forms else word


def strip_exclamations(sentence: str) -> str:
    """Return ``sentence`` with a full stop for each exclamation; a recogniser seldom writes any."""
    return re.sub(r"[!?]*![!?]*", ".", sentence)


def _lower(word: str) -> str:
    return word.lower().replace("\u2019", "'")


def _capitals(word: str, like: str, *, first: bool) -> str:
    """Return ``word`` with the capitals of ``like``; that of "I" is not the place's, except at the beginning."""
    if len(like) > 1 and like.isupper():
        return word.upper()
    if like[0].isupper() and (like != "I" or first):
        return word[0].upper() + word[1:]
    return word


def _pick(probabilities: Float, choice: float) -> int:
    """Return the index that ``choice`` in [0, 1) falls on."""
    return min(int(np.searchsorted(np.cumsum(probabilities), choice, side="right")), len(probabilities) - 1)
