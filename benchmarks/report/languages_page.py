"""What bundles write in several languages: docs/multilingual.md."""

from __future__ import annotations

from benchmarks.common.results_file import Result
from benchmarks.report import corpora
from benchmarks.report.markdown import machine, table

HEAD = """{clips} recordings of each corpus, one thread, processor time, the bundles in turn. A recording lasts
{seconds:.1f} s (median). {machine}. WER and CER are the shares of wrong words and of wrong characters. Korean
writes spaces freely, so there CER says more.

![mean character error rate and UA of speech against time and size, by bundle](languages.svg)"""


def page(result: Result) -> str:
    """Return the figures of docs/multilingual.md.

    Args:
        result: of ``languages``.
    """
    head = HEAD.format(clips=result["clips_of_each"], seconds=result["median_s"], machine=machine(result))
    return "\n\n".join([head, _sizes(result), _words(result)])


def mean_cer(bundle: Result) -> float:
    """Return the mean of the character error rates of all corpora."""
    rates = [found["cer"] for found in bundle["corpora"].values()]
    return float(sum(rates) / len(rates))


def _sizes(result: Result) -> str:
    rows = [
        (
            name,
            f"{found['mb']:.0f} MB",
            f"{found['ms_a_clip']:.0f} ms",
            f"{mean_cer(found):.0%}",
            "" if found["ua"] is None else f"{found['ua']:.2f}",
        )
        for name, found in result["bundles"].items()
    ]
    return table(("bundle", "size", "a recording", "mean CER", "UA of speech, corpora never met"), rows)


def _words(result: Result) -> str:
    rows = []
    for corpus in next(iter(result["bundles"].values()))["corpora"]:
        for name, bundle in result["bundles"].items():
            found = bundle["corpora"][corpus]
            told = found["language_told"]
            language = corpora.LANGUAGES.get(found["language"], found["language"])
            rows.append(
                (
                    f"{corpora.title(corpus)} ({language})",
                    name,
                    f"{found['wer']:.0%}",
                    f"{found['cer']:.0%}",
                    "" if told is None else f"{told:.0%}",
                    f"{found['words_used']:.0%}",
                )
            )
    return table(("corpus", "bundle", "WER", "CER", "language told rightly", "words count"), rows)
