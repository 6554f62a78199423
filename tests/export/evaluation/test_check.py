"""A bundle that is checked again: as it was made, or altered."""

import json

import pytest

from edge_runtime.errors import BundleError, BundleNotFoundError
from export.build import Sources, build
from export.evaluation.check import check
from export.quantization.config import Recipe

FP32 = Recipe("fp32")


@pytest.fixture
def bundle(pretrained, trained, tmp_path):
    build(Sources(pretrained, trained), tmp_path / "tiny", name="tiny", recipe=FP32)
    return tmp_path / "tiny"


def edit(folder, change) -> None:
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_what_was_just_made_is_right_and_what_said_otherwise_is_not(bundle):
    found = check(bundle)
    assert (found["wrong"], found["labels_changed"], found["answers_lost"]) == ([], 0, 0)
    assert found["largest_score_difference"] < 0.001
    assert (found["graphs"], found["files"]) == (6, 8)

    def other_answers(manifest) -> None:
        words = manifest["verification"]["built_in_answers"]["words"]
        words["scores"] = [[0.0] * 4 for _ in words["scores"]]
        for row, scores in enumerate(words["scores"]):
            scores[row % 4] = 1.0

    edit(bundle, other_answers)
    found = check(bundle)
    assert found["clear_labels_changed"] > 0
    assert "clear labels" in found["wrong"][0]
    edit(bundle, lambda m: m["verification"]["built_in_answers"]["words"].update(rows=[], scores=[]))
    assert "alone" in check(bundle)["wrong"][0]
    edit(bundle, lambda m: m.pop("verification"))
    assert check(bundle)["answers"] == "not recorded when it was made"


def test_the_same_checkpoints_give_the_same_bytes(bundle, pretrained, trained):
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    build(Sources(pretrained, trained), bundle, name="tiny", recipe=FP32, force=True)
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_a_damaged_bundle_is_named(bundle, tmp_path):
    with pytest.raises(BundleNotFoundError):
        check(tmp_path / "nowhere")
    with (bundle / "fusion.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"fusion\.onnx"):
        check(bundle)
