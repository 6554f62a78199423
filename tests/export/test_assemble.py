"""What the manifest takes from checkpoints before anything is written."""

import pytest

from export.assemble import temperatures
from tests.export.tiny import FUSED


def test_temperatures_are_those_of_the_checkpoints(configs):
    assert temperatures(configs) == {
        **{part: configs[part]["metrics"]["calibration"]["temperature"] for part in ("speech", "text")},
        **{name: configs["fusion"]["metrics"]["calibration"][name]["temperature"] for name in FUSED},
    }


@pytest.mark.parametrize("kept", [("speech", "text", "fusion"), ("speech",), ("text",)])
def test_without_held_out_data_a_temperature_is_1(configs, kept):
    for config in configs.values():
        config["metrics"]["calibration"] = None
    configs["fusion"]["metrics"]["calibration"] = dict.fromkeys(FUSED)
    found = temperatures({part: configs[part] for part in kept})
    assert set(found) == {part for part in kept if part != "fusion"} | (set(FUSED) if "fusion" in kept else set())
    assert set(found.values()) == {1.0}
