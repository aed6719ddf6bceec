import json
from typing import Any

import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig

_DATAPATH = DatapathConfig.parse("4/4U/4/6")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lanes": 3}, r"^lanes must be a power of two from 1 to 64, not 3$"),
        ({"lanes": 128}, r"^lanes must be a power of two from 1 to 64, not 128$"),
        ({"depth": 0}, r"^depth must be an integer from 1 to 65536, not 0$"),
        ({"depth": 65537}, r"^depth must be an integer from 1 to 65536, not 65537$"),
        (
            {"lanes": 2, "depth": 7, "post_lanes": 2},
            r"^depth must be at least the 8 rows of one vector of results, not 7$",
        ),
        ({"post_lanes": 32}, r"^post_lanes must be a power of two from 1 to 16, not 32$"),
        ({"lanes": 4, "post_lanes": 8}, r"^post_lanes must be a power of two from 1 to 4, not 8$"),
        ({"post_lanes": 3}, r"^post_lanes must be a power of two from 1 to 16, not 3$"),
        ({"result_bits": 7}, r"^result_bits must be an integer from 8 to 32, not 7$"),
        ({"result_bits": 33}, r"^result_bits must be an integer from 8 to 32, not 33$"),
    ],
)
def test_rejects_a_value_out_of_range(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EngineConfig(datapath=_DATAPATH, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"datapath": "4/4/4/6"}, r"^datapath must be a DatapathConfig, not '4/4/4/6'$"),
        ({"lanes": True}, r"^lanes must be a power of two from 1 to 64, not True$"),
        ({"depth": 8.0}, r"^depth must be an integer from 1 to 65536, not 8.0$"),
        ({"dsp_multipliers": 1}, r"^dsp_multipliers must be True or False, not 1$"),
    ],
)
def test_rejects_another_type(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        EngineConfig(**{"datapath": _DATAPATH, **given})


def test_a_vector_of_results_takes_several_groups_of_few_lanes() -> None:
    few = EngineConfig(datapath=_DATAPATH, lanes=4)
    assert (few.groups, few.channels) == (4, 16)
    many = EngineConfig(datapath=_DATAPATH, lanes=64)
    assert (many.groups, many.channels) == (1, 64)


def test_results_have_the_format_of_activations_and_room_for_accumulators() -> None:
    config = EngineConfig(datapath=_DATAPATH, result_bits=18)
    assert config.output == _DATAPATH.activations
    assert (config.magnitude_bits, config.value_bits) == (4, 24)
    signed = DatapathConfig.parse("4/4/4/6", accumulator_bits=16)
    config = EngineConfig(datapath=signed, result_bits=32)
    assert (config.magnitude_bits, config.value_bits) == (3, 32)


def test_is_json() -> None:
    facts = json.loads(json.dumps(EngineConfig(datapath=_DATAPATH).as_dict()))
    assert facts["datapath"]["notation"] == "4/4U/4/6"
    assert (facts["lanes"], facts["depth"], facts["groups"]) == (16, 256, 1)
