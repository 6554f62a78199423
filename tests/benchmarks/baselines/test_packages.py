"""The packages that the runtime requires, and which of them it loads."""

from __future__ import annotations

from benchmarks.baselines import packages


def test_each_package_has_a_size_a_cause_and_whether_it_is_loaded() -> None:
    found = {entry["package"]: entry for entry in packages.measure()}
    assert {"onnxruntime", "numpy", "soundfile", "soxr", "typer"} <= found.keys()
    assert found["onnxruntime"]["loaded"] and found["numpy"]["mb"] > 10
    assert found["protobuf"]["required_by"] == "onnxruntime" and not found["protobuf"]["loaded"]
    assert not {"tokenizers", "huggingface-hub", "requests", "pydantic"} & found.keys()
    assert all(entry["required_by"] in found.keys() | {packages.OURS} for entry in found.values())
