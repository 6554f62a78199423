"""The page: its files, and what it does in a real browser with a microphone that plays a real recording."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_runtime import IEmoNet
from edge_runtime.formats import csv_table, webvtt
from edge_runtime.serve.settings import Access
from tests.edge_runtime.serve.conftest import Running, served, wait_until, wav

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PAGE = Path(__file__).parents[3] / "edge_runtime" / "serve" / "page"
TOKEN = "a-token-of-the-tests"
HOSTILE = '<img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script>'


def test_files_are_served_with_their_type_and_no_others(tiny: Running) -> None:
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        answer = tiny.http.get(f"/page/{name}")
        assert answer.headers["Content-Type"].startswith(kind)
        assert answer.content == (PAGE / name).read_bytes()
    assert tiny.http.get("/").text == (PAGE / "index.html").read_text(encoding="utf-8")
    for name in ("index.html", "../app.py", "%2e%2e/app.py", "", "none.js"):
        assert tiny.http.get(f"/page/{name}").status_code == 404
    assert ".label-0 { --emotion: #" in tiny.http.get("/page/colours.css").text


def test_nothing_comes_from_another_site_or_stands_in_the_markup() -> None:
    markup = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\son\w+=|\sstyle=|javascript:|<style", markup)
    assert not re.search(r"<script[^>]*>[^<]", markup)
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn|@import|\beval\(|innerHTML|document\.write", text), path


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_scripts_have_no_errors_of_syntax(tmp_path: Path) -> None:
    for script in PAGE.glob("*.js"):
        module = shutil.copy(script, tmp_path / f"{script.stem}.mjs")
        done = subprocess.run(["node", "--check", module], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> Iterator[Chrome]:
    """A browser whose microphone plays the example once, and then silence."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs chromium and chromedriver")
    folder = tmp_path_factory.mktemp("browser")
    (folder / "microphone.wav").write_bytes(wav(np.concatenate([speech, np.zeros(60 * 16_000, np.float32)])))
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1000,1100",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={folder / 'microphone.wav'}%noloop",
        "--autoplay-policy=no-user-gesture-required",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    os.environ["SE_OFFLINE"] = "true"
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.folder = folder  # type: ignore[attr-defined]
    yield chrome
    chrome.quit()


def seen(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what the page must show soon, without asking it so often that it has no time for anything else."""
    wait_until(condition, seconds, pause_s=0.3)


def state(browser: Chrome) -> dict[str, Any]:
    """What a person sees."""
    found: dict[str, Any] = browser.execute_script("""
        const text = (id) => document.getElementById(id).innerText;
        const lines = [...document.querySelectorAll("#lines .line")];
        return {
          status: text("status"),
          words: lines.map((line) => line.querySelector(".words").innerText),
          feelings: lines.map((line) => line.querySelector(".feeling").innerText),
          provisional: text("provisional"),
          curves: [...document.querySelectorAll("path.curve")].map((curve) => curve.getAttribute("d")),
          pressed: document.getElementById("microphone").getAttribute("aria-pressed"),
          head: document.getElementById("head").style.left,
          current: document.querySelectorAll("[aria-current]").length,
        }
    """)
    return found


def click(browser: Chrome, selector: str) -> None:
    browser.find_element("css selector", selector).click()


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


@pytest.mark.slow
def test_a_microphone_gives_curves_that_move_and_the_words(
    browser: Chrome, real: Running, jfk_words: list[str], tmp_path: Path
) -> None:
    browser.get(real.url)
    seen(lambda: "neutral" in browser.find_element("id", "legend").text)
    click(browser, "#microphone")
    seen(lambda: state(browser)["curves"] != [])
    first = state(browser)
    assert first["pressed"] == "true"
    assert first["provisional"]
    assert len(first["curves"]) == 4
    seen(lambda: len(state(browser)["curves"][0]) > len(first["curves"][0]) + 20)
    browser.save_screenshot(str(tmp_path / "live.png"))
    seen(lambda: "country" in words(" ".join(state(browser)["words"][-1:])), 240)
    click(browser, "#microphone")
    seen(lambda: state(browser)["status"] == "Done.", 120)
    found = state(browser)
    heard = words(" ".join(found["words"]))
    # Sound that is cut as it comes is not cut as in a file, and a busy machine's microphone loses some of it.
    assert len(set(heard) & set(jfk_words)) >= 0.8 * len(set(jfk_words))
    assert found["pressed"] == "false"
    assert all(re.match(r"(neutral|happy|sad|angry) \d+%", feeling) for feeling in found["feelings"])
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
    assert (tmp_path / "live.png").stat().st_size > 10_000
    seen(lambda: real.service.work.streams == 0)


@pytest.mark.slow
def test_a_file_is_shown_played_and_downloaded(
    browser: Chrome, tiny: Running, tiny_model: IEmoNet, long_clip: bytes, tmp_path: Path
) -> None:
    (tmp_path / "a call.wav").write_bytes(long_clip)
    expected = list(tiny_model.timeline(long_clip))
    browser.get(tiny.url)
    browser.find_element("id", "file").send_keys(str(tmp_path / "a call.wav"))
    seen(lambda: len(state(browser)["words"]) == len(expected))
    found = state(browser)
    assert found["status"].startswith("a call.wav, 0:24.0")
    assert [feeling.split()[0] for feeling in found["feelings"]] == [segment.label for segment in expected]
    # The curves span what was said, and nothing else.
    left, right = (float(x) for x in re.findall(r"[ML]([\d.]+),", found["curves"][0])[:: len(expected) * 2 - 1])
    assert (left / 1000 * 24, right / 1000 * 24) == pytest.approx((expected[0].start_s, expected[-1].end_s), abs=0.05)
    # A click on a line plays from there, and the cursor moves.
    browser.find_elements("css selector", "#lines button")[1].click()
    seen(lambda: state(browser)["current"] == 1)
    begin = state(browser)["head"]
    seen(lambda: state(browser)["head"] != begin)
    browser.execute_script("document.getElementById('player').pause()")
    for form, text in (("csv", csv_table.render(expected, tiny_model.labels)), ("vtt", webvtt.render(expected))):
        click(browser, f"[data-form={form}]")
        saved = browser.folder / f"a call.{form}"  # type: ignore[attr-defined]
        seen(saved.exists)
        assert saved.read_text(encoding="utf-8") == text
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


@pytest.mark.slow
def test_what_is_hostile_is_shown_and_never_run(
    browser: Chrome, tiny_model: IEmoNet, silence: bytes, long_clip: bytes, tmp_path: Path
) -> None:
    name = tmp_path / (HOSTILE.replace("/", "_") + ".wav")
    name.write_bytes(long_clip)
    (tmp_path / "broken.wav").write_bytes(b"RIFF" + bytes(100))
    with served(tiny_model) as running:
        browser.get(running.url)
        browser.find_element("id", "file").send_keys(str(name))
        seen(lambda: "onerror" in state(browser)["status"] and state(browser)["words"] != [])
        assert browser.execute_script("return window.hacked") is None
        assert browser.execute_script("return document.querySelectorAll('img, #status script').length") == 0
        browser.find_element("id", "file").send_keys(str(tmp_path / "broken.wav"))
        seen(lambda: "audio" in state(browser)["status"].lower() and state(browser)["words"] == [])
        assert browser.find_element("id", "status").get_attribute("class") == "error"
    browser.get_log("browser")  # type: ignore[no-untyped-call]  # a refused request is an error there


@pytest.mark.slow
def test_a_token_is_asked_for_and_used(browser: Chrome, tiny_model: IEmoNet, silence: bytes, tmp_path: Path) -> None:
    (tmp_path / "silence.wav").write_bytes(silence)
    with served(tiny_model, access=Access(token=TOKEN)) as running:
        browser.get(running.url)
        seen(lambda: browser.find_element("id", "token-form").is_displayed())
        browser.find_element("id", "token").send_keys(TOKEN + "\n")
        seen(lambda: not browser.find_element("id", "token-form").is_displayed())
        browser.find_element("id", "file").send_keys(str(tmp_path / "silence.wav"))
        seen(lambda: state(browser)["status"].startswith("Nobody speaks in silence.wav"))
        click(browser, "#microphone")
        seen(lambda: running.service.work.streams == 1)
        click(browser, "#microphone")
        seen(lambda: running.service.work.streams == 0)
    browser.get_log("browser")  # type: ignore[no-untyped-call]


@pytest.mark.slow
def test_a_keyboard_and_a_narrow_window_are_enough(browser: Chrome, tiny: Running) -> None:
    from selenium.webdriver import ActionChains, Keys

    browser.get(tiny.url)
    seen(lambda: browser.find_element("id", "legend").text != "")
    size = browser.get_window_size()
    browser.set_window_size(400, 800)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    browser.set_window_size(size["width"], size["height"])
    reached = []
    for _ in range(2):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        reached.append(browser.switch_to.active_element.get_attribute("id"))
    assert reached == ["microphone", "file"]
    unnamed = browser.execute_script("""
        return [...document.querySelectorAll("button, input, [role=img]")].filter((one) =>
          !(one.innerText || one.labels?.length || one.getAttribute("aria-label"))).length
    """)
    assert unnamed == 0
