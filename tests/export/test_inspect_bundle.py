"""What is found in a bundle, whole or damaged."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edge_runtime import Bundle, BundleError, BundleNotFoundError
from edge_runtime.bundle.bundle import MANIFEST
from export.inspect_bundle import graph_facts, inspect_bundle
from trainer.errors import ExportError

Change = Callable[[Callable[[dict[str, Any]], Any]], Path]


def test_the_default_bundle_is_whole(bundle_folder: Path) -> None:
    found = inspect_bundle(bundle_folder)
    assert found.problems == []
    assert found.bytes == sum(f.stat().st_size for f in bundle_folder.iterdir())
    assert set(found.slots) == set(found.manifest["slots"])
    assert all(part.graph is not None and part.graph.weights > 1_000 for part in found.slots.values())
    assert found.slots["speech_encoder"].graph.operators["DynamicQuantizeMatMul"] > 0
    assert found.tokenizers["text"].vocabulary == 30_522
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["whole"] is True
    assert plain["slots"]["vad"]["bytes"] == (bundle_folder / "vad.onnx").stat().st_size


def test_whether_a_baseline_is_taken_is_told(tiny_bundle: Path, comparing_bundle: Path) -> None:
    assert inspect_bundle(comparing_bundle).to_dict()["takes_baseline"] is True
    assert inspect_bundle(tiny_bundle).to_dict()["takes_baseline"] is False


def test_whether_a_context_is_read_is_told(tiny_bundle: Path, context_bundle: Path) -> None:
    found = inspect_bundle(context_bundle)
    assert (found.problems, found.to_dict()["context_tokens"]) == ([], 5)
    assert inspect_bundle(tiny_bundle).to_dict()["context_tokens"] == 0


@pytest.mark.parametrize("stated", [5, [], {"context": 5}, {"context": {"max_tokens": "5"}}])
def test_a_context_that_is_none_is_a_problem_and_no_length(tiny_bundle: Path, stated: Any) -> None:
    manifest = json.loads((tiny_bundle / MANIFEST).read_text(encoding="utf-8")) | {"text_emotion": stated}
    (tiny_bundle / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    found = inspect_bundle(tiny_bundle)
    assert found.problems and found.context_tokens == 0


def test_a_tiny_one_is_whole_too(tiny_bundle: Path) -> None:
    found = inspect_bundle(tiny_bundle)
    assert found.problems == []
    assert found.slots["vad"].graph.operators["Tanh"] == 2


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFoundError, match=r"bundle\.json is missing"):
        inspect_bundle(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "\ufeff{}", "[" * 100_000])
def test_a_manifest_that_is_no_json_leaves_the_files(tiny_bundle: Path, text: str) -> None:
    (tiny_bundle / MANIFEST).write_text(text, encoding="utf-8")
    found = inspect_bundle(tiny_bundle)
    assert len(found.problems) == 1
    assert found.problems[0].startswith("bundle.json: not JSON")
    assert "vad.onnx" in found.files


def test_a_manifest_in_other_bytes_than_utf_8_leaves_the_files(tiny_bundle: Path) -> None:
    (tiny_bundle / MANIFEST).write_bytes(b"\xff\xfe{")
    assert "not JSON" in inspect_bundle(tiny_bundle).problems[0]


def test_everything_that_is_wrong_is_said_and_the_rest_is_shown(tiny_bundle: Path, change: Change) -> None:
    (tiny_bundle / "vad.onnx").unlink()
    (tiny_bundle / "fusion.onnx").write_bytes(b"cut off")
    (tiny_bundle / "text_tokenizer.json").write_text("{}")
    change(lambda m: m.update(labels=["a"]))
    found = inspect_bundle(tiny_bundle)
    for said in ("labels: ", "vad.onnx: missing", "fusion.onnx: 7 bytes", "fusion.onnx: sha256", "text_tokenizer.json"):
        assert any(said in problem for problem in found.problems), said
    assert found.slots["vad"].bytes is None
    assert found.slots["speech_emotion"].graph is not None


def test_a_graph_that_is_none_is_said_though_its_checksum_fits(tiny_bundle: Path, change: Change) -> None:
    import hashlib

    (tiny_bundle / "vad.onnx").write_bytes(b"no graph")
    digest = hashlib.sha256(b"no graph").hexdigest()
    change(lambda m: m["slots"]["vad"].update(sha256=digest, bytes=8))
    assert [p for p in inspect_bundle(tiny_bundle).problems if p.startswith("vad.onnx: not an ONNX graph")]


def test_what_only_the_runtime_sees_is_said(tiny_bundle: Path, change: Change) -> None:
    change(lambda m: m["slots"]["vad"]["inputs"][0]["shape"].__setitem__(0, "y"))
    (problem,) = inspect_bundle(tiny_bundle).problems
    assert "the graph of slot vad has" in problem
    change(lambda m: m.update(labels=["a", "b"]))
    (problem,) = inspect_bundle(tiny_bundle).problems
    assert "for 2 labels" in problem


def test_files_outside_are_not_looked_at(tiny_bundle: Path, change: Change) -> None:
    shutil.copy(tiny_bundle / "vad.onnx", tiny_bundle.parent / "vad.onnx")
    found = inspect_bundle(change(lambda m: m["slots"]["vad"].update(file="../vad.onnx")))
    assert found.slots["vad"].bytes is None
    assert found.problems


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({}) | st.just([{}])


def nodes(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [(value, key) for key in keys] + [pair for key in keys for pair in nodes(value[key])]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(0, 10_000), value=VALUES)
def test_whatever_is_damaged_something_is_found_and_what_the_runtime_refuses_has_problems(
    tiny_bundle: Path, where: int, value: Any
) -> None:
    path = tiny_bundle / MANIFEST
    text = path.read_text(encoding="utf-8")
    manifest = copy.deepcopy(json.loads(text))
    there = nodes(manifest)
    container, key = there[where % len(there)]
    container[key] = value
    path.write_text(json.dumps(manifest), encoding="utf-8")
    try:
        found = inspect_bundle(tiny_bundle)
        json.dumps(found.to_dict())
        try:
            Bundle.read(tiny_bundle)
        except BundleError:
            assert found.problems
    finally:
        path.write_text(text, encoding="utf-8")


def test_operators_and_weights_are_counted_in_branches_too(tmp_path: Path) -> None:
    def branch(name: str, width: int) -> onnx.GraphProto:
        weight = numpy_helper.from_array(np.ones((width, width), np.float32), f"{name}_weight")
        nodes = [helper.make_node("MatMul", ["x", f"{name}_weight"], [name])]
        return helper.make_graph(nodes, name, [], [helper.make_empty_tensor_value_info(name)], [weight])

    constant = helper.make_node("Constant", [], ["five"], value=numpy_helper.from_array(np.arange(5.0)))
    choice = helper.make_node("If", ["which"], ["y"], then_branch=branch("a", 2), else_branch=branch("b", 3))
    ends = [helper.make_tensor_value_info("which", TensorProto.BOOL, []), helper.make_empty_tensor_value_info("x")]
    graph = helper.make_graph([constant, choice], "g", ends, [helper.make_empty_tensor_value_info("y")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "g.onnx")
    found = graph_facts(tmp_path / "g.onnx")
    assert found.operators == {"MatMul": 2, "If": 1}
    assert found.weights == 5 + 4 + 9
    assert found.opset == 17


def test_the_graph_of_the_default_bundle_has_its_weights(bundle_folder: Path) -> None:
    found = graph_facts(bundle_folder / "fusion.onnx")
    assert found.operators["Gemm"] == 3
    # Two frozen classifiers of 128 and 768 units to 4, and four numbers of evidence to the gate.
    assert found.weights >= 4 * (128 + 1) + 4 * (768 + 1) + (4 + 1)


@pytest.mark.parametrize("data", [b"", b"\0" * 100, bytes(range(256)) * 4, b"{}"])
def test_a_file_that_is_no_onnx_graph_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(data)
    with pytest.raises(ExportError, match=r"broken\.onnx: not an ONNX graph"):
        graph_facts(path)
