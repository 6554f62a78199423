"""A model in an application: many threads, forked processes, closed at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_runtime import BundleError, ClosedError, IEmoNet, Prediction

RATE = 16_000
THREADS, CALLS = 8, 100


@pytest.fixture(scope="module")
def clips(speech: np.ndarray) -> list[np.ndarray]:
    return [speech[i * 1_600 : i * 1_600 + RATE // 2] for i in range(20)]


def what_counts(prediction: Prediction) -> dict[str, object]:
    return {key: value for key, value in prediction.to_dict().items() if key != "timings_ms"}


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_eight_threads_at_once_give_the_answers_of_one(
    bundle_folder: Path, clips: list[np.ndarray], threads: int
) -> None:
    with IEmoNet.load(bundle_folder, device="cpu", threads=threads) as model:
        serial = [what_counts(model(clip, RATE)) for clip in clips]

        def many(begin: int) -> list[int]:
            order = [(begin + i) % len(clips) for i in range(CALLS)]
            return [i for i in order if what_counts(model(clips[i], RATE)) != serial[i]]

        with ThreadPoolExecutor(THREADS) as pool:
            assert list(pool.map(many, range(THREADS))) == [[]] * THREADS


FORK = """
import os, sys, threading
from edge_runtime import IEmoNet
model = IEmoNet.load(sys.argv[1], device="cpu", threads=2)
before = model(sys.argv[2]).scores
stop = threading.Event()
def keep_busy():
    while not stop.is_set():
        model.classify_text("I am so happy")
others = [threading.Thread(target=keep_busy) for _ in range(2)]
for other in others:
    other.start()
statuses = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        same = model(sys.argv[2]).scores == before
        model.close()
        os._exit(0 if same else 7)  # as multiprocessing ends its children; see docs/embedding.md
    statuses.append(os.waitpid(child, 0)[1])
stop.set()
for other in others:
    other.join()
print(statuses, model(sys.argv[2]).scores == before)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_a_forked_child_answers_and_closes_while_the_parent_is_busy(
    bundle_folder: Path, tmp_path: Path, jfk: Path
) -> None:
    samples, rate = soundfile.read(jfk, frames=RATE)
    soundfile.write(tmp_path / "clip.wav", samples, rate)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", FORK, str(bundle_folder), str(tmp_path / "clip.wav")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert out.strip() == "[0, 0, 0] True"


def test_a_closed_model_raises_closed_error(bundle_folder: Path, clips: list[np.ndarray]) -> None:
    with IEmoNet.load(bundle_folder, device="cpu", threads=1) as model:
        assert model(clips[0], RATE).duration_s == 0.5
    model.close()
    with pytest.raises(ClosedError):
        model(clips[0], RATE)
    with pytest.raises(ClosedError):
        model.classify_text("hello")


def test_warming_up_runs_every_graph(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with IEmoNet.load(bundle_folder, device="cpu", threads=1) as model:
        ran = set()
        for slot, session in model._sessions.items():
            whole = session._session

            class Watched:
                def __init__(self, slot: str, whole: object) -> None:
                    self.slot, self.whole = slot, whole

                def run(self, *arguments: object) -> object:
                    ran.add(self.slot)
                    return self.whole.run(*arguments)  # type: ignore[attr-defined]

            monkeypatch.setattr(session, "_session", Watched(slot, whole))
        model.warm_up()
        assert ran == set(model.bundle.slots) - {"batch_decoder"}  # which is opened when there are several utterances


def test_without_asr_speech_alone_answers_and_below_the_threshold_the_label_is_uncertain(
    model: IEmoNet, jfk: Path
) -> None:
    both, voice = model(jfk), model(jfk, asr=False)
    assert (both.used, voice.used) == (("voice", "words"), ("voice",))
    assert (voice.transcript, voice.text, voice.speech) == (None, None, both.speech)
    assert "transcript_decoder" not in voice.timings_ms
    assert what_counts(voice) == what_counts(model(jfk, transcript=""))
    told = model(jfk, transcript="I hate you", asr=False)
    assert told.transcript == "I hate you"
    unsure = model(jfk, threshold=1.0)
    assert unsure.label == "uncertain" == unsure.segments[0].fused.label
    assert (unsure.scores, unsure.confidence) == (both.scores, both.confidence)
    assert model(jfk, threshold=both.confidence).label == both.label
    assert model.classify_text("hm", threshold=1.0).label == "uncertain"
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            model(jfk, threshold=threshold)


def test_without_asr_a_bundle_that_has_no_speech_branch_is_refused(
    model: IEmoNet, monkeypatch: pytest.MonkeyPatch, jfk: Path
) -> None:
    slots = {name: slot for name, slot in model.bundle.slots.items() if name != "speech_emotion"}
    monkeypatch.setattr(type(model.bundle), "slots", slots, raising=False)
    monkeypatch.delitem(model.bundle.__dict__, "slots")
    with pytest.raises(BundleError, match="nothing is left"):
        model(jfk, asr=False)
