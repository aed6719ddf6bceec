"""What activations of either sign cost."""

from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.ppa.measure import Measurement, Subject, measure
from scalewright.sim.ppa.workload import spread_tensors
from tests.tools.ppa import FILES, needs_flow, osu_library

_MOST = 1.03


@needs_flow
@pytest.mark.parametrize("block", ["dot-product", "vector-mac"])
def test_cost_three_percent_at_most(block: str, tmp_path: Path) -> None:
    def measured(notation: str) -> Measurement:
        subject = Subject(config=DatapathConfig.parse(notation), block=block)
        return measure(subject, spread_tensors(), FILES, osu_library(), tmp_path, vectors=100)

    signed, either = measured("4/4/4/6"), measured("4/4X/4/6")
    assert 1 < either.area / signed.area <= _MOST
    assert either.critical_path / signed.critical_path <= _MOST
