"""The OCTAV unit in Amaranth's simulator: one call of the hardware equals one of golden."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from amaranth.hdl import Mux, Value

from scalewright.golden.config import OctavConfig
from scalewright.golden.octav import End
from scalewright.hw.octav import OctavUnit
from scalewright.sim.blocks import design_of
from scalewright.sim.stimulus import tensors as octav_stimulus
from scalewright.sim.stimulus.tensors import Tensor
from scalewright.sim.testbenches import (
    octav as tb_octav,
)
from tests.benches.amaranth import Payloads, Records, fields, play, records
from tests.benches.faults import seen
from tests.benches.small import STALLS


def octav_unit(config: OctavConfig, tensors: list[Tensor], stalls: float = 0.0) -> Records:
    inputs, _ = _tensor_streams(config, tensors)
    # In a resident unit nothing moves on a port until the last pass over a tensor is done.
    quiet = config.max_iterations * (config.rows + 24)
    return play(OctavUnit(config), inputs, stalls=stalls, quiet=quiet)["o"]


def golden_octav_unit(config: OctavConfig, tensors: list[Tensor]) -> Records:
    _, results = _tensor_streams(config, tensors)
    return results


def _tensor_streams(
    config: OctavConfig, tensors: list[Tensor]
) -> tuple[Mapping[str, Payloads], Records]:
    design = design_of("octav", config)
    phase = tb_octav.case(design, config, "tensors", tensors).phase
    return fields(design, phase.inputs), records(fields(design, phase.expected)["o"])


_OCTAV_UNITS = [
    OctavConfig(sample_bits=6, lanes=2, depth=32),
    OctavConfig(sample_bits=6, lanes=2, depth=32, max_iterations=3, resident=False),
    OctavConfig(sample_bits=3, lanes=1, depth=8, fraction_bits=0, max_iterations=3),
]


@STALLS
@pytest.mark.parametrize("config", _OCTAV_UNITS, ids=lambda config: config.slug)
def test_octav_unit(config: OctavConfig, stalls: float) -> None:
    tensors = octav_stimulus.corner_tensors(config)
    assert octav_unit(config, tensors, stalls) == golden_octav_unit(config, tensors)


def test_octav_unit_ends_in_every_way() -> None:
    ends = {
        row["end"]
        for config in _OCTAV_UNITS
        for row in golden_octav_unit(config, octav_stimulus.corner_tensors(config))
    }
    assert ends == set(End)


def _calls_a_cycle_fixed(bad: Any, good: Any) -> Any:
    end = Value.cast(good.o.payload.end)
    return bad.o.payload.end.eq(Mux(end == End.CYCLE, End.FIXED, end))


test_sees_a_fault = seen(
    {
        "octav-unit-calls-a-cycle-fixed": (
            partial(test_octav_unit, _OCTAV_UNITS[0], 0.0),
            _calls_a_cycle_fixed,
        ),
    }
)
