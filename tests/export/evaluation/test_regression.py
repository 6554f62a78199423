"""A bundle that is checked again: as it was made, or altered."""

import json
import shutil
from pathlib import Path

import pytest

from edge_runtime.errors import BundleError, BundleNotFoundError
from export.evaluation.regression import verify


@pytest.fixture
def bundle(exported, tmp_path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "tiny"))


def edit(folder, change) -> None:
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_a_bundle_as_it_was_made_is_right_and_other_answers_are_not(bundle):
    found = verify(bundle)
    assert (found["wrong"], found["labels_changed"], found["answers_lost"]) == ([], 0, 0)
    assert found["largest_score_difference"] < 0.001
    assert (found["graphs"], found["files"]) == (8, 10)

    def other_answers(manifest) -> None:
        text = manifest["verification"]["built_in_answers"]["text"]
        text["scores"] = [[0.0] * 4 for _ in text["scores"]]
        for row, scores in enumerate(text["scores"]):
            scores[row % 4] = 1.0

    edit(bundle, other_answers)
    found = verify(bundle)
    assert found["clear_labels_changed"] > 0
    assert "clear labels" in found["wrong"][0]
    edit(bundle, lambda m: m["verification"]["built_in_answers"]["text"].update(rows=[], scores=[]))
    assert "alone" in verify(bundle)["wrong"][0]
    edit(bundle, lambda m: m.pop("verification"))
    assert verify(bundle)["answers"] == "not recorded when it was made"


def test_a_damaged_bundle_is_named(bundle, tmp_path):
    with pytest.raises(BundleNotFoundError):
        verify(tmp_path / "nowhere")
    with (bundle / "fusion.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"fusion\.onnx"):
        verify(bundle)


def test_the_snapshot_of_an_older_bundle_is_read_by_its_own_names(bundle):
    def older(manifest) -> None:
        answers = manifest["verification"]["built_in_answers"]
        answers |= {"voice": answers.pop("speech"), "words": answers.pop("text")}

    edit(bundle, older)
    found = verify(bundle)
    assert (found["wrong"], found["labels_changed"], found["answers_lost"]) == ([], 0, 0)


def test_answers_beyond_the_samples_of_this_installation_are_lost(bundle):
    def more(manifest) -> None:
        text = manifest["verification"]["built_in_answers"]["text"]
        text["rows"].append(99)
        text["scores"].append(text["scores"][0])

    edit(bundle, more)
    assert verify(bundle)["answers_lost"] == 1
