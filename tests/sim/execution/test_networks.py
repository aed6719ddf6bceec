"""Networks on the engine's RTL."""

import re
from dataclasses import replace

import numpy as np
import pytest

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import Network, as_real, run_network
from scalewright.golden.network.graph import Node
from scalewright.golden.network.quantization import quantize_network
from scalewright.golden.quantized import Floats
from scalewright.sim.bench.design import Design
from scalewright.sim.demo.digits.models import calibration_images, convolutional
from scalewright.sim.execution import networks as driver
from scalewright.sim.execution.networks import count_words, run_on_rtl
from scalewright.sim.simulators.build import PLAYER, Build, build

# Small: two groups of lanes make a vector, and the longest sums do not fit the buffer at once.
_CONFIG = EngineConfig(
    datapath=DatapathConfig.parse("4/4U/4/6", vector_size=4), lanes=2, depth=40, post_lanes=2
)


@pytest.fixture(scope="module")
def network() -> Network:
    return quantize_network(convolutional(), calibration_images(), _CONFIG, Clip("max"))


@pytest.fixture(scope="module")
def images() -> Floats:
    return calibration_images()[:1]


def test_gives_what_golden_gives(network: Network, images: Floats) -> None:
    sent: list[int] = []
    run = run_on_rtl(network, images, _CONFIG, progress=sent.append)
    assert run.mismatch_count == 0
    golden = run_network(network, images, _CONFIG)
    for name, tensor in golden.items():
        assert np.array_equal(as_real(run.tensors[name]), as_real(tensor)), name
    assert sum(sent) == count_words(network, images, _CONFIG)
    assert [layer.rows for layer in run.layers] == [64, 64, 16, 1]
    assert [layer.multiplications for layer in run.layers] == [
        64 * 16 * 9, 64 * 32 * 9 * 16, 16 * 32 * 9 * 32, 10 * 128,
    ]  # fmt: skip
    # The first layer's weights fit the buffer; those of the third come again for every row, two
    # transfers for each vector of activations.
    assert run.layers[0].utilisation > 0.9
    assert 0.45 < run.layers[2].utilisation <= 0.5
    assert all(0 < layer.efficiency <= layer.utilisation <= 1 for layer in run.layers)


def test_gives_what_golden_gives_where_activations_are_of_either_sign() -> None:
    config = replace(_CONFIG, datapath=DatapathConfig.parse("4/4X/4/6", vector_size=4))
    x = calibration_images() - np.float32(0.25)
    network = quantize_network(convolutional(), x, config, Clip("max"))
    signs = [step.signed for step in network.steps if not isinstance(step, Node)]
    assert {True, False} <= set(signs)
    run = run_on_rtl(network, x[:1], config)
    assert run.mismatch_count == 0
    for name, tensor in run_network(network, x[:1], config).items():
        assert np.array_equal(as_real(run.tensors[name]), as_real(tensor)), name


def test_splits_long_layers_into_several_simulations(
    network: Network, images: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_on_rtl(network, images, _CONFIG)
    monkeypatch.setattr(driver, "_VECTORS", 9 * 8 * 40)  # 40 rows of the first layer
    split = run_on_rtl(network, images, _CONFIG)
    assert split.mismatch_count == 0
    assert split.layers[0].cycles > whole.layers[0].cycles
    assert np.array_equal(
        as_real(split.tensors[network.output]), as_real(whole.tensors[network.output])
    )


def test_counts_the_results_of_a_faulty_engine(
    network: Network, images: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(design: Design, words: int) -> Build:
        del words
        # In the first lane the lowest bits of the elements are joined, not multiplied.
        pattern = r"(assign s0_dot_bits_0 = \w+) & (\w+;)"
        text, count = re.subn(pattern, r"\1 | \2", design.verilog, count=1)
        assert count == 1
        return build(design.with_verilog(text), simulator=PLAYER)

    monkeypatch.setattr(driver, "build_player", faulty)
    assert run_on_rtl(network, images, _CONFIG).mismatch_count > 0
