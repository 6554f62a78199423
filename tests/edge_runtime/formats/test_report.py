"""The report as a page: what is drawn, what is clicked, and what must not run, in a real browser."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from edge_runtime.audio.recording import Recording
from edge_runtime.formats import audio_preview, report
from edge_runtime.prediction import Scores, Segment

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

LABELS = ("neutral", "happy", "sad", "angry")
HOSTILE = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2"> & "quoted" \'single\''
NAME = f"call {HOSTILE}.wav"


def segment(start_s: float, end_s: float, label: str, words: str | None, channel: int | None = None) -> Segment:
    scores = {name: 0.7 if name == label else 0.1 for name in LABELS}
    return Segment(start_s, end_s, Scores(label, scores), None, None, words, channel)


SEGMENTS = [
    segment(0.5, 3.0, "neutral", HOSTILE),
    segment(3.5, 6.0, "happy", "Second."),
    Segment(6.5, 7.0, None, None, None, None),
    segment(7.5, 10.5, "angry", "Fourth."),
]


def page(jfk: Path, segments: list[Segment], **changes: Any) -> str:
    settings = {
        "labels": LABELS,
        "duration_s": 11.0,
        "preview": audio_preview.make_preview(Recording(jfk), split=False, keep=True),
        "notes": ("file ends early",),
    }
    return report.render(NAME, segments, **{**settings, **changes})


def test_nothing_is_fetched_and_nothing_hostile_is_left_as_it_came(jfk: Path) -> None:
    text = page(jfk, SEGMENTS)
    assert text.count("<script") == text.count("</script>") == 1
    assert "<img" not in text
    assert not re.search(r"(src|href)=\"(?!data:audio/mpeg;base64,)", text)
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text


def test_labels_may_be_hostile_too(jfk: Path) -> None:
    labels = (HOSTILE, "b")
    said = Segment(0, 5, Scores(HOSTILE, {HOSTILE: 0.9, "b": 0.1}), None, None, "x")
    text = page(jfk, [said], labels=labels)
    assert text.count("<script") == 1
    assert "<img" not in text


def test_what_is_uncertain_is_marked_counted_and_pale(jfk: Path) -> None:
    unsure = replace(segment(0.5, 3.0, "sad", "Perhaps."), uncertain=True)
    for shown in (unsure, unsure.at(1.0)):
        text = page(jfk, [shown, segment(4, 6, "happy", "Surely.")])
        assert "<span>sad? 70%</span>" in text
        assert "<span>happy 70%</span>" in text
        assert text.count('class="utterance label-2 uncertain"') == text.count('class="span label-2 uncertain"') == 1
        assert text.count('class="utterance label-1"') == text.count('class="span label-1"') == 1
        assert "2 utterances · 1 uncertain (? = uncertain) · file ends early" in text
    assert "? = uncertain" not in page(jfk, SEGMENTS)


def test_curves_are_level_in_an_utterance_and_stop_over_a_long_silence(jfk: Path) -> None:
    far = 10 + report.BREAK_S
    text = page(jfk, [segment(0, 5, "sad", ""), segment(6, 10, "sad", ""), segment(far + 1, far + 5, "sad", "")],
                duration_s=40.0)  # fmt: skip
    (curve,) = re.findall(r'<path class="curve label-2" d="([^"]*)"', text)
    assert curve == "M0.00,30.00H125.00L150.00,30.00H250.00M650.00,30.00H750.00"


def test_without_sound_to_play_there_is_no_player(jfk: Path) -> None:
    seen = audio_preview.make_preview(Recording(jfk), split=False, keep=False)
    assert "<audio" not in page(jfk, SEGMENTS, preview=seen)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,800"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    os.environ["SE_OFFLINE"] = "true"
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


def opened(browser: Chrome, path: Path, text: str) -> list[dict[str, Any]]:
    """Open the page and return what its console says."""
    path.write_text(text, encoding="utf-8")
    browser.get(path.as_uri())
    return browser.get_log("browser")  # type: ignore[no-any-return, no-untyped-call]


def count(browser: Chrome, selector: str) -> int:
    return int(browser.execute_script("return document.querySelectorAll(arguments[0]).length", selector))


@pytest.mark.slow
def test_a_browser_draws_it_all_and_runs_nothing_hostile(browser: Chrome, jfk: Path, tmp_path: Path) -> None:
    assert opened(browser, tmp_path / "report.html", page(jfk, SEGMENTS)) == []
    assert browser.title == NAME
    assert browser.execute_script("return window.hacked") is None
    words = browser.execute_script("return [...document.querySelectorAll('.words')].map(w => w.textContent)")
    assert words == [HOSTILE, "Second.", "-", "Fourth."]
    assert count(browser, "svg") == 1
    assert count(browser, "path.curve") == len(LABELS)
    assert count(browser, "rect.span") == 3
    assert count(browser, ".legend li") == len(LABELS)
    points = "return document.querySelector(arguments[0]).getAttribute('d').match(/[-\\d.]+,/g).length"
    assert browser.execute_script(points, "path.waveform") == 2 * 220
    assert browser.execute_script(points, "path.curve") == 3
    # What is drawn has the size it should have: curves span what was said, spans stand where it was.
    left, right = browser.execute_script(
        "const box = document.querySelector('svg').getBoundingClientRect();"
        "const curve = document.querySelector('path.curve').getBoundingClientRect();"
        "return [(curve.left - box.left) / box.width, (curve.right - box.left) / box.width]"
    )
    assert (left, right) == pytest.approx((0.5 / 11, 10.5 / 11), abs=0.01)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


PLAYER = "const audio = document.querySelector('audio'); "


@pytest.mark.slow
def test_a_click_on_an_utterance_seeks_and_marks_it(browser: Chrome, jfk: Path, tmp_path: Path) -> None:
    opened(browser, tmp_path / "report.html", page(jfk, SEGMENTS))
    ready = PLAYER + "const done = arguments[0]; if (audio.readyState > 0) done(true); " \
        "else { audio.onloadedmetadata = () => done(true); audio.onerror = () => done(false); }"  # fmt: skip
    assert browser.execute_async_script(ready)
    assert browser.execute_script(PLAYER + "return audio.duration") == pytest.approx(11, abs=0.2)
    browser.execute_script("document.querySelectorAll('.utterances button')[3].click()")
    assert browser.execute_script(PLAYER + "audio.pause(); return audio.currentTime") == pytest.approx(7.5, abs=0.4)
    marked = "return document.querySelector('[aria-current]').querySelector('.words').textContent"
    assert browser.execute_script(marked) == "Fourth."
    assert browser.execute_script("return parseFloat(document.querySelector('.head').style.left)") == pytest.approx(
        100 * 7.5 / 11, abs=3
    )
    # So does one on the plot, at its place.
    browser.execute_script(
        "const plot = document.querySelector('.plot'); const box = plot.getBoundingClientRect();"
        "plot.dispatchEvent(new MouseEvent('click', {clientX: box.left + box.width * 4 / 11, clientY: box.top + 9}))"
    )
    assert browser.execute_script(PLAYER + "return audio.currentTime") == pytest.approx(4, abs=0.1)
    assert browser.execute_script(marked) == "Second."
    width = "return document.querySelector('.plot').offsetWidth"
    before = browser.execute_script(width)
    browser.execute_script("document.querySelector('[data-by=\"2\"]').click()")
    assert browser.execute_script(width) == pytest.approx(2 * before, rel=0.05)
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


@pytest.mark.slow
def test_channels_have_a_plot_each_and_without_sound_a_click_still_marks(
    browser: Chrome, jfk: Path, tmp_path: Path
) -> None:
    speech = soundfile.read(jfk, dtype="float32")[0]
    stereo = Recording(np.stack([speech, speech[::-1]], axis=1), 16_000)
    said = [segment(1, 4, "sad", "one", 1), segment(3, 6, "happy", "two", 2)]
    text = page(jfk, said, preview=audio_preview.make_preview(stereo, split=True, keep=False))
    assert opened(browser, tmp_path / "report.html", text) == []
    assert count(browser, "svg") == 2
    assert count(browser, "path.curve") == 2 * len(LABELS)
    assert count(browser, "audio") == 0
    browser.execute_script("document.querySelectorAll('.utterances button')[1].click()")
    assert count(browser, "[aria-current]") == 1
    # On a phone nothing sticks out to the side.
    browser.set_window_size(400, 800)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
