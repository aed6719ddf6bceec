"""The RTL of the vector MAC against golden, in a sample of the covering set."""

import gc

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.hw.mac import VectorMac, VectorPair
from scalewright.sim.regression.configurations import sample
from scalewright.sim.regression.regress import Regression, regress
from tests.benches.designs import few


@pytest.mark.parametrize("config", sample("vector-mac"), ids=lambda config: config.slug)
def test_equals_golden(config: DatapathConfig) -> None:
    # Exhaustive element and scale pairs, corners, random with every kind of stall, resets; and at
    # full rate, one vector pair per cycle after the documented latency.
    # In cocotb, too, the small ones; `make regress-all` plays all of the covering set there.
    player = "cocotb" if config in few("vector-mac") else "compiled"
    verdict = regress(Regression("vector-mac", config, 3000, seed=1, player=player))
    assert verdict.failure is None, verdict.failure
    assert verdict.mismatches == 0
    assert verdict.results > 1000


@pytest.mark.parametrize("seed", range(2, 5))
def test_equals_golden_with_other_seeds(seed: int) -> None:
    config = DatapathConfig.parse("4/4U/4/6", scale_product_bits=6)
    verdict = regress(Regression("vector-mac", config, 20_000, seed, player="compiled"))
    assert verdict.failure is None, verdict.failure


# Amaranth warns of the component whose constructor raised, when it is collected.
@pytest.mark.filterwarnings("ignore:.*never used:amaranth.hdl.UnusedElaboratable")
def test_takes_a_configuration_only() -> None:
    with pytest.raises(TypeError, match=r"^config must be a DatapathConfig, not '4/4/4/6'$"):
        VectorMac("4/4/4/6")  # type: ignore[arg-type]  # what is tested
    gc.collect()


def test_input_fields_stand_in_the_documented_order() -> None:
    names = {
        notation: [name for name, _ in VectorPair(DatapathConfig.parse(notation))]
        for notation in ("4/4/4/6", "4/4/4/-", "4/4/-/6", "4/4/-/-", "4/4X/-/6")
    }
    assert names == {
        "4/4/4/6": [
            "weights", "activations", "weight_scale", "activation_scale", "first", "last"
        ],
        "4/4/4/-": ["weights", "activations", "weight_scale", "first", "last"],
        "4/4/-/6": ["weights", "activations", "activation_scale", "first", "last"],
        "4/4/-/-": ["weights", "activations", "first", "last"],
        "4/4X/-/6": [
            "weights", "activations", "activation_scale", "activation_signed", "first", "last"
        ],
    }  # fmt: skip
